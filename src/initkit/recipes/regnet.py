"""RegNet."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..model import Slot
from ..rules import REST, Recipe, Rule
from ._convnets import HE_OUT, HE_OUT_OF_GROUP, NORMS
from .resnet import torchvision as resnet

_PAPER = "Radosavovic et al. 2020, Designing Network Design Spaces (arXiv:2003.13678)"
_HEAD = {"type:Linear": {"weight": "normal(std=0.01)", "bias": 0}}
_NO_BIAS = "the biases of squeeze-and-excitation stay torch's default: the code counts on none"


def _original(zero_init_final_gamma: bool = False) -> list[Any]:
    zeros = [{"*.c_bn.weight": 0}] if zero_init_final_gamma else []
    return [*zeros, {"type:Conv2d": {"weight": HE_OUT}}, _HEAD, NORMS, REST]


def block_ends_in_activation(slot: Slot) -> bool:
    """Tell RegNetX and RegNetY from RegNetZ, whose blocks end linearly."""
    blocks = [module for module in slot.lineage if hasattr(module, "act3")]
    return bool(blocks) and not isinstance(blocks[-1].act3, nn.Identity)


def _timm(zero_init_last: bool | None = None) -> list[Any]:
    where = None if zero_init_last else block_ends_in_activation
    last = Rule(0, name="conv3.bn.weight", where=where)
    zeros = [] if zero_init_last is False else [{"in:Bottleneck": last}]
    return [*zeros, {"type:Conv2d": {"weight": HE_OUT_OF_GROUP, "bias": 0}}, _HEAD, NORMS, REST]


RECIPES = (
    Recipe(
        "regnet/original",
        rules=_original,
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), classifier N(0, 0.01).",
        source="facebookresearch/pycls: pycls/models/blocks.py (init_weights)",
        paper=_PAPER,
        fits=("torchvision", "timm", "pycls"),
        notes=f"groups are ignored; {_NO_BIAS}. zero_init_final_gamma is pycls's option of that "
        "name",
    ),
    Recipe(
        "regnet/torchvision",
        rules=_original(),
        summary="As the authors' code, without its option.",
        source="pytorch/vision 0.28: torchvision/models/regnet.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes=f"groups are ignored; {_NO_BIAS}",
    ),
    Recipe(
        "regnet/timm",
        rules=_timm,
        summary="Convolutions N(0, sqrt(2/(k k out_channels/groups))); last norm of every block 0.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/regnet.py",
        paper=_PAPER,
        fits=("timm",),
        notes="fans are divided by groups and biases are 0, other than in the authors' code. "
        "RegNetZ, whose blocks end linearly, is built without zeros; zero_init_last says otherwise",
    ),
    Recipe(
        "regnet/transformers",
        rules=resnet(),
        summary="As ResNet: convolutions N(0, sqrt(2/(k k out_channels))), head torch's default.",
        source="huggingface/transformers 5.23: models/regnet/modeling_regnet.py",
        paper=_PAPER,
        fits=("transformers",),
    ),
)
ALIASES = {"regnet": "regnet/original", "regnet/pycls": "regnet/original"}
