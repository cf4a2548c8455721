"""Rules of their own of the detectors of transformers."""

from __future__ import annotations

from typing import Any

from ..rules import Rule
from ._shared import last_layer
from ._transformers import GAINED, NORMAL, PRIOR, TRUNC, XAVIER
from .clip import HF as CLIP

# Text and vision attend to each other.
_BOTH_WAYS = {
    "out_text_proj.bias": 0,
    "out_text_proj.weight": XAVIER,
    "out_vision_proj.bias": 0,
    "out_vision_proj.weight": XAVIER,
    "values_text_proj.bias": 0,
    "values_text_proj.weight": XAVIER,
    "values_vision_proj.bias": 0,
    "values_vision_proj.weight": XAVIER,
    "text_proj.bias": 0,
    "text_proj.weight": XAVIER,
    "vision_proj.bias": 0,
    "vision_proj.weight": XAVIER,
}
# Of RF-DETR, too, whose classes are named here beside its own.
_LW_DETR: list[Any] = [
    {
        "last:*.bbox_embed.layers": {"*": 0},
        "last:*.enc_out_bbox_embed.*.layers": {"*": 0},
        "*.class_embed.bias": "constant(-log(99))",
        "*.enc_out_class_embed.*.bias": "constant(-log(99))",
        "*.refpoint_embed.weight": 0,
        "*.level_embed": "normal(std=1)",
        "*.segmentation_bias": 0,
        "type:LwDetrViTLayer": {"gamma_[12]": "constant(config.cae_init_values)"},
        "type:LwDetrViTEmbeddings": {"position_embeddings": TRUNC},
        "type:RfDetrDinov2Embeddings": {"position_embeddings": TRUNC, "cls_token": TRUNC},
    },
    {
        "in:LwDetrViTPreTrainedModel|RfDetrDinov2PreTrainedModel": {
            "type:Linear|Conv2d": {"weight": TRUNC, "bias": 0}
        }
    },
]
_BY_ROWS = "uniform(-1/sqrt(owner.out_features), 1/sqrt(owner.out_features))"
# The backbone is HGNetV2, which has a base class of its own and so its norms at 1.
_DOCLAYOUT_NORMS = [
    {"in:HGNetV2PreTrainedModel": {"type:BatchNorm2d": {"weight": 1, "bias": 0}}},
    {"type:BatchNorm2d": {"weight": NORMAL, "bias": 0}},
]

