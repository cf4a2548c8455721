"""Asking the values: what agrees goes first, and nothing that disagrees passes for true."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from recipe_checks import need
from torch import nn

import initkit
from initkit import Recipe, plan_init, register_recipe, suggest_recipe
from initkit.check.ask import Witness
from initkit.model import ModelView
from initkit.rules import unregister_recipe


def _llava() -> nn.Module:
    t = need("transformers")
    sizes: dict[str, Any] = {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
    }
    vision = t.CLIPVisionConfig(image_size=32, patch_size=8, **sizes)
    text = t.LlamaConfig(vocab_size=300, num_key_value_heads=4, **sizes)
    model: nn.Module = t.LlavaForConditionalGeneration(
        t.LlavaConfig(vision_config=vision, text_config=text)
    )
    return model


class Tower(nn.Module):
    """A part whose class is of a module that recipes of the tests follow."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.tower_in, self.tower_out = nn.Linear(64, 64), nn.Linear(64, 64)
        for layer in (self.tower_in, self.tower_out):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)


class Whole(nn.Module):
    """Two parts by two recipes, and a head that nothing explains."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Tower(0.5), Tower(0.05)
        self.two.__class__ = Other
        self.head = nn.Linear(64, 64, bias=False)
        nn.init.uniform_(self.head.weight, 3, 4)


class Other(Tower):
    """Another part, of another module."""


Tower.__module__, Other.__module__, Whole.__module__ = "timm.tower", "timm.other", "timm.whole"


@pytest.fixture
def _two_recipes() -> Any:
    for name, std in (("tower", 0.5), ("other", 0.05)):
        rules = {"*.tower_*.weight": f"normal(std={std})", "*.tower_*.bias": 0}
        register_recipe(Recipe(f"{name}/mine", rules=rules, code=(f"timm.{name}",)))
    yield
    for name in ("tower", "other"):
        unregister_recipe(f"{name}/mine")


@pytest.mark.usefixtures("_two_recipes")
def test_what_the_model_holds_goes_before_what_speaks_for_a_recipe() -> None:
    """Code speaks for tower/mine; the values, of its other half, do not."""
    model = Tower(0.05)
    found = suggest_recipe(model)
    assert found[0].recipe == "tower/mine"
    assert found[0].agrees == 0.5
    assert found[0].disagrees == "tower_in.weight: N(0, 0.5) planned, std 0.05 seen" or (
        found[0].disagrees.startswith("tower_in.weight: N(0, 0.5) planned, std 0.0")
    )
    assert "100%" not in found[0].verdict
    true = suggest_recipe(Tower(0.5))[0]
    assert (true.recipe, true.agrees, true.disagrees) == ("tower/mine", 1.0, "")


@pytest.mark.usefixtures("_two_recipes")
def test_a_model_of_parts_gets_a_table_that_works_as_it_is() -> None:
    found = suggest_recipe(Whole())
    assert found.parts.rules == {
        "head.*": "keep",
        "two": "other/mine",
        "*": "tower/mine",
    } or found.parts.rules == {"head.*": "keep", "one": "tower/mine", "*": "other/mine"}
    assert found.parts.agrees == pytest.approx(8 / 9)  # of the head it says nothing
    assert found.parts.unexplained == ("head",)
    assert found.rules is not None
    assert "nothing explains head" in str(found)
    assert "record_init" in str(found)
    model = Whole()
    before = model.head.weight.clone()
    initkit.apply_init(model, found.parts.rules, seed=0, strict=True)
    assert torch.equal(model.head.weight, before)
    assert initkit.check_init(model, found.parts.rules).ok


@pytest.mark.usefixtures("_two_recipes")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda model: model.to("meta"), "could not be asked"),
        (
            lambda model: [p.data.add_(0.1 * torch.randn(p.shape)) for p in model.parameters()],
            "training has moved them",
        ),
    ],
)
def test_values_that_tell_nothing_are_not_asked_and_it_says_so(change: Any, why: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(Tower(0.5) for _ in range(3)))
    change(model)
    found = suggest_recipe(model)
    assert found[0].recipe == "tower/mine"
    assert found[0].agrees is None
    assert why in str(found)
    assert "record_init" in str(found)


@pytest.mark.usefixtures("_two_recipes")
def test_a_part_without_values_does_not_silence_the_others() -> None:
    torch.manual_seed(0)
    model = nn.Module()
    model.one, model.other = Tower(0.5), Tower(0.5).to("meta")
    found = suggest_recipe(model)
    assert (found[0].recipe, found[0].agrees) == ("tower/mine", 1)
    assert found.silent == ""
    assert found.mute == tuple(sorted(n for n, p in model.named_parameters() if p.is_meta))
    assert f"{len(found.mute)} parameters hold no values to ask: other." in str(found)
    assert not initkit.plan_init(model, found.rules, strict=True).problems
    torch.nn.init.zeros_(next(model.one.parameters()))
    assert suggest_recipe(model)[0].agrees == 1 - 1 / len(list(model.one.parameters()))


def test_one_that_disagrees_speaks_for_those_of_its_kind_that_nobody_looked_at() -> None:
    model = nn.Sequential(*(nn.Linear(32, 32) for _ in range(20)))
    plan = plan_init(model, {"*.weight": "normal(std=3)", "*.bias": "torch_default"})
    answer = Witness(ModelView(model)).answer(plan)
    assert answer.share == 0.5
    assert len(answer.failures) == 4


class Start(nn.Module):
    """What a library's models inherit: a method that starts them."""

    def _init_weights(self, std: float) -> None:
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)


