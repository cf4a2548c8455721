"""CaiT and its LayerScale."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule
from .vit import LINEAR, NORMS, TRUNC

_GAMMA = r"re:.*\.gamma_\d(_\d)?"


def _deep_and_wide(slot: Slot) -> bool:
    lists = (module._modules.get("blocks") for module in slot.lineage)
    depth = max((len(blocks._modules) for blocks in lists if blocks is not None), default=0)
    return depth >= 36 and slot.shape.numel() >= 384


_deep_and_wide.__name__ = "36 blocks or more, width 384 or more"


def _cait(init_values: float | None = None) -> list[Any]:
    published = [Rule(1e-6, name=_GAMMA, where=_deep_and_wide), {_GAMMA: 1e-5}]
    return [
        *(published if init_values is None else [{_GAMMA: init_values}]),
        {"*cls_token": TRUNC, "*pos_embed": TRUNC, **NORMS},
        {LINEAR: {"weight": TRUNC, "bias": 0}},
        REST,
    ]


RECIPES = (
    Recipe(
        "layerscale_cait/timm",
        rules=_cait,
        marks=(r"re:.*\.gamma_\d(_\d)?",),
        summary="Linear layers, class token and positions N(0, 0.02); LayerScale 1e-5 or 1e-6.",
        source="huggingface/pytorch-image-models: timm/models/cait.py; facebookresearch/deit: "
        "cait_models.py, which do the same",
        paper="Touvron et al. 2021, Going deeper with Image Transformers, arXiv:2103.17239",
        fits=("timm", "original"),
        notes="the model does not keep the value of its LayerScale: without init_values it is 1e-6 "
        "for 36 blocks or more of width 384 or more, else 1e-5, as in all published models. The "
        "paper says 0.1 up to 18 blocks, 1e-5 for 24 and 1e-6 for deeper ones, whatever the width",
    ),
)
ALIASES = {
    "layerscale_cait": "layerscale_cait/timm",
    "layerscale_cait/original": "layerscale_cait/timm",
}
