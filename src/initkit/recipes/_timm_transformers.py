"""Transformers and mixers of timm that need little more than what all of timm shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import Slot
from ..rules import Recipe, Rule
from ._convnets import HE_OUT_OF_GROUP
from ._timm import (
    CUT,
    CUT_BOTH,
    CUT_LINEAR,
    TRUNC_BOTH,
    TRUNC_LINEAR,
    blocks_of,
    family,
    kin,
    start,
)
from .vit import BY_DEPTH, FIXED, LECUN, TRUNC, XAVIER

_NAMES = {"*cls_token": TRUNC, "*pos_embed": TRUNC}
_SMALL_TOKENS = {"*cls_token": "normal(std=1e-6)", "*reg_token": "normal(std=1e-6)"}
_PVT = [TRUNC_LINEAR, start("Conv2d", HE_OUT_OF_GROUP)]


def _heads(number: int) -> Callable[[Slot], bool]:
    """Return the predicate that the matrix has a row for each of so many heads."""

    def has(slot: Slot) -> bool:
        return slot.shape[0] == number

    has.__name__ = f"{number} heads"
    return has


def _locality(kernel: int) -> list[list[float]]:
    """Return what ConViT's heads look at: every one another place of a square kernel."""
    centre = (kernel - 1) / 2 if kernel % 2 == 0 else kernel // 2
    places = ((row - centre, column - centre) for row in range(kernel) for column in range(kernel))
    return [[2 * x, 2 * y, -1] for x, y in places]


_LINEAR = [
    *kin(
        "Linear layers N(0, 0.02), biases 0; convolutions torch's default.",
        [TRUNC_LINEAR],
        {
            "coat": (
                "Xu et al. 2021, Co-Scale Conv-Attentional Image Transformers, arXiv:2104.06399",
                {"*cls_token[1-4]": TRUNC},
            ),
            "crossvit": (
                "Chen et al. 2021, CrossViT, arXiv:2103.14899",
                {"*cls_token_[01]": TRUNC, "*pos_embed_[01]": TRUNC},
            ),
            "davit": ("Ding et al. 2022, DaViT, arXiv:2204.03645", {}),
            "efficientformer": ("Li et al. 2022, EfficientFormer, arXiv:2206.01191", {}),
            "efficientformer_v2": ("Li et al. 2022, EfficientFormerV2, arXiv:2212.08059", {}),
            "efficientvim": (
                "Lee et al. 2025, EfficientViM, arXiv:2411.15241",
                {
                    "weights*": 1,
                    "*.alpha": 1e-4,
                    "type:HSMSSD": {"A": "uniform(1, 16)", "D": 1},
                },
            ),
            "lowformer": ("Nottebaum et al. 2024, LowFormer, arXiv:2409.03460", {}),
            "deepseek_vit": ("", {"*pos_embed": TRUNC}),
            "qwen3_vit": ("", {"*pos_embed": TRUNC}),
            "tiny_vit": (
                "Wu et al. 2022, TinyViT, arXiv:2207.10666",
                {"in:MBConv": {"conv3.bn.weight": 0}},
            ),
            "tnt": (
                "Han et al. 2021, Transformer in Transformer, arXiv:2103.00112",
                {"*cls_token": TRUNC, "*patch_pos": TRUNC, "*pixel_pos": TRUNC},
            ),
            "volo": ("Yuan et al. 2021, VOLO, arXiv:2106.13112", _NAMES),
            "xcit": (
                "El-Nouby et al. 2021, XCiT, arXiv:2106.09681",
                [
                    Rule(1e-5, name="*.gamma[123]", where=blocks_of("XCABlock", 24)),
                    {"*cls_token": TRUNC, "*.gamma[123]": 1, "*.temperature": 1},
                ],
            ),
        },
    ),
    family(
        "convit",
        [
            {
                **_NAMES,
                "*.gating_param": 1,
                "in:GPSA": [
                    {"v.weight": "eye"},
                    *(
                        Rule(f"table({_locality(k)})", name="pos_proj.weight", where=_heads(k * k))
                        for k in (2, 3, 4)
                    ),
                ],
            },
            TRUNC_LINEAR,
        ],
        "d'Ascoli et al. 2021, ConViT, arXiv:2103.10697",
        "Linear layers N(0, 0.02); gated attention starts as a convolution.",
        marks=("*.gating_param",),
        notes="the values' matrix is the identity, and each head looks at its own place of a "
        "square kernel",
    ),
    family(
        "naflexvit",
        [
            [{**_SMALL_TOKENS, "*pos_embed*": "normal(std=0.02)"}, *FIXED],
            TRUNC_LINEAR,
        ],
        "Dehghani et al. 2023, Patch n' Pack: NaViT, arXiv:2307.06304",
        "Linear layers, the patches' too, and positions N(0, 0.02); tokens N(0, 1e-6).",
    ),
]

