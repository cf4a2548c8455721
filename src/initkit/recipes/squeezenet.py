"""SqueezeNet."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "squeezenet/torchvision",
        rules=[
            {
                "*classifier.1.weight": "normal(std=0.01)",
                "type:Conv2d": {"weight": "kaiming_uniform(fans='tensor')", "bias": 0},
            },
            REST,
        ],
        summary="Convolutions U of sqrt(6/fan_in), the last one N(0, 0.01); biases 0.",
        source="pytorch/vision 0.28: torchvision/models/squeezenet.py",
        paper="Iandola et al. 2016, SqueezeNet (arXiv:1602.07360)",
        fits=("torchvision",),
    ),
)
ALIASES = {"squeezenet": "squeezenet/torchvision"}