TABLES: dict[str, list[Any]] = {
    "conditional_detr": [
        {"in:ConditionalDetrConvEncoder": "resnet/timm"},
        {
            "in:ConditionalDetrMaskHeadSmallConv": {
                "*.weight": "kaiming_uniform(fans='tensor', a=1)"
            },
            "in:ConditionalDetrMHAttentionMap": {"[qk]_proj.weight": GAINED},
        },
    ],
    "d_fine": [
        {
            "*.denoising_class_embed.weight": XAVIER,
            "*.weight_embedding.weight": XAVIER,
            "last:*.reg_conf.layers": {"*": 0},
            "in:DFineGate": {"gate.weight": 0, "gate.bias": "constant((-log((1 - 0.5)/0.5)))"},
            "in:DFineModel": {
                "enc_score_head.bias": PRIOR,
                "enc_score_head.weight": XAVIER,
            },
            "in:DFineForObjectDetection": {
                "last:model.decoder.bbox_embed.*.layers": {"*": 0},
                "model.decoder.class_embed.*.bias": PRIOR,
                "model.decoder.class_embed.*.weight": XAVIER,
            },
            "type:DFineDecoder": {
                "up": "constant(config.up)",
                "reg_scale": "constant(config.reg_scale)",
            },
        },
    ],
    "dab_detr": [
        {
            "in:DabDetrForObjectDetection": {
                "class_embed.bias": PRIOR,
                "last:bbox_predictor.layers": {"*": 0},
            },
            "in:DabDetrMHAttentionMap": {
                "q_linear.weight": GAINED,
                "k_linear.weight": GAINED,
                "q_linear.bias": 0,
                "k_linear.bias": 0,
            },
        },
        {
            "type:PReLU": {"*": "torch_default"},
        },
    ],
    "deformable_detr": [
        {"in:DeformableDetrConvEncoder": "resnet/timm"},
        {
            "*.reference_points.bias": 0,
            "*.reference_points.weight": XAVIER,
            "*.level_embed": "normal(std=1)",
        },
    ],
    "deimv2": [
        {
            "in:Deimv2SwiGLUFFN": {
                "down_proj.bias": 0,
                "down_proj.weight": XAVIER,
                "up_proj.bias": 0,
                "up_proj.weight": XAVIER,
                "gate_proj.bias": 0,
                "gate_proj.weight": XAVIER,
            },
            "*.denoising_class_embed.weight": XAVIER,
            "*.weight_embedding.weight": XAVIER,
            "last:*.reg_conf.layers": {"*": 0},
            "in:Deimv2Gate": {"gate.weight": 0, "gate.bias": "constant((-log((1 - 0.5)/0.5)))"},
            "in:Deimv2Model": {
                "enc_score_head.bias": PRIOR,
                "enc_score_head.weight": XAVIER,
            },
            "in:Deimv2ForObjectDetection": {
                "last:model.decoder.bbox_embed.*.layers": {"*": 0},
                "model.decoder.class_embed.*.bias": PRIOR,
                "model.decoder.class_embed.*.weight": XAVIER,
            },
            "type:Deimv2Decoder": {
                "up": "constant(config.up)",
                "reg_scale": "constant(config.reg_scale)",
            },
        },
    ],
    "detr": [
        {"in:DetrConvEncoder": "resnet/timm"},
        {
            "in:DetrMaskHeadSmallConv": {"*.weight": "kaiming_uniform(fans='tensor', a=1)"},
            "in:DetrMHAttentionMap": {"[qk]_proj.weight": GAINED},
        },
    ],
    "grounding_dino": [
        {
            "*.reference_points.bias": 0,
            "*.reference_points.weight": XAVIER,
            "in:GroundingDinoMLPPredictionHead": [Rule(0, name="*", where=last_layer)],
            "in:GroundingDinoBiMultiHeadAttention": _BOTH_WAYS,
            "*.level_embed": "normal(std=1)",
            "type:GroundingDinoFusionLayer": {"text_param": 0.0001, "vision_param": 0.0001},
        },
    ],
    "lw_detr": _LW_DETR,
    "mm_grounding_dino": [
        {
            "*.reference_points.bias": 0,
            "*.reference_points.weight": XAVIER,
            "in:MMGroundingDinoMLPPredictionHead": [Rule(0, name="*", where=last_layer)],
            "in:MMGroundingDinoBiMultiHeadAttention": _BOTH_WAYS,
            "type:MMGroundingDinoContrastiveEmbedding": {"bias": "constant(-log((1 - 0.01)/0.01))"},
            "*.level_embed": "normal(std=1)",
            "type:MMGroundingDinoFusionLayer": {"text_param": 0.0001, "vision_param": 0.0001},
        },
    ],
    "owlv2": [
        *CLIP,
        {
            "type:Owlv2Model": {"logit_scale": "constant(config.logit_scale_init_value)"},
        },
    ],
    "owlvit": [
        *CLIP,
        {
            "type:OwlViTModel": {"logit_scale": "constant(config.logit_scale_init_value)"},
        },
    ],
    "rf_detr": _LW_DETR,
    "omdet_turbo": [
        {
            # Its code never starts offsets on rays, as that of other families with this part does.
            "in:OmDetTurboMultiscaleDeformableAttention": {"*.weight": NORMAL, "*.bias": 0},
            "in:OmDetTurboEncoderLayer": {"fc[12].*": _BY_ROWS},
            "in:OmDetTurboDecoder": {
                "last:*.encoder_bbox_head.layers": {"*": 0},
                "last:*.decoder_bbox_head.*.layers": {"*": 0},
                "encoder_vision_features.0.bias": _BY_ROWS,
                "encoder_vision_features.0.weight": XAVIER,
                "tgt_embed.weight": XAVIER,
                "query_position_head.layers.[01].weight": XAVIER,
                "channel_projection_layers.*.0.weight": XAVIER,
            },
            "type:OmDetTurboLanguageBackbone": {
                "text_projection": "normal(std=config.text_projection_in_dim**-0.5)"
            },
        },
    ],
    "pp_doclayout_v3": [
        {
            "in:PPDocLayoutV3Model": {
                "enc_score_head.weight": XAVIER,
                "enc_score_head.bias": PRIOR,
                "decoder.class_embed.weight": XAVIER,
                "decoder.class_embed.bias": PRIOR,
            },
        },
        *_DOCLAYOUT_NORMS,
    ],
    "pp_doclayout_v4": [
        {
            "in:PPDocLayoutV4Model": {
                "enc_score_head.weight": XAVIER,
                "enc_score_head.bias": PRIOR,
            },
            "in:PPDocLayoutV4Decoder": {
                "class_embed.*.weight": XAVIER,
                "class_embed.*.bias": PRIOR,
            },
            "type:PPDocLayoutV4S2RFusion": {
                "closure_weight": "constant(config.s2r_closure_weight_init)"
            },
        },
        *_DOCLAYOUT_NORMS,
    ],
    "rt_detr": [
        {
            "*.denoising_class_embed.weight": XAVIER,
            "*.weight_embedding.weight": XAVIER,
            "in:RTDetrModel": {
                "enc_score_head.bias": PRIOR,
                "enc_score_head.weight": XAVIER,
            },
            "in:RTDetrForObjectDetection": {
                "last:model.decoder.bbox_embed.*.layers": {"*": 0},
                "model.decoder.class_embed.*.bias": PRIOR,
                "model.decoder.class_embed.*.weight": XAVIER,
            },
        },
        {
            "in:RTDetrResNetPreTrainedModel": {
                "type:Conv2d": {"weight": "kaiming_normal(fans='tensor', mode='fan_out')"},
                "type:BatchNorm2d": {"weight": 1, "bias": 0},
            },
        },
        {
            "type:BatchNorm2d": {"bias": 0, "weight": NORMAL},
        },
    ],
    "rt_detr_v2": [
        {
            "*.denoising_class_embed.weight": XAVIER,
            "*.weight_embedding.weight": XAVIER,
            "in:RTDetrV2Model": {
                "enc_score_head.bias": PRIOR,
                "enc_score_head.weight": XAVIER,
            },
            "in:RTDetrV2ForObjectDetection": {
                "last:model.decoder.bbox_embed.*.layers": {"*": 0},
                "model.decoder.class_embed.*.bias": PRIOR,
                "model.decoder.class_embed.*.weight": XAVIER,
            },
        },
        {
            "in:RTDetrResNetPreTrainedModel": {
                "type:Conv2d": {"weight": "kaiming_normal(fans='tensor', mode='fan_out')"},
                "type:BatchNorm2d": {"weight": 1, "bias": 0},
            },
        },
        {
            "type:BatchNorm2d": {"bias": 0, "weight": NORMAL},
        },
    ],
    "table_transformer": [
        {"in:TableTransformerConvEncoder": "resnet/timm"},
    ],
    "yolos": [
        {"type:YolosEmbeddings": {"*": 0}, "*.mid_position_embeddings": 0},
    ],
}
