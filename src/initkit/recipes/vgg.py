"""VGG."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import HE_OUT, NORMS

_PAPER = "Simonyan & Zisserman 2015, Very Deep Convolutional Networks (arXiv:1409.1556)"
_RULES = [
    {
        "type:Conv2d": {"weight": HE_OUT, "bias": 0},
        "type:Linear": {"weight": "normal(std=0.01)", "bias": 0},
    },
    NORMS,
    REST,
]
_SUMMARY = "Convolutions N(0, sqrt(2/(k k out_channels))), linear layers N(0, 0.01), biases 0."

RECIPES = (
    Recipe(
        "vgg/torchvision",
        rules=_RULES,
        summary=_SUMMARY,
        source="pytorch/vision 0.28: torchvision/models/vgg.py",
        paper=_PAPER,
        fits=("torchvision", "timm", "plain torch"),
        notes="the paper draws everything with variance 0.01, which is std 0.1 (vgg/paper)",
    ),
    Recipe(
        "vgg/timm",
        rules=_RULES,
        summary=_SUMMARY,
        source="huggingface/pytorch-image-models 1.0.31: timm/models/vgg.py",
        paper=_PAPER,
        fits=("timm", "torchvision"),
        notes="as torchvision; the convolutions that stand for linear layers are convolutions here",
    ),
    Recipe(
        "vgg/paper",
        rules=[
            {"type:Conv2d|Linear": {"weight": "normal(std=0.1)", "bias": 0}},
            NORMS,
            REST,
        ],
        summary="Every weight N(0, 0.1), that is variance 0.01; biases 0.",
        source="arXiv:1409.1556, section 3.1",
        paper=_PAPER,
        fits=("torchvision", "timm", "plain torch"),
        notes="the paper starts deeper networks from the trained layers of the shallowest one, "
        "which alone starts so",
    ),
)
ALIASES = {"vgg": "vgg/torchvision"}
