"""Copies that were disturbed are told from chance, and chance is not taken for one."""

from __future__ import annotations

import pytest
import torch
from checked import only_failure, started
from torch import Tensor, nn

from initkit import check_init
from initkit.check.followers import followers
from initkit.distributions import Constant, Normal, Uniform

GAUSS = Normal(0.0, 1.0)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


TURNS = {
    "noise": lambda x, noise: x + 0.1 * noise,
    "scaled": lambda x, noise: 3 * x + 0.3 * noise + 7,
    "negative": lambda x, noise: -x + 0.1 * noise,
    "reversed": lambda x, noise: x.flatten().flip(0).view(x.shape) + 0.1 * noise,
    "transposed": lambda x, noise: x.T + 0.1 * noise,
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("side", [24, 64])
def test_a_copy_with_a_tenth_of_noise_follows(turn: str, side: int) -> None:
    x, other, noise = (draw(side, side, seed=seed) for seed in range(3))
    tensors = [x, other, TURNS[turn](x, noise)]
    (found,) = followers(tensors, [GAUSS] * 3)
    assert (found.first, found.second) == (0, 2) and found.p < 1e-13
    word = {"negative": "sign turned", "reversed": ", reversed,", "transposed": ", transposed,"}
    assert word.get(turn, "follows in") in found.text


def test_one_of_two_may_be_of_any_kind() -> None:
    x = draw(64, 64)
    assert followers([x, x + 0.1 * draw(64, 64, seed=1)], [GAUSS, Constant(0.0)])
    assert not followers([x, draw(64, 64, seed=1)], [Constant(0.0)] * 2)


def test_independent_samples_follow_nobody() -> None:
    tensors = [draw(40, 30, seed=seed) for seed in range(150)]
    assert followers(tensors, [GAUSS] * len(tensors)) == []
    uniform = [torch.rand(700, generator=torch.Generator().manual_seed(s)) for s in range(50)]
    assert followers(uniform, [Uniform(0.0, 1.0)] * 50) == []


def test_small_tensors_and_those_on_one_side_are_left_to_other_tests() -> None:
    x = draw(60)
    assert followers([x, x.clone()], [GAUSS] * 2) == []
    high = draw(500).abs()
    assert followers([high, high + 1], [GAUSS] * 2) == []


def test_check_init_names_a_clone_with_noise() -> None:
    rules = {"*.weight": "normal(std=0.02)", "*.bias": 0}
    model = started(nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64)), rules)
    assert check_init(model, rules).ok
    with torch.no_grad():
        noisy = model[0].weight + 0.002 * draw(64, 64, seed=5)
        model[1].weight.copy_(noisy * (0.02 / noisy.std()))
    failure = only_failure(model, rules)
    assert (failure.name, failure.kind) == ("1.weight", "clone")
    assert failure.text.endswith("% of its elements the values of 0.weight")


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_stack_of_copied_members_is_called_so_first(noise: float) -> None:
    model = nn.Module()
    model.experts = nn.Parameter(torch.empty(8, 32, 64))
    rules = {"experts": "normal(std=0.02)"}
    started(model, rules)
    assert check_init(model, rules).ok
    with torch.no_grad():
        member = model.experts[0].clone()
        model.experts.copy_(member + 0.02 * noise * draw(8, 32, 64, seed=1))
    failure = only_failure(model, rules)
    assert failure.kind == "repeated"
    assert failure.text.startswith("slice")


PARTS = {
    "rows of the transpose": ((96, 80), lambda x: x.T[:16]),
    "columns, transposed": ((96, 80), lambda x: x[:, :16].T),
    "the end, reversed": ((96, 80), lambda x: x.flip((0, 1))[:32]),
    "a few rows": ((96, 80), lambda x: x[:16]),
}


@pytest.mark.parametrize("turn", PARTS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("without_c", [False, True])
def test_a_turned_part_follows_whichever_of_the_two_comes_first(
    turn: str, noise: float, without_c: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_c:
        monkeypatch.setattr("initkit.check.followers.native", lambda: None)
    shape, part = PARTS[turn]
    whole = draw(*shape)
    copy = part(whole) + noise * draw(*part(whole).shape, seed=1)
    for pair in ([whole, copy], [copy, whole]):
        (found,) = followers(pair, [GAUSS] * 2)
        assert (found.first, found.second) == (0, 1)
