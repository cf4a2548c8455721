"""Networks of signed distances that start as a sphere: geometric initialisation."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, last

_LAST = last("")  # of the model, or of the path that the recipe stands under


def _igr(radius: float = 1.0) -> list[Any]:
    return [
        {_LAST: {"weight": "normal(mean=sqrt(pi/fan_in), std=1e-5)", "bias": -float(radius)}},
        {"type:Linear": {"weight": "normal(std=sqrt(2/fan_out))", "bias": 0}},
        REST,
    ]


RECIPES = (
    Recipe(
        "sdf/igr",
        rules=_igr,
        summary="Hidden layers N(0, sqrt(2/out)), biases 0; the last sqrt(pi/in) and -radius: the "
        "net starts as the signed distance to a sphere.",
        source="amosgropp/IGR: code/model/network.py (ImplicitNet, geometric_init)",
        paper="Gropp et al. 2020, Implicit Geometric Regularization for Learning Shapes, "
        "arXiv:2002.10099; Atzmon & Lipman 2020, SAL, arXiv:1911.10414",
        fits=("igr", "plain torch"),
        notes="with ReLU, or a softplus of a large beta; the input may be concatenated again in a "
        "later layer, as there.",
    ),
)
ALIASES = {"sdf": "sdf/igr", "geometric": "sdf/igr"}