class Drifted(Start):
    """A part that does not start as the recipe of its own code says."""

    def __init__(self, std: float = 0.02) -> None:
        super().__init__()
        self.dense = nn.Linear(64, 64)
        self._init_weights(std)


class Faithful(Drifted):
    """A part that does."""


class Holder(nn.Module):
    """One of each."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.head = Drifted(), Faithful(0.5)


Drifted.__module__ = "transformers.models.drifted.modeling_drifted"
Holder.__module__ = Faithful.__module__ = "transformers.models.holder.modeling_holder"


@pytest.fixture
def _stale_recipe() -> Any:
    recipes = [
        Recipe(
            f"{name}/mine",
            rules={"*.weight": f"normal(std={std})", "*.bias": 0},
            code=(f"transformers.models.{name}",),
            source=source,
        )
        for name, std, source in [
            ("drifted", 0.5, ""),
            ("holder", 0.5, ""),
            ("started", 0.02, "transformers: Start._init_weights"),
        ]
    ]
    for recipe in recipes:
        register_recipe(recipe)
    yield
    for recipe in recipes:
        unregister_recipe(recipe.name)


@pytest.mark.usefixtures("_stale_recipe")
@pytest.mark.parametrize("build", [Drifted, Holder])
def test_what_is_suggested_is_never_refused_where_a_family_s_own_recipe_is_out_of_date(
    build: Callable[[], nn.Module],
) -> None:
    model = build()
    found = suggest_recipe(model)
    assert "started/mine(insist=True)" in str(found.rules)
    assert (found.parts.agrees if found.parts.rows else found[0].agrees) == 1
    assert not initkit.plan_init(model, found.rules).problems
    for one in found:
        assert not initkit.plan_init(model, one.recipe).problems


@pytest.mark.usefixtures("_stale_recipe")
def test_without_values_nothing_that_is_refused_is_suggested() -> None:
    model = Holder().to("meta")
    found = suggest_recipe(model)
    assert "insist" not in str(found)
    assert not initkit.plan_init(model, found.rules).problems


def test_layers_that_are_copies_of_one_are_not_called_drawn() -> None:
    """``copy.deepcopy`` of a layer leaves tensors that each look as they were planned."""
    torch.manual_seed(0)
    whole = nn.Sequential(*(nn.Linear(64, 64) for _ in range(3)))
    rules = {"*": "torch_default"}
    assert Witness(ModelView(whole)).answer(plan_init(whole, rules)).share == 1
    copied = nn.Sequential(*(copy.deepcopy(whole[0]) for _ in range(3)))
    answer = Witness(ModelView(copied)).answer(plan_init(copied, rules))
    assert answer.share == pytest.approx(2 / 6)
    assert answer.failures[0].seen == "holds the same values as 0.weight"
    alone = plan_init(copied, {"[12].*": "keep", "*": "torch_default"})
    assert not Witness(ModelView(copied)).answer(alone).failures


class Recurrent(nn.Module):
    """A classifier as torch's constructors leave it, or as Keras would start some of it."""

    def __init__(self, started: bool) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(32, 64), nn.Linear(64, 2)
        for name, p in self.lstm.named_parameters() if started else ():
            if name.startswith("weight"):
                (nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_)(p)
            else:
                nn.init.zeros_(p)


