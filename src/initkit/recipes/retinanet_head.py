"""The heads of RetinaNet, with the focal loss's prior."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe


def _rules(prior: float = 0.01) -> list[Any]:
    return [
        {
            r"re:(.*\.)?(cls_logits|cls_score|retina_cls)\.bias": f"prior_bias(p={prior!r})",
            "type:Conv2d": {"weight": "normal(std=0.01)", "bias": 0},
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "retinanet_head/torchvision",
        rules=_rules,
        marks=(r"re:(.*\.)?(cls_logits|cls_score|retina_cls)\.bias",),
        summary="Convolutions N(0, 0.01), biases 0, the classes' bias -log((1 - p)/p), p = 0.01.",
        source="pytorch/vision 0.28: torchvision/models/detection/retinanet.py, fcos.py",
        code=("torchvision.models.detection.fcos",),
        paper="Lin et al. 2017, Focal Loss for Dense Object Detection (arXiv:1708.02002)",
        fits=("torchvision", "plain torch, where the classifier is called cls_logits or cls_score"),
        notes="for the heads alone: put it under their path, as in {'head': 'retinanet_head'}. "
        "prior is the probability of the rare class",
    ),
)
ALIASES = {"retinanet_head": "retinanet_head/torchvision"}
