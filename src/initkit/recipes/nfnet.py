"""Normaliser-free networks."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule

_PAPER = "Brock et al. 2021, High-Performance Large-Scale Image Recognition Without Normalization"
_PAPERS = f"{_PAPER} (arXiv:2102.06171); arXiv:2101.08692"


def has_skip_gain(slot: Slot) -> bool:
    """Tell whether the block around has a gain of its own."""
    return getattr(slot.lineage[-2], "skipinit_gain", None) is not None


def _timm(zero_init_fc: bool = False) -> list[Any]:
    return [
        {"in:NormFreeBlock": [Rule(1, name="conv3.gain", where=has_skip_gain), {"conv3.gain": 0}]},
        {
            "*.gain": 1,
            "*.skipinit_gain": 0,
            "type:Conv2d": {"weight": "lecun_normal(fans='tensor')", "bias": 0},
            "*fc.weight": 0 if zero_init_fc else "normal(std=0.01)",
            "*fc.bias": 0,
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "nfnet/timm",
        rules=_timm,
        marks=("*gain",),
        summary="Convolutions N(0, 1/sqrt(fan_in)), gains 1, the last gain of every block 0.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/nfnet.py; "
        "google-deepmind/deepmind-research: nfnets/base.py, nfnets/nfnet.py",
        paper=_PAPERS,
        fits=("timm",),
        notes="DeepMind's code has a scalar gain of 0 per block; timm folds it into the gains of "
        "the block's last convolution, unless it was built with skipinit. There the linear layers "
        "of squeeze-and-excitation start truncated normal, here as convolutions",
    ),
)
ALIASES = {"nfnet": "nfnet/timm"}
