"""What starts as one, or as a whole, is checked in full: each spoiled start is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch import Tensor

from initkit import apply_init, check_init

Held: TypeAlias = "dict[str, Tensor]"
Spoil: TypeAlias = "Callable[[Tensor], Tensor]"


def identity(tensor: Tensor) -> Tensor:
    return torch.eye(*tensor.shape)


def by(factor: float) -> Spoil:
    return lambda tensor: tensor * factor


def half(tensor: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(tensor[::2]), tensor[len(tensor[::2]) :]])


def shuffled(tensor: Tensor) -> Tensor:
    return tensor[torch.randperm(len(tensor), generator=torch.Generator().manual_seed(1))]


ATTENTION = dict.fromkeys("qkvo", (64, 64))
ROTATION = dict.fromkeys("plu", (24, 24))
QUATERNION = dict.fromkeys("rijk", (48, 64))
MATRIX = {"w": (96, 32)}
SQUARE = {"w": (64, 64)}

STARTS = {
    "mimetic": (ATTENTION, "{q,k,v,o}", "mimetic(heads=4)"),
    "mimetic, weak": (ATTENTION, "{q,k,v,o}", "mimetic(heads=4, beta_qk=0.2)"),
    "glow": (ROTATION, "{p,l,u}", "glow_lu"),
    "quaternion": (QUATERNION, "{r,i,j,k}", "quaternion"),
    "features": (MATRIX, "w", "random_features"),
    "fixed": (MATRIX, "w", "random_features(norms='fixed')"),
    "reservoir": (SQUARE, "w", "reservoir(radius=0.9)"),
    "sparse reservoir": (SQUARE, "w", "reservoir(radius=0.9, density=0.2)"),
}


def drawn(start: str, dtype: torch.dtype, seed: int = 0) -> tuple[Held, dict[str, str]]:
    shapes, key, scheme = STARTS[start]
    held, rules = {name: torch.zeros(shape, dtype=dtype) for name, shape in shapes.items()}, {}
    rules[key] = scheme
    apply_init(held, rules, seed=seed)
    return held, rules


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("start", STARTS)
def test_no_sound_start_is_found_wrong(start: str, dtype: torch.dtype) -> None:
    for seed in range(10):  # at this level one in a thousand would fail
        held, rules = drawn(start, dtype, seed)
        report = check_init(held, rules, level=1e-4)
        assert report.ok and not report.not_compared, str(report)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("start", "names", "spoil", "text"),
    [
        ("mimetic", "q", by(1.05), "query query' = key key' in each head does not hold"),
        ("mimetic", "qk", by(1.05), "singular values of query' key that add up to "),
        ("mimetic", "k", torch.neg, "directions of query' key with the trace -"),
        ("mimetic", "qk", identity, ", of the directions of query in head 0"),
        ("mimetic", "k", shuffled, "query query' = key key' in each head does not hold"),
        ("mimetic", "vo", by(1.05), ", of projection value + 0.4, N(0, 0.05)"),
        ("mimetic", "v", torch.neg, ", of projection value + 0.4, N(0, 0.05)"),
        ("mimetic", "vo", identity, "4,032 of 4,096 elements"),
        ("glow", "plu", identity, "P leaves 24 of 24 rows in place"),
        ("glow", "lu", identity, "276 entries of L below its diagonal are 0"),
        ("glow", "l", by(1.2), "no entry of L is beyond 1 does not hold"),
        ("glow", "u", torch.t, ", as P L U, a random rotation"),
        ("quaternion", "rijk", by(1.1), "their lengths have 1.1"),
        ("quaternion", "r", by(1.1), "the std is 0.10"),
        ("quaternion", "rijk", identity, "3,024 of 3,072 elements are exactly 0"),
        ("quaternion", "k", half, "1,536 of 3,072 elements are exactly 0"),
        ("features", "w", by(1.1), "the rows have 1."),
        ("features", "w", identity, "in rows 0 to 31, each of length 1"),
        ("features", "w", shuffled, "it is not orthogonal"),
        ("fixed", "w", by(1.05), "rows of the mean square 1."),
        ("reservoir", "w", by(1.05), "its spectral radius 0.94"),
        ("reservoir", "w", lambda w: 0.9 * identity(w), "1.562 % of the elements are not 0"),
        ("sparse reservoir", "w", half, "% of the elements are not 0, where 20 % should be"),
    ],
)
def test_a_spoiled_start_is_told(
    start: str, names: str, spoil: Spoil, text: str, dtype: torch.dtype
) -> None:
    held, rules = drawn(start, dtype)
    for name in names:
        held[name] = spoil(held[name]).to(dtype)
    told = [t for f in check_init(held, rules).failures for t in (f.text, *f.also)]
    assert any(text in one for one in told), told


def test_each_part_of_a_quaternion_fails_by_its_own_name() -> None:
    held, rules = drawn("quaternion", torch.float32)
    held["j"].mul_(1.2)
    (failure,) = check_init(held, rules).failures
    assert failure.name == "j" and failure.text.startswith("the std is")
    assert any(text.endswith(", of r, i, j, k as one") for text in failure.also)
    held, rules = drawn("quaternion", torch.float32)
    held["i"] = shuffled(held["i"])  # each by itself is as planned
    (failure,) = check_init(held, rules).failures
    assert failure.text.startswith("their ") and failure.text.endswith(", of r, i, j, k as one")


def test_rows_of_a_rotation_may_come_in_any_order() -> None:
    held, rules = drawn("glow", torch.float32)
    held["p"] = held["p"].mT.contiguous()  # of which P L U is as likely
    assert check_init(held, rules).ok


def test_a_spectral_radius_is_as_exact_as_its_matrix_tells() -> None:
    for seed in range(20):
        held, rules = drawn("reservoir", torch.bfloat16, seed)
        assert check_init(held, rules).ok
        held["w"] *= 1.02
        assert not check_init(held, rules).ok
    # Without a vector for every eigenvalue nobody knows how far roundings move them.
    shift = torch.diag(torch.ones(63), 1)
    assert "not 0" in check_init({"w": shift}, rules).failures[0].text
