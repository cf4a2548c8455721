"""The Transformer of Attention Is All You Need."""

from __future__ import annotations

from ..model import Slot
from ..rules import REST, Recipe, Rule
from ._shared import between_encoder_and_decoder, tied_to_embedding

_PAPER = "Vaswani et al. 2017, Attention Is All You Need (arXiv:1706.03762)"
_WIDE = "xavier_uniform(fans='tensor')"
_BY_WIDTH = "normal(std=shape[1]**-0.5)"


def keys_as_wide_as_queries(slot: Slot) -> bool:
    """Say whether the attention around the slot has keys and values of the queries' width."""
    for module in reversed(slot.lineage):
        parts = [getattr(module, name, None) for name in ("q_proj", "k_proj", "v_proj")]
        if all(parts):
            return len({p.weight.shape[1] for p in parts if p is not None}) == 1
    return True


FAIRSEQ_ATTENTION = [
    Rule(
        "xavier_uniform(gain=1/sqrt(2))",
        name=r"re:(.*\.)?[qkv]_proj\.weight",
        where=keys_as_wide_as_queries,
    ),
    {
        r"re:(.*\.)?[qkv]_proj\.weight": "xavier_uniform",
        r"re:(.*\.)?out_proj\.weight": "xavier_uniform",
        r"re:(.*\.)?out_proj\.bias": 0,
        r"re:(.*\.)?bias_[kv]": "xavier_normal(fans='tensor')",
        r"re:(.*\.)?[qkv]_proj\.bias": "torch_default",
    },
]
"""fairseq's MultiheadAttention.reset_parameters."""

TORCH_ATTENTION = {
    "type:MultiheadAttention": {"in_proj_weight": _WIDE, "?_proj_weight": _WIDE, "in_proj_bias": 0},
    r"re:(.*\.)?(self|multihead)_attn\.out_proj\.bias": 0,
}
"""torch.nn.MultiheadAttention._reset_parameters, but for its out_proj.weight."""

RECIPES = (
    Recipe(
        "transformer_base/tensor2tensor",
        rules=[
            Rule(_BY_WIDTH, name="*.weight", type="Linear", where=tied_to_embedding),
            {
                "type:*LayerNorm|*RMSNorm": {"weight": 1, "bias": 0},
                "type:MultiheadAttention": {
                    "*weight": "xavier_uniform",
                    "in_proj_bias": 0,
                    "bias_?": 0,
                },
                "type:Linear": {"weight": "xavier_uniform", "bias": 0},
                "type:Embedding": {"weight": _BY_WIDTH},
            },
            REST,
        ],
        summary="Glorot uniform for every matrix, q, k and v each by itself; biases 0; embeddings "
        "N(0, 1/sqrt(d)).",
        source="tensorflow/tensor2tensor: tensor2tensor/models/transformer.py, utils/optimize.py, "
        "layers/modalities.py",
        paper=_PAPER,
        fits=("plain torch",),
        notes="embeddings are multiplied by sqrt(d) where they are used, and are the softmax's "
        "weights, too. The paper does not say how it starts",
        padding=False,
    ),
    Recipe(
        "transformer_base/fairseq",
        rules=[
            *FAIRSEQ_ATTENTION,
            {
                r"re:(.*\.)?((output_projection|lm_head)\.weight|embed_out)": _BY_WIDTH,
                "type:Linear": {"weight": "xavier_uniform", "bias": 0},
                "type:Embedding": {"weight": _BY_WIDTH},
                "type:*LayerNorm": {"weight": 1, "bias": 0},
            },
            REST,
        ],
        marks=(r"re:(.*\.)?out_proj\.weight",),
        summary="Glorot uniform, q, k, v with gain 1/sqrt(2) and torch's default bias; embeddings "
        "N(0, 1/sqrt(d)), padding row 0.",
        source="facebookresearch/fairseq: fairseq/modules/multihead_attention.py, "
        "models/transformer/transformer_base.py, transformer_decoder.py",
        paper=_PAPER,
        fits=("fairseq",),
        notes="the gain of 1/sqrt(2) is that of one packed matrix, and goes where keys and values "
        "have another width than queries",
    ),
    Recipe(
        "transformer_base/torch",
        rules=[
            Rule(
                _WIDE,
                name=r"re:(.*\.)?(en|de)coder\.layers\..*(_proj_weight|_proj\.weight|linear\d\.weight)",
                where=between_encoder_and_decoder,
            ),
            TORCH_ATTENTION,
            REST,
        ],
        summary="nn.Transformer: Glorot uniform for whatever has two dimensions, packed q, k, v as "
        "one matrix; linear biases torch's default.",
        source="pytorch/pytorch: torch/nn/modules/transformer.py (Transformer._reset_parameters)",
        paper=_PAPER,
        fits=("torch.nn.Transformer",),
        notes="nn.TransformerEncoder alone keeps its layers' defaults, and copies one layer, so "
        "that all of them start equal there; here each draws its own. Biases of linear1 and "
        "linear2 are equal in all layers of nn.Transformer",
    ),
)
ALIASES = {
    "transformer_base": "transformer_base/tensor2tensor",
    "transformer_base/torch.nn.Transformer": "transformer_base/torch",
}
