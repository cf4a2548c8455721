"""DenseNet."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import HE_IN, NORMS, TORCH7_RULES

_PAPER = "Huang et al. 2017, Densely Connected Convolutional Networks (arXiv:1608.06993)"
_FAN_IN = [
    {
        "type:Conv2d": {"weight": HE_IN},
        "type:Linear": {"weight": "torch_default", "bias": 0},
    },
    NORMS,
    REST,
]
_SUMMARY = "Convolutions N(0, sqrt(2/(k k in_channels))); classifier bias 0."

RECIPES = (
    Recipe(
        "densenet/torch7",
        rules=TORCH7_RULES,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))); linear bias 0.",
        source="liuzhuang13/DenseNet: models/densenet.lua",
        paper=_PAPER,
        fits=("plain torch", "torchvision", "timm"),
        notes="torchvision and timm say that they follow this code, but use fan_in",
    ),
    Recipe(
        "densenet/torchvision",
        rules=_FAN_IN,
        summary=_SUMMARY,
        source="pytorch/vision 0.28: torchvision/models/densenet.py",
        paper=_PAPER,
        fits=("torchvision", "timm"),
        notes="its comment says 'Official init from torch repo', which is fan_out "
        "(densenet/torch7)",
    ),
    Recipe(
        "densenet/timm",
        rules=_FAN_IN,
        summary=_SUMMARY,
        source="huggingface/pytorch-image-models 1.0.31: timm/models/densenet.py",
        paper=_PAPER,
        fits=("timm", "torchvision"),
        notes="fan_in, as in torchvision",
    ),
)
ALIASES = {"densenet": "densenet/torch7"}
