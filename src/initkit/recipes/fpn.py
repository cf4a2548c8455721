"""Feature pyramids."""

from __future__ import annotations

from ..rules import REST, Recipe

FPN = {"type:Conv2d": {"weight": "kaiming_uniform(a=1, fans='tensor')", "bias": 0}}

RECIPES = (
    Recipe(
        "fpn/torchvision",
        rules=[FPN, REST],
        summary="Convolutions U of sqrt(3/fan_in), Caffe2's XavierFill; biases 0.",
        source="pytorch/vision 0.28: torchvision/ops/feature_pyramid_network.py",
        paper="Lin et al. 2017, Feature Pyramid Networks for Object Detection (arXiv:1612.03144)",
        fits=("torchvision", "plain torch"),
        notes="for the pyramid alone: put it under its path, as in {'backbone.fpn': 'fpn'}",
    ),
)
ALIASES = {"fpn": "fpn/torchvision"}