_HIERA = "Ryali et al. 2023, Hiera, arXiv:2306.00989"
_HIERA_NAMES = {"*head.fc.weight": 0, "*head.fc.bias": 0, "*pos_embed*": TRUNC}
_HIERA_RULES: list[Any] = [
    _HIERA_NAMES,
    BY_DEPTH,
    start("Linear", TRUNC, 0.02),
    start("Conv2d", TRUNC, None),
]
_HIERA_JAX: list[Any] = [
    _HIERA_NAMES,
    dict.fromkeys(BY_DEPTH, f"scaled({XAVIER}, 1/sqrt(2*(layer + 1)))"),
    Rule("normal(std=1e-6)", type="Linear", name="*mlp*.bias"),
    start("Linear", XAVIER),
    start("Conv2d", LECUN),
]
_HIERA_SUMMARY = (
    "Linear layers and patches N(0, 0.02), biases 0.02, what blocks add by depth, head 0."
)

_OWN = [
    family(
        "hiera",
        _HIERA_RULES,
        _HIERA,
        _HIERA_SUMMARY,
        notes="linear biases start at 0.02, and the head at 0 whatever head_init_scale says",
    ),
    family(
        "hiera-jax",
        _HIERA_JAX,
        f"{_HIERA}; Bolya et al. 2023, Window Attention is Bugged, arXiv:2311.05613",
        "Linear layers Xavier, what blocks add by depth, MLP biases N(0, 1e-6), head 0.",
        notes="weight_init='jax', as in the models with absolute window positions (abswin)",
    ),
    family(
        "hieradet_sam2",
        _HIERA_RULES,
        f"{_HIERA}; Ravi et al. 2024, SAM 2, arXiv:2408.00714",
        _HIERA_SUMMARY,
    ),
    family(
        "samvit",
        [{"*pos_embed": 0, "*.rel_pos_[hw]": 0}],
        "Kirillov et al. 2023, Segment Anything, arXiv:2304.02643",
        "Torch's defaults; positions and relative positions 0.",
        file="vision_transformer_sam",
        notes="the linear layers stay at torch's default, other than in vit/timm",
    ),
    family(
        "vit_relpos",
        [{"*cls_token": "normal(std=1e-6)"}],
        "",
        "Torch's defaults; class token N(0, 1e-6), position biases N(0, 0.02).",
        file="vision_transformer_relpos",
        notes="weight_init is 'reset' by default here: every layer keeps torch's default, other "
        "than in vit/timm",
    ),
    family(
        "swinv2_cr",
        [{"*.logit_scale": "constant(log(10))", "*blocks.*.norm[12].*": 0}],
        "Liu et al. 2022, Swin Transformer V2, arXiv:2111.09883",
        "Torch's defaults; norms that end a branch 0, logit scale log 10.",
        file="swin_transformer_v2_cr",
        notes="weight_init is 'reset' by default: linear layers keep torch's default, other than "
        "in swin_v2/timm",
    ),
    family(
        "pit",
        [_NAMES],
        "Heo et al. 2021, Rethinking Spatial Dimensions of Vision Transformers, arXiv:2103.16302",
        "Torch's defaults; class tokens and positions N(0, 0.02).",
    ),
    family(
        "gcvit",
        [{}],
        "Hatamizadeh et al. 2022, Global Context Vision Transformers, arXiv:2206.09959",
        "Torch's defaults; position biases N(0, 0.02).",
        notes="weight_init is '' by default, and then nothing is drawn anew",
    ),
    family(
        "mvitv2",
        [{"*.rel_pos_[hw]": CUT, "*cls_token": CUT, "*pos_embed": CUT}, CUT_LINEAR],
        "Li et al. 2022, MViTv2, arXiv:2112.01526",
        "Linear layers and positions N(0, 0.02) cut at two sigma, biases 0.",
    ),
    family(
        "gemma4_vit",
        [{"*.position_embedding_table": CUT, "head.weight": "torch_default"}, CUT_LINEAR],
        "",
        "Linear layers and positions N(0, 0.02) cut at two sigma.",
    ),
    family(
        "edgenext",
        [{"*.gamma": 1e-6, "*.gamma_xca": 1e-6, "*.temperature": 1}, CUT_BOTH],
        "Maaz et al. 2022, EdgeNeXt, arXiv:2206.10589",
        "Convolutions and linear layers N(0, 0.02) cut at two sigma, LayerScale 1e-6.",
    ),
    family(
        "nest",
        [{"*pos_embed": TRUNC}, TRUNC_BOTH],
        "Zhang et al. 2022, Nested Hierarchical Transformer, arXiv:2105.12723",
        "Convolutions, linear layers and positions N(0, 0.02), biases 0.",
    ),
    family(
        "pvt_v2",
        [{}, *_PVT],
        "Wang et al. 2022, PVT v2, arXiv:2106.13797",
        "Linear layers N(0, 0.02), convolutions N(0, sqrt(2/fan_out)), biases 0.",
    ),
    family(
        "twins",
        [{}, *_PVT],
        "Chu et al. 2021, Twins, arXiv:2104.13840",
        "Linear layers N(0, 0.02), convolutions N(0, sqrt(2/fan_out)), biases 0.",
    ),
    family(
        "visformer",
        [
            {"*pos_embed[123]": TRUNC},
            start("Linear", TRUNC),
            start("Conv2d", "kaiming_normal(mode='fan_out', fans='tensor')"),
        ],
        "Chen et al. 2021, Visformer, arXiv:2104.12533",
        "Convolutions N(0, sqrt(2/(k k out_channels))), linear layers N(0, 0.02), biases 0.",
    ),
    family(
        "vitamin",
        [
            {**_SMALL_TOKENS, "*pos_embed": TRUNC, "*backbone.pool.proj.*": "torch_default"},
            *_PVT,
        ],
        "Chen et al. 2024, ViTamin, arXiv:2404.02132",
        "Linear layers N(0, 0.02), the stem's convolutions N(0, sqrt(2/fan_out)), biases 0.",
    ),
    family(
        "sequencer",
        [
            {"*head.fc.weight": 0, "*head.fc.bias": 0},
            Rule("normal(std=1e-6)", type="Linear", name="*mlp*.bias"),
            start("Linear", XAVIER),
            start("Conv2d", LECUN),
        ],
        "Tatsunami & Taki 2022, Sequencer, arXiv:2205.01972",
        "Linear layers Xavier, MLP biases N(0, 1e-6), patches LeCun, LSTMs torch's default.",
    ),
]

