"""SIREN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule

_NAMES = ("omega_0", "omega", "w0")
_OMEGA = " or ".join(f"{where}.{name}" for where in ("around", "beside") for name in _NAMES)


def _called_first(answer: bool) -> Callable[[Slot], bool]:
    """Return the predicate that the layer itself says whether it is the first."""

    def says(slot: Slot) -> bool:
        known = (getattr(module, "is_first", None) for module in reversed(slot.lineage[-2:]))
        return next((bool(is_first) is answer for is_first in known if is_first is not None), False)

    says.__name__ = f"is_first is {answer}"
    return says


def _siren(omega_0: float | None = None) -> list[Any]:
    omega = f"({_OMEGA} or 30)" if omega_0 is None else repr(float(omega_0))
    bound = f"sqrt(6/fan_in)/{omega}"
    first, other = "uniform(low=-1/fan_in, high=1/fan_in)", f"scaled(uniform(low=-1), {bound})"
    return [
        Rule(first, type="Linear", name="*weight", where=_called_first(True)),
        Rule(other, type="Linear", name="*weight", where=_called_first(False)),
        Rule(first, name="earliest:Linear", where=_weight_where_none_says),
        {"type:Linear": {"weight": other}},
        REST,
    ]


def _weight_where_none_says(slot: Slot) -> bool:
    """Whether a weight is of a model in which no layer says that it is the first."""
    return slot.key == "weight" and not any(
        getattr(module, "is_first", False) for module in slot.lineage[0].modules()
    )


_weight_where_none_says.__name__ = "weight, no is_first"

RECIPES = (
    Recipe(
        "siren/original",
        rules=_siren,
        summary="First layer U(-1/in, 1/in), the others U(-b, b) with b = sqrt(6/in)/omega_0.",
        source="vsitzmann/siren: modules.py (SingleBVPNet, sine_init, first_layer_sine_init)",
        paper="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation "
        "Functions, arXiv:2006.09661",
        fits=("original", "plain torch"),
        notes="omega_0 is that of the module, or of the sine beside it, be it called omega_0, "
        "omega or w0; else 30. The last, linear layer is drawn like the hidden ones; biases keep "
        "torch's default, of which the paper does not speak. The first layer is the one that says "
        "is_first, else the first Linear of the model, or of the path that the recipe stands under",
    ),
)
ALIASES = {"siren": "siren/original"}
