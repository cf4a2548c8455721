"""Families of transformers against what their own code does: small models, recorded once each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from recipe_checks import need
from torch import nn

import initkit
from initkit.recipes._library import BASES, TABLES, TOWERS
from initkit.recipes.pretrained_model import FAMILIES
from initkit.record import record_init

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Model types as AutoModel knows them, shrunk to two layers: one of each kind of start. All of them
# are in `benchmarks/zoo.py --recipes`.
TYPES = (
    "bamba deberta deepseek_v4 falcon_mamba gemma2 gpt_oss jetmoe kimi_linear modernbert pegasus "
    "qwen3_next roformer zamba2 ibert rwkv xlstm gemma3 llava siglip2 detr deformable_detr "
    "mask2former sam dpt clap encodec hubert qwen3_5_vision mllama granite_speech glm5_next_text"
).split()


@pytest.fixture(scope="module")
def zoo() -> Iterator[SimpleNamespace]:
    need("transformers")
    sys.path.insert(0, str(BENCHMARKS))
    import scoreboard
    import zoo

    sys.path.remove(str(BENCHMARKS))
    yield SimpleNamespace(models=dict(zoo.transformers_models()), board=scoreboard)
    sys.modules.pop("zoo")
    sys.modules.pop("scoreboard")


@pytest.mark.models
@pytest.mark.parametrize("kind", TYPES)
def test_a_family_starts_as_its_own_code_starts_it(kind: str, zoo: SimpleNamespace) -> None:
    recorded = record_init(zoo.models[kind])
    place = type(recorded.model).__module__
    recipe = zoo.board.own_recipe("transformers", kind, place)
    assert recipe == f"{place.split('.')[-2]}/transformers"
    found = zoo.board.judge(recorded, recipe)
    assert (found["verdict"], found["wrong"], found["open"]) == ("right", [], 0)


@pytest.mark.models
def test_gemma_4_multiplies_by_the_weight_and_never_starts_it_at_zero(
    zoo: SimpleNamespace,
) -> None:
    code = need("transformers.models.gemma4.modeling_gemma4")
    model = nn.Sequential(code.Gemma4RMSNorm(8))
    plan = initkit.plan_init(model, "gemma4")
    assert plan["0.weight"].start == "constant 1"


def test_towers_and_families_of_the_tables_are_known() -> None:
    parts = {part for text in TOWERS.values() for part in text.split()}
    assert parts <= set(BASES)
    assert not set(TABLES) & set(FAMILIES) - {"data2vec"}


@pytest.mark.parametrize("family", ["phi", "deepseek_v3", "deberta_v2"])
def test_a_family_that_adds_nothing_has_the_common_recipe_under_its_name(family: str) -> None:
    assert initkit.describe_recipe(family).name == "pretrained_model/transformers"
    assert initkit.describe_recipe(f"{family}/transformers") is initkit.describe_recipe(family)


def test_the_bare_name_of_a_table_is_its_recipe() -> None:
    assert initkit.describe_recipe("qwen3_next").name == "qwen3_next/transformers"
    summary = initkit.describe_recipe("llava").summary
    assert "a part that is one of clip, siglip, dinov2 like that" in summary


def test_a_part_starts_by_its_own_family_and_the_rest_by_the_whole() -> None:
    class SiglipPreTrainedModel(nn.Module):
        def __init__(self, config: Any) -> None:
            super().__init__()
            self.config = config
            self.mlp = nn.ModuleDict({"fc1": nn.Linear(8, 8)})

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(initializer_range=0.5)
            self.vision_tower = SiglipPreTrainedModel(SimpleNamespace(hidden_size=8))
            self.proj = nn.Linear(8, 8)

    plan = initkit.plan_init(Whole(), "llava/transformers")
    assert plan["vision_tower.mlp.fc1.bias"].start == "N(0, 1e-06)"
    assert plan["proj.weight"].start == "N(0, 0.5)"
