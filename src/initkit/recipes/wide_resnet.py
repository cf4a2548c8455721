"""Wide ResNet."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import CONVS, HE_IN

_PAPER = "Zagoruyko & Komodakis 2016, Wide Residual Networks; He et al. 2015 (MSR)"
_MSR = {"weight": HE_IN, "bias": 0}
_TORCH7_LINEAR = {"weight": "torch_default", "bias": 0}
_TORCH7_NORM = {"weight": "uniform(0, 1)", "bias": 0}

RECIPES = (
    Recipe(
        "wide_resnet",
        rules=[
            {
                CONVS: _MSR,
                "type:_BatchNorm": {"weight": 1, "bias": 0},
                "type:Linear": _TORCH7_LINEAR,
            },
            REST,
        ],
        summary="MSR: convolutions N(0, sqrt(2/(k k in_channels))); batchnorm 1 and 0, biases 0.",
        source="szagoruyko/wide-residual-networks: models/utils.lua (MSRinit, FCinit)",
        paper=_PAPER,
        fits=("plain torch", "torchvision", "timm"),
        notes="in_channels are those of one group. The Torch7 code also leaves batchnorm weights "
        "at U(0, 1), Torch7's default: that is wide_resnet/torch7",
    ),
    Recipe(
        "wide_resnet/torch7",
        rules=[
            {CONVS: _MSR, "type:_BatchNorm": _TORCH7_NORM, "type:Linear": _TORCH7_LINEAR},
            REST,
        ],
        summary="As wide_resnet, and batchnorm weights U(0, 1).",
        source="szagoruyko/wide-residual-networks: models/wide-resnet.lua, models/utils.lua; "
        "torch/nn: BatchNormalization.lua, Linear.lua",
        paper=_PAPER,
        fits=("plain torch", "torchvision", "timm"),
        notes="MSRinit and FCinit do not touch batchnorm, whose Torch7 default is U(0, 1). Until "
        "September 2016 MSRinit counted the output planes",
    ),
    Recipe(
        "wide_resnet/original",
        rules=[
            {
                "*bn*.weight": "uniform(0, 1)",
                "type:_BatchNorm": _TORCH7_NORM,
                "*.bias": 0,
                CONVS + "|Linear": _MSR,
                "*.weight": HE_IN,
                r"re:(.*\.)?conv(\d+|dim)": HE_IN,
            },
            REST,
        ],
        summary="Every weight N(0, sqrt(2/fan_in)), the classifier's too; batchnorm weights U(0, "
        "1).",
        source="szagoruyko/wide-residual-networks: pytorch/utils.py, pytorch/resnet.py",
        paper=_PAPER,
        fits=("plain torch",),
        notes="the authors' port to PyTorch; it keeps Torch7's batchnorm and starts the classifier "
        "by MSR, where the Lua code leaves U(-1/sqrt(fan_in), 1/sqrt(fan_in))",
    ),
)
ALIASES = {"wide_resnet/pytorch": "wide_resnet/original"}
