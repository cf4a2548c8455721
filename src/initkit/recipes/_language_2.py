"""Rules of their own of the language models of transformers, from L to Z."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import Rule
from ._shared import config_says
from ._transformers import NORMAL, SPEECH_CONVS, cut
from .t5 import HF as T5

_RANGE = "(config.initializer_range or 0.02)"
_FACTOR = "config.initializer_cutoff_factor or 3"
CUT_IN = cut(_RANGE, _FACTOR)
CUT_OUT = cut(f"{_RANGE}/sqrt(2*config.num_hidden_layers)", _FACTOR)
CUT_FINAL = cut(f"{_RANGE}/sqrt(config.hidden_size)", _FACTOR)
_RANK = "normal(std=config.embedding_rank**-0.5)"
_MIX = "(i/n)**(1 - layer/n_layers)"
_SMALL = "normal(std=sqrt(2/(5*config.hidden_size)))"


def _as_wide_as_the_head(slot: Slot) -> bool:
    """Say whether a matrix has a row for every word, by which RWKV's code tells its head."""
    sizes = ("vocab_size", "hidden_size")
    return all(config_says(name, size)(slot) for name, size in zip(sizes, slot.shape, strict=True))


TABLES: dict[str, list[Any]] = {
    "longt5": [
        T5,
        {
            "in:LongT5TransientGlobalAttention": {
                "global_relative_attention_bias.weight": "normal(std=config.initializer_factor * "
                "config.d_model**-0.5)"
            },
        },
    ],
    "mimo_v2_flash": [
        {
            "type:MiMoV2FlashAttention": {"sinks": NORMAL},
        },
    ],
    "modernbert": [
        {
            "in:ModernBertMLP|ModernBertAttention|ModernBertPredictionHead": {
                "Wo.weight": CUT_OUT,
                "dense.weight": CUT_OUT,
            },
            "in:ModernBertMLP|ModernBertAttention": {"*.weight": CUT_IN},
            "in:ModernBertEmbeddings": {"tok_embeddings.weight": CUT_IN},
            "*.decoder.weight": CUT_OUT,
            "*.classifier.weight": CUT_FINAL,
        },
    ],
    "modernbert_decoder": [
        {
            "in:ModernBertDecoderMLP|ModernBertDecoderAttention|ModernBertDecoderPredictionHead": {
                "Wo.weight": CUT_OUT,
                "dense.weight": CUT_OUT,
            },
            "in:ModernBertDecoderMLP|ModernBertDecoderAttention": {"*.weight": CUT_IN},
            "in:ModernBertDecoderEmbeddings": {"tok_embeddings.weight": CUT_IN},
            "*.decoder.weight": CUT_OUT,
            "*.classifier.weight": CUT_FINAL,
        },
    ],
    "mt5": [
        T5,
    ],
    "nanochat": [
        {
            "in:NanoChatAttention": {
                "o_proj.weight": "normal(std=(config.initializer_range or 0.02)/sqrt(2 * "
                "config.num_hidden_layers))"
            },
        },
    ],
    "neomme": [
        {
            "in:NeoMMEEmbeddings": {"word_embeddings.weight": _RANK},
            "type:NeoMMEExclusiveSelfAttention": {"alpha": 0},
            "in:NeoMMESigmoidGatedProjection": {"o_proj.weight": 0},
            "in:NeoMMEMLP": {"down_proj.weight": 0},
            "type:NeoMMEEncoderLayer": {"lambdas": "indexed('1 - i')"},
            "*.value_embeddings.weight": 0,
            "*.lm_head.weight": _RANK,
        },
    ],
    "nemotron_h": [
        {"type:NemotronHExperts": {"up_proj": NORMAL}},
        Rule(
            "scaled(torch_default, 1/sqrt(config.num_hidden_layers))",
            name="*.out_proj.weight",
            type="Linear",
            where=config_says("rescale_prenorm_residual", True),
        ),
        {
            "type:NemotronHMamba2Mixer": {
                "A_log": "log_of(arange(start=1))",
                "D": 1,
                "dt_bias": "inverse_softplus_of(log_uniform(config.time_step_min, "
                "config.time_step_max, floor=config.time_step_floor))",
            }
        },
    ],
    "olmo_hybrid": [
        {
            "type:OlmoHybridGatedDeltaNet": {
                "A_log": "log_of("
                "uniform(max(config.linear_a_log_min, 1e-9), config.linear_a_log_max))",
                "dt_bias": "inverse_softplus_of(log_uniform(config.linear_dt_min, "
                "config.linear_dt_max, floor=config.linear_dt_init_floor))",
            }
        },
    ],
    "openai_privacy_filter": [
        {
            "type:OpenAIPrivacyFilterAttention": {"sinks": NORMAL},
            "type:OpenAIPrivacyFilterTopKRouter": {"bias": NORMAL},
            "type:OpenAIPrivacyFilterExperts": {"down_proj_bias": 0, "gate_up_proj_bias": 0},
        },
    ],
    "patchtsmixer": [
        {
            "in:PatchTSMixerBatchNorm": {"batchnorm.weight": 1, "batchnorm.bias": 0},
            "type:PatchTSMixerPositionalEncoding": {"position_enc": "normal(std=0.1)"},
        },
    ],
    "qwen3_next": [
        {"in:Qwen3NextSparseMoeBlock": {"gate.weight": NORMAL}},
        {
            "type:Qwen3NextGatedDeltaNet": {"A_log": "log_of(uniform(0.01, 16))", "dt_bias": 1},
            "type:Qwen3NextRMSNorm": {"weight": 0},
        },
    ],
    "recurrent_gemma": [
        {
            "in:RecurrentGemmaRecurrentBlock": {
                "linear_out.weight": "normal("
                "std=sqrt(config.final_w_init_variance_scale/config.lru_width))",
                "linear_[xy].weight": "normal(std=sqrt(1/config.hidden_size))",
            },
            "in:RecurrentGemmaAttention": {
                "o_proj.weight": "normal("
                "std=sqrt(config.final_w_init_variance_scale/config.hidden_size))",
                "[qkv]_proj.weight": "normal(std=sqrt(1/config.hidden_size))",
            },
            "type:RecurrentGemmaRMSNorm": {"weight": 0},
            "type:RecurrentGemmaRglru": {
                "recurrent_param": "inverse_softplus_of(scaled(log_of(uniform(0.9**2 + 1e-8, "
                "0.999**2 + 1e-8)), -0.5))",
                "*_gate_weight": "normal(std=sqrt(config.w_init_variance_scale/config.lru_width*"
                "config.num_attention_heads))",
                "*_gate_bias": 0,
            },
            "type:Embedding|Linear|Conv1d": {
                "weight": "normal(std=sqrt(config.w_init_variance_scale/config.conv1d_width))",
                "bias": 0,
            },
        },
    ],
    "reformer": [
        {
            "in:AxialPositionEmbeddings": {"weights.*": "normal(std=config.axial_norm_std)"},
            "type:LocalSelfAttention": {
                "mask_value_float32": -1000000000.0,
                "mask_value_float16": -10000.0,
            },
            "type:LSHSelfAttention": {
                "mask_value_float32": -1000000000.0,
                "mask_value_float16": -10000.0,
                "self_mask_value_float32": -100000.0,
                "self_mask_value_float16": -1000.0,
            },
        },
    ],
    "rwkv": [
        {
            "type:RwkvSelfAttention": {
                "time_decay": "indexed('-5 + 8*(i/(n - 1))**(0.7 + 1.3*layer/(n_layers - 1))')",
                "time_first": 1,
                "time_mix_key": f"indexed('{_MIX}')",
                "time_mix_value": f"indexed('{_MIX} + 0.3*layer/(n_layers - 1)')",
                "time_mix_receptance": "indexed('(i/n)**(0.5*(1 - layer/n_layers))')",
            },
            "type:RwkvFeedForward": {
                "time_mix_key": f"indexed('{_MIX}')",
                "time_mix_receptance": f"indexed('{_MIX}')",
            },
        },
        Rule(
            "orthogonal(gain=0.5*sqrt(max(shape[0]/shape[1], 1)))",
            type="Linear",
            name="*.weight",
            where=_as_wide_as_the_head,
        ),
        {
            "type:Linear": {
                "weight": "orthogonal(gain=sqrt(max(shape[0]/shape[1], 1)))",
                "bias": 0,
            },
            "type:Embedding": {"weight": "orthogonal(gain=1e-4*sqrt(max(shape[0], shape[1])))"},
        },
    ],
    "switch_transformers": [
        {
            "*.mlp.experts.*.wi.weight": "normal(std=config.initializer_factor*config.d_model**"
            "-0.5)",
            "*.mlp.experts.*.wo.weight": "normal(std=config.initializer_factor*config.d_model**"
            "-0.5)",
            "*.router.classifier.weight": "normal(std=config.initializer_factor)",
            "in:SwitchTransformersDenseActDense": {
                "wi.weight": "normal(std=config.initializer_factor*config.d_model**-0.5)",
                "wo.weight": "normal(std=config.initializer_factor*config.d_ff**-0.5)",
            },
            "type:SwitchTransformersLayerNorm": {"weight": "constant(config.initializer_factor)"},
        },
        T5,
    ],
    "t5gemma": [
        {
            "in:T5GemmaLMHead": {
                "out_proj.weight": "normal(std=(config.initializer_range or 0.02) * shape[0]**-0.5)"
            },
            "in:T5GemmaClassificationHead": {
                "out_proj.bias": 0,
                "out_proj.weight": "normal(std=(config.initializer_range or 0.02) * shape[0]**"
                "-0.5)",
            },
            "type:*RMSNorm*": {"weight": 0},
        },
    ],
    "tapas": [
        {
            "type:TapasForQuestionAnswering": {
                "column_output_bias": 0,
                "output_bias": 0,
                "column_output_weights": NORMAL,
                "output_weights": NORMAL,
            },
        },
    ],
    "umt5": [
        T5,
    ],
    "vaultgemma": [
        {
            "type:*RMSNorm*": {"weight": 0},
        },
    ],
    "vits": [
        {
            "type:VitsElementwiseAffine": {"log_scale": 0, "translate": 0},
            "type:VitsAttention": {
                "emb_rel_[kv]": "normal(std=(config.hidden_size/config.num_attention_heads)**-0.5)"
            },
            "type:ParametrizedConv1d": {"*": "torch_default"},
            **SPEECH_CONVS,
        },
    ],
    "xlm": [
        {"type:Embedding": {"weight": "normal(std=config.embed_init_std)"}},
    ],
    "xlnet": [
        {
            "type:XLNetModel": {"mask_emb": NORMAL},
            "type:XLNetRelativeAttention": {
                "seg_embed": NORMAL,
                "r_w_bias": NORMAL,
                "r_s_bias": NORMAL,
                "r_r_bias": NORMAL,
                "r": NORMAL,
                "o": NORMAL,
                "v": NORMAL,
                "k": NORMAL,
                "q": NORMAL,
            },
        },
    ],
    "xlstm": [
        {
            "*igate_preact.bias": -10,
            "*fgate_preact.bias": "indexed('3 + 3*i/(n - 1)')",
            "*gate*.weight": 0,
            "*proj_down.weight": "normal(std=2/config.num_hidden_layers/sqrt(shape[1]))",
            "*out_proj.weight": "normal(std=2/config.num_hidden_layers/sqrt(config.hidden_size))",
            "type:Linear|Embedding": {"weight": _SMALL, "bias": 0},
        },
    ],
    "youtu": [
        {
            "type:Embedding": {
                "weight": "normal(std=config.embedding_initializer_range or 2*"
                "(config.initializer_range or 0.02))"
            }
        },
    ],
    "zamba": [
        {
            "type:ZambaMambaMixer": {
                "A_log": "log_of(arange(start=1))",
                "D": 1,
                "dt_proj_bias": "inverse_softplus_of(log_uniform(config.time_step_min, "
                "config.time_step_max, floor=config.time_step_floor))",
                "dt_proj_weight": "uniform(-config.mamba_dt_rank**-0.5, config.mamba_dt_rank**"
                "-0.5)",
                "x_proj_weight": NORMAL,
            }
        },
    ],
    "zamba2": [
        {
            "type:Zamba2MambaMixer": {
                "A_log": "log_of(arange(start=1))",
                "D": 1,
                "dt_bias": "inverse_softplus_of(log_uniform(config.time_step_min, "
                "config.time_step_max, floor=config.time_step_floor))",
            }
        },
    ],
    "zaya": [
        {
            "type:ZayaRouter": {"balancing_biases": 0, "router_states_scale": 1},
            "type:ZayaQKNorm": {"temp": 0},
            "type:ZayaModel": {"input_hidden_states_bias": 0, "input_hidden_states_scale": 1},
            "type:ZayaResidualScaling": {
                "residual_bias": 0,
                "residual_scale": 1,
                "hidden_states_bias": 0,
                "hidden_states_scale": 1,
            },
        },
    ],
    "mobilebert": [
        {"type:NoNorm": {"weight": 1, "bias": 0}},
    ],
    "pegasus": [
        {"type:PegasusSinusoidalPositionalEmbedding": {"weight": "sinusoids"}},
    ],
    "marian": [
        {"type:MarianSinusoidalPositionalEmbedding": {"weight": "sinusoids"}},
    ],
    "roformer": [
        {"type:RoFormerSinusoidalPositionalEmbedding": {"weight": "sinusoids"}},
    ],
    "timesfm": [
        {"type:TimesFmAttention": {"scaling": 1}},
    ],
    "timesfm2_5": [
        {"type:TimesFm2_5Attention": {"scaling": 1}},
    ],
}