_ATTENTION = "in:TransformerBlock2d|Partition*|ParallelPartitionAttention"
_NORMAL = "normal(std=0.02)"
_OWN += [
    family(
        "maxvit",
        [
            {_ATTENTION: Rule("normal(std=1e-6)", type="Conv2d|Linear", name="*mlp*.bias")},
            {_ATTENTION: start("Conv2d|Linear", "xavier_uniform(fans='tensor')")},
            start("Conv2d", HE_OUT_OF_GROUP),
        ],
        "Tu et al. 2022, MaxViT, arXiv:2204.01697; Dai et al. 2021, CoAtNet, arXiv:2106.04803",
        "Convolutions N(0, sqrt(2/fan_out)), attention Xavier with MLP biases N(0, 1e-6).",
        file="maxxvit",
        notes="one file builds MaxViT and CoAtNet, and with blocks of ConvNeXt maxxvit/timm",
    ),
    family(
        "maxxvit",
        [
            {},
            {
                "in:Stem|MaxxVitBlock": start("Conv2d", _NORMAL),
                _ATTENTION: start("Conv2d|Linear", _NORMAL),
            },
        ],
        "",
        "Convolutions and attention N(0, 0.02), biases 0; bare ConvNeXt blocks torch's default.",
        file="maxxvit",
        marks=("in:ConvNeXtBlock",),
        notes="MaxxViT and CoAtNeXt of timm: MaxViT and CoAtNet with blocks of ConvNeXt",
    ),
]

RECIPES: tuple[Recipe, ...] = (*_LINEAR, *_OWN)
ALIASES = {
    "coatnet/timm": "maxvit/timm",
    "coatnext/timm": "maxxvit/timm",
    "vision_transformer_relpos/timm": "vit_relpos/timm",
    "vision_transformer_sam/timm": "samvit/timm",
}
