"""Language, speech and state-space recipes against transformers and measured figures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from recipe_checks import check_facts, check_model, need
from torch import nn

import initkit

pytestmark = pytest.mark.models

_BERT = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "vocab_size": 120,
    "max_position_embeddings": 64,
}
_LLAMA = _BERT | {"num_key_value_heads": 2, "head_dim": 12}
_LLAMA_TIED = _LLAMA | {"tie_word_embeddings": True, "pad_token_id": 1, "initializer_range": 0.05}
_GPT2 = {"n_embd": 48, "n_layer": 3, "n_head": 4, "vocab_size": 120, "n_positions": 64}
_GPT2_DEEP = _GPT2 | {
    "n_layer": 5,
    "n_inner": 100,
    "add_cross_attention": True,
    "initializer_range": 0.05,
    "tie_word_embeddings": False,
    "pad_token_id": 3,
}
_BART = {
    "d_model": 48,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "vocab_size": 120,
    "max_position_embeddings": 64,
}
_BART_UNTIED = _BART | {"tie_word_embeddings": False}
_OPT = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "ffn_dim": 96,
    "vocab_size": 120,
    "max_position_embeddings": 64,
    "word_embed_proj_dim": 48,
}
_T5 = {"d_model": 48, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_heads": 4, "vocab_size": 120}
_T5_UNTIED = _T5 | {
    "num_decoder_layers": 3,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "initializer_factor": 0.7,
}
_DISTIL = {"dim": 48, "n_layers": 2, "n_heads": 4, "hidden_dim": 96, "vocab_size": 120}
_BLOOM = {"hidden_size": 48, "n_layer": 3, "n_head": 4, "vocab_size": 120}
_MAMBA = {"hidden_size": 48, "num_hidden_layers": 3, "state_size": 8, "vocab_size": 120}
_MAMBA_ODD = _MAMBA | {
    "state_size": 5,
    "time_step_init_scheme": "constant",
    "rescale_prenorm_residual": True,
    "use_bias": True,
    "time_step_scale": 2.0,
    "tie_word_embeddings": False,
    "time_step_floor": 0.01,
    "initializer_range": 0.03,
    "use_conv_bias": False,
}
_MAMBA2 = _MAMBA | {"head_dim": 12, "num_heads": 8, "n_groups": 1}
_MAMBA2_ODD = _MAMBA2 | {
    "n_groups": 2,
    "rescale_prenorm_residual": True,
    "use_bias": True,
    "tie_word_embeddings": False,
}
_WHISPER = {k: v for k, v in _BART.items() if k != "max_position_embeddings"} | {
    "num_mel_bins": 20,
    "max_source_positions": 60,
    "max_target_positions": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
    "use_weighted_layer_sum": True,
}
_WAV2VEC2 = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "vocab_size": 40,
    "conv_dim": (32, 32),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "codevector_dim": 32,
    "num_codevectors_per_group": 20,
    "proj_codevector_dim": 32,
    "use_weighted_layer_sum": True,
    "tdnn_dim": (24, 24),
    "tdnn_kernel": (5, 1),
    "tdnn_dilation": (1, 1),
    "xvector_output_dim": 20,
}
_WAV2VEC2_STABLE = _WAV2VEC2 | {
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "add_adapter": True,
    "adapter_attn_dim": 16,
    "mask_time_prob": 0.0,
}
_HEADS = "ForSequenceClassification ForTokenClassification ForQuestionAnswering"

# family; configuration; the classes to build, without the family's own name
_ROWS: list[tuple[str, str, dict[str, Any], str]] = [
    ("bert", "Bert", _BERT, f"ForPreTraining ForMaskedLM ForMultipleChoice {_HEADS}"),
    ("bert", "Bert", _BERT | {"pad_token_id": None, "initializer_range": 0.05}, "ForMaskedLM"),
    ("bert", "Bert", _BERT | {"tie_word_embeddings": False, "is_decoder": True}, "LMHeadModel"),
    ("roberta", "Roberta", _BERT, f"ForMaskedLM {_HEADS}"),
    ("roberta", "Roberta", _BERT | {"pad_token_id": 5, "initializer_range": 0.05}, "ForCausalLM"),
    ("electra", "Electra", _BERT | {"embedding_size": 32}, f"ForPreTraining ForMaskedLM {_HEADS}"),
    ("distilbert", "DistilBert", _DISTIL, f"ForMaskedLM {_HEADS}"),
    ("distilbert", "DistilBert", _DISTIL | {"sinusoidal_pos_embds": True}, "ForMaskedLM"),
    ("albert", "Albert", _BERT | {"embedding_size": 32}, f"ForPreTraining ForMaskedLM {_HEADS}"),
    ("gpt2", "GPT2", _GPT2, "LMHeadModel DoubleHeadsModel ForSequenceClassification"),
    ("gpt2", "GPT2", _GPT2_DEEP, "LMHeadModel ForTokenClassification ForQuestionAnswering"),
    ("gpt_neox", "GPTNeoX", _BERT, f"ForCausalLM {_HEADS}"),
    ("gpt_neox", "GPTNeoX", _BERT | {"tie_word_embeddings": True}, "ForCausalLM"),
    ("opt", "OPT", _OPT, "ForCausalLM ForSequenceClassification"),
    ("opt", "OPT", _OPT | {"word_embed_proj_dim": 24, "init_std": 0.05}, "ForCausalLM"),
    ("bloom", "Bloom", _BLOOM, f"ForCausalLM {_HEADS}"),
    ("bloom", "Bloom", _BLOOM | {"tie_word_embeddings": False}, "ForCausalLM"),
    ("bart", "Bart", _BART, "ForConditionalGeneration ForSequenceClassification ForCausalLM"),
    ("bart", "Bart", _BART | {"init_std": 0.06, "pad_token_id": None}, "ForQuestionAnswering"),
    ("t5", "T5", _T5, "ForConditionalGeneration EncoderModel ForTokenClassification"),
    ("t5", "T5", _T5_UNTIED, "ForConditionalGeneration ForSequenceClassification"),
    ("t5", "T5", _T5_UNTIED, "ForQuestionAnswering ForTokenClassification"),
    ("llama", "Llama", _LLAMA, f"ForCausalLM {_HEADS}"),
    ("llama", "Llama", _LLAMA_TIED | {"attention_bias": True, "mlp_bias": True}, "ForCausalLM"),
    ("mistral", "Mistral", _LLAMA, "ForCausalLM ForSequenceClassification"),
    ("mistral", "Mistral", _LLAMA_TIED, "ForCausalLM"),
    ("qwen2", "Qwen2", _LLAMA, "ForCausalLM ForTokenClassification"),
    ("qwen2", "Qwen2", _LLAMA_TIED, "ForCausalLM"),
    ("qwen3", "Qwen3", _LLAMA, "ForCausalLM ForQuestionAnswering"),
    ("qwen3", "Qwen3", _LLAMA_TIED | {"attention_bias": True}, "ForCausalLM"),
    ("mixtral", "Mixtral", _LLAMA | {"num_local_experts": 3}, "ForCausalLM"),
    ("mixtral", "Mixtral", _LLAMA_TIED | {"num_local_experts": 2}, "ForSequenceClassification"),
    ("gemma", "Gemma", _LLAMA, "ForCausalLM ForSequenceClassification"),
    ("gemma", "Gemma", _LLAMA | {"tie_word_embeddings": False}, "ForCausalLM"),
    ("olmo", "Olmo", _LLAMA, "ForCausalLM"),
    ("olmo2", "Olmo2", _LLAMA_TIED, "ForCausalLM"),
    ("whisper", "Whisper", _WHISPER, "ForConditionalGeneration ForAudioClassification ForCausalLM"),
    ("wav2vec2", "Wav2Vec2", _WAV2VEC2, "ForPreTraining ForCTC ForXVector"),
    ("wav2vec2", "Wav2Vec2", _WAV2VEC2, "ForSequenceClassification ForAudioFrameClassification"),
    ("wav2vec2", "Wav2Vec2", _WAV2VEC2_STABLE, "ForPreTraining ForCTC Model"),
    ("mamba", "Mamba", _MAMBA, "ForCausalLM"),
    ("mamba", "Mamba", _MAMBA_ODD, "ForCausalLM"),
    ("mamba2", "Mamba2", _MAMBA2, "ForCausalLM"),
    ("mamba2", "Mamba2", _MAMBA2_ODD, "Model"),
]
MODELS = [
    pytest.param(family, kind, head, config, id=f"{family}-{i}-{head}")
    for i, (family, kind, config, heads) in enumerate(_ROWS)
    for head in heads.split()
]


def transformers_model(family: str, kind: str, head: str, config: dict[str, Any]) -> nn.Module:
    """Build a model of transformers from its configuration alone."""
    code = need(f"transformers.models.{family}.modeling_{family}")
    cls = getattr(code, kind + head)
    model: nn.Module = cls(cls.config_class(**config))
    return model


@pytest.mark.parametrize(("family", "kind", "head", "config"), MODELS)
def test_every_head_and_size_starts_as_its_own_code_starts_it(
    family: str, kind: str, head: str, config: dict[str, Any]
) -> None:
    build = lambda: transformers_model(family, kind, head, config)
    check_model(f"{family}/transformers", build, seeds=2)


@pytest.mark.parametrize(
    ("family", "kind"), [("gemma2", "Gemma2ForCausalLM"), ("gemma3", "Gemma3ForCausalLM")]
)
def test_one_recipe_serves_the_generations_of_gemma(family: str, kind: str) -> None:
    build = lambda: transformers_model(family, kind, "", _LLAMA)
    check_model("gemma/transformers", build, seeds=2)


def test_the_vision_tower_of_gemma_3_starts_like_siglip() -> None:
    code = need("transformers")
    vision = _BERT | {"num_hidden_layers": 2, "image_size": 32, "patch_size": 8}
    config = code.Gemma3Config(text_config=_LLAMA, vision_config=vision, mm_tokens_per_image=4)
    check_model("gemma/transformers", lambda: code.Gemma3ForConditionalGeneration(config), seeds=2)


_MOE = _LLAMA | {"num_experts": 3, "moe_intermediate_size": 24, "pad_token_id": 1}
_MOE |= {"shared_expert_intermediate_size": 32}
_LATENT = _LLAMA | {"num_key_value_heads": 4, "n_group": 1, "topk_group": 1, "n_shared_experts": 1}
_LATENT |= {"n_routed_experts": 3, "moe_intermediate_size": 24, "first_k_dense_replace": 1}
_LATENT |= {"q_lora_rank": 16, "kv_lora_rank": 12, "qk_rope_head_dim": 4, "v_head_dim": 8}


@pytest.mark.parametrize(
    ("recipe", "family", "kind"),
    [
        ("qwen2/transformers", "qwen2_moe", "Qwen2MoeForCausalLM"),
        ("qwen3/transformers", "qwen3_moe", "Qwen3MoeForCausalLM"),
        ("qwen", "qwen3_moe", "Qwen3MoeForSequenceClassification"),
        ("olmo/transformers", "olmoe", "OlmoeForCausalLM"),
    ],
)
def test_experts_and_routers_start_like_matrices(recipe: str, family: str, kind: str) -> None:
    check_model(recipe, lambda: transformers_model(family, kind, "", _MOE), seeds=2)


_GPT_NEO = {"hidden_size": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 120}
_GPT_NEO |= {"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 64}
_FALCON = _BERT | {"alibi": True, "bias": True}
_PADDED = _BERT | {"pad_token_id": 1}


@pytest.mark.parametrize(
    ("family", "kind", "config"),
    [
        ("phi3", "Phi3ForCausalLM", _LLAMA | {"initializer_range": 0.05, "pad_token_id": 1}),
        ("falcon", "FalconForCausalLM", _FALCON),
        ("gptj", "GPTJForCausalLM", _GPT2 | {"rotary_dim": 8}),
        ("gpt_neo", "GPTNeoForCausalLM", _GPT_NEO),
        ("codegen", "CodeGenForCausalLM", _GPT2 | {"rotary_dim": 8}),
        ("starcoder2", "Starcoder2ForCausalLM", _LLAMA),
        ("deberta_v2", "DebertaV2ForSequenceClassification", _BERT | {"relative_attention": True}),
        ("xlm_roberta", "XLMRobertaForMaskedLM", _PADDED),
        ("xlm_roberta", "XLMRobertaForMaskedLM", _PADDED | {"tie_word_embeddings": False}),
        ("camembert", "CamembertForTokenClassification", _PADDED),
        ("mpnet", "MPNetForMaskedLM", _PADDED),
        ("longformer", "LongformerForMaskedLM", _PADDED | {"attention_window": [4, 4, 4]}),
        ("mbart", "MBartForConditionalGeneration", _BART | {"pad_token_id": 1}),
        ("deepseek_v3", "DeepseekV3ForCausalLM", _LATENT | {"qk_nope_head_dim": 6}),
    ],
)
def test_one_recipe_serves_the_families_that_add_nothing(
    family: str, kind: str, config: dict[str, Any]
) -> None:
    build = lambda: transformers_model(family, kind, "", config)
    check_model("pretrained_model/transformers", build, seeds=2)


_LONG = _T5 | {"local_radius": 8, "encoder_attention_type": "transient-global"}


@pytest.mark.parametrize(
    ("family", "kind", "config"),
    [
        ("mt5", "MT5ForConditionalGeneration", _T5_UNTIED),
        ("umt5", "UMT5EncoderModel", _T5_UNTIED),
        ("longt5", "LongT5ForConditionalGeneration", _LONG),
    ],
)
def test_one_recipe_serves_the_descendants_of_t5(
    family: str, kind: str, config: dict[str, Any]
) -> None:
    build = lambda: transformers_model(family, kind, "", config)
    check_model("t5/transformers", build, seeds=2)


@pytest.mark.parametrize("name", ["qwen", "qwen2", "qwen3"])
def test_qwen_is_one_distribution_in_every_generation(name: str) -> None:
    check_model(name, lambda: transformers_model("qwen3", "Qwen3", "ForCausalLM", _LLAMA), seeds=2)


# -------------------------------------------------------------------------- measured figures

_T5_FACTS = SimpleNamespace(d_model=64, d_kv=32, d_ff=160, num_heads=4, initializer_factor=1.0)
FACTS = [
    ("bert/google", "bert google-research (TF)", None),
    ("gpt2/openai", "gpt2 openai/gpt-2 (TF)", None),
    ("nanogpt", "nanogpt original", None),
    ("gpt_neox/original", "gpt_neox small_init + wang_init on HF GPTNeoX", None),
    ("megatron", "megatron scaled init on HF GPT-2", None),
    ("t5/mesh", "t5 Mesh-TensorFlow", _T5_FACTS),
    ("olmo/mitchell", "olmo OLMo-1 mitchell", None),
    ("olmo/normal", "olmo OLMo-2 normal cutoff 3", None),
    ("olmo2", "olmo OLMo-2 normal cutoff 3", None),
    ("olmo/full_megatron", "olmo full_megatron", None),
    ("olmo_core/llama_depth", "olmo_core InitMethod.llama_depth", None),
    ("torchtitan_llama3", "torchtitan_llama3 original", None),
    ("transformer_base/tensor2tensor", "transformer_base tensor2tensor (TF)", None),
    ("transformer_base/torch", "transformer_base torch.nn.Transformer", None),
    ("whisper/original", "whisper original", None),
    ("mamba/original", "mamba original", None),
    ("mamba2/original", "mamba2 original", None),
    ("deepnorm/paper", "deepnorm paper, decoder-only", None),
    ("deepnorm/torchscale", "deepnorm torchscale deepnorm decoder-only", None),
    ("deepnorm/torchscale", "deepnorm torchscale deepnorm encoder-only", None),
    ("subln", "subln torchscale sub-LN (Magneto) decoder-only", None),
    ("t-fixup", "tfixup original", None),
    ("rezero", "rezero original", None),
    ("mup/examples", "mup examples/Transformer", None),
]


@pytest.mark.parametrize(("recipe", "key", "config"), FACTS, ids=[f"{r}: {k}" for r, k, _ in FACTS])
def test_the_original_code_starts_it_so(recipe: str, key: str, config: object) -> None:
    """Figures measured on the original code, where that could be run; else drawn as it reads."""
    check_facts(recipe, key, config=config)


def test_wang_init_counts_the_layers_of_the_model() -> None:
    config = _BERT | {"num_hidden_layers": 4}
    model = transformers_model("gpt_neox", "GPTNeoX", "ForCausalLM", config)
    distributions = {
        step.name: step.distribution for step in initkit.plan_init(model, "gpt_neox/wang_init")
    }
    into = distributions["gpt_neox.layers.3.mlp.dense_4h_to_h.weight"]
    assert into is not None and into.std == pytest.approx(2 / 4 / 48**0.5)
    other = distributions["gpt_neox.layers.3.mlp.dense_h_to_4h.weight"]
    assert other is not None and other.std == pytest.approx((2 / (5 * 48)) ** 0.5)


@pytest.mark.parametrize(
    ("recipe", "family", "kind", "config"),
    [
        ("bert", "bert", "BertForPreTraining", _BERT),
        ("albert", "albert", "AlbertForPreTraining", _BERT | {"embedding_size": 32}),
        ("electra", "electra", "ElectraForMaskedLM", _BERT | {"embedding_size": 32}),
        ("roberta/fairseq", "roberta", "RobertaForMaskedLM", _BERT),
        ("bart/fairseq", "bart", "BartForConditionalGeneration", _BART),
        ("opt", "opt", "OPTForCausalLM", _OPT | {"word_embed_proj_dim": 24}),
        ("gpt2/openai", "gpt2", "GPT2LMHeadModel", _GPT2),
        ("megatron", "gpt2", "GPT2LMHeadModel", _GPT2_DEEP),
        ("megatron", "llama", "LlamaForCausalLM", _LLAMA),
        ("gpt_neox", "gpt_neox", "GPTNeoXForCausalLM", _BERT | {"tie_word_embeddings": True}),
        ("t5", "t5", "T5ForConditionalGeneration", _T5),
        ("olmo/mitchell", "olmo", "OlmoForCausalLM", _LLAMA),
        ("olmo/full_megatron", "olmo2", "Olmo2ForCausalLM", _LLAMA),
        ("olmo2/original", "olmo2", "Olmo2ForCausalLM", _LLAMA_TIED),
        ("olmo_core/llama_depth", "llama", "LlamaForCausalLM", _LLAMA),
        ("torchtitan_llama3", "llama", "LlamaForCausalLM", _LLAMA),
        ("torchtitan_llama3", "llama", "LlamaForCausalLM", _LLAMA_TIED),
        ("olmo/full_megatron", "olmo2", "Olmo2ForCausalLM", _LLAMA_TIED),
        ("olmo_core/llama", "olmo2", "Olmo2ForCausalLM", _LLAMA_TIED),
        ("megatron", "mixtral", "MixtralForCausalLM", _LLAMA | {"num_local_experts": 3}),
        ("deepnorm/paper", "bart", "BartForSequenceClassification", _BART_UNTIED),
        ("subln", "bart", "BartForSequenceClassification", _BART_UNTIED),
        ("t-fixup", "bart", "BartForSequenceClassification", _BART_UNTIED),
        ("wav2vec2/fairseq", "wav2vec2", "Wav2Vec2ForXVector", _WAV2VEC2),
        ("mamba", "mamba", "MambaForCausalLM", _MAMBA),
        ("mamba/original", "mamba", "MambaForCausalLM", _MAMBA_ODD),
        ("mamba2/original", "mamba2", "Mamba2ForCausalLM", _MAMBA2),
        ("wav2vec2/fairseq", "wav2vec2", "Wav2Vec2ForPreTraining", _WAV2VEC2),
    ],
)
def test_recipes_of_the_original_code_serve_its_port_too(
    recipe: str, family: str, kind: str, config: dict[str, Any]
) -> None:
    """They cover every parameter of the model of transformers, and write what they declare."""
    check_model([recipe], lambda: _started(recipe, family, kind, config), seeds=2)


def _started(recipe: str, family: str, kind: str, config: dict[str, Any]) -> nn.Module:
    model = transformers_model(family, kind, "", config)
    initkit.apply_init(model, recipe, seed=int(torch.randint(1 << 40, ())))
    return model


def test_a_layer_is_scaled_by_its_own_depth_in_torchtitan() -> None:
    model = transformers_model("llama", "Llama", "ForCausalLM", _LLAMA)
    distributions = {
        step.name: step.distribution for step in initkit.plan_init(model, "torchtitan_llama3")
    }
    for layer in range(3):
        distribution = distributions[f"model.layers.{layer}.mlp.down_proj.weight"]
        assert distribution is not None and distribution.std == pytest.approx(
            0.02 / (2 * (layer + 1)) ** 0.5
        )


@pytest.mark.parametrize(
    ("recipe", "std"),
    [
        ("torchtitan_llama3", 48**-0.5),  # the head's distribution
        ("olmo_core/llama_depth", 1.0),  # the embedding's
        ("olmo/full_megatron", 0.02),  # the embedding's: OLMo has no head then
    ],
)
def test_tied_weights_take_the_end_that_the_code_starts(recipe: str, std: float) -> None:
    model = transformers_model("llama", "Llama", "ForCausalLM", _LLAMA_TIED)
    plan = initkit.plan_init(model, recipe)
    distribution = plan["lm_head.weight"].distribution
    assert not plan.problems
    assert distribution is not None and distribution.std == pytest.approx(
        std, rel=0.02
    )  # cut at 3 sigma


def test_the_mixture_of_experts_of_olmo_core_is_scaled_whole() -> None:
    """Router and all matrices; what all tokens share keeps torch's default."""
    mlp = nn.ParameterDict({name: torch.empty(24, 8) for name in ("w1", "w2", "w3")})
    router = nn.ParameterDict({"weight": torch.empty(24)})
    parts = {"router": router, "experts": nn.ModuleDict({"mlp": mlp})}
    parts["shared_mlp"] = nn.ModuleDict({"w2": nn.Linear(16, 8)})
    block = nn.ModuleDict({"feed_forward_moe": nn.ModuleDict(parts)})
    plan = initkit.plan_init(nn.ModuleDict({"blocks": nn.ModuleList([block])}), "olmo_core/llama")
    within = "blocks.0.feed_forward_moe."
    for name in ("router.weight", "experts.mlp.w1", "experts.mlp.w2", "experts.mlp.w3"):
        assert plan[within + name].start == "TN(0, 0.01414; -0.04243, 0.04243)"
    assert plan[within + "shared_mlp.w2.weight"].start == "U(-0.25, 0.25)"


