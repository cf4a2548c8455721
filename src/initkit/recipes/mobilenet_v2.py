"""MobileNetV2."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import HE_OUT, KERAS_RULES, NORMS
from ._transformers import published
from .efficientnet import GOOGLE

_PAPER = "Sandler et al. 2018, MobileNetV2 (arXiv:1801.04381)"
TORCHVISION = [
    {
        "type:Conv2d": {"weight": HE_OUT, "bias": 0},
        "type:Linear": {"weight": "normal(std=0.01)", "bias": 0},
    },
    NORMS,
    REST,
]
TF_SLIM = [
    {"type:Conv2d|Linear": {"weight": "trunc_normal(std=0.09, cutoff=2)", "bias": 0}},
    NORMS,
    REST,
]
SLIM_SUMMARY = "Every convolution and the classifier N(0, 0.09) cut at two sigma; biases 0."
SLIM_NOTES = (
    "the values' std is 0.0792, whatever the fan, and depthwise kernels have it, too; torchvision "
    "and timm have He's rule"
)

RECIPES = (
    Recipe(
        "mobilenet_v2/tf-slim",
        rules=TF_SLIM,
        summary=SLIM_SUMMARY,
        source="tensorflow/models: research/slim/nets/mobilenet/mobilenet.py (training_scope)",
        paper=_PAPER,
        fits=("torchvision", "timm", "transformers"),
        notes=SLIM_NOTES,
    ),
    Recipe(
        "mobilenet_v2/torchvision",
        rules=TORCHVISION,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), classifier N(0, 0.01), biases 0.",
        source="pytorch/vision 0.28: torchvision/models/mobilenetv2.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="groups are ignored, so that depthwise kernels start sqrt(channels) smaller than "
        "with timm",
    ),
    Recipe(
        "mobilenet_v2/timm",
        rules=GOOGLE,
        summary="As EfficientNet in timm: fan_out divided by groups.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/efficientnet.py, "
        "timm/models/_efficientnet_builder.py",
        paper=_PAPER,
        fits=("timm",),
    ),
    published(
        "mobilenet_v2",
        summary="Every convolution and linear layer N(0, initializer_range); biases 0.",
        paper=_PAPER,
    ),
    Recipe(
        "mobilenet_v2/keras",
        rules=KERAS_RULES,
        summary="Convolutions and classifier Glorot's uniform distribution, biases 0.",
        source="keras-team/keras: keras/src/applications/mobilenet_v2.py",
        paper=_PAPER,
        fits=("torchvision", "timm", "transformers"),
        notes="Keras's default, not the authors' initialisation",
    ),
)
ALIASES = {"mobilenet_v2": "mobilenet_v2/tf-slim"}
