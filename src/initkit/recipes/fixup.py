"""Fixup."""

from __future__ import annotations

from ..rules import REST, Recipe

_BLOCKS = "count('FixupBasicBlock|FixupBottleneck')"
_HE = "kaiming_normal(mode='fan_out', fans='tensor')"

RECIPES = (
    Recipe(
        "fixup/original",
        rules=[
            {
                "in:FixupBasicBlock": {
                    "conv2.weight": 0,
                    "conv1.weight": f"scaled({_HE}, {_BLOCKS}**-0.5)",
                },
                "in:FixupBottleneck": {
                    "conv3.weight": 0,
                    "conv[12].weight": f"scaled({_HE}, {_BLOCKS}**-0.25)",
                },
                "*.downsample.weight": _HE,
                r"re:(.*\.)?bias\d[ab]?": 0,
                "*.scale": 1,
                "type:Linear": {"weight": 0, "bias": 0},
            },
            REST,
        ],
        marks=(r"re:(.*\.)?bias\d[ab]?",),
        summary="Branch convolutions He L^(-1/(2m - 2)), the last of a branch and the classifier "
        "0.",
        source="hongyi-zhang/Fixup: imagenet/models/fixup_resnet_imagenet.py, "
        "cifar/models/fixup_resnet_cifar.py",
        paper="Zhang et al. 2019, Fixup Initialization (arXiv:1901.09321)",
        fits=("plain torch, with blocks called FixupBasicBlock and FixupBottleneck",),
        notes="L is the number of residual blocks, m the convolutions of a branch (2 and 3), both "
        "taken from the model. The standard method is He's with fan_out; the first convolution "
        "stays torch's default. Scalar biases are 0, multipliers 1",
    ),
)
ALIASES = {"fixup": "fixup/original"}
