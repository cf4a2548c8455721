"""What is shared between tensors was decided by nothing that they differ in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from torch import nn

from initkit import distributions, plan_init, register_scheme, schemes
from initkit.errors import SchemeMismatch
from initkit.numbers import Fans, Layout, frozen
from initkit.schemes import Site, unregister_scheme
from initkit.schemes.narrow import narrowed


def by_name(site: Site) -> distributions.Distribution:
    return distributions.Constant(1.0 if "head" in site.name else 2.0)


def by_owner(site: Site) -> distributions.Distribution:
    return distributions.Constant(1.0 if site.owner == "Head" else 2.0)


def by_config(site: Site) -> distributions.Distribution:
    return distributions.Constant(site.lookup("owner.start"))


class Head(nn.LayerNorm):
    start = 1.0


class Body(nn.LayerNorm):
    start = 2.0


def model() -> nn.Module:
    return nn.ModuleDict({"body": Body(4), "head": Head(4)})


Resolve = Callable[[Site], distributions.Distribution]


def of_class(resolve: Resolve) -> type[schemes.Scheme]:
    @frozen
    class Mine(schemes.Scheme, name="mine"):
        def resolve(self, site: Site) -> distributions.Distribution:
            return resolve(site)

    return Mine


def of_subclass(resolve: Resolve) -> type[schemes.Scheme]:
    @frozen
    class Mine(schemes.Normal, name="mine"):
        def resolve(self, site: Site) -> distributions.Distribution:
            return resolve(site)

    return Mine


@pytest.fixture
def registered() -> Iterator[None]:
    yield
    unregister_scheme("mine")


WRAPPED = ["mine", "scaled(mine, 1)", "blocks(mine, mine)", "scaled(blocks(mine, mine), 1)",
           "exp_of(log_of(mine))"]  # fmt: skip


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("resolve", [by_name, by_owner, by_config])
@pytest.mark.parametrize("made", [of_class, of_subclass])
def test_a_users_scheme_may_read_anything_in_any_wrapping(
    resolve: Resolve, made: Callable[[Resolve], type[schemes.Scheme]]
) -> None:
    register_scheme("mine")(made(resolve))
    for scheme in WRAPPED:
        plan = plan_init(model(), {"*.weight": scheme, "*.bias": 0})
        means = [plan[f"{name}.weight"].distribution.mean for name in ("body", "head")]
        assert means == pytest.approx([2.0, 1.0]), scheme


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("resolve", "reads", "what"),
    [
        (by_name, "options", "name"),
        (by_name, "axes", "name"),
        (by_owner, "options", "owner"),
        (by_config, "axes", "lookup('owner.start')"),
        (lambda site: distributions.Normal(0.0, site.shape[0]), "options", "shape"),
        (lambda site: distributions.Normal(0.0, site.fans().fan_in), "shape", "fans"),
        (lambda site: distributions.Normal(0.0, site.part(0, 2).numel), "options", "part"),
    ],
)
def test_a_class_that_reads_more_than_it_says_is_refused(
    resolve: Resolve, reads: str, what: str
) -> None:
    @register_scheme("mine")
    @frozen
    class Mine(schemes.Scheme, reads=reads):
        def resolve(self, site: Site) -> distributions.Distribution:
            return resolve(site)

    for scheme in ("mine", "scaled(mine, 2)"):
        problems = plan_init(model(), {"*.weight": scheme, "*.bias": 0}).problems
        wanted = (
            f"it reads site.{what}, though its class says reads={reads!r}; leave reads= out, and "
            "every tensor is asked for by itself"
        )
        assert [problem.sentence.endswith(wanted) for problem in problems] == [True, True]


def test_what_is_shown_is_what_the_site_has() -> None:
    site = Site((8, 4), "fc.weight", "Linear", Layout(("out", "in")))
    shown = narrowed(site, "axes")
    assert shown.fans() == Fans(4, 8)
    assert shown.part(0, 4).shape == (4, 4)
    assert str(shown.mismatch("no")) == "no"
    with pytest.raises(SchemeMismatch, match=r"it reads site\.name"):
        shown.part(0, 2).name  # noqa: B018
    assert narrowed(site, "site") is site


class Part(nn.Module):
    """A part of a model with a config of its own, or with none."""

    def __init__(self, **figures: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        if figures:
            self.config = figures


FORMULAS = {
    "normal(std=1/(1 + layer))": [1.0, 0.5] * 3,
    "normal(std=config.std or 0.5)": [0.1, 0.1, 0.2, 0.2, 0.5, 0.5],
    "normal(std='config.std or config.scale*(1 + layer) or 9')": [0.1, 0.1, 0.2, 0.2, 3.0, 6.0],
    "scaled('normal(std=config.std or 0.5)', 'fan_in/2')": [0.2, 0.2, 0.4, 0.4, 1.0, 1.0],
    "blocks('normal(std=config.std or 0.5)', 'normal(std=config.std or 0.5)')": [
        *(0.1, 0.1, 0.2, 0.2, 0.5, 0.5),
    ],
}


@pytest.mark.parametrize("scheme", FORMULAS)
def test_what_is_shared_agrees_in_every_value_of_a_formulas_names(scheme: str) -> None:
    whole = nn.ModuleDict({"a": Part(std=0.1), "b": Part(std=0.2), "c": Part(scale=3.0)})
    steps = [s for s in plan_init(whole, {"*.weight": scheme, "*": 0}) if s.name.endswith("weight")]
    found = [step.distribution.std for step in steps if step.distribution is not None]
    assert found == pytest.approx(FORMULAS[scheme])
    alone = [plan_init(whole, {step.name: scheme, "*": 0})[step.name].remarks for step in steps]
    assert [step.remarks for step in steps] == alone


def test_a_formula_without_a_value_is_a_problem_of_each_parameter_that_asks() -> None:
    whole = nn.ModuleDict({"a": Part(std=0.1), "b": Part(), "c": Part()})
    problems = plan_init(whole, {"*.weight": "normal(std=config.std)", "*": 0}).problems
    assert [problem.names[0] for problem in problems] == [
        *("b.layers.0.weight", "b.layers.1.weight", "c.layers.0.weight", "c.layers.1.weight"),
    ]


def test_an_attribute_that_raises_is_told_of_the_parameter_and_not_of_planning() -> None:
    class Odd(nn.Linear):
        @property
        def width(self) -> float:
            raise RuntimeError("not yet")

    (problem,) = plan_init(Odd(4, 4), {"weight": "normal(std=owner.width)", "bias": 0}).problems
    assert "weight" in problem.sentence and "not yet" in problem.sentence
