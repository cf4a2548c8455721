"""ResNeXt."""

from __future__ import annotations

from ..rules import Recipe
from ._convnets import TORCH7_RULES
from .resnet import timm, torchvision

_PAPER = "Xie et al. 2017, Aggregated Residual Transformations for Deep Neural Networks"

RECIPES = (
    Recipe(
        "resnext/torch7",
        rules=TORCH7_RULES,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), groups ignored; linear bias 0.",
        source="facebookresearch/ResNeXt: models/resnext.lua",
        paper=_PAPER,
        fits=("plain torch", "torchvision", "timm"),
        notes="out_channels are all of them, not those of a group, so a grouped convolution starts "
        "sqrt(groups) smaller than He's rule per group; torchvision leaves the linear bias at its "
        "default",
    ),
    Recipe(
        "resnext/torchvision",
        rules=torchvision,
        summary="As ResNet: convolutions N(0, sqrt(2/(k k out_channels))), groups ignored.",
        source="pytorch/vision 0.28: torchvision/models/resnet.py (resnext50_32x4d)",
        paper=_PAPER,
        fits=("torchvision", "timm"),
        notes="as in Torch7, but for the linear bias",
    ),
    Recipe(
        "resnext/timm",
        rules=timm,
        summary="As ResNet in timm: the last norm of every block 0.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/resnet.py (resnext50_32x4d)",
        paper=_PAPER,
        fits=("timm", "torchvision"),
    ),
)
ALIASES = {"resnext": "resnext/torch7"}
