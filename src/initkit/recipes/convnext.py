"""ConvNeXt."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import published

_PAPER = "Liu et al. 2022, A ConvNet for the 2020s (arXiv:2201.03545)"
_V2 = {"type:GRN|GlobalResponseNorm|ConvNextV2GRN": {"*": 0}}
_CUT = "trunc_normal(std=0.02)"
_NOTE = (
    "the bounds of trunc_normal_ are -2 and 2, a hundred standard deviations: nothing is cut. "
    "LayerScale starts at 1e-6 in all published ConvNeXts; layer_scale takes another value. The "
    "response norms of version 2 start at 0"
)


def _rules(layer_scale: float = 1e-6, head_init_scale: float = 1.0) -> list[Any]:
    head = _CUT if head_init_scale == 1 else f"scaled({_CUT}, {head_init_scale!r})"
    return [
        {
            **_V2,  # first: the authors' response norm has a gamma, too
            "*.gamma": layer_scale,
            "*.layer_scale": layer_scale,
            "type:*Norm*": {"weight": 1, "bias": 0},
            r"re:head\.(.*fc\.)?weight": head,
            "type:Conv2d|Linear": {"weight": _CUT, "bias": 0},
        },
        REST,
    ]


def _plain(layer_scale: float = 1e-6) -> list[Any]:
    return _rules(layer_scale)


RECIPES = (
    Recipe(
        "convnext/original",
        rules=_rules,
        marks=(r"re:.*(gamma|layer_scale\w*|grn\.weight)",),
        summary="Convolutions and linear layers N(0, 0.02), biases 0, LayerScale 1e-6.",
        source="facebookresearch/ConvNeXt: models/convnext.py; facebookresearch/ConvNeXt-V2",
        paper=_PAPER,
        fits=("plain torch", "timm", "torchvision"),
        notes=_NOTE,
    ),
    Recipe(
        "convnext/timm",
        rules=_rules,
        marks=(r"re:.*(gamma|layer_scale\w*|grn\.weight)",),
        summary="As the authors' code.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/convnext.py",
        paper=_PAPER,
        fits=("timm",),
        notes=_NOTE,
    ),
    Recipe(
        "convnext/torchvision",
        rules=_plain,
        marks=(r"re:.*(gamma|layer_scale\w*|grn\.weight)",),
        summary="As the authors' code.",
        source="pytorch/vision 0.28: torchvision/models/convnext.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes=_NOTE,
    ),
    published(
        "convnext",
        {
            "*.layer_scale_parameter": "constant(config.layer_scale_init_value)",
            "*.gamma": "constant(config.layer_scale_init_value)",
            **_V2,
        },
        marks=(r"re:.*(gamma|layer_scale\w*|grn\.weight)",),
        summary="Convolutions and linear layers N(0, initializer_range), LayerScale as configured.",
        paper=_PAPER,
        notes="a plain normal distribution, which is the same in effect",
    ),
    Recipe(
        "convnext/keras",
        rules=[
            {
                **_V2,
                "*.gamma": 1e-6,
                "*.layer_scale": 1e-6,
                "type:*Norm*": {"weight": 1, "bias": 0},
                "type:Conv2d|Linear": {"weight": "xavier_uniform(fans='tensor')", "bias": 0},
            },
            REST,
        ],
        marks=(r"re:.*(gamma|layer_scale\w*|grn\.weight)",),
        summary="Convolutions and linear layers Glorot's uniform distribution, LayerScale 1e-6.",
        source="keras-team/keras: keras/src/applications/convnext.py",
        paper=_PAPER,
        fits=("timm", "torchvision", "plain torch"),
        notes="Keras's default, not the authors' initialisation",
    ),
)
ALIASES = {"convnext": "convnext/original"}
