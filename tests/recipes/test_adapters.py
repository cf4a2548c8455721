"""PEFT's adapters: their own recipes, and wrapped layers that keep the model's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from recipe_checks import need
from torch import nn

from initkit import check_init, plan_init, suggest_recipe

_TARGETS = ["c_attn", "c_proj"]


class BaseTunerLayer(nn.Module):
    """What PEFT's layers are: a wrapped layer, and parameters beside it."""


class LoraLinear(BaseTunerLayer):
    """A wrapped layer with two factors."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = layer
        self.lora_A = nn.ModuleDict({"default": nn.Linear(layer.in_features, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, layer.out_features, bias=False)})


class Block(nn.Module):
    """A layer that recipes know by its name, with an adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.c_proj = LoraLinear(nn.Linear(8, 8))


def test_a_wrapped_layer_keeps_its_own_rule_and_the_factors_beside_it_take_none() -> None:
    plan = plan_init(nn.Sequential(Block()), "gpt2/transformers")
    assert plan["0.c_proj.base_layer.weight"].rule == "gpt2/transformers: *.c_proj.weight"
    assert [s.name for s in plan.with_status("uncovered")] == [
        "0.c_proj.lora_A.default.weight",
        "0.c_proj.lora_B.default.weight",
    ]


def test_an_adapter_s_recipe_goes_above_the_model_s() -> None:
    plan = plan_init(nn.Sequential(Block()), ["lora", "gpt2/transformers"], strict=True)
    assert not plan.problems
    assert plan["0.c_proj.lora_B.default.weight"].start == "constant 0"


def _gpt2() -> nn.Module:
    t = need("transformers")
    config = t.GPT2Config(n_layer=2, n_embd=64, n_head=4, vocab_size=100)
    model: nn.Module = t.GPT2LMHeadModel(config)
    return model


@pytest.mark.models
@pytest.mark.parametrize(
    ("recipe", "config"),
    [
        ("lora/peft", lambda p: p.LoraConfig(target_modules=[*_TARGETS, "wte"])),
        (
            "lora/gaussian",
            lambda p: p.LoraConfig(target_modules=_TARGETS, init_lora_weights="gaussian"),
        ),
        ("dora/peft", lambda p: p.LoraConfig(target_modules=_TARGETS, use_dora=True)),
        (
            "ia3/peft",
            lambda p: p.IA3Config(target_modules=["c_attn"], feedforward_modules=[]),
        ),
        ("vera/peft", lambda p: p.VeraConfig(target_modules=["c_attn"], r=16)),
        (
            "prefix/peft",
            lambda p: p.PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
        ),
    ],
)
def test_adapters_start_as_peft_starts_them(recipe: str, config: Callable[[Any], Any]) -> None:
    peft = need("peft")
    model = peft.get_peft_model(_gpt2(), config(peft))
    assert check_init(model, [recipe, "gpt2/transformers"]).ok
    assert not plan_init(model, [recipe, "gpt2/transformers"], strict=True).problems
    parts = suggest_recipe(model).parts
    assert parts.rules == [recipe, "gpt2/transformers"]
    assert parts.agrees == 1
