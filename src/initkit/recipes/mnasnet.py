"""MnasNet."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import HE_OUT, HE_OUT_OF_GROUP, NORMS, TF_DENSE
from .efficientnet import GOOGLE

_PAPER = "Tan et al. 2019, MnasNet (arXiv:1807.11626)"

RECIPES = (
    Recipe(
        "mnasnet/tensorflow",
        rules=[
            {
                "type:Conv2d": {"weight": HE_OUT_OF_GROUP, "bias": 0},
                "type:Linear": {"weight": TF_DENSE, "bias": 0},
            },
            NORMS,
            REST,
        ],
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), depthwise ones N(0, sqrt(2/(k "
        "k))).",
        source="tensorflow/tpu: models/official/mnasnet/mnasnet_model.py",
        paper=_PAPER,
        fits=("torchvision", "timm"),
        notes="a depthwise kernel has the shape (k, k, channels, 1) there, so its fan_out is k k",
    ),
    Recipe(
        "mnasnet/torchvision",
        rules=[
            {
                "type:Conv2d": {"weight": HE_OUT, "bias": 0},
                "type:Linear": {
                    "weight": "kaiming_uniform(mode='fan_out', nonlinearity='sigmoid')",
                    "bias": 0,
                },
            },
            NORMS,
            REST,
        ],
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), classifier U of sqrt(3/classes).",
        source="pytorch/vision 0.28: torchvision/models/mnasnet.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="groups are ignored; the classifier's bound is sqrt(3) times TensorFlow's",
    ),
    Recipe(
        "mnasnet/timm",
        rules=GOOGLE,
        summary="As EfficientNet in timm: fan_out divided by groups.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/efficientnet.py, "
        "timm/models/_efficientnet_builder.py",
        paper=_PAPER,
        fits=("timm",),
    ),
)
ALIASES = {"mnasnet": "mnasnet/tensorflow"}
