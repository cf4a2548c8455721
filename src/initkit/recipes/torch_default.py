"""torch's own constructors."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "torch_default",
        rules=[REST],
        summary="Every parameter as the constructor of its torch module draws it.",
        source="torch.nn: the reset_parameters of each module",
        fits=("plain torch", "any model, as far as it is built of torch.nn modules"),
        notes="a foreign module's own parameters are not covered, and are listed",
    ),
)
