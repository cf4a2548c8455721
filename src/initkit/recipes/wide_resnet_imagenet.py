"""Wide ResNet for ImageNet."""

from __future__ import annotations

from ..rules import Recipe
from .resnet import torchvision

RECIPES = (
    Recipe(
        "wide_resnet_imagenet/torchvision",
        rules=torchvision,
        summary="As ResNet: convolutions N(0, sqrt(2/(k k out_channels))).",
        source="pytorch/vision 0.28: torchvision/models/resnet.py (wide_resnet50_2)",
        paper="Zagoruyko & Komodakis 2016, Wide Residual Networks (arXiv:1605.07146)",
        fits=("torchvision", "timm"),
        notes="fan_out, as in ResNet; the authors' networks for CIFAR have fan_in (wide_resnet)",
    ),
)
ALIASES = {"wide_resnet_imagenet": "wide_resnet_imagenet/torchvision"}
