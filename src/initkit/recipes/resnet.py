"""ResNet."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._convnets import HE_OUT, KERAS_RULES, NORMS, TORCH7_RULES

_PAPER = "He et al. 2016, Deep Residual Learning for Image Recognition (arXiv:1512.03385)"
_GOYAL = "Goyal et al. 2017, Accurate, Large Minibatch SGD (arXiv:1706.02677)"
LAST_NORM = {
    "in:BasicBlock": {"bn2.weight": 0},
    "in:Bottleneck|Bottle2neck|ResNestBottleneck": {"bn3.weight": 0},
}
"""The last norm of every residual branch at 0, so that blocks start as the identity."""


def torchvision(zero_init_residual: bool = False) -> list[Any]:
    """Return the rules of torchvision's ``ResNet``, whatever its width and groups."""
    zeros = [LAST_NORM] if zero_init_residual else []
    return [*zeros, {"type:Conv2d": {"weight": HE_OUT}}, NORMS, REST]


def timm(zero_init_last: bool = True) -> list[Any]:
    """Return the rules of timm's ``ResNet``."""
    return torchvision(zero_init_residual=zero_init_last)


RECIPES = (
    Recipe(
        "resnet/torchvision",
        rules=torchvision,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))); the classifier is torch's default.",
        source="pytorch/vision 0.28: torchvision/models/resnet.py",
        paper=f"{_PAPER}; He et al. 2015 (arXiv:1502.01852); {_GOYAL}",
        fits=("torchvision", "timm", "plain torch"),
        notes="the paper's own code, in Caffe, is not published with its fillers. "
        "zero_init_residual zeroes the last norm of every block; it is off here, and on in timm "
        "and TensorFlow",
    ),
    Recipe(
        "resnet/timm",
        rules=timm,
        summary="As torchvision, and the last norm of every block 0.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/resnet.py",
        paper=f"{_PAPER}; {_GOYAL}",
        fits=("timm", "torchvision"),
        notes="zero_init_last is on by default, but not in SKNet, whose norms therefore keep 1; "
        "biases of squeeze-and-excitation stay torch's",
    ),
    Recipe(
        "resnet/transformers",
        rules=torchvision(),
        summary="As torchvision, without zeroed norms; the head is torch's default.",
        source="huggingface/transformers 5.23: models/resnet/modeling_resnet.py",
        paper=_PAPER,
        fits=("transformers",),
    ),
    Recipe(
        "resnet/torch7",
        rules=TORCH7_RULES,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))); linear bias 0.",
        source="facebookarchive/fb.resnet.torch: models/resnet.lua, models/preresnet.lua",
        paper=_PAPER,
        fits=("torchvision", "timm", "plain torch"),
        notes="torchvision follows it but for the linear bias, which it leaves at torch's default",
    ),
    Recipe(
        "resnet/tensorflow",
        rules=[
            LAST_NORM,
            {
                "type:Conv2d": {"weight": "variance_scaling(fans='tensor')", "bias": 0},
                "type:Linear": {"weight": "normal(std=0.01)", "bias": 0},
            },
            NORMS,
            REST,
        ],
        summary="Convolutions truncated normal of std 1/sqrt(fan_in), classifier N(0, 0.01).",
        source="tensorflow/tpu: models/official/resnet/resnet_model.py",
        paper=f"{_PAPER}; {_GOYAL}",
        fits=("torchvision", "timm"),
        notes="fan_in with scale 1, where the others have fan_out with scale 2; the last norm of "
        "every block is 0",
    ),
    Recipe(
        "resnet/keras",
        rules=KERAS_RULES,
        summary="Convolutions and classifier Glorot's uniform distribution, biases 0.",
        source="keras-team/keras: keras/src/applications/resnet.py",
        paper=_PAPER,
        fits=("torchvision", "timm", "transformers"),
        notes="Keras's default; its convolutions have biases besides batchnorm's",
    ),
)
ALIASES = {"resnet": "resnet/torchvision"}
