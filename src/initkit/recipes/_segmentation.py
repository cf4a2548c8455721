"""Rules of their own of the models of transformers that segment."""

from __future__ import annotations

from typing import Any

from ..rules import Rule
from ._shared import in_matrix_of
from ._transformers import GAINED, NORMAL, TRUNC, XAVIER
from .clip import HF as CLIP

_MEMORY = {
    "no_memory_embedding": 0,
    "occlusion_spatial_embedding_parameter": 0,
    "no_object_pointer": 0,
    "memory_temporal_positional_encoding": 0,
    "no_memory_positional_encoding": 0,
}
"""What a model that follows objects through a video says where it remembers nothing."""
TABLES: dict[str, list[Any]] = {
    "sam": [
        {
            "type:SamPositionalEmbedding": {"positional_embedding": "normal(std=owner.scale)"},
            "type:SamVisionEncoder": {"pos_embed": 0},
        },
    ],
    "sam2": [
        {
            "type:Sam2Model": {"no_memory_embedding": 0},
            "type:Sam2PositionalEmbedding": {"positional_embedding": "normal(std=owner.scale)"},
            "type:Sam2HieraDetModel": {"pos_embed_window": 0, "pos_embed": 0},
        },
    ],
    "sam2_video": [
        {
            "type:Sam2VideoPositionalEmbedding": {
                "positional_embedding": "normal(std=owner.scale)"
            },
            "type:Sam2VideoMemoryFuserCXBlock": {"scale": 0},
            "type:Sam2VideoModel": _MEMORY,
        },
    ],
    "sam3": [
        {
            "type:Sam3ViTEmbeddings": {"position_embeddings": NORMAL},
        },
    ],
    "sam_hq": [
        {
            "type:SamHQPositionalEmbedding": {"positional_embedding": "normal(std=owner.scale)"},
            "type:SamHQVisionEncoder": {"pos_embed": 0},
        },
    ],
    "edgetam": [
        {
            "*.positional_embedding": "normal(std=owner.scale)",
            "type:EdgeTamModel": {"no_memory_embedding": 0},
        },
    ],
    "edgetam_video": [
        {
            "*.positional_embedding": "normal(std=owner.scale)",
            "type:EdgeTamVideoMemoryFuserCXBlock": {"scale": 0},
            "type:EdgeTamVideoModel": _MEMORY,
            "type:EdgeTamVideoPerceiverResampler": {"latents_*": "normal(std=1)"},
        },
    ],
    "sam3_tracker": [
        {
            "type:Sam3TrackerPositionalEmbedding": {
                "positional_embedding": "normal(std=owner.scale)"
            },
            "type:Sam3TrackerModel": {"no_memory_embedding": 0},
        },
    ],
    "sam3_tracker_video": [
        {
            "type:Sam3TrackerVideoPositionalEmbedding": {
                "positional_embedding": "normal(std=owner.scale)"
            },
            "type:Sam3TrackerVideoMemoryFuserCXBlock": {"scale": 0},
            "type:Sam3TrackerVideoModel": _MEMORY,
        },
    ],
    "seggpt": [
        {
            "type:SegGptEmbeddings": {
                "type_token_instance": NORMAL,
                "type_token_semantic": NORMAL,
                "segment_token_prompt": NORMAL,
                "segment_token_input": NORMAL,
                "mask_token": NORMAL,
                "position_embeddings": TRUNC,
            },
            "type:SegGptAttention": {"rel_pos_w": TRUNC, "rel_pos_h": TRUNC},
        },
        {
            "type:Linear|Conv2d": {"bias": 0, "weight": TRUNC},
        },
    ],
    "clipseg": [
        *CLIP,
    ],
    "groupvit": [
        {
            "type:GroupViTVisionEmbeddings": {"position_embeddings": 0},
            "type:GroupViTStage": {"group_token": 0},
            "in:GroupViTAttention": {
                "[qkv]_proj.weight": "normal(std=shape[1]**-0.5*(2*config.num_hidden_layers)**"
                "-0.5)",
                "out_proj.weight": "normal(std=shape[1]**-0.5)",
            },
            "in:GroupViTMLP": {
                "fc1.weight": "normal(std=(2*config.hidden_size)**-0.5)",
                "fc2.weight": "normal(std=config.hidden_size**-0.5*(2*config.num_hidden_layers)**"
                "-0.5)",
            },
            "in:GroupViTTextEmbeddings": {"*_embedding.weight": "normal(std=0.02)"},
        },
    ],
    "mask2former": [
        Rule(GAINED, name="*", where=in_matrix_of("Mask2FormerMaskedAttentionDecoderLayer")),
        {
            "in:Mask2FormerTransformerModule": {
                "input_projections.*.weight": GAINED,
                "input_projections.*.bias": 0,
            },
            "in:Mask2FormerPredictionBlock": {"*": "torch_default"},
            "type:Mask2FormerPixelDecoder": {"level_embed": "normal(std=1)"},
            "*.reference_points.weight": XAVIER,
            "type:Embedding": {"weight": "normal(std=1)"},
            "type:BatchNorm2d": {"weight": "normal(std=config.init_std)"},
        },
    ],
    "maskformer": [
        {
            "in:MaskFormerDetrMHAttentionMap": {"[qk]_proj.weight": GAINED},
            "in:MaskFormerDetrMaskHeadSmallConv": {
                "*.weight": "kaiming_uniform(fans='tensor', a=1)",
            },
            "in:MaskFormerFPNLayer": {"proj.0.weight": GAINED},
            "in:MaskFormerFPNModel": {"stem.0.weight": GAINED},
            "in:MaskFormerFPNConvLayer": {"0.weight": GAINED},
            "in:MaskFormerTransformerModule": {"input_projection.weight": GAINED},
            "in:MaskformerMLPPredictionHead": {"*.weight": GAINED},
            "type:MaskFormerSwinSelfAttention": {"relative_position_bias_table": 0},
            "type:MaskFormerSwinEmbeddings": {"position_embeddings": 0},
            "type:BatchNorm2d": {"weight": "normal(std=config.init_std)", "bias": 0},
        },
    ],
    "oneformer": [
        Rule(GAINED, name="*", where=in_matrix_of("OneFormerTransformerDecoderLayer")),
        Rule(GAINED, name="*", where=in_matrix_of("OneFormerTransformerDecoderQueryTransformer")),
        {
            "in:OneFormerTransformerModule": {
                "input_projections.*.weight": GAINED,
                "input_projections.*.bias": 0,
            },
            "in:OneFormerTransformerDecoder": {"query_input_projection.weight": GAINED},
            "type:OneFormerPixelDecoder": {"level_embed": 0},
            "in:OneFormerTextTransformer": {
                "layers.*.self_attn.in_proj_weight": "normal(std=around.width**-0.5)",
                "layers.*.self_attn.out_proj.weight": "normal(std=around.width**-0.5*(2*"
                "around.num_layers)**-0.5)",
                "layers.*.mlp.fc1.weight": "normal(std=(2*around.width)**-0.5)",
                "layers.*.mlp.fc2.weight": "normal(std=around.width**-0.5*(2*around.num_layers)**"
                "-0.5)",
            },
            "in:OneFormerTextEncoder": {"token_embedding.weight": "normal(std=0.02)"},
            "type:OneFormerTextEncoder": {"positional_embedding": "normal(std=0.01)"},
            "*.reference_points.weight": XAVIER,
            "in:OneFormerMLPPredictionHead": {"*.weight": GAINED},
            "type:MultiheadAttention": {
                "in_proj_weight": "normal(std=config.init_std)",
                "in_proj_bias": 0,
            },
            "type:BatchNorm2d": {"weight": "normal(std=config.init_std)"},
        },
    ],
}
