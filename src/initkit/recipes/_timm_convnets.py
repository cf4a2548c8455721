"""Convolutional and mixed networks of timm that need little more than what all of timm shares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..rules import REST, Recipe, Rule
from ._convnets import CONVS, HE_IN, HE_OUT, HE_OUT_OF_GROUP
from ._timm import LAYERS, TRUNC_BOTH, TRUNC_LINEAR, blocks_of, family, has_shortcut, kin, start
from .efficientnet import GOOGLE
from .resnet import LAST_NORM
from .vit import TRUNC

_CLASSIFIER = start("Linear", "normal(std=0.01)")
_HE = start("Conv2d", HE_OUT, None)
_HE_OF_GROUP = start("Conv2d", HE_OUT_OF_GROUP)
_FAN_IN = "trunc_normal(std=fan_in**-0.5)"
_WIDTH = "trunc_normal(std=shape[-1]**-0.5)"
_ATTENTION: list[Any] = [
    {
        "in:BottleneckAttn": {"qkv.weight": _FAN_IN, "pos_embed.*_rel": _WIDTH},
        "in:HaloAttn": {"q.weight": _FAN_IN, "kv.weight": _FAN_IN, "pos_embed.*_rel": _WIDTH},
        "in:LambdaLayer": {
            "qkv.weight": _FAN_IN,
            "conv_lambda.weight": "trunc_normal(std=shape[0]**-0.5)",
            "pos_emb": TRUNC,
        },
        "in:GlobalContext": {"conv_attn.weight": HE_IN, "mlp_add.fc2.weight": 0},
        "in:AttentionPool2d|RotAttentionPool2d": {
            "pos_embed": _WIDTH,
            **{f"{name}.weight": _FAN_IN for name in ("qkv", "q", "k", "v")},
        },
    }
]
"""timm's attention layers for convolutional networks."""
_BYOB: list[Any] = [
    *_ATTENTION,
    {
        "in:RepVggBlock": {
            "type:BatchNorm2d": {"weight": "normal(mean=0.1, std=0.1)", "bias": "normal(std=0.1)"}
        },
        "in:BasicBlock": Rule(0, name="conv2_kxk.bn.weight", where=has_shortcut),
        "in:DarkBlock": Rule(0, name="conv2_kxk.bn.weight", where=has_shortcut),
        "in:EdgeBlock": Rule(0, name="conv2_1x1.bn.weight", where=has_shortcut),
        "in:BottleneckBlock|SelfAttnBlock": Rule(0, name="conv3_1x1.bn.weight", where=has_shortcut),
    },
]
_BYOB_SUMMARY = (
    "Convolutions N(0, sqrt(2/fan_out)), classifier N(0, 0.01), last norm of a residual branch 0."
)
_LAST_NORM = {
    "in:BottleneckBlock": {"conv3.bn.weight": 0},
    "in:DarkBlock|EdgeBlock": {"conv2.bn.weight": 0},
}
_SCALE = {
    "*.layer_scale[12].scale": 1e-5,
    "*.res_scale[12].scale": 1,
    "type:StarReLU": {"scale": 1, "bias": 0},
}


def _resnetv2(zero_init_last: bool = False) -> list[Any]:
    zeros = {
        "in:PreActBottleneck": {"conv3.weight": 0},
        "in:PreActBasic": {"conv2.weight": 0},
        "in:Bottleneck": {"norm3.weight": 0},
    }
    return [
        zeros if zero_init_last else {},
        {"*head.fc.weight": "normal(std=0.01)", "*head.fc.bias": 0},
        *LAYERS,
        start("Conv2d", HE_OUT),
        REST,
    ]


