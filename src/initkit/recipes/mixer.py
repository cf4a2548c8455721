"""MLP-Mixer, with ResMLP and gMLP as timm builds them."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule
from .vit import CONV, GATED_XAVIER, HEADS, LECUN, LINEAR, MLP_BIAS, NORMS, XAVIER

_PAPER = "Tolstikhin et al. 2021, MLP-Mixer, arXiv:2105.01601"


def _deep(slot: Slot) -> bool:
    """Tell by its depth which ResMLP of timm this is."""
    return (slot.n_layers or 0) >= 24


def _deepest(slot: Slot) -> bool:
    return (slot.n_layers or 0) >= 36 or (_deep(slot) and slot.shape.numel() >= 768)


_deep.__name__, _deepest.__name__ = "24 layers or more", "36 layers, or 24 wide ones"


def _timm(nlhb: bool = False, init_values: float | None = None) -> list[Any]:
    scale = r"re:.*\.ls[12]"
    by_depth = [
        Rule(1e-6, name=scale, where=_deepest),
        Rule(1e-5, name=scale, where=_deep),
        {scale: 1e-4},
    ]
    return [
        {f"{HEADS}weight": 0, f"{HEADS}bias": "constant(-log(numel))" if nlhb else 0},
        {"*.gate.proj.weight": "normal(std=1e-6)", "*.gate.proj.bias": 1},
        {"type:Affine": {"alpha": 1, "beta": 0}, **NORMS},
        *(by_depth if init_values is None else [{scale: init_values}]),
        *GATED_XAVIER,
        MLP_BIAS,
        {LINEAR: {"weight": XAVIER, "bias": 0}, CONV: {"weight": LECUN, "bias": 0}},
        REST,
    ]


RECIPES = (
    Recipe(
        "mixer/jax",
        rules=[
            {f"{HEADS}weight": 0, f"{HEADS}bias": 0, **NORMS},
            {LINEAR: {"weight": LECUN, "bias": 0}, CONV: {"weight": LECUN, "bias": 0}},
            REST,
        ],
        marks=("re:.*(mlp_tokens|linear_tokens|mlp_channels).*",),
        summary="Every layer LeCun (truncated at two sigma and corrected), biases 0, head 0.",
        source="google-research/vision_transformer: vit_jax/models_mixer.py, with flax's defaults",
        paper=_PAPER,
        fits=("timm",),
        notes="the original authors' code, so `mixer` alone means this. The paper says nothing of "
        "the start",
    ),
    Recipe(
        "mixer/timm",
        rules=_timm,
        marks=("re:.*(mlp_tokens|linear_tokens|mlp_channels).*",),
        summary="Linear layers Xavier, MLP biases N(0, 1e-6), patches LeCun, head 0.",
        source="huggingface/pytorch-image-models: timm/models/mlp_mixer.py",
        paper=_PAPER,
        fits=("timm",),
        notes="not the JAX code, which uses LeCun everywhere. The same class builds gMLP (gates "
        "near 0, bias 1) and ResMLP, whose LayerScale the model does not keep: it starts at 1e-4, "
        "from 24 layers on at 1e-5, at 36 or at 24 with width 768 at 1e-6, as timm's models, or at "
        "init_values. nlhb=True starts the head's bias at -log(number of classes)",
    ),
)
ALIASES = {"mixer": "mixer/jax", "mixer/google-research": "mixer/jax"}
