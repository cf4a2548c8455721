"""A bare tensor starts as an entry of a state_dict does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import PlanError, ReadError, TargetError, apply_init, init_, schemes

SCHEMES = ["xavier_uniform(gain='relu')", "orthogonal", 0.5, schemes.Normal(std=0.02)]


@pytest.mark.parametrize("name", ["", "w", "a.b"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_the_numbers_are_those_of_a_state_dict(scheme: Any, name: str) -> None:
    entry = torch.empty(3, 5)
    apply_init({name: entry}, {"*": scheme}, seed=7)
    assert init_(torch.empty(3, 5), scheme, seed=7, name=name).equal(entry)


def test_it_writes_in_place_and_returns_the_tensor() -> None:
    weight = nn.Parameter(torch.empty(3, 5))
    assert init_(weight, 1) is weight and weight.eq(1).all()
    assert weight.is_leaf and weight.grad is None


def test_a_function_of_torch_serves() -> None:
    assert init_(torch.empty(4), nn.init.ones_).eq(1).all()


def test_a_function_of_ones_own_serves() -> None:
    def ramp(weight: Tensor) -> None:
        weight.copy_(torch.arange(4.0))

    assert init_(torch.empty(4), ramp).tolist() == [0, 1, 2, 3]


def test_the_seed_decides_and_torch_draws_one_where_there_is_none() -> None:
    one, other = (init_(torch.empty(9), "normal", seed=s) for s in (0, 1))
    assert not one.equal(other) and init_(torch.empty(9), "normal", seed=0).equal(one)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(init_(torch.empty(9), "normal"))
    assert drawn[0].equal(drawn[1])


def test_fans_are_those_of_the_shape() -> None:
    weight = init_(torch.empty(8, 4, 3, 3), "kaiming_uniform(a=1)", seed=0)
    bound = (3 / (4 * 9)) ** 0.5
    assert 0.9 * bound < weight.abs().max() <= bound


@pytest.mark.parametrize(
    ("tensor", "options", "error"),
    [
        ([1.0], {}, TargetError),
        (torch.empty(3), {"name": 3}, TargetError),
    ],
)
def test_what_is_no_tensor_or_no_name_is_refused(tensor: Any, options: Any, error: type) -> None:
    with pytest.raises(error):
        init_(tensor, 0, **options)


def test_a_scheme_that_cannot_start_it_is_refused_before_anything_is_written() -> None:
    weight = torch.full((3,), 7.0)
    with pytest.raises(PlanError, match="xavier_uniform"):
        init_(weight, "xavier_uniform")
    with pytest.raises(ReadError):
        init_(weight, "no_such_scheme")
    assert weight.eq(7).all()
