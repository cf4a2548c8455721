"""SIREN."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule


def _first(slot: Slot) -> bool:
    return slot.layer == 0


_first.__name__ = "the first layer"


def _siren(omega_0: float | None = None) -> list[Any]:
    omega = "(around.omega_0 or 30)" if omega_0 is None else repr(float(omega_0))
    bound = f"sqrt(6/fan_in)/{omega}"
    return [
        Rule("uniform(low=-1/fan_in, high=1/fan_in)", type="Linear", name="*weight", where=_first),
        {"type:Linear": {"weight": f"uniform(low=-{bound}, high={bound})"}},
        REST,
    ]


RECIPES = (
    Recipe(
        "siren/original",
        rules=_siren,
        summary="First layer U(-1/in, 1/in), the others U(-b, b) with b = sqrt(6/in)/omega_0.",
        source="vsitzmann/siren: modules.py (SingleBVPNet, sine_init, first_layer_sine_init)",
        paper="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation "
        "Functions, arXiv:2006.09661",
        fits=("original", "plain torch"),
        notes="omega_0 is the module's where it has one, else 30. The last, linear layer is drawn "
        "like the hidden ones; biases keep torch's default, of which the paper does not speak. "
        "The first layer is number 0 of the outermost list",
    ),
)
ALIASES = {"siren": "siren/original"}
