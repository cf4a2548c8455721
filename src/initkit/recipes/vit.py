"""Vision Transformer, as its authors, timm, torchvision and transformers start it."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule
from ._convnets import HE_OUT
from ._shared import VISION
from ._transformers import STD, published

TRUNC = "trunc_normal(std=0.02)"
LECUN = "variance_scaling"
XAVIER = "xavier_uniform"
XAVIER_THIRD = "uniform(low=-sqrt(6/(fan_in + fan_out/3)), high=sqrt(6/(fan_in + fan_out/3)))"
"""Xavier for each of query, key and value where one matrix holds them."""
_XAVIER_HALF = "uniform(low=-sqrt(6/(fan_in + fan_out/2)), high=sqrt(6/(fan_in + fan_out/2)))"
"""The same, of key and value."""
XAVIER_VIEW = "uniform(low=-sqrt(6/(fan_in + shape[0])), high=sqrt(6/(fan_in + shape[0])))"
"""Xavier for a patch convolution taken as the linear layer that it is."""
LINEAR = "type:Linear"
CONV = "type:Conv1d|Conv2d|Conv3d"
NORMS = {r"re:(.*\.)?\w*norm\w*\.weight": 1, r"re:(.*\.)?\w*norm\w*\.bias": 0}
HEADS = r"re:(.*\.)?head(_dist)?\."


# ------------------------------------------------------------------------------- timm

SCALES = {"type:LayerScale|LayerScale2d": {"gamma": "constant(owner.init_values or 1e-5)"}}
POOL = {
    "*attn_pool.latent": "trunc_normal(std=shape[-1]**-0.5, cutoff=2)",
    "*attn_pool.pos_embed": "trunc_normal(std=shape[-1]**-0.5, cutoff=2)",
}
_TOKENS = {
    "*cls_token": "normal(std=1e-6)",
    "*reg_token": "normal(std=1e-6)",
    "*dist_token": TRUNC,
    "*pos_embed": TRUNC,
}
_BLOCKS: list[Any] = [
    {"*.mlp_bias": 0, "*.lambda_[ab]": 0, "*.lambda_[qk][12]": "normal(std=0.1)"},
    {"in:ResPostBlock": {"norm[12].weight": "constant(around.init_values or 1)"}},
    NORMS,
]
_PARTS = [POOL, _TOKENS, SCALES, *_BLOCKS]


def gates(weight: str, bias: str) -> list[Any]:
    """Return the rules of gated MLPs: the half that is the gate starts at 0 and 1."""
    return [
        {
            "in:GluMlp": {
                "fc1.weight": f"blocks({weight}, normal(std=1e-6))",
                "fc1.bias": f"blocks({bias}, 1)",
            }
        },
        {"*.fc1_g.weight": "normal(std=1e-6)", "*.fc1_g.bias": 1},
    ]


_BY_DEPTH = "scaled(trunc_normal(std=0.02), 1/sqrt(2*(layer + 1)))"
BY_DEPTH = {"*blocks.*.attn.proj.weight": _BY_DEPTH, "*blocks.*.mlp.fc2.weight": _BY_DEPTH}


def _fixed(slot: Slot) -> bool:
    return any(getattr(module, "fix_init", False) for module in slot.lineage)


_fixed.__name__ = "fix_init"
FIXED = [Rule(weight, name=name, where=_fixed) for name, weight in BY_DEPTH.items()]
"""The same for models that say ``fix_init``."""
_HYBRID = {
    "in:ResNetV2": [
        {"in:Bottleneck": {"norm3.weight": 0}, "in:PreActBottleneck": {"conv3.weight": 0}},
        NORMS,
        {CONV: {"weight": HE_OUT, "bias": 0}},
    ]
}
"""A residual network in the place of the patches, whose last layers the transformer zeroes."""
TIMM: list[Any] = [
    _HYBRID,
    *FIXED,
    *_PARTS,
    *gates(TRUNC, "0"),
    {LINEAR: {"weight": TRUNC, "bias": 0}},
    REST,
]
_HALF_XAVIER = "uniform(low=-sqrt(6/(fan_in + 2*fan_out)), high=sqrt(6/(fan_in + 2*fan_out)))"
GATED_XAVIER = gates(_HALF_XAVIER, "normal(std=1e-6)")
MLP_BIAS = Rule("normal(std=1e-6)", type="Linear", name="*mlp*.bias")


def _timm_jax(head_bias: object) -> list[Any]:
    return [
        *_PARTS,
        {f"{HEADS}weight": 0, f"{HEADS}bias": head_bias},
        *GATED_XAVIER,
        MLP_BIAS,
        {LINEAR: {"weight": XAVIER, "bias": 0}, "type:Conv2d": {"weight": LECUN, "bias": 0}},
        REST,
    ]


_MOCO: list[Any] = [
    *_PARTS,
    *gates(_HALF_XAVIER, "0"),
    {"*qkv*.weight": XAVIER_THIRD, LINEAR: {"weight": XAVIER, "bias": 0}},
    REST,
]

# -------------------------------------------------------- JAX, torchvision, transformers

CONFIG_TRUNC = f"trunc_normal(std={STD})"

_JAX: list[Any] = [
    POOL,
    {"*cls_token": 0, "*class_token": 0, "*reg_token": 0, "*dist_token": 0, "*mask_token": 0},
    {
        "*pos_embed": "normal(std=0.02)",
        "*pos_embedding": "normal(std=0.02)",
        "*position_embeddings": "normal(std=0.02)",
    },
    {r"re:(.*\.)?(head|head_dist|heads\.head|classifier)\.(weight|bias)": 0},
    {r"re:.*pre_logits.*\.weight": LECUN, r"re:.*pre_logits.*\.bias": 0},
    SCALES,
    *_BLOCKS,
    {"*.qkv.weight": XAVIER_THIRD, "*.kv.weight": _XAVIER_HALF, "*in_proj_weight": XAVIER},
    MLP_BIAS,
    {r"re:.*\.(intermediate|layer\.\d+\.output)\.dense\.bias": "normal(std=1e-6)"},
    {LINEAR: {"weight": XAVIER, "bias": 0}, CONV: {"weight": LECUN, "bias": 0}},
    REST,
]

_TORCHVISION: list[Any] = [
    {
        "*class_token": 0,
        "*pos_embedding": "normal(std=0.02)",
        "*conv_proj.weight": "trunc_normal(std=sqrt(1/fan_in))",
        "*conv_proj.bias": 0,
        "*conv_proj.conv_last.weight": "normal(std=sqrt(2/shape[0]))",
        "*conv_proj.conv_last.bias": 0,
        "*heads.pre_logits.weight": "trunc_normal(std=sqrt(1/fan_in))",
        "*heads.pre_logits.bias": 0,
        "*heads.head.weight": 0,
        "*heads.head.bias": 0,
        "*in_proj_weight": "xavier_uniform(fans='tensor')",
        "*in_proj_bias": 0,
        r"re:.*\.mlp\.(linear_)?\d\.weight": XAVIER,
        r"re:.*\.mlp\.(linear_)?\d\.bias": "normal(std=1e-6)",
    },
    REST,
]

_PAPER = "Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, arXiv:2010.11929"
_TIMM_CODE = "huggingface/pytorch-image-models: timm/models/vision_transformer.py"

RECIPES = (
    Recipe(
        "vit/jax",
        rules=_JAX,
        marks=VISION,
        summary="Query, key, value and output each Xavier, patches LeCun, class token and head 0.",
        source="google-research/vision_transformer: vit_jax/models_vit.py, with flax's defaults",
        paper=_PAPER,
        fits=("timm", "torchvision", "transformers"),
        notes="the original authors' code, so `vit` alone means this. timm's and torchvision's "
        "versions take query, key and value as one matrix, which makes them sqrt(2) smaller. "
        "The paper says nothing of the start. What only ports have starts at 0 (register, "
        "distillation and mask tokens), the query of attention pooling as in timm",
    ),
    Recipe(
        "vit/timm",
        rules=TIMM,
        marks=VISION,
        summary="Every linear layer and the positions N(0, 0.02), class token N(0, 1e-6).",
        source=f"{_TIMM_CODE} (VisionTransformer, init_weights_vit_timm)",
        paper=_PAPER,
        fits=("timm",),
        notes="the patch convolution keeps torch's default. trunc_normal's bounds are -2 and 2, "
        "so that nothing is cut. The gates of gated MLPs start near 0 with bias 1",
    ),
    Recipe(
        "vit/timm-fix_init",
        rules=[BY_DEPTH, *TIMM],
        marks=VISION,
        summary="As vit/timm, with what each block adds divided by sqrt(2 (layer + 1)).",
        source=f"{_TIMM_CODE} (fix_init=True)",
        paper="Bao et al. 2021, BEiT, section 2.5, arXiv:2106.08254",
        fits=("timm",),
        notes="layers count from 0. The division cuts the bounds of -2 and 2 with the distribution",
    ),
    Recipe(
        "vit/timm-jax",
        rules=_timm_jax(0),
        marks=VISION,
        summary="Linear layers Xavier, MLP biases N(0, 1e-6), patches LeCun, head 0.",
        source=f"{_TIMM_CODE} (weight_init='jax')",
        paper=_PAPER,
        fits=("timm",),
        notes="says that it matches the JAX code, but takes query, key and value as one matrix "
        "(sqrt(2) smaller), draws the class token from N(0, 1e-6) where JAX has 0",
    ),
    Recipe(
        "vit/timm-jax_nlhb",
        rules=_timm_jax("constant(-log(numel))"),
        marks=VISION,
        summary="As vit/timm-jax, with the head's bias at -log(number of classes).",
        source=f"{_TIMM_CODE} (weight_init='jax_nlhb')",
        paper=_PAPER,
        fits=("timm",),
        notes="as vit/timm-jax",
    ),
    Recipe(
        "vit/timm-moco",
        rules=_MOCO,
        marks=VISION,
        summary="Linear layers Xavier, query, key and value each on its own, biases 0.",
        source=f"{_TIMM_CODE} (weight_init='moco')",
        paper="Chen et al. 2021, MoCo v3, arXiv:2104.02057",
        fits=("timm",),
        notes="MoCo v3 also draws the patch convolution by Xavier and freezes sine and cosine "
        "positions: that is moco_v3_vit",
    ),
    Recipe(
        "vit/torchvision",
        rules=_TORCHVISION,
        marks=VISION,
        summary="MLPs Xavier with biases N(0, 1e-6), attention by torch's default, head 0.",
        source="pytorch/vision: torchvision/models/vision_transformer.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="follows the JAX code but for the attention: torch's MultiheadAttention takes query, "
        "key and value as one matrix, and its output keeps the default of a linear layer",
    ),
    published(
        "vit",
        {"*cls_token": CONFIG_TRUNC, "*position_embeddings": CONFIG_TRUNC, "*mask_token": 0},
        marks=VISION,
        summary="Everything N(0, config.initializer_range), the patch convolution and head, too.",
        paper=_PAPER,
        notes="follows neither the JAX code nor timm",
    ),
)
ALIASES = {"vit": "vit/jax", "vit/google-research": "vit/jax"}