@pytest.mark.parametrize("started", [False, True])
def test_a_recipe_known_by_names_alone_says_where_the_values_disagree(started: bool) -> None:
    torch.manual_seed(0)
    found = suggest_recipe(Recurrent(started))
    named = next(s for s in found if s.recipe == "lstm/keras")
    assert named.agrees is not None
    assert named.agrees < 1
    assert named.disagrees
    assert found[0].recipe.startswith("lstm/")
    assert (found[0].agrees == 1) is not started
    remark = "the model's values do not decide: they are torch's own defaults"
    assert (remark in found.text(width=500)) is not started


@pytest.mark.models
def test_llava_is_two_towers_and_what_joins_them() -> None:
    found = suggest_recipe(_llava())
    assert found.parts.agrees == 1
    table = found.parts.rules
    assert table["model.language_model"] == "llama/transformers"
    assert "clip/transformers" in table.values()


@pytest.mark.models
@pytest.mark.parametrize(
    ("build", "rules"),
    [
        (
            lambda models: models.segmentation.deeplabv3_resnet50(
                weights=None, weights_backbone=None
            ),
            {"backbone": "resnet/torchvision", "*": "deeplabv3/torchvision"},
        ),
        (
            lambda models: models.detection.fasterrcnn_resnet50_fpn(
                weights=None, weights_backbone=None
            ),
            {
                "backbone.fpn": "fpn/torchvision",
                "backbone.body": "resnet/torchvision",
                "*": "faster_rcnn/torchvision",
            },
        ),
    ],
)
def test_detectors_and_segmenters_are_a_backbone_and_heads(build: Any, rules: Any) -> None:
    found = suggest_recipe(build(need("torchvision.models")))
    assert found.parts.rules == rules
    assert found.parts.unexplained == ()
    assert found.parts.agrees == 1


class Detector(nn.Module):
    """A part that a recipe explains, and a head that starts as no recipe says."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(*(Tower(0.5) for _ in range(3))), nn.Linear(64, 64)
        nn.init.normal_(self.head.weight, std=3)
        nn.init.constant_(self.head.bias, -4.6)


@pytest.mark.usefixtures("_two_recipes")
def test_what_starts_as_no_recipe_says_is_kept_rather_than_started_wrongly() -> None:
    torch.manual_seed(0)
    model = Detector()
    found = suggest_recipe(model)
    assert found.rules == found.parts.rules
    assert found.rules["head.*"] == "keep"
    initkit.apply_init(model, found.rules, seed=0)
    assert bool((model.head.bias == torch.tensor(-4.6)).all())


@pytest.mark.usefixtures("_two_recipes")
def test_where_no_values_could_be_asked_two_parts_by_two_recipes_start_by_part() -> None:
    found = suggest_recipe(Whole().to("meta"))
    assert found[0].agrees is None
    assert found.rules == found.parts.rules
    assert len(found.parts.rows) > 1


class Stack(nn.Module):
    """A network of residual blocks, of nobody's code and under nobody's name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(*(nn.Conv2d(64, 64, 3, bias=False) for _ in range(4)))
        self.fc = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def test_values_alone_lead_to_a_recipe_that_no_name_speaks_for() -> None:
    torch.manual_seed(0)
    found = suggest_recipe(Stack())
    assert "resnet/torchvision" in [s.recipe for s in found if s.agrees == 1]
    assert found[0].agrees == 1
