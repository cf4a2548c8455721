"""Every model of the zoo is planned and initialised; nothing of it is missed, or harmed."""

from __future__ import annotations

import pytest
import torch
from models import FOREIGN, ZOO
from torch import Tensor, nn

from initkit import apply_init, find_tied_parameters, plan_init

BUILDERS = ZOO | FOREIGN
NAMES = [
    *ZOO,
    *(pytest.param(name, marks=pytest.mark.models) for name in FOREIGN),
]
RECIPES = ("xavier_uniform", "kaiming_normal", "orthogonal", "torch_default", "trunc_normal")
# Weights that are computed from others have their public name in a plan.
PARAMETRIZED = {"parametrized"}


def values(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of every parameter and buffer."""
    entries = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in entries}


def same(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal, NaN included."""
    return torch.equal(a, b) or bool(a.isnan().logical_and(b.isnan()).logical_or(a.eq(b)).all())


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_plan_names_every_parameter_exactly_once(name: str, recipe: str) -> None:
    model = BUILDERS[name]()
    listed = [n for step in plan_init(model, recipe) for n in step.names]
    assert len(listed) == len(set(listed))
    if name not in PARAMETRIZED:
        every = {n for n, _ in model.named_parameters(remove_duplicate=False)}
        assert every == set(listed)


@pytest.mark.parametrize("name", NAMES)
def test_planning_changes_nothing(name: str) -> None:
    model = BUILDERS[name]()
    before, random = values(model), torch.get_rng_state()
    str(plan_init(model, "xavier_uniform"))
    assert all(same(before[n], tensor) for n, tensor in values(model).items())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("recipe", ["xavier_uniform", "orthogonal", "torch_default"])
@pytest.mark.parametrize("name", NAMES)
def test_applying_writes_what_the_plan_says_and_nothing_else(name: str, recipe: str) -> None:
    model = BUILDERS[name]().eval()
    rules = [{"one_way.weight": "keep"}, recipe] if name in PARAMETRIZED else recipe
    parameters = dict(model.named_parameters())
    before, random = values(model), torch.get_rng_state()
    flags = {n: (id(p), p.requires_grad, p.grad, p.dtype, p.device) for n, p in parameters.items()}
    with torch.no_grad():
        for parameter in parameters.values():
            if name not in PARAMETRIZED:
                parameter.add_(0.125)  # so that every write shows
    marked = values(model)

    report = apply_init(model, rules, seed=0, on_tie_conflict="first")

    now = dict(model.named_parameters())
    assert flags == {n: (id(p), p.requires_grad, p.grad, p.dtype, p.device) for n, p in now.items()}
    assert not model.training
    assert torch.equal(random, torch.get_rng_state())
    written = set(report.written)
    for n, tensor in values(model).items():
        assert tensor.isfinite().all() or not before[n].isfinite().all(), n
        if name not in PARAMETRIZED:
            assert same(marked[n], tensor) != (n in written and tensor.numel() > 0), n


@pytest.mark.parametrize("name", [n for n in ZOO if n not in PARAMETRIZED])
def test_numbers_depend_on_the_seed_and_not_on_what_was_there(name: str) -> None:
    one, two, other = BUILDERS[name](), BUILDERS[name](), BUILDERS[name]()
    with torch.no_grad():
        for parameter in two.parameters():
            parameter.fill_(7)
    report = apply_init(one, "xavier_uniform", seed=3)
    apply_init(two, "xavier_uniform", seed=3)
    apply_init(other, "xavier_uniform", seed=4)
    drawn = [s.name for s in report.steps if s.name in report.written and s.distribution.random]
    first, second, third = (dict(m.named_parameters()) for m in (one, two, other))
    assert drawn or name == "norms"
    assert all(torch.equal(first[n], second[n]) for n in report.written if n in first)
    assert not any(torch.equal(first[n], third[n]) for n in drawn if n in first)


@pytest.mark.parametrize("name", [n for n in ZOO if n not in PARAMETRIZED])
def test_a_state_dict_gets_the_numbers_of_its_model(name: str) -> None:
    """The distributions are told by numbers alone here, so that fans make no difference."""
    one, two = BUILDERS[name](), BUILDERS[name]()
    rules = {"*.weight": "normal(std=0.02)", "*": "uniform(-0.1, 0.1)"}
    apply_init(one, rules, seed=5, idle="ignore")
    named = dict(two.named_parameters(remove_duplicate=False))
    entries = {n: t for n, t in two.state_dict().items() if n in named}
    apply_init(entries, rules, seed=5, idle="ignore")
    padded = {"lookups": {"first.weight", "last.weight"}, "tied_lm": {"tokens.weight"}}
    theirs = dict(two.named_parameters())
    for n, parameter in one.named_parameters():
        if n not in padded.get(name, ()):
            assert torch.equal(parameter, theirs[n]), n


@pytest.mark.parametrize("name", NAMES)
def test_ties_survive(name: str) -> None:
    model = BUILDERS[name]()
    before = [list(group) for group in find_tied_parameters(model)]
    apply_init(model, [{"one_way.weight": "keep"}, "xavier_uniform"], seed=0, idle="ignore")
    assert [list(group) for group in find_tied_parameters(model)] == before


def test_the_zoo_has_ties_to_survive() -> None:
    assert [list(g) for g in find_tied_parameters(ZOO["tied_lm"]())] == [
        ["tokens.weight", "head.weight"]
    ]
    assert len(find_tied_parameters(ZOO["shared"]())) == 2
