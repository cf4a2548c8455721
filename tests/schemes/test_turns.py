"""Turns: quaternions, pairs that an exponential turns, orthogonal matrices of Glorot's variance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Rule,
    apply_init,
    check_init,
    load_recipe,
    plan_init,
    save_recipe,
    verify_report,
)
from initkit.distributions import quaternion

QUATERNION = "*.{r,i,j,k}.weight"


def quaternions(dtype: torch.dtype = torch.float32) -> nn.ModuleList:
    parts = (
        nn.ModuleDict({n: nn.Linear(80, 60, bias=False, dtype=dtype) for n in "rijk"})
        for _ in range(2)
    )
    return nn.ModuleList(parts)


def theirs(model: Any) -> None:
    """Start as published: chi-distributed lengths, angles, directions of points in a cube."""
    for layer in model:
        shape = layer["r"].weight.shape
        size = 1 / math.sqrt(2 * sum(shape))
        length = size * torch.randn(4, *shape).square().sum(0).sqrt()
        angle = (2 * torch.rand(shape) - 1) * math.pi
        sides = 2 * torch.rand(3, *shape) - 1
        sides = sides / (sides.square().sum(0).sqrt() + 1e-4)
        layer["r"].weight.copy_(length * angle.cos())
        for name, side in zip("ijk", sides, strict=True):
            layer[name].weight.copy_(length * side * angle.sin())


def pairs(size: int = 200) -> nn.Module:
    return nn.ParameterDict({"skew": torch.empty(size, size)})


def start_pairs(model: Any) -> None:
    model["skew"].zero_()
    turns = (2 * torch.rand(model["skew"].shape[0] // 2) - 1) * math.pi
    model["skew"].diagonal(1)[::2] = turns
    model["skew"].diagonal(-1)[::2] = -turns


def start_cayley(model: Any) -> None:
    model["skew"].zero_()
    turns = -(torch.rand(model["skew"].shape[0] // 2) * math.pi / 4).tan()
    model["skew"].diagonal(1)[::2] = turns
    model["skew"].diagonal(-1)[::2] = -turns


def layers(dtype: torch.dtype = torch.float32) -> nn.Module:
    return nn.ModuleList(nn.Linear(*s, bias=False, dtype=dtype) for s in ((40, 60), (60, 60)))


def start_layers(model: Any) -> None:
    for layer in model:
        weight = layer.weight
        nn.init.orthogonal_(weight)
        weight.mul_((2.0 / (sum(weight.shape) * weight.var())).sqrt())


CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "quaternions": (quaternions, theirs, {QUATERNION: "quaternion"}),
    "pairs": (pairs, start_pairs, {"skew": "skew_pairs('uniform(-pi, pi)')"}),
    "an odd number": (lambda: pairs(201), start_pairs, {"*": "skew_pairs(uniform(-pi, pi))"}),
    "Cayley": (pairs, start_cayley, {"*": "skew_pairs(quantile(-sin(pi*u/4)/cos(pi*u/4)))"}),
    "glorot": (layers, start_layers, {"*": "glorot_orthogonal"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_published_code_writes_passes(case: str) -> None:
    make, start, rules = CASES[case]
    for seed in range(10):
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            start(model)
        assert check_init(model, rules, level=1e-4).ok


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_passes_in_every_dtype_and_goes_through_files(
    case: str, tmp_path: Path
) -> None:
    make, _, rules = CASES[case]
    for seed, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64) * 3):
        model = make().to(dtype)
        report = apply_init(model, rules, seed=seed)
        assert check_init(model, rules, level=1e-4).ok
    plan = plan_init(model, rules)
    assert verify_report(model, report.save(tmp_path / "report.json")).proven
    assert Plan.from_json(plan.to_json()).steps == plan.steps
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    loaded = load_recipe(save_recipe(rules, tmp_path / "rules.toml"))
    assert plan_init(model, loaded).digest() == plan.digest()


def larger(weight: Tensor) -> None:
    weight.mul_(1.2)


def one_block_larger(weight: Tensor) -> None:
    weight[: len(weight) // 4].mul_(2)


def one_block_zero(weight: Tensor) -> None:
    weight[: len(weight) // 4].zero_()


def positive(weight: Tensor) -> None:
    weight.abs_()


@pytest.mark.parametrize("spoil", [larger, one_block_larger, one_block_zero, positive])
@pytest.mark.parametrize("case", CASES)
def test_what_is_spoiled_is_found(case: str, spoil: Any) -> None:
    make, _, rules = CASES[case]
    model = make()
    apply_init(model, rules, seed=0)
    with torch.no_grad():
        spoil(next(iter(model.parameters())))
    assert not check_init(model, rules).ok


def test_the_parts_of_quaternions_have_their_moments() -> None:
    model = nn.ModuleDict({n: nn.Linear(300, 200, bias=False) for n in "rijk"})
    for criterion, fan in (("glorot", 500), ("he", 300)):
        apply_init(model, {"{r,i,j,k}.weight": f"quaternion(criterion={criterion!r})"}, seed=0)
        size = 1 / math.sqrt(2 * fan)
        assert float(model["r"].weight.detach().std()) == pytest.approx(
            math.sqrt(2) * size, rel=0.02
        )
        for name in "ijk":
            std = float(model[name].weight.detach().std())
            assert std == pytest.approx(math.sqrt(2 / 3) * size, rel=0.02)
    plan = plan_init(model, {"{r,i,j,k}.weight": "quaternion(criterion='he')"})
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)


def test_the_exponential_of_pairs_is_a_rotation_of_that_angle() -> None:
    model = pairs(8)
    apply_init(model, {"*": "skew_pairs('uniform(-pi, pi)')"}, seed=0)
    skew = model["skew"].detach()
    turned = torch.linalg.matrix_exp(skew)
    torch.testing.assert_close(turned @ turned.mT, torch.eye(8))
    assert float(turned[0, 0]) == pytest.approx(math.cos(float(skew[0, 1])), abs=1e-6)


def test_glorot_orthogonal_matrices_have_the_variance_of_their_fans() -> None:
    model = nn.Linear(40, 60, bias=False)
    apply_init(model, {"weight": "glorot_orthogonal(scale=1)"}, seed=0)
    weight = model.weight.detach().double()
    assert float(weight.var()) == pytest.approx(1 / 100, rel=1e-5)
    gram = weight.mT @ weight
    torch.testing.assert_close(gram, gram[0, 0] * torch.eye(40).double(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "rules", "text"),
    [
        (nn.Linear(3, 4, bias=False), {"*": "skew_pairs(normal)"}, "is no square matrix"),
        (nn.Linear(4, 4, bias=False), {"*": "skew_pairs(eye)"}, "identity is not drawn for each"),
        (quaternions(), {"*.{r,i,j}.weight": "quaternion", "*": 0}, "is of four tensors"),
        (quaternions(), {"*": "quaternion"}, "list them in braces, in their order, as in"),
    ],
)
def test_what_does_not_fit_is_a_problem(model: nn.Module, rules: Any, text: str) -> None:
    assert text in str(plan_init(model, rules).problems[0])


def test_some_rows_of_a_larger_matrix_are_pairs_of_their_own() -> None:
    model = {"w": torch.zeros(6, 4)}
    apply_init(model, Rule("skew_pairs('uniform(1, 2)')", name="w", rows="2:"), seed=0)
    assert not model["w"][:2].any() and torch.equal(model["w"][2:], -model["w"][2:].mT)


def test_the_cdf_of_an_imaginary_part_is_that_of_all_sizes_of_its_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    near = torch.randn(4000, generator=generator, dtype=torch.float64)
    ends = torch.tensor([0.0, 38.4, 38.5, 1e300, torch.inf], dtype=torch.float64)
    x = torch.cat([near, 1e-3 * near, 1e-6 * near, 3 * near, ends, -ends]).sort().values
    sides, shares = quaternion._sides()
    expected = quaternion._turned_cdf(x[:, None] / sides) @ shares
    found = quaternion._imaginary_cdf(x)
    assert float((found - expected).abs().max()) < 1e-7
    assert bool((found.diff() >= 0).all())
    assert found[0] == 0 and found[-1] == 1
