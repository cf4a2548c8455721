"""A scheme is resolved once for all that it reads, and never shared beyond that."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from initkit import Scheme, plan_init
from initkit.distributions import Constant, Distribution
from initkit.numbers import frozen
from initkit.schemes import Site

resolved: list[tuple[int, ...]] = []


@frozen
class ByShape(Scheme, name="by_shape", reads="shape"):
    def resolve(self, site: Site) -> Distribution:
        resolved.append(site.shape)
        return Constant(float(site.shape[0]))


@frozen
class ByName(Scheme, name="by_name"):
    def resolve(self, site: Site) -> Distribution:
        return Constant(1.0 if "head" in site.name else 2.0)


@frozen
class ByOwner(Scheme, name="by_owner"):
    def resolve(self, site: Site) -> Distribution:
        return Constant(float(len(site.owner)))


def net() -> nn.Module:
    return nn.ModuleDict(
        {"a": nn.LayerNorm(4), "head": nn.LayerNorm(4), "b": nn.LayerNorm(6), "c": nn.RMSNorm(4)}
    )


def starts(scheme: Any) -> dict[str, str]:
    return {step.name: step.start for step in plan_init(net(), {"*.weight": scheme, "*": 0})}


def test_what_reads_the_shape_is_resolved_once_for_slots_that_are_alike() -> None:
    resolved.clear()
    assert starts(ByShape())["b.weight"] == "constant 6"
    assert resolved == [(4,), (6,), (4,)]  # of LayerNorms of two sizes, and of an RMSNorm


def test_parameters_of_a_list_are_alike_though_each_has_a_key_of_its_own() -> None:
    resolved.clear()
    several = nn.ParameterList([nn.Parameter(torch.zeros(3, 2)) for _ in range(60)])
    plan = plan_init(several, {"*": ByShape()})
    assert resolved == [(3, 2)]
    assert len({id(step.distribution) for step in plan}) == 1
    assert len(plan.to_json()) < 60 * 100  # each says its name, and which it is like


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [(ByName(), {"a": 2, "head": 1, "c": 2}), (ByOwner(), {"a": 9, "head": 9, "c": 7})],
    ids=["name", "owner"],
)
def test_what_reads_a_name_is_resolved_for_each(scheme: Scheme, expected: dict[str, int]) -> None:
    found = starts(scheme)
    assert {k: found[f"{k}.weight"] for k in expected} == {
        k: f"constant {value}" for k, value in expected.items()
    }


def test_a_class_that_reads_what_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="Odd: reads is one of 'options', .*, not 'everything'"):

        class Odd(Scheme, reads="everything"):  # type: ignore[call-arg]
            pass


def test_the_note_of_a_step_says_which_of_several_names_had_a_value() -> None:
    class Config:
        init_std = 0.5

    model = nn.Linear(2, 3)
    model.config = Config()
    either = "normal(std=(config.initializer_range or config.init_std or 0.02)/sqrt(2*shape[0]))"
    plan = plan_init(model, {"weight": either, "bias": "normal(std=config.gain or 0.1)"})
    assert plan["weight"].note == "config.init_std/sqrt(2*shape[0])"
    assert plan["weight"].start == "N(0, 0.2041)"
    assert plan["bias"].note == "0.1"


def test_of_a_formula_of_the_index_the_letters_count_as_values() -> None:
    model = nn.Linear(4, 3)
    plan = plan_init(model, {"bias": "indexed((config.scale or i)/(2*n))", "weight": 0})
    assert plan["bias"].note == "i/(2*n)"


def test_the_nearest_config_counts_even_where_it_lacks_what_one_around_it_has() -> None:
    """So does transformers: the config of the model that a module is of decides, and no other."""
    model, tower = nn.Module(), nn.Module()
    model.config = {"text_config": {"initializer_range": 0.5}}  # type: ignore[assignment]
    tower.config, tower.fc, model.fc = {"depth": 2}, nn.Linear(3, 3), nn.Linear(3, 3)  # type: ignore[assignment]
    model.tower = tower
    std = "nearest_config.text_config.initializer_range or 0.25"
    plan = plan_init(model, {"*.weight": f"normal(std={std})", "*": 0, "weight": 0})
    starts = {step.name: step.start for step in plan}
    assert starts["fc.weight"] == "N(0, 0.5)"
    assert starts["tower.fc.weight"] == "N(0, 0.25)"
