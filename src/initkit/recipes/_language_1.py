"""Rules of their own of the language models of transformers, from A to K."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import Rule
from ._transformers import MATRICES, NORMAL, TRUNC, XAVIER
from .mamba import HF as MAMBA


def _is_padded(slot: Slot) -> bool:
    """Say whether a table that torch does not know has a row of padding."""
    return getattr(slot.owner, "padding_idx", None) is not None


def _is_unbounded(slot: Slot) -> bool:
    """Say whether nothing bounds a forget gate from below."""
    return getattr(slot.owner, "safe_gate_lower_bound", None) is None


TABLES: dict[str, list[Any]] = {
    "afmoe": [
        {
            "in:AfmoeTokenChoiceRouter": {"gate.weight": 0},
            "type:AfmoeSparseMoeBlock": {"expert_bias": 0},
        },
    ],
    "bailing_hybrid": [
        {
            "type:BailingHybridForgetGate": {
                "A_log": "log_of(uniform(1, 16))",
                "dt_bias": "inverse_softplus_of(log_uniform(0.001, 0.1, floor=0.0001))",
            }
        },
    ],
    "bamba": [
        {"type:BambaMixer": {"A_log": "log_of(arange(start=1))", "D": 1, "dt_bias": 1}},
    ],
    "beam": [
        {
            "type:BeamAttention": {"gate_bias": 0},
        },
    ],
    "blip": [
        {
            "type:BlipVisionEmbeddings": {"class_embedding": TRUNC, "position_embedding": TRUNC},
        },
    ],
    "ibert": [
        Rule(
            f"product({NORMAL}, indexed('i != owner.padding_idx', axis=-2))",
            type="QuantEmbedding",
            name="*.weight",
            where=_is_padded,
        ),
        {
            "type:QuantLinear": {"weight": NORMAL, "bias": 0},
            "type:IBertLMHead": {"bias": 0},
        },
    ],
    "hy_v4": [
        {
            "type:HYV4HyperConnection": {
                "fn": NORMAL,
                "scale": 0.01,
                "base": "indexed('where(i < owner.hc_mult, -log(max(owner.hc_mult - 1, 1)), 0)')",
            },
            "type:HYV4HyperHead": {
                "hc_fn": NORMAL,
                "hc_scale": 0.01,
                "hc_base": "constant(-log(max(owner.hc_mult - 1, 1)))",
            },
            "type:HYV4Attention": {"sinks": "constant(config.learnable_sink_init)"},
        },
    ],
    "fsmt": [
        {"type:SinusoidalPositionalEmbedding": {"weight": "sinusoids(endpoint=True)"}},
    ],
    "bros": [
        {
            "type:BrosRelationExtractor": {"dummy_node": NORMAL},
        },
    ],
    "convbert": [
        {"type:SeparableConv1D": {"bias": 0}, "type:GroupedLinearLayer": {"weight": NORMAL}},
    ],
    "cpmant": [
        {
            "type:CpmAntSegmentPositionEmbedding": {
                "relative_attention_bias": "normal(std=config.init_std)"
            },
        },
    ],
    "deberta": [
        {
            "type:DisentangledSelfAttention": {"v_bias": 0, "q_bias": 0},
        },
    ],
    "decision_transformer": [
        {
            "*.c_proj.weight": "normal(std=(config.initializer_range or 0.02)/sqrt(2*"
            "config.n_layer))"
        },
    ],
    "deepseek_v4": [
        {
            "type:DeepseekV4HCACompressor|DeepseekV4CSACompressor|DeepseekV4Indexer": {
                "position_bias": 0
            },
            "type:DeepseekV4HyperHead": {"hc_scale": 1, "hc_base": 0, "hc_fn": NORMAL},
            "type:DeepseekV4HyperConnection": {"scale": 1, "base": 0, "fn": NORMAL},
            "type:DeepseekV4Attention": {"sinks": 0},
            "type:DeepseekV4HashRouter": {"tid2eid": 0},
            "type:DeepseekV4TopKRouter|DeepseekV4HashRouter": {"weight": NORMAL},
        },
    ],
    "diffllama": [
        {
            "type:DiffLlamaAttention": {
                "lambda_k2": "normal(std=config.lambda_std_dev)",
                "lambda_q2": "normal(std=config.lambda_std_dev)",
                "lambda_k1": "normal(std=config.lambda_std_dev)",
                "lambda_q1": "normal(std=config.lambda_std_dev)",
            },
        },
    ],
    "doge": [
        {
            "type:DogeDecoderLayer": {"post_attention_residual": 1, "input_residual": 1},
            "type:DogeAttention": {"A": 0},
        },
    ],
    "falcon": [
        {
            "type:FalconLinear": {"weight": NORMAL},
        },
    ],
    "falcon_h1": [
        {"type:FalconH1Mixer": {"A_log": "log_of(arange(start=1))", "D": 1, "dt_bias": 1}},
    ],
    "falcon_mamba": [*MAMBA],
    "fastspeech2_conformer": [
        {
            "type:FastSpeech2ConformerAttention": {
                "pos_bias_v": XAVIER,
                "pos_bias_u": XAVIER,
            },
            "type:FastSpeech2ConformerHifiGan": {"scale": 1, "mean": 0},
            "in:FastSpeech2ConformerHifiGan": MATRICES,
        },
        {
            "type:Embedding": {"weight": "normal(std=1)"},
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
            "type:Linear": {"bias": 0, "weight": "normal(std=1.0/sqrt(shape[1]))"},
        },
    ],
    "flaubert": [
        {"type:Embedding": {"weight": "normal(std=config.embed_init_std)"}},
    ],
    "flint": [
        {
            "type:FlintAttention": {"sinks": NORMAL},
        },
    ],
    "gemma2": [
        {
            "type:*RMSNorm*": {"weight": 0},
        },
    ],
    "glm5_next": [
        {
            "type:Glm5NextTextForgetGate": {
                "dt_bias": "inverse_softplus_of(log_uniform(1e-3, 0.1, floor=1e-4))"
            },
        },
        Rule(
            "log_of(uniform(1, 16))",
            type="Glm5NextTextForgetGate",
            name="*.A_log",
            where=_is_unbounded,
        ),
        {
            "type:Glm5NextTextForgetGate": {"A_log": 0},
            "type:Glm5NextTextHyperConnection": {"fn": "normal(std=0.02)", "base": 0, "scale": 1},
            "type:Glm5NextTextIndexer": {
                "index_kpool_compress_ape": 0,
                "index_kpool_compress_gate": 1,
            },
        },
    ],
    "gpt_bigcode": [
        {
            "*.c_proj.weight": "normal(std=(config.initializer_range or 0.02)/sqrt(2*"
            "config.n_layer))"
        },
    ],
    "gpt_neox_japanese": [
        {
            "type:GPTNeoXJapaneseAttention": {"dense_bias": 0},
        },
    ],
    "gpt_oss": [
        {
            "type:GptOssAttention": {"sinks": NORMAL},
            "type:GptOssTopKRouter": {"bias": NORMAL},
            "type:GptOssExperts": {"down_proj_bias": 0, "gate_up_proj_bias": 0},
        },
    ],
    "granite_swa": [
        {
            "type:GraniteSWAAttention": {"sinks": 0},
        },
    ],
    "granitemoe_swa": [
        {
            "type:GraniteMoeSWAAttention": {"sinks": 0},
        },
    ],
    "granitemoehybrid": [
        {
            "type:GraniteMoeHybridMambaLayer": {
                "A_log": "log_of(arange(start=1))",
                "D": 1,
                "dt_bias": 1,
            }
        },
    ],
    "hrm_text": [
        {
            "type:HrmTextModel": {"z_L_init": 0},
        },
    ],
    "jamba": [
        {"type:JambaMambaMixer": {"A_log": "log_of(arange(start=1))", "D": 1}},
    ],
    "kimi_linear": [
        {
            "type:KimiLinearForgetGate": {
                "A_log": "log_of(uniform(1, 16))",
                "dt_bias": "inverse_softplus_of(log_uniform(0.001, 0.1, floor=0.0001))",
            }
        },
    ],
    "apertus": [
        {"type:XIELUActivation": {"alpha_p": 0.20341, "alpha_n": -1.0502}},
    ],
    "jetmoe": [
        {"type:JetMoeParallelExperts": {"weight": NORMAL}, "type:JetMoeMoE|JetMoeMoA": {"bias": 0}},
    ],
}
