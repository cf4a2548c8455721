"""DeepNorm."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import HEADS, RESIDUAL, between_encoder_and_decoder, tied_to_embedding, tied_to_linear

_PAPER = "Wang et al. 2022, DeepNet (arXiv:2203.00555)"
SCALED = r"(v_proj|out_proj|o_proj|fc\d|linear\d|w\d)"
"""What both DeepNorm and sub-LN scale: values, outputs and feed-forward layers."""
_ENCODER = "(around.encoder.layers or around.encoder)"
_DECODER = "(around.decoder.layers or around.decoder)"
_BY_WIDTH = "normal(std=shape[1]**-0.5)"
_ALONE = "(8*n_layers)**-0.25"
_IN_DECODER = "(12*n_layers)**-0.25"


def scaled_rules(start: str, encoder: str, decoder: str, alone: str, what: str) -> list[Any]:
    """Return rules that start values, outputs and feed-forward layers by ``start`` times a factor.

    ``{}`` in ``start`` is the factor: that of an encoder or a decoder beside the other, or of a
    stack that stands alone.
    """
    between = between_encoder_and_decoder
    return [
        {HEADS: "torch_default"},
        Rule(start.format(encoder), name=rf"re:(.*\.)?encoder\..*{what}", where=between),
        Rule(start.format(decoder), name=rf"re:(.*\.)?decoder\..*{what}", where=between),
        {rf"re:(.*\.)?{what}": start.format(alone)},
    ]


def _paper() -> list[Any]:
    encoder = f"0.87*({_ENCODER}**4*{_DECODER})**-0.0625"
    factors = (encoder, _IN_DECODER, _ALONE)
    packed = "blocks(xavier_normal, xavier_normal, xavier_normal(gain={}))"
    return [
        *scaled_rules("xavier_normal(gain={})", *factors, rf"{SCALED}\.weight"),
        *scaled_rules(packed, *factors, "in_proj_weight"),
        {
            r"re:(.*\.)?[qk]_proj\.weight": "xavier_normal",
            r"re:(.*\.)?([qkv]_proj|out_proj|o_proj|fc\d|linear\d|w\d)\.bias": 0,
            r"re:(.*\.)?in_proj_bias": 0,
        },
        REST,
    ]


def torchscale(factors: tuple[str, str, str], skip: str = "") -> list[Any]:
    """Return torchscale's rules: torch's default times a factor, weights and biases alike."""
    what = rf"{skip}{SCALED}\.(weight|bias)"
    return [
        *scaled_rules("scaled(torch_default, {})", *factors, what),
        Rule(_BY_WIDTH, name="*.weight", type="Linear", where=tied_to_embedding),
        Rule(_BY_WIDTH, name="*.weight", type="Embedding", where=tied_to_linear),
        {
            r"re:(.*\.)?output_projection\.weight": _BY_WIDTH,
            r"re:(.*\.)?embed_tokens\.weight": _BY_WIDTH,
            "type:TextEmbedding": {"weight": _BY_WIDTH},
            "type:*LayerNorm|*RMSNorm": {"weight": 1, "bias": 0},
        },
        REST,
    ]


_CODE = (f"1.15*({_ENCODER}**4*{_DECODER})**-0.0625", _IN_DECODER, _ALONE)

RECIPES = (
    Recipe(
        "deepnorm/paper",
        rules=_paper,
        marks=(RESIDUAL,),
        summary="Xavier normal: gain 1 for q and k, (8 N)^-1/4 for values, outputs and "
        "feed-forward of one stack of N layers.",
        source="arXiv:2203.00555, figure 2",
        paper=_PAPER,
        fits=("torchscale", "fairseq", "plain torch"),
        notes="with N encoder and M decoder layers: 0.87 (N^4 M)^-1/16 and (12 M)^-1/4. The "
        "residual is multiplied by (2 N)^1/4, or 0.81 (N^4 M)^1/16 and (3 M)^1/4, which is the "
        "model's part",
    ),
    Recipe(
        "deepnorm/torchscale",
        rules=torchscale(_CODE),
        marks=(RESIDUAL,),
        summary="torch's default times (8 N)^-1/4 for values, outputs and feed-forward, biases "
        "too; embeddings N(0, 1/sqrt(d)).",
        source="microsoft/torchscale: torchscale/architecture/encoder.py, decoder.py",
        paper=_PAPER,
        fits=("torchscale",),
        notes="the paper says Xavier; that reset_parameters is never called there. Biases are "
        "scaled, too. An encoder beside a decoder takes 1.15 (N^4 M)^-1/16 where the paper says "
        "0.87 (the code divides by what it should multiply by)",
    ),
)
ALIASES = {"deepnorm": "deepnorm/torchscale"}
