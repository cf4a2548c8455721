"""muP."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule
from ._shared import tied_to_embedding

_PAPER = "Yang et al. 2022, Tensor Programs V (arXiv:2203.03466)"
_MAIN = "owner.weight.infshape.main"
_READOUT = "type:MuReadout|MuSharedReadout"


def finite_fan_in(slot: Slot) -> bool:
    """Say whether the mup package's base shapes call the layer's inputs no width dimension."""
    shape = getattr(getattr(slot.owner, "weight", None), "infshape", None)
    return shape is not None and shape[-1].base_dim is None


def starts_at_zero(slot: Slot) -> bool:
    """Say whether the readout was built with ``readout_zero_init``."""
    return bool(getattr(slot.owner, "readout_zero_init", False))


def _package(*, width_mult: float | None = None, std: float = 0.02, inputs: str = "") -> list[Any]:
    measured = f"({_MAIN}.dim/{_MAIN}.base_dim or config.width_mult)"
    width = measured if width_mult is None else width_mult
    widened = f"scaled(torch_default, sqrt({width}))"
    plain = f"normal(std={std})"
    named = {f"{inputs}.*": "torch_default"} if inputs else {}
    return [
        named,
        Rule(plain, name="*.weight", type="Linear", where=tied_to_embedding),
        Rule(0, type="MuReadout", where=starts_at_zero),
        Rule("torch_default", type="Linear", where=finite_fan_in),
        {
            _READOUT: {"weight": widened, "bias": widened},
            "type:Linear": {"weight": f"normal(std={std}/sqrt({width}))", "bias": widened},
            "type:Embedding": {"weight": plain},
        },
        REST,
    ]


def _examples(*, encoder_var: float = 1.0) -> list[Any]:
    by_row, by_column = (f"normal(std=sqrt({encoder_var}/shape[{i}]))" for i in (0, 1))
    return [
        {
            "type:MultiheadAttention": {
                "in_proj_weight": f"blocks(0, {by_column}, {by_column})",
                "q_proj_weight": 0,
                "[kv]_proj_weight": by_row,
                "*bias*": 0,
            },
            _READOUT: {"*": 0},
            "*.out_proj.weight": by_column,
            "*.linear1.weight": by_column,
            "*.linear2.weight": by_row,
            "type:Linear": {"bias": 0},
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "mup/mup",
        rules=_package,
        summary="Hidden matrices N(0, std/sqrt(width_mult)); readout and hidden biases torch's "
        "default times sqrt(width_mult); inputs torch's default, embeddings N(0, std).",
        source="microsoft/mup: mup/init.py (normal_), mup/layer.py, mup/shape.py (set_base_shapes)",
        paper=_PAPER,
        fits=("mup", "plain torch"),
        notes="width_mult is width over base width. It is read from the parameters' infshape after "
        "set_base_shapes; without those, say it, and give the input layer's name as inputs "
        "(a glob). set_base_shapes rescales hidden biases, which the paper does not mention",
    ),
    Recipe(
        "mup/examples",
        rules=_examples,
        marks=("type:MultiheadAttention",),
        summary="Queries 0, keys, values and all other matrices N(0, 1/sqrt(d)), readout and "
        "biases 0; embeddings N(0, 1).",
        source="microsoft/mup: examples/Transformer/model.py",
        paper=_PAPER,
        fits=("mup/examples/Transformer", "torch.nn.TransformerEncoder"),
        notes="linear2 takes the model's width for its fan_in, not its own",
    ),
)
ALIASES = {"mup": "mup/mup"}
