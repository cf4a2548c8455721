"""What a scheme goes by: what is shared among tensors, and whose fans the plan shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from torch import nn

from initkit import Rule, distributions, plan_init, schemes
from initkit.errors import SchemeMismatch
from initkit.numbers import Fans
from initkit.schemes import Site, needs_of, read_scheme, resolve


def net() -> nn.ModuleDict:
    """Return two layers that differ in nothing but their names."""
    return nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 4)})


@dataclasses.dataclass(frozen=True)
class ByName(schemes.Scheme, name="by_name"):
    """Start what is called head otherwise."""

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(1.0 if "head" in site.name else 2.0)


@dataclasses.dataclass(frozen=True)
class ByOwner(schemes.Scheme):
    """Start linear layers otherwise."""

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(1.0 if site.owner == "Linear" else 2.0)


class Narrower(schemes.Normal):
    """Read more of the tensor than the class that it derives from."""

    def resolve(self, site: Site) -> distributions.Distribution:
        return ByName().resolve(site)


@pytest.mark.parametrize("scheme", [ByName(), Narrower(std=2), ByName().scaled(1)], ids=str)
def test_a_scheme_that_reads_the_name_has_a_value_for_every_name(scheme: schemes.Scheme) -> None:
    plan = plan_init(net(), {"*": scheme})
    assert {step.name: step.start for step in plan} == {
        "body.weight": "constant 2",
        "body.bias": "constant 2",
        "head.weight": "constant 1",
        "head.bias": "constant 1",
    }


def test_a_scheme_that_reads_the_owner_has_a_value_for_every_owner() -> None:
    model = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    plan = plan_init(model, {"*": ByOwner()})
    assert [plan[f"{i}.bias"].start for i in range(3)] == ["constant 2", "constant 1", "constant 2"]


def test_a_scheme_that_says_what_it_reads_is_resolved_once_for_all_that_are_alike() -> None:
    calls: list[tuple[int, ...]] = []

    @dataclasses.dataclass(frozen=True)
    class Counted(schemes.Scheme, reads="shape"):
        def resolve(self, site: Site) -> distributions.Distribution:
            calls.append(site.shape)
            return distributions.Constant(float(site.numel))

    plan = plan_init(net(), {"*": Counted()})
    assert [step.start for step in plan] == ["constant 16", "constant 4"] * 2
    assert calls == [(4, 4), (4,)]


NEEDS = [
    ("normal(std=0.02)", "options", None),
    ("normal(std=0.02/sqrt(2))", "options", None),
    ("normal(std=1/n_layers)", "options", None),
    ("normal(std=1/fan_in)", "axes", "module"),
    ("arange", "shape", None),
    ("xavier_normal", "axes", "module"),
    ("eye(fans='tensor')", "axes", "tensor"),
    ("scaled(eye(fans='tensor'), 2)", "axes", "tensor"),
    ("scaled(normal, 'numel')", "axes", None),
    ("blocks(0, 1)", "shape", None),
    ("blocks(0, lecun_normal)", "axes", "module"),
    ("log_of('uniform(1, 2)')", "options", None),
]


@pytest.mark.parametrize(("text", "reads", "fans"), NEEDS)
def test_a_scheme_needs_what_its_options_and_inner_schemes_need(
    text: str, reads: str, fans: str | None
) -> None:
    needs = needs_of(read_scheme(text))
    assert (needs.reads, needs.fans) == (reads, fans)


def test_what_is_no_distribution_is_refused() -> None:
    class Wrong(schemes.Scheme):
        def resolve(self, site: Site) -> Any:
            return 0.02

    with pytest.raises(SchemeMismatch, match="its resolve returned 0.02, which is no distribution"):
        resolve(Wrong(), Site((2, 2)))


# ----------------------------------------------------------------------------- fans in the plan


@pytest.mark.parametrize("value", ["xavier_uniform(fans='tensor')", nn.init.xavier_uniform_])
def test_the_plan_shows_the_fans_that_the_scheme_took(value: object) -> None:
    conv = nn.Conv2d(8, 8, 3, groups=2)
    step = plan_init(conv, {"weight": value, "bias": 0})["weight"]
    assert (step.fans, step.fans_from) == (Fans(36, 72), "shape")
    assert step.note == "fans from the shape"
    step = plan_init(conv, {"weight": "xavier_uniform", "bias": 0})["weight"]
    assert (step.fans, step.fans_from, step.note) == (Fans(36, 36), "module", "")


def test_the_plan_says_that_fans_come_from_the_layout_of_a_rule() -> None:
    rule = Rule("lecun_normal", name="weight", layout="in out")
    step = plan_init(nn.Linear(8, 2, bias=False), rule)["weight"]
    assert (step.fans, step.fans_from) == (Fans(2, 8), "layout")
    assert step.note == "fans from the layout"


def test_a_number_has_no_fans_to_come_from_anywhere() -> None:
    step = plan_init({"w": nn.Linear(8, 2).weight}, {"w": 0.5})["w"]
    assert (step.fans, step.fans_from, step.note) == (Fans(8, 2), "", "")
