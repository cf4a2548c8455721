"""The scoreboard of `benchmarks/zoo.py --recipes` tells what is right from what is not."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn

from initkit.record import record_init
from initkit.suggest import suggest_recipe

SAMPLE = (
    "arcee bigbird_pegasus biogpt blenderbot cohere2 cwm dia ernie exaone4 fnet glm4_moe granite "
    "helium layoutlm lfm2 longformer m2m_100 mbart minimax mistral4 mpnet mpt mvp nystromformer "
    "olmo3 olmoe persimmon phi phimoe plbart qwen2_moe qwen3_moe rembert seed_oss splinter "
    "squeezebert stablelm starcoder2 xglm xmod yoso "
    "afmoe beit bert bloom diffllama distilbert doge electra falcon gpt2 gpt_neox llama mixtral "
    "nanochat olmo2 opt qwen3 t5 t5gemma tapas vaultgemma xlnet"
).split()
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scoreboard

    yield scoreboard
    sys.modules.pop("scoreboard", None)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(40, 50)
        self.norm = nn.LayerNorm(50)
        nn.init.normal_(self.fc.weight, std=0.02)
        nn.init.zeros_(self.fc.bias)


RIGHT = {"fc.weight": "normal(std=0.02)", "norm.weight": 1, "*.bias": 0}


@pytest.mark.parametrize(
    ("rules", "verdict", "right", "wrong"),
    [
        (RIGHT, "right", 4, []),
        (RIGHT | {"fc.weight": "normal(std=0.03)"}, "wrong", 3, ["fc.weight: N(0, 0.03)"]),
        (RIGHT | {"norm.weight": 0}, "wrong", 3, ["norm.weight: constant 0"]),
        ({"fc.weight": "normal(std=0.02)"}, "incomplete", 1, []),
        ({"no.weight": 0}, "wrong", 0, ["PlanError"]),
        (None, "none", 0, []),
    ],
)
def test_rules_are_judged_by_what_the_code_does(
    board: ModuleType, rules: object, verdict: str, right: int, wrong: list[str]
) -> None:
    found = board.judge(record_init(Net), rules)
    assert (found["verdict"], found["right"]) == (verdict, right)
    assert [text.startswith(start) for text, start in zip(found["wrong"], wrong, strict=True)] == [
        True for _ in wrong
    ]


def test_what_a_recording_does_not_explain_is_judged_by_its_values(board: ModuleType) -> None:
    class Unknown(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(nn.Linear(30, 40).weight @ nn.Linear(50, 30).weight)

    recorded = record_init(Unknown)
    assert [step.status for step in recorded] == ["unexplained"]
    assert board.judge(recorded, {"weight": "normal(std=5)"})["verdict"] == "wrong"


@pytest.mark.parametrize(
    ("model", "place", "recipe"),
    [
        ("gpt2", "transformers.models.gpt2.modeling_gpt2", "gpt2/transformers"),
        ("gpt2_more", "transformers.models.gpt2_more.modeling_gpt2_more", None),
        ("vision_transformer/test_vit", "timm.models.vision_transformer", "vit/timm"),
        ("vision_transformer_sam/samvit", "timm.models.vision_transformer_sam", "samvit/timm"),
        ("densenet169", "torchvision.models.densenet", "densenet/torchvision"),
    ],
)
def test_a_models_own_recipe_is_one_that_follows_its_code(
    board: ModuleType, model: str, place: str, recipe: str | None
) -> None:
    assert board.own_recipe(place.split(".", maxsplit=1)[0], model, place) == recipe


RIGHTLY = {"verdict": "right", "right": 4, "wrong": [], "recipe": "a/torch", "open": 0}
WRONGLY = RIGHTLY | {"verdict": "wrong", "right": 2, "wrong": ["fc: 0 | 1"], "recipe": "b/torch"}
FIRST = {
    "right": RIGHTLY | {"claims": True},
    "marked": WRONGLY | {"claims": False},
    "confidently wrong": WRONGLY | {"claims": True},
    "none": WRONGLY | {"verdict": "none", "recipe": None, "wrong": []},
}


def results_of(*firsts: dict[str, object]) -> dict[str, dict[str, object]]:
    shared = {"tensors": 4, "seconds": 0.5, "named": RIGHTLY}
    return {f"torch:{i}": shared | {"first": first} for i, first in enumerate(firsts)}


@pytest.mark.parametrize("said", FIRST)
def test_a_suggestion_is_confidently_wrong_where_it_claims_to_hold(
    board: ModuleType, said: str
) -> None:
    assert board.standing(FIRST[said]) == said


def test_the_scoreboard_counts_how_first_suggestions_stand(board: ModuleType) -> None:
    results = results_of(*FIRST.values())
    cells = board.figures(results.values())
    assert cells == ["4", *["25.0%"] * 4, "62.5%", "4", "4", "0.50"]
    assert board.by_library(results | {"torch:5": {"error": "x"}})["torch"] == [*results.values()]


def test_the_page_names_what_is_not_right(board: ModuleType) -> None:
    text = board.page(results_of(*FIRST.values()), "May 2026")
    quarter = "1 (25.0%)"
    assert f"| 4 | {quarter} | {quarter} | {quarter} | {quarter} |" in text
    assert "| 4 | 4 (100.0%) | 0 (0.0%) | 0 (0.0%) | 0 (0.0%) | 100.0% |" in text
    assert text.count("| suggested: `b/torch` | fc: 0 \\| 1 |") == 2
    assert "| suggested: none | 0 tensors without a rule |" in text
    assert "a/torch" not in text.partition("what differs")[2]


def test_torchs_defaults_are_a_suggestion_where_they_hold(board: ModuleType) -> None:
    class Plain(nn.Sequential):
        __module__ = "torchvision.models.shufflenetv2"

    recorded = record_init(lambda: Plain(nn.Linear(40, 50)))
    first = board.judge_first(recorded, suggest_recipe(recorded.model))
    assert (first["recipe"], first["verdict"], first["claims"]) == ("torch_default", "right", True)


def test_a_suggestion_that_disagrees_claims_nothing(board: ModuleType) -> None:
    class Odd(Net):
        def __init__(self) -> None:
            super().__init__()
            nn.init.normal_(self.fc.weight, std=0.7)

    recorded = record_init(Odd)
    assert board.standing(board.judge_first(recorded, suggest_recipe(recorded.model))) == "none"


@pytest.mark.models
def test_a_sample_of_families_is_right_under_its_own_name(board: ModuleType) -> None:
    """As many as fifteen seconds allow, in another order every month."""
    pytest.importorskip("transformers")
    sys.path.insert(0, str(BENCHMARKS))
    import zoo

    sys.path.remove(str(BENCHMARKS))
    chosen = random.Random(date.today().strftime("%Y %m")).sample(SAMPLE, len(SAMPLE))
    builders = dict(zoo.transformers_models())
    end, judged = time.monotonic() + 15, 0
    for kind in chosen:
        recorded = record_init(builders[kind])
        recipe = board.own_recipe("transformers", kind, type(recorded.model).__module__)
        found = board.judge(recorded, recipe)
        assert found["verdict"] == "right", (kind, recipe, found["wrong"])
        judged += 1
        if time.monotonic() > end:
            break
    assert judged
