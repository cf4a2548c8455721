"""A new distribution touches one place: its own class says all that the library asks of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init, plan_init, register_scheme
from initkit.distributions import (
    Distribution,
    NonElementwise,
    Sample,
    Source,
    Test,
    exact_test,
    from_dict,
)
from initkit.numbers import Number, frozen
from initkit.plan import Plan
from initkit.schemes import Scheme
from initkit.schemes.registry import unregister_scheme
from initkit.schemes.site import Site
from initkit.stream import words

# ---- all there is to a new scheme and its distribution


@frozen
class Permutation(NonElementwise):
    """Each row and each column holds ``gain`` once, anywhere."""

    gain: float

    @property
    def _share(self) -> float:
        return 1 / self.shape[1]

    @property
    def moments(self) -> tuple[float, float]:
        return self.gain * self._share, abs(self.gain) * math.sqrt(self._share * (1 - self._share))

    @property
    def bounds(self) -> tuple[float, float]:
        return min(0.0, self.gain), max(0.0, self.gain)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - self._share, self.gain: self._share}

    def describe(self) -> str:
        return f"{self.gain:g} x permutation"

    def scaled(self, factor: float) -> Distribution:
        return Permutation(self.shape, self.gain * factor)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        order = words(source.choices, first, self.shape[0]).argsort(stable=True)
        return self.gain * torch.eye(self.shape[0])[order]

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is not None:
            there = sample.whole == self.gain
            wrong = int((there.sum(0) != 1).sum() + (there.sum(1) != 1).sum())
            wrong += int((~there & (sample.whole != 0)).sum())
            seen = f"{wrong} rows or columns that are not"
            yield exact_test("structure", wrong > 0, self.describe(), seen, f"it has {seen}")


@frozen(kw_only=True)
class PermutationScheme(Scheme):
    """Start a square matrix as a random permutation."""

    gain: Number = 1.0

    def resolve(self, site: Site) -> Distribution:
        return Permutation(site.shape, self.number(site, "gain"))


# ---- and everything knows it


RULES = {"weight": "permutation(gain=2)", "bias": 0}


@pytest.fixture(autouse=True)
def permutation() -> Iterator[None]:
    register_scheme("permutation")(PermutationScheme)
    yield
    unregister_scheme("permutation")


def started(seed: int = 0) -> nn.Linear:
    model = nn.Linear(30, 30)
    apply_init(model, RULES, seed=seed)
    return model


def test_it_is_planned_as_it_describes_itself() -> None:
    plan = plan_init(nn.Linear(30, 30), RULES)
    assert not plan.problems
    assert plan.steps[0].start == "2 x permutation"


def test_it_is_written_by_its_own_seed() -> None:
    one, same, other = started(0).weight, started(0).weight, started(1).weight
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(one @ one.T, 4 * torch.eye(30))


def test_a_block_of_it_is_written_by_its_place() -> None:
    model = nn.Linear(30, 60, bias=False)
    apply_init(model, {"weight": "blocks(permutation, 'permutation(gain=3)')"}, seed=0)
    for block, gain in zip(model.weight.chunk(2), (1, 3), strict=True):
        assert torch.equal(block @ block.T, gain**2 * torch.eye(30))


def test_plain_data_reads_back_equal() -> None:
    distribution = Permutation((30, 30), 2.0)
    assert distribution.serializable
    assert from_dict(json.loads(json.dumps(distribution.to_dict()))) == distribution
    plan = plan_init(nn.Linear(30, 30), RULES)
    assert Plan.from_json(plan.to_json()).steps[0].distribution == distribution


def test_a_right_tensor_passes_its_check_and_a_spoiled_one_fails_by_its_own_test() -> None:
    model = started()
    assert check_init(model, RULES).ok
    with torch.no_grad():
        model.weight[3] = model.weight[4]
    (failure,) = check_init(model, RULES).failures
    assert (failure.kind, failure.expected) == ("structure", "2 x permutation")
    assert failure.text == "it has 2 rows or columns that are not"


def test_a_spoiled_block_is_named() -> None:
    model, rules = nn.Linear(30, 60, bias=False), {"weight": "blocks(permutation, permutation)"}
    apply_init(model, rules, seed=0)
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.weight[40] *= 2
    (failure,) = check_init(model, rules).failures
    assert failure.expected == "1 x permutation, in block 1 of 2"
