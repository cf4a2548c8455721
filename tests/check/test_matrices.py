"""A check finds a tensor's matrices in a way of its own, so that a writer's error shows."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init, register_layout
from initkit.check.matrices import stacked
from initkit.numbers import Layout, Matrices, matrices_of
from initkit.schemes import site

LAYOUTS = [
    ("out out in", (4, 6, 24), 1),
    ("in out out", (24, 4, 6), 1),
    ("out in out", (4, 24, 6), 1),
    ("in out in", (4, 24, 6), 1),
    ("E in out in", (2, 4, 24, 6), 1),
    ("out E in", (24, 3, 24), 1),
    ("k in out", (3, 4, 24), 1),
    ("out k in", (24, 3, 8), 1),
    ("out in out", (12, 24, 6), 3),
]


def projection(axes: str, shape: tuple[int, ...], blocks: int = 1) -> nn.Module:
    class Projection(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.empty(shape))

    register_layout(Projection, axes, key="w", blocks=blocks)
    return Projection()


@pytest.mark.parametrize("axes", sorted(set(itertools.permutations(["out", "in", "k", "E"]))))
def test_both_ways_from_a_layout_to_its_matrices_agree(axes: tuple[str, ...]) -> None:
    layout, shape = Layout(axes), (2, 3, 4, 5)
    tensor = torch.arange(math.prod(shape)).view(shape)
    found = matrices_of(shape, layout)
    written = tensor.reshape(found.cut).permute(found.order).reshape(found.kernel)
    assert torch.equal(stacked(tensor, layout), written)


@pytest.mark.parametrize(("axes", "shape", "blocks"), LAYOUTS)
def test_orthogonal_matrices_of_any_layout_are_as_planned(
    axes: str, shape: tuple[int, ...], blocks: int
) -> None:
    model = projection(axes, shape, blocks)
    apply_init(model, {"w": "orthogonal"}, seed=0)
    for matrix in stacked(model.w.detach(), Layout(tuple(axes.split()), blocks=blocks)).flatten(2):
        tall = matrix if len(matrix) >= matrix.shape[1] else matrix.T
        assert torch.allclose(tall.T @ tall, torch.eye(tall.shape[1]), atol=1e-5)
    assert check_init(model, {"w": "orthogonal"}).ok


def _first_dimension_in_rows(shape: tuple[int, ...], layout: Layout) -> Matrices:
    return Matrices(tuple(shape), (), (0,), tuple(range(1, len(shape))), ())


def _turned(shape: tuple[int, ...], layout: Layout) -> Matrices:
    """The rows of several dimensions in the wrong order."""
    found = matrices_of(shape, layout)
    return Matrices(found.cut, found.copies, found.columns, found.rows, found.window)


@pytest.mark.parametrize(
    ("scheme", "fault"),
    [
        ("orthogonal", _first_dimension_in_rows),
        ("eye", _first_dimension_in_rows),
        ("sparse(sparsity=0.5)", _first_dimension_in_rows),
        ("sparse(sparsity=0.5)", _turned),
    ],
)
def test_a_writer_that_takes_other_rows_and_columns_is_found(
    monkeypatch: pytest.MonkeyPatch, scheme: str, fault: object
) -> None:
    shape = (4, 5, 40) if scheme.startswith("sparse") else (4, 6, 24)
    model = projection("out out in", shape)
    monkeypatch.setattr(site, "matrices_of", fault)
    monkeypatch.setattr("initkit.distributions.arranged.matrices_of", fault)
    apply_init(model, {"w": scheme}, seed=0)
    assert check_init(model, {"w": scheme}).failures[0].kind == "structure"


def test_a_writer_that_lays_matrices_out_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = projection("out in out", (4, 24, 6))

    def wrong(shape: tuple[int, ...], layout: Layout) -> Matrices:
        found = matrices_of(shape, layout)
        return Matrices(found.cut, found.copies, found.rows[::-1], found.columns, found.window)

    rules = {"w": "dirac"}
    monkeypatch.setattr("initkit.distributions.arranged.matrices_of", wrong)
    apply_init(model, rules, seed=0)
    monkeypatch.undo()
    assert not check_init(model, rules).ok


def larger(weight: Tensor) -> None:
    weight.mul_(1.2)


def one_block_larger(weight: Tensor) -> None:
    weight[..., : weight.shape[-1] // 4].mul_(2)


def one_block_zero(weight: Tensor) -> None:
    weight[..., : weight.shape[-1] // 4].zero_()


def another_sign(weight: Tensor) -> None:
    weight[..., : weight.shape[-1] // 2].abs_()


SPOILT = (larger, one_block_larger, one_block_zero, another_sign)


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize(
    "scheme", ["orthogonal", "sparse(sparsity=0.5)", "indexed(i - j)", "copy_of('source.weight')"]
)
def test_a_padding_row_hides_nothing_of_the_rows_beside_it(scheme: str, spoil: Any) -> None:
    model = nn.ModuleDict({n: nn.Embedding(64, 48, padding_idx=3) for n in ("source", "other")})
    rules = {"other.*": scheme, "source.*": "orthogonal"}
    for seed in range(4):
        apply_init(model, rules, seed=seed)
        report = check_init(model, rules, level=1e-4)
        assert report.ok and not report.not_compared
    with torch.no_grad():
        spoil(model["other"].weight)
    assert "other.weight" in {f.name for f in check_init(model, rules).failures}


@pytest.mark.parametrize("spoil", SPOILT)
def test_turned_frequencies_are_told_by_their_lengths_and_angles(spoil: Any) -> None:
    model, rules = {"freqs": torch.empty(2, 8, 64)}, {"freqs": "rotated_frequencies"}
    for seed in range(10):
        apply_init(model, rules, seed=seed)
        report = check_init(model, rules, level=1e-4)
        assert report.ok and not report.not_compared
    spoil(model["freqs"])
    assert not check_init(model, rules).ok


def test_angles_that_round_to_the_same_are_no_repeats() -> None:
    for seed in range(30):
        model, rules = {"freqs": torch.empty(2, 16, 32).half()}, {"freqs": "rotated_frequencies"}
        apply_init(model, rules, seed=seed)
        assert check_init(model, rules, level=1e-4).ok


def test_many_rows_that_are_turned_alike_are_no_random_angles() -> None:
    model, rules = {"freqs": torch.empty(2, 40, 8)}, {"freqs": "rotated_frequencies"}
    apply_init(model, rules, seed=0)
    model["freqs"].copy_(model["freqs"][:, :1].expand(2, 40, 8))
    assert not check_init(model, rules).ok
