"""Rules read off plans: they plan the same again, read well, and hold for other sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Recipe,
    Rule,
    apply_init,
    load_recipe,
    plan_init,
    record_init,
    save_recipe,
)
from initkit.distributions import Normal, TruncatedNormal, Uniform
from initkit.errors import PlanError, RuleError, TargetError
from initkit.record.generalize_schemes import literal, same
from initkit.schemes import Table, resolve


def seen(model: Any, rules: Any, **options: Any) -> Plan:
    """Return a plan as one that was recorded: nothing says which rules made it."""
    plan = plan_init(model, rules, **options)
    return plan.replaced(steps=[replace(step, scheme="", rule="") for step in plan])


def written(recipe: Recipe, tmp_path: Path) -> Recipe:
    return load_recipe(save_recipe(recipe, tmp_path / "net.toml"))


class Block(nn.Module):
    """A block of a decoder, whose projections into the residual stream start smaller."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)


class Own(nn.Module):
    """A model of a user's own, with what goes beyond layers: tokens, queries, scales."""

    def __init__(self, width: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))
        self.tokens = nn.Embedding(50, width, padding_idx=0)
        self.queries = nn.Parameter(torch.empty(7, width))
        self.scale = nn.Parameter(torch.empty(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.classes = nn.Linear(width, 5)


OWN: dict[str, Any] = {
    "classes.bias": "prior_bias(p=0.01)",
    "*.proj.weight": "normal(std=0.02/sqrt(2*n_layers))",
    "*.qkv.weight": "uniform(-sqrt(3/fan_in), sqrt(3/fan_in))",
    "queries": "orthogonal",
    "scale": 1e-5,
    "backbone.0.*": "torch_default",
    (nn.Linear, nn.Embedding): {"weight": "normal(std=0.02)"},
    (nn.LayerNorm, nn.BatchNorm2d): {"weight": 1},
    "*.bias": 0,
}


def test_the_rules_of_an_own_model_read_as_somebody_would_write_them() -> None:
    recipe = seen(Own(), OWN).to_recipe("my/net", vary=seen(Own(48, 3), OWN))
    assert recipe.rows == [
        ("*.qkv.weight", "uniform(low=-sqrt(3/fan_in), high=sqrt(3/fan_in))"),
        ("*.proj.weight", "normal(std=0.02/sqrt(2*n_layers))"),
        ("classes.weight", "normal(std=0.02)"),
        ("classes.bias", "prior_bias"),
        ("Own.queries", "orthogonal"),
        ("Own.scale", "1e-05"),
        ("Conv2d.weight", "torch_default"),
        ("Conv2d.bias", "torch_default"),
        ("Embedding.weight", "normal(std=0.02)"),
        ("BatchNorm2d|LayerNorm.weight", "1"),
        ("BatchNorm2d|LayerNorm.bias", "0"),
        ("Linear.bias", "0"),
    ]


def test_other_sizes_of_an_own_model_are_predicted() -> None:
    recipe = seen(Own(), OWN).to_recipe("my/net", vary=[seen(Own(48, 3), OWN)])
    for model in (Own(), Own(48, 3), Own(80, 5)):
        assert not seen(model, OWN).diff(plan_init(model, recipe))
    assert recipe.notes == ""


def test_without_another_size_numbers_stay_numbers() -> None:
    rows = dict(seen(Own(), OWN).to_recipe("my/net").rows)
    assert rows["*.proj.weight"] == "normal(std=0.01)"


def test_numbers_that_no_formula_explains_are_those_of_the_first_plan_and_noted() -> None:
    plans = [seen(nn.Sequential(nn.Linear(4, n)), {"*.weight": "normal(std=0.1)", "*": x})
             for n, x in ((3, 0.123), (7, 0.77))]  # fmt: skip
    recipe = plans[0].to_recipe("my/net", vary=plans[1:])
    assert recipe.notes == "of this size alone: *.bias"
    assert plan_init(nn.Sequential(nn.Linear(4, 3)), recipe)["0.bias"].start == "constant 0.123"


@pytest.mark.parametrize("rules", ["torch_default", "orthogonal", "kaiming_normal"])
@pytest.mark.parametrize("name", models.ZOO)
def test_the_rules_of_any_plan_make_an_equal_plan(name: str, rules: str, tmp_path: Path) -> None:
    model = models.ZOO[name]()
    table = [{"one_way.weight": "keep"}, rules]
    plan = seen(model, table, idle="ignore", on_tie_conflict="first")
    recipe = written(plan.to_recipe("my/net"), tmp_path)
    again = plan_init(model, recipe)
    assert not again.problems
    # What no rule took may be kept by one: neither is written.
    kept = (s.status in ("keep", "uncovered") for s in plan)
    pairs = zip(plan, again, kept, strict=True)
    assert all(a.distribution == b.distribution and a.padding == b.padding for a, b, _ in pairs)


def test_a_state_dict_has_names_alone() -> None:
    entries = models.mlp().state_dict()
    rules = {"1.weight": 0.2, "*.weight": "kaiming_normal", "*.bias": 0}
    recipe = seen(entries, rules).to_recipe("my/net")
    assert recipe.rows == [("1.weight", "0.2"), ("*.weight", "kaiming_normal"), ("*.bias", "0")]
    assert plan_init(entries, recipe).digest() == plan_init(entries, rules).digest()


def test_padding_rows_are_drawn_where_they_were(tmp_path: Path) -> None:
    model = nn.ModuleDict({n: nn.Embedding(6, 4, padding_idx=0) for n in ("one", "two", "three")})
    none = seen(model, [Rule("normal", padding=False)])
    recipe = none.to_recipe("my/net")
    assert not recipe.padding and not none.diff(plan_init(model, written(recipe, tmp_path)))
    some = seen(model, [Rule("normal", name="two.*", padding=False), {"*": "normal"}])
    recipe = some.to_recipe("my/net")
    assert recipe.padding and not some.diff(plan_init(model, written(recipe, tmp_path)))


class Critic(nn.Module):
    """A body and a head, some way down."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(8, 8), nn.Linear(8, 1)


def test_a_branch_of_copies_is_one_rule() -> None:
    model = nn.ModuleDict({"target": Critic(), "q": Critic(), "other": nn.Linear(8, 8)})
    rules = {"target.*": "copy_of('q.*')", "other.bias": "copy_of('q.body.bias')"}
    plan = seen(model, {**rules, "*.weight": "orthogonal", "*": "normal"})
    recipe = plan.to_recipe("my/net")
    assert recipe.rows[:2] == [("target.*", "copy_of('q.*')"), ("other.bias",
                               "copy_of('q.body.bias')")]  # fmt: skip
    assert not plan.diff(plan_init(model, recipe))


def test_tables_functions_and_kept_values_come_back_as_they_were() -> None:
    def own(tensor: Tensor) -> None:
        tensor.normal_()

    model = Own()
    table = Table(torch.arange(7 * 32.0).view(7, 32))
    rules = {"queries": table, "*.proj.weight": own, "scale": "keep", "*.qkv.*": "normal"}
    plan = seen(model, {**rules, "tokens.*": "arange", "classes.weight": "eye"})
    again = plan_init(model, plan.to_recipe("my/net"))
    assert [s.distribution for s in again] == [s.distribution for s in plan]
    assert again["blocks.0.norm.weight"].status == "uncovered"


def tables(width: int) -> tuple[nn.Module, dict[str, Table]]:
    """Return places for tables, and values that code has reckoned in float32."""
    names = {"decay": (width, 4), "steps": (width,), "positions": (9, width), "eye": (width, width)}
    model = nn.ParameterDict({n: nn.Parameter(torch.empty(shape)) for n, shape in names.items()})
    rates = torch.exp(torch.arange(0, width, 2) * (-torch.tensor(10000.0).log() / width))
    angles = torch.arange(9.0)[:, None] * rates
    values = {
        "decay": torch.arange(1.0, 5.0).log().expand(width, 4),
        "steps": torch.linspace(0.5, 0.5 * width, width),
        "positions": torch.stack([angles.sin(), angles.cos()], -1).flatten(1),
        "eye": torch.eye(width),
    }
    return model, {name: Table(value) for name, value in values.items()}


def test_tables_become_formulas_of_the_index_where_another_size_confirms_them() -> None:
    plans = [seen(*tables(width)) for width in (8, 12)]
    assert set(dict(plans[0].to_recipe("my/net").rows).values()) == {
        str(table) for table in tables(8)[1].values()
    }
    recipe = plans[0].to_recipe("my/net", vary=plans[1:])
    assert sorted(scheme for _, scheme in recipe.rows) == [
        "arange(start=0.5, step=0.5)",
        "eye",
        "log_of(arange(start=1))",
        "sinusoids(interleaved=True)",
    ]
    model, wanted = tables(16)
    apply_init(model, recipe)
    for name, table in wanted.items():
        assert torch.allclose(model[name], table.values.tensor, atol=2e-6), name


class Derived(nn.Linear):
    """A Linear that starts in another way than its base."""


def test_a_derived_type_comes_before_its_base() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), Derived(5, 6), Derived(6, 7))
    rules = {Derived: {"weight": "keep", "bias": 0}, nn.Linear: {"weight": "normal", "bias": 1}}
    plan = seen(model, rules)
    recipe = plan.to_recipe("my/net")
    assert [rule for rule, _ in recipe.rows][:2] == ["Derived.weight", "Derived.bias"]
    assert not plan.diff(plan_init(model, recipe))


def test_a_view_is_ruled_by_the_name_that_it_is_written_by() -> None:
    square = torch.empty(4, 6)
    entries = {"a.weight": square, "b.weight": square.T, "c.weight": torch.empty(6, 4)}
    plan = seen(entries, {"a.weight": "xavier_normal", "c.weight": "normal"})
    assert not plan.diff(plan_init(entries, plan.to_recipe("my/net")))


def test_a_plan_with_problems_or_without_its_model_has_no_recipe() -> None:
    model = nn.Linear(3, 4)
    with pytest.raises(PlanError):
        plan_init(model, {"bias": "orthogonal"}).to_recipe("my/net")
    with pytest.raises(TargetError) as error:
        Plan.from_json(plan_init(model, "xavier_normal").to_json()).to_recipe("my/net")
    assert str(error.value) == (
        "a plan that was read from a file does not say which module a parameter belongs to; plan "
        "a model, and take the recipe of that plan"
    )


def test_a_distribution_without_a_scheme_is_named() -> None:
    model = nn.Linear(3, 4)
    plan = seen(model, {"weight": "normal", "bias": 0})
    odd = Normal(0.0, 1.0).mapped("at least", 0.5)
    steps = [replace(step, distribution=odd) if step.name == "weight" else step for step in plan]
    with pytest.raises(RuleError) as error:
        plan.replaced(steps=steps).to_recipe("my/net")
    text = "no rule can say how weight starts: at least 0.5 of N(0, 1)"
    assert str(error.value) == text


@pytest.mark.parametrize(
    "distribution",
    [
        Normal(0.5, 0.1),
        Uniform(-0.1, 0.3),
        TruncatedNormal(0.0, 0.02, -2.0, 2.0),
        TruncatedNormal(0.0, 0.02, -0.04, 0.04),
        TruncatedNormal(1.0, 0.5, 0.0, 3.0),
        Uniform(-6.907755278982137, -2.302585092994046).mapped("exp").mapped("inverse softplus"),
        Uniform(-6.907755278982137, -2.3025850929940455).mapped("exp").mapped("at least", 0.01),
        Uniform(1.0, 16.0).mapped("log"),
        Normal(0.0, 0.5).mapped("exp").mapped("times", 3.0),
    ],
)
def test_a_literal_scheme_says_a_distribution(distribution: Any) -> None:
    from initkit.schemes import Site

    scheme = literal(distribution)
    assert scheme is not None
    assert resolve(scheme, Site((4, 4))) == distribution


# ------------------------------------------------------------------- families that people train

Family = Callable[[int, int], nn.Module]


def gpt2(width: int, depth: int) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=depth, n_head=2, n_embd=width, vocab_size=96, n_positions=16,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def mamba(width: int, depth: int) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.MambaConfig(
        hidden_size=width, num_hidden_layers=depth, vocab_size=96, state_size=8, time_step_rank=4
    )
    return transformers.MambaForCausalLM(config)


def t5(width: int, depth: int) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        d_model=width,
        d_kv=8 * (depth - 1),
        d_ff=3 * width,
        num_layers=depth,
        num_heads=4,
        vocab_size=96,
    )
    return transformers.T5ForConditionalGeneration(config)


def vit(width: int, depth: int) -> nn.Module:
    timm = pytest.importorskip("timm")
    sizes = {"embed_dim": width, "depth": depth, "num_heads": 2, "img_size": 32, "patch_size": 8}
    return timm.models.vision_transformer.VisionTransformer(num_classes=5, **sizes)


FAMILIES: dict[str, tuple[Family, str, Sequence[tuple[str, str]]]] = {
    "gpt2": (gpt2, "gpt2", [("*.c_proj.weight", "normal(std=0.02/sqrt(2*n_layers))")]),
    "mamba": (mamba, "mamba", [("MambaMixer.A_log", "log_of(arange(start=1))")]),
    "t5": (t5, "t5", [("*.q.weight", "normal(std=(fan_in*config.d_kv)**-0.5)")]),
    "vit": (vit, "vit", [("*.fc1.bias", "normal(std=1e-06)")]),
}


@pytest.mark.models
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_predicted_in_a_size_that_was_not_seen(name: str, tmp_path: Path) -> None:
    build, rules, rows = FAMILIES[name]
    first = seen(build(32, 2), rules)
    recipe = first.to_recipe("my/net", vary=seen(build(48, 3), rules))
    assert not recipe.notes
    assert set(rows) <= set(recipe.rows)
    assert len(recipe.rows) < 15
    loaded = written(recipe, tmp_path)
    for size in ((32, 2), (48, 3), (80, 5)):
        model = build(*size)
        again = plan_init(model, loaded)
        for mine, other in zip(seen(model, rules), again, strict=True):
            assert same(mine.distribution, other.distribution), mine.name
            assert mine.padding == other.padding
    assert not first.diff(plan_init(build(32, 2), loaded))


@pytest.mark.models
@pytest.mark.parametrize("name", models.FOREIGN)
def test_the_rules_of_a_published_model_make_an_equal_plan(name: str) -> None:
    model = models.FOREIGN[name]()
    plan = seen(model, "trunc_normal(std=0.02)")
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)


@pytest.mark.parametrize("width", [7, 12, 48, 250])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_a_function_that_was_called_is_named_whatever_the_last_bit_of_its_std(
    width: int, mode: str
) -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Conv2d(width, 3 * width, 3), nn.Conv2d(3 * width, width, 1))
        for layer in model:
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        return model

    plan = record_init(build)
    recipe = plan.to_recipe("my/net")
    assert "kaiming_normal" in str(recipe.rules) and "sqrt" not in str(recipe.rules)
    assert plan_init(build(), recipe).digest() == plan.digest()