def test_grouped_experts_of_megatron_are_told_apart_by_their_layer_not_their_number() -> None:
    """linear_fc1.weight2 is the third expert's first layer."""
    grouped = lambda: nn.ParameterDict({f"weight{i}": torch.empty(8, 8) for i in range(11)})
    experts = nn.ModuleDict({"linear_fc1": grouped(), "linear_fc2": grouped()})
    layers = nn.ModuleList([nn.ModuleDict({"experts": experts}), nn.Identity()])
    plan = initkit.plan_init(nn.ModuleDict({"layers": layers}), "megatron")
    for i in (0, 1, 2, 10):
        assert plan[f"layers.0.experts.linear_fc1.weight{i}"].start == "N(0, 0.02)"
        assert plan[f"layers.0.experts.linear_fc2.weight{i}"].start == "N(0, 0.01)"


def test_an_output_matrix_that_is_a_parameter_starts_like_fairseqs_embeddings() -> None:
    decoder = nn.Module()
    decoder.embed_out = nn.Parameter(torch.empty(100, 64))
    for recipe in ("t-fixup", "transformer/fairseq"):
        model = nn.ModuleDict({"decoder": decoder})
        assert initkit.plan_init(model, recipe)["decoder.embed_out"].start == "N(0, 0.125)"


def test_padding_rows_stay_random_where_the_original_code_leaves_them_so() -> None:
    model = transformers_model("bert", "Bert", "Model", _BERT)
    initkit.apply_init(model, "bert/google", seed=0)
    assert model.embeddings.word_embeddings.weight[0].abs().min() > 0
    initkit.apply_init(model, "bert/transformers", seed=0)
    assert model.embeddings.word_embeddings.weight[0].abs().max() == 0


def test_positions_of_whispers_encoder_are_sines_of_the_position() -> None:
    model = transformers_model("whisper", "Whisper", "Model", _WHISPER)
    table = model.encoder.embed_positions.weight.detach().clone()
    initkit.apply_init(model, "whisper/transformers", seed=0)
    assert torch.allclose(model.encoder.embed_positions.weight, table, atol=1e-5)
