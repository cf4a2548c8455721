"""MobileNetV3."""

from __future__ import annotations

from ..rules import Recipe
from .efficientnet import GOOGLE
from .mobilenet_v2 import SLIM_NOTES, SLIM_SUMMARY, TF_SLIM, TORCHVISION

_PAPER = "Howard et al. 2019, Searching for MobileNetV3 (arXiv:1905.02244)"

RECIPES = (
    Recipe(
        "mobilenet_v3/tf-slim",
        rules=TF_SLIM,
        summary=SLIM_SUMMARY,
        source="tensorflow/models: research/slim/nets/mobilenet/mobilenet.py, mobilenet_v3.py",
        paper=_PAPER,
        fits=("torchvision", "timm"),
        notes=SLIM_NOTES,
    ),
    Recipe(
        "mobilenet_v3/torchvision",
        rules=TORCHVISION,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), linear layers N(0, 0.01), biases "
        "0.",
        source="pytorch/vision 0.28: torchvision/models/mobilenetv3.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="groups are ignored in the fans",
    ),
    Recipe(
        "mobilenet_v3/timm",
        rules=GOOGLE,
        summary="As EfficientNet in timm: fan_out divided by groups.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/mobilenetv3.py, "
        "timm/models/_efficientnet_builder.py",
        paper=_PAPER,
        fits=("timm",),
    ),
)
ALIASES = {"mobilenet_v3": "mobilenet_v3/tf-slim"}