_DRAWN = [
    *kin(
        "Convolutions and linear layers N(0, 0.02), biases 0.",
        [TRUNC_BOTH],
        {
            "csatv2": ("", {}),
            "focalnet": ("Yang et al. 2022, Focal Modulation Networks, arXiv:2203.11926", {}),
            "iformer": ("Zheng 2025, iFormer, arXiv:2501.15369", {"*.gamma": 1e-6}),
            "inception_next": (
                "Yu et al. 2024, InceptionNeXt, arXiv:2303.16900",
                {"*.gamma": 1e-6},
            ),
            "mambaout": ("Yu & Wang 2024, MambaOut, arXiv:2405.07992", {}),
            "metaformer": (
                "Yu et al. 2022, MetaFormer Baselines for Vision, arXiv:2210.13452",
                [
                    Rule(
                        1e-6,
                        name="*.layer_scale[12].scale",
                        where=blocks_of("MetaFormerBlock", 36),
                    ),
                    _SCALE,
                ],
            ),
            "nextvit": ("Li et al. 2022, Next-ViT, arXiv:2207.05501", {}),
            "swiftformer": (
                "Shaker et al. 2023, SwiftFormer, arXiv:2303.15446",
                {
                    "*.layer_scale_[12].gamma": 1e-5,
                    "*.layer_scale.gamma": 1,
                    "*.w_g": "normal",
                },
            ),
        },
    ),
    *kin(
        "Convolutions and linear layers N(0, 0.02); the convolutions' biases torch's default.",
        [TRUNC_LINEAR, start("Conv2d", TRUNC, None)],
        {
            "fasternet": ("Chen et al. 2023, Run, Don't Walk, arXiv:2303.03667", {}),
            "starnet": ("Ma et al. 2024, Rewrite the Stars, arXiv:2403.19967", {}),
        },
    ),
    family(
        "fastvit",
        [{"*.gamma": 1e-5, "in:ConvMlp": start("Conv2d", TRUNC)}, TRUNC_LINEAR],
        "Vasu et al. 2023, FastViT, arXiv:2303.14189",
        "Linear layers and the MLPs' convolutions N(0, 0.02), LayerScale 1e-5.",
    ),
    family(
        "inception_v3",
        [{}, start("Conv2d|Linear", "trunc_normal(std=0.1)", None)],
        "Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567",
        "Convolutions and classifier N(0, 0.1).",
    ),
]

