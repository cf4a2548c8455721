"""Rules of their own of the image and video models of transformers."""

from __future__ import annotations

from typing import Any

from ..rules import Rule
from ._shared import config_says
from ._transformers import NORMAL, TRUNC
from .clip import HF as CLIP

TABLES: dict[str, list[Any]] = {
    "bit": [
        {
            "type:Linear": {"bias": "torch_default", "weight": "torch_default"},
            "type:Conv2d": {"weight": "kaiming_normal(fans='tensor', mode='fan_out')"},
        },
    ],
    "convnextv2": [
        {
            "type:ConvNextV2GRN": {"weight": 0, "bias": 0},
        },
    ],
    "cvt": [
        {
            "type:CvtStage": {"cls_token": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "depth_pro": [
        {
            "type:Conv2d|ConvTranspose2d": {
                "bias": 0,
                "weight": "kaiming_normal(fans='tensor', mode='fan_out')",
            },
        },
    ],
    "dinov2_with_registers": [
        {
            "type:Dinov2WithRegistersEmbeddings": {
                "register_tokens": 0,
                "cls_token": TRUNC,
                "position_embeddings": TRUNC,
            },
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "dinov3_convnext": [
        {
            "type:DINOv3ConvNextLayer": {"gamma": "constant(config.layer_scale_init_value)"},
        },
    ],
    "dinov3_vit": [
        {
            "type:DINOv3ViTEmbeddings": {"register_tokens": TRUNC, "cls_token": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "dpt": [
        {
            "type:DPTViTEmbeddings|DPTViTHybridEmbeddings": {
                "position_embeddings": 0,
                "cls_token": 0,
            },
        },
    ],
    "efficientloftr": [
        {
            "type:BatchNorm2d": {"bias": 0, "weight": NORMAL},
        },
    ],
    "focalnet": [
        {
            "type:FocalNetLayer": {
                "gamma_2": "constant(config.layerscale_value)",
                "gamma_1": "constant(config.layerscale_value)",
            },
        },
    ],
    "hiera": [
        {
            "type:HieraDecoder": {"decoder_position_embeddings": TRUNC, "mask_token": TRUNC},
            "type:HieraEmbeddings": {"position_embeddings": TRUNC},
        },
        {
            "type:LayerNorm": {
                "weight": "constant(config.layer_norm_init)",
                "bias": "constant((config.initializer_range or 0.02))",
            },
            "type:Linear|Conv1d|Conv2d": {
                "bias": "constant((config.initializer_range or 0.02))",
                "weight": TRUNC,
            },
        },
    ],
    "ijepa": [
        {
            "type:IJepaEmbeddings": {"position_embeddings": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "mgp_str": [
        {
            "type:MgpstrEmbeddings": {"cls_token": TRUNC, "pos_embed": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "mlcd": [
        *CLIP,
        {
            "type:MLCDVisionModel": {
                "class_pos_emb": "normal(std=(config.hidden_size/config.num_attention_heads/2)**"
                "-0.5 * config.initializer_factor)"
            },
        },
    ],
    "mobilevit": [
        {
            "type:BatchNorm2d": {"bias": 0, "weight": NORMAL},
        },
    ],
    "mobilevitv2": [
        {
            "type:BatchNorm2d": {"bias": 0, "weight": NORMAL},
        },
    ],
    "pixio": [
        {
            "type:PixioEmbeddings": {"cls_token": TRUNC, "position_embeddings": TRUNC},
        },
    ],
    "poolformer": [
        {
            "type:PoolFormerLayer": {
                "layer_scale_2": "constant(config.layer_scale_init_value)",
                "layer_scale_1": "constant(config.layer_scale_init_value)",
            },
        },
    ],
    "pvt": [
        {
            "type:PvtPatchEmbeddings": {"cls_token": TRUNC, "position_embeddings": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "pvt_v2": [
        {
            "type:Conv2d": {
                "bias": 0,
                "weight": "kaiming_normal(mode='fan_out')",
            },
            "type:Linear": {"bias": 0, "weight": TRUNC},
        },
    ],
    "radio": [
        {
            "type:RadioPatchEmbeddings": {"cls_register_token": TRUNC, "position_embedding": TRUNC},
        },
        {
            "type:Linear": {"bias": 0, "weight": TRUNC},
        },
    ],
    "sapiens2": [
        {
            "in:Sapiens2Head|Sapiens2PointmapScaleHead": {
                "*.weight": "kaiming_normal(fans='tensor', mode='fan_in', nonlinearity='linear')"
            },
            "type:Sapiens2Embeddings": {"register_tokens": TRUNC, "cls_token": TRUNC},
        },
        {
            "type:ConvTranspose2d": {"weight": "kaiming_normal(fans='tensor', mode='fan_out')"},
            "type:Linear|Conv2d": {"weight": TRUNC},
        },
    ],
    "swiftformer": [
        {
            "type:SwiftFormerEfficientAdditiveAttention": {"w_g": "normal(std=1)"},
            "type:SwiftFormerEncoderBlock": {
                "layer_scale_2": "constant(config.layer_scale_init_value)",
                "layer_scale_1": "constant(config.layer_scale_init_value)",
            },
            "type:SwiftFormerConvEncoder|SwiftFormerLocalRepresentation": {"layer_scale": 1},
        },
        {
            "type:Conv2d|Linear": {"bias": 0, "weight": "trunc_normal(std=0.02)"},
        },
    ],
    "swin2sr": [
        {
            "type:Swin2SRSelfAttention": {"logit_scale": "constant(log(10))"},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "timesformer": [
        {
            "type:TimesformerEmbeddings": {
                "time_embeddings": 0,
                "cls_token": TRUNC,
                "position_embeddings": TRUNC,
            },
            "type:Linear|Conv2d": {"weight": TRUNC, "bias": 0},
        },
    ],
    "uvdoc": [
        {
            "type:PReLU": {"*": "torch_default"},
        },
    ],
    "vit_msn": [
        {
            "type:ViTMSNEmbeddings": {"position_embeddings": 0, "cls_token": 0},
        },
    ],
    "vitdet": [
        {
            "in:VitDetResBottleneckBlock": {
                "norm3.bias": 0,
                "norm3.weight": 0,
                "norm2.bias": 0,
                "norm2.weight": 1,
                "norm1.bias": 0,
                "norm1.weight": 1,
                "conv3.bias": 0,
                "conv3.weight": "kaiming_normal(fans='tensor', mode='fan_out')",
                "conv2.bias": 0,
                "conv2.weight": "kaiming_normal(fans='tensor', mode='fan_out')",
                "conv1.bias": 0,
                "conv1.weight": "kaiming_normal(fans='tensor', mode='fan_out')",
            },
            "type:VitDetAttention": {"rel_pos_w": TRUNC, "rel_pos_h": TRUNC},
            "type:VitDetEmbeddings": {"position_embeddings": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "vivit": [
        {
            "type:VivitEmbeddings": {"position_embeddings": 0, "cls_token": 0},
        },
    ],
    "vjepa2": [
        Rule(0, name="*.mask_tokens", where=config_says("pred_zero_init_mask_tokens", True)),
        {"*.mask_tokens": TRUNC},
        {
            "in:VJEPA2AttentivePooler": {
                "cross_attention_layer.mlp.fc2.weight": "trunc_normal("
                "std=(config.initializer_range or 0.02)/"
                "sqrt(count('VJEPA2PoolerSelfAttentionLayer') + 1))"
            },
            "type:VJEPA2AttentivePooler": {"query_tokens": TRUNC},
        },
        {
            "type:Linear|Conv2d|Conv3d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "levit": [
        {"*.attention_biases": 0},
    ],
    "donut": [
        {
            "type:DonutSwinSelfAttention": {"relative_position_bias_table": 0},
            "type:DonutSwinEmbeddings": {"position_embeddings": 0},
        },
    ],
}
