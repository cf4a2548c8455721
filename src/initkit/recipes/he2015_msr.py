"""He's rule for rectifiers."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe


def _rules(a: float = 0.0, mode: str = "fan_in") -> list[Any]:
    drawn = "type:Conv1d|Conv2d|Conv3d|ConvTranspose1d|ConvTranspose2d|ConvTranspose3d|Linear"
    return [{drawn: {"weight": f"kaiming_normal(a={a!r}, mode={mode!r})", "bias": 0}}, REST]


RECIPES = (
    Recipe(
        "he2015_msr/paper",
        rules=_rules,
        summary="Weights N(0, sqrt(2/((1 + a^2) fan_in))), biases 0; PReLU slopes 0.25.",
        source="arXiv:1502.01852, section 2.2",
        paper="He et al. 2015, Delving Deep into Rectifiers (arXiv:1502.01852)",
        fits=("plain torch", "torchvision", "timm"),
        notes="a is the slope of the rectifier below 0; fan_in and fan_out both suffice, says the "
        "paper. The first layer might go without the 2, which makes no difference",
    ),
)
ALIASES = {"he2015_msr": "he2015_msr/paper"}
