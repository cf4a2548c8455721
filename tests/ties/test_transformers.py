"""The ties and the reuse of well-known language models, built small from their configurations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from initkit.ties.groups import find_tied_parameters
from initkit.ties.reuse import find_reused_parameters

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore"),  # what transformers deprecates is not ours
]
IDS = torch.tensor([[1, 2, 3]])


def build(name: str, config: str, **options: Any) -> nn.Module:
    settings = getattr(transformers, config)(vocab_size=32, **options)
    return getattr(transformers, name)(settings).eval()


def gpt2() -> nn.Module:
    return build("GPT2LMHeadModel", "GPT2Config", n_positions=8, n_embd=8, n_layer=2, n_head=2)


def t5() -> nn.Module:
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    return build("T5ForConditionalGeneration", "T5Config", decoder_start_token_id=0, **sizes)


def albert() -> nn.Module:
    sizes = {"embedding_size": 4, "hidden_size": 8, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 2, "intermediate_size": 16}
    return build("AlbertForMaskedLM", "AlbertConfig", **sizes, **heads)


def bart() -> nn.Module:
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    positions = {"d_model": 8, "max_position_embeddings": 16}
    return build("BartForConditionalGeneration", "BartConfig", **sizes, **heads, **positions)


def llama(tied: bool) -> nn.Module:
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2}
    return build(
        "LlamaForCausalLM", "LlamaConfig", num_attention_heads=2, tie_word_embeddings=tied, **sizes
    )


def groups(model: nn.Module) -> list[list[str]]:
    found = find_tied_parameters(model)
    assert {group.kind for group in found} <= {"parameter"}
    return [list(group) for group in found]


def counts(model: nn.Module, **inputs: Any) -> dict[str, int]:
    return {name: r.count for name, r in find_reused_parameters(model, **inputs).items()}


def test_gpt2_ties_its_head_to_its_embedding() -> None:
    model = gpt2()
    assert groups(model) == [["transformer.wte.weight", "lm_head.weight"]]
    assert counts(model, input_ids=IDS) == {"transformer.wte.weight": 2}


def test_t5_shares_one_embedding_under_all_its_names() -> None:
    model = t5()
    shared = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
    assert groups(model) == [[*shared, "lm_head.weight"]]
    assert counts(model, input_ids=IDS, decoder_input_ids=IDS) == {"shared.weight": 3}


def test_albert_runs_one_block_as_often_as_it_has_layers() -> None:
    model = albert()
    assert groups(model) == [
        ["albert.embeddings.word_embeddings.weight", "predictions.decoder.weight"],
        ["predictions.bias", "predictions.decoder.bias"],
    ]
    found = counts(model, input_ids=IDS)
    assert len(found) == 17
    assert found.pop("albert.embeddings.word_embeddings.weight") == 2
    assert set(found.values()) == {3}


def test_bart_shares_its_embedding_between_encoder_decoder_and_head() -> None:
    [group] = groups(bart())
    assert group == [
        "model.shared.weight",
        "model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
        "lm_head.weight",
    ]
    assert counts(bart(), input_ids=IDS) == {"model.shared.weight": 3}


def test_llama_is_tied_only_where_its_configuration_says_so() -> None:
    assert groups(llama(tied=True)) == [["model.embed_tokens.weight", "lm_head.weight"]]
    assert groups(llama(tied=False)) == []
    assert counts(llama(tied=True), input_ids=IDS) == {"model.embed_tokens.weight": 2}
    assert counts(llama(tied=False), input_ids=IDS) == {}