_HE_NETWORKS = [
    *kin(
        "Convolutions N(0, sqrt(2/(k k out_channels))); the rest torch's default.",
        [_HE],
        {
            "hrnet": ("Wang et al. 2020, HRNet, arXiv:1908.07919", {}),
            "sknet": ("Li et al. 2019, Selective Kernel Networks, arXiv:1903.06586", {}),
            "selecsls": ("Mehta et al. 2020, XNect, arXiv:1907.00837", {}),
            "senet": ("Hu et al. 2018, Squeeze-and-Excitation Networks, arXiv:1709.01507", {}),
            "xception": ("Chollet 2017, Xception, arXiv:1610.02357", {}),
        },
    ),
    *kin(
        "Convolutions N(0, sqrt(2/(k k out_channels))); the classifier's bias 0.",
        [_HE],
        {
            "hgnet": (
                "",
                {
                    "type:LearnableAffineBlock": {"scale": 1, "bias": 0},
                    "type:Linear": {"bias": 0},
                },
            ),
            "lcnetv2": ("", {"type:Linear|Conv2d": {"bias": 0}}),
            "vovnet": (
                "Lee & Park 2020, CenterMask (VoVNetV2), arXiv:1911.06667",
                {"type:Linear": {"bias": 0}},
            ),
        },
    ),
    *kin(
        "As resnet/timm: convolutions N(0, sqrt(2/(k k out_channels))), last norms 0.",
        [_HE],
        {
            "res2net": ("Gao et al. 2019, Res2Net, arXiv:1904.01169", LAST_NORM),
            "resnest": ("Zhang et al. 2020, ResNeSt, arXiv:2004.08955", LAST_NORM),
        },
    ),
    *kin(
        "As efficientnet/timm: convolutions N(0, sqrt(2/fan_out)), fan_out divided by groups.",
        GOOGLE,
        {
            "hardcorenas": ("Nayman et al. 2021, HardCoRe-NAS, arXiv:2102.11646", {}),
            "mobilenetv5": ("", {}),
            "rexnet": ("Han et al. 2021, Rethinking Channel Dimensions, arXiv:2007.00992", {}),
        },
    ),
    family(
        "cspnet",
        [_LAST_NORM, start("Conv2d", HE_OUT), _CLASSIFIER],
        "Wang et al. 2020, CSPNet, arXiv:1911.11929",
        "Convolutions N(0, sqrt(2/(k k out_channels))), classifier N(0, 0.01), last norms 0.",
    ),
    replace(
        family(
            "resnetv2",
            [{}],
            "He et al. 2016, Identity Mappings in Deep Residual Networks, arXiv:1603.05027; "
            "Kolesnikov et al. 2020, Big Transfer, arXiv:1912.11370",
            "Convolutions N(0, sqrt(2/(k k out_channels))), head N(0, 0.01), biases 0.",
            marks=(CONVS,),
            notes="zero_init_last zeroes the last convolution of every block (or its norm, where "
            "the norm follows); it is off by default",
        ),
        rules=_resnetv2,
    ),
    family(
        "tresnet",
        [
            {"in:BasicBlock": {"conv2.bn.weight": 0}, "in:Bottleneck": {"conv3.bn.weight": 0}},
            start("Conv2d", HE_OUT, None),
            start("Linear", "normal(std=0.01)", None),
        ],
        "Ridnik et al. 2021, TResNet, arXiv:2003.13630",
        "Convolutions N(0, sqrt(2/(k k out_channels))), classifier N(0, 0.01), last norms 0.",
    ),
    family(
        "rdnet",
        [
            {"*.gamma": 1e-6, "type:Linear": {"bias": 0}},
            start("Conv2d", "kaiming_normal(fans='tensor')", None),
        ],
        "Kim et al. 2024, DenseNets Reloaded, arXiv:2403.19588",
        "Convolutions N(0, sqrt(2/fan_in)), LayerScale 1e-6, the classifier's bias 0.",
    ),
    family(
        "byobnet",
        [_BYOB, _HE_OF_GROUP, _CLASSIFIER],
        "Ding et al. 2021, RepVGG, arXiv:2101.03697; Lin et al. 2020, GENet, arXiv:2006.14090; "
        "Vasu et al. 2023, MobileOne, arXiv:2206.04040",
        _BYOB_SUMMARY,
        notes="one file builds GENet, RepVGG, MobileOne, RegNetZ and variants of ResNet; every "
        "norm of a RepVGG block starts at N(0.1, 0.1)",
    ),
    family(
        "byoanet",
        [_BYOB, _HE_OF_GROUP, _CLASSIFIER],
        "Srinivas et al. 2021, Bottleneck Transformers, arXiv:2101.11605; Vaswani et al. 2021, "
        "HaloNet, arXiv:2103.12731; Bello 2021, LambdaNetworks, arXiv:2102.08602",
        _BYOB_SUMMARY,
    ),
    family(
        "mobilevit",
        [_BYOB, _HE_OF_GROUP, _CLASSIFIER],
        "Mehta & Rastegari 2022, MobileViT, arXiv:2110.02178; MobileViTv2, arXiv:2206.02680",
        "Convolutions N(0, sqrt(2/fan_out)), every linear layer N(0, 0.01), last norms 0.",
        notes="the linear layers of its transformers start as a classifier, at N(0, 0.01)",
    ),
    family(
        "dla",
        [{}, start("Conv2d", HE_OUT, None)],
        "Yu et al. 2018, Deep Layer Aggregation, arXiv:1707.06484",
        "Convolutions N(0, sqrt(2/(k k out_channels))), the classifier's, too.",
    ),
]

_ZERO_NORMS = [
    family(
        name,
        [{zeros: 0}, {"in:NormLinear": start("Linear", TRUNC)}],
        paper,
        "Torch's defaults; the norm that ends a branch 0, classifier N(0, 0.02).",
    )
    for name, zeros, paper in (
        (
            "efficientvit_msra",
            r"re:.*\.(dw\d\.m|pw2|proj\.1)\.bn\.weight",
            "Liu et al. 2023, EfficientViT, arXiv:2305.07027",
        ),
        (
            "levit",
            r"re:.*\.(attn\.proj\.ln|mlp\.ln2)\.bn\.weight",
            "Graham et al. 2021, LeViT, arXiv:2104.01136",
        ),
        (
            "repvit",
            r"re:.*\.(channel_mixer|ffn)\.conv2\.bn\.weight",
            "Wang et al. 2024, RepViT, arXiv:2307.09283",
        ),
        (
            "shvit",
            r"re:.*\.(blocks\.\d+\.conv\.m|pw2|proj\.1)\.bn\.weight",
            "Yun & Ro 2024, SHViT, arXiv:2401.16456",
        ),
    )
]

RECIPES: tuple[Recipe, ...] = (*_DRAWN, *_HE_NETWORKS, *_ZERO_NORMS)
