"""Distributions by index, maps of other distributions, and position tables."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, plan_init, schemes
from initkit.distributions import Arange
from initkit.distributions.elementwise import Uniform
from initkit.distributions.plain import from_dict
from initkit.distributions.source import Source
from initkit.errors import InitkitError
from initkit.schemes import Site

MANY = 200_000
RANDOM = [
    ("log_of(uniform(1, 16))", lambda u: (1 + 15 * u).log()),
    ("log_uniform(0.001, 0.1)", lambda u: 0.001 * 100**u),
    ("log_uniform(0.001, 0.1, floor=0.01)", lambda u: (0.001 * 100**u).clamp(min=0.01)),
    (
        "inverse_softplus_of(log_uniform(0.001, 0.1, floor=0.0001))",
        lambda u: (0.001 * 100**u).expm1().log(),
    ),
    ("exp_of(normal(std=0.5))", lambda u: (0.5 * torch.special.ndtri(u)).exp()),
    ("scaled(log_of(uniform(2, 3)), -2)", lambda u: -2 * (2 + u).log()),
]


class One(nn.Module):
    """One bare parameter."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.empty(shape))


def start(text: str, *shape: int, seed: int = 0) -> tuple[Tensor, object]:
    """Return what a scheme writes, and the distribution that the plan declared."""
    model = One(*shape)
    distribution = plan_init(model, {"x": text}).steps[0].distribution
    apply_init(model, {"x": text}, seed=seed)
    return model.x.detach().double(), distribution


@pytest.mark.parametrize(("text", "quantile"), RANDOM)
def test_a_mapped_distribution_is_the_distribution_of_the_mapped_values(
    text: str, quantile: object
) -> None:
    """Moments, bounds and CDF agree with the quantile function on a fine grid of uniforms."""
    distribution = plan_init(One(4), {"x": text}).steps[0].distribution
    u = (torch.arange(MANY, dtype=torch.float64) + 0.5) / MANY
    values = quantile(u)
    assert distribution.mean == pytest.approx(float(values.mean()), rel=1e-4)
    assert distribution.std == pytest.approx(float(values.std()), rel=1e-3)
    assert (
        distribution.low <= float(values.min()) + 1e-6
        and distribution.high >= float(values.max()) - 1e-6
    )
    inner = values[(values > distribution.low + 1e-9) & (values < distribution.high - 1e-9)]
    expected = torch.searchsorted(values.sort().values, inner, right=True) / MANY
    assert float((distribution.cdf(inner) - expected).abs().max()) < 1e-4


@pytest.mark.parametrize("text", [text for text, _ in RANDOM])
def test_what_is_written_follows_the_distribution(text: str) -> None:
    """The largest gap to the CDF stays below the 0.1 % point of Kolmogorov's distribution."""
    values, distribution = start(text, MANY)
    sorted_values = values.sort().values
    above = torch.arange(1, MANY + 1) / MANY
    gap = (distribution.cdf(sorted_values + 1e-9) - above).abs()  # float32 may round an atom down
    fresh = torch.cat([sorted_values.diff() > 0, torch.tensor([True])])  # ties: after the last
    assert float(gap[fresh].max()) < 1.95 / math.sqrt(MANY)


@pytest.mark.parametrize("text", [text for text, _ in RANDOM] + ["log_of(arange(start=1))"])
def test_any_range_of_elements_can_be_written_alone(text: str) -> None:
    distribution = plan_init(One(40, 8), {"x": text}).steps[0].distribution
    whole, part = torch.empty(320), torch.empty(30)
    distribution.write(whole, Source(3, "x"))
    distribution.write(part, Source(3, "x"), [(5, 10), (300, 20)])
    assert torch.equal(part, torch.cat([whole[5:15], whole[300:]]))


@pytest.mark.parametrize("text", [text for text, _ in RANDOM] + ["sinusoids", "arange(step=2)"])
def test_a_saved_distribution_reads_back_the_same(text: str) -> None:
    distribution = plan_init(One(6, 8), {"x": text}).steps[0].distribution
    assert from_dict(distribution.to_dict()) == distribution


def test_state_space_models_count_along_the_last_axis() -> None:
    """S4D's A_log holds log(1) to log(N) in every row."""
    values, distribution = start("log_of(arange(start=1))", 3, 16)
    assert torch.allclose(values, torch.arange(1, 17).double().log().expand(3, 16), atol=1e-6)
    assert distribution.describe() == "log of (1, 2, ..., 16) along axis -1"
    assert distribution.mean == pytest.approx(float(values.mean()), rel=1e-6)


def test_counting_along_the_first_axis_repeats_in_the_others() -> None:
    values, _ = start("arange(start=2, step=0.5, axis=0)", 4, 3)
    assert values.tolist() == [[2 + i / 2] * 3 for i in range(4)]


def test_blocks_count_from_the_start_of_their_block() -> None:
    values, _ = start("blocks(arange, 7, scaled(arange(start=1), 10))", 9)
    assert values.tolist() == [0, 1, 2, 7, 7, 7, 10, 20, 30]


def test_softplus_of_the_inverse_gives_the_values_back() -> None:
    values, _ = start("inverse_softplus_of(log_uniform(0.001, 0.1))", 1000)
    steps = torch.nn.functional.softplus(values)
    assert steps.min() >= 0.001 and steps.max() <= 0.1000001
    ratio = steps.log().mean() - math.log(0.01)  # std of the mean: 4.6/sqrt(12)/sqrt(1000)
    assert abs(ratio) < 4 * 4.606 / math.sqrt(12_000)


# -------------------------------------------------------------------------------- positions


def sines(position: Tensor, width: int, steps: float) -> Tensor:
    """Return the textbook's table: sines, then cosines, of position 10000^(-i/steps)."""
    frequency = 10000 ** (-torch.arange(width // 2, dtype=torch.float64) / steps)
    angle = position.double()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


def test_sinusoids_are_those_of_the_speech_models() -> None:
    """With the endpoint the last wavelength is exactly 10000 turns."""
    values, _ = start("sinusoids(endpoint=True)", 1500, 64)
    assert torch.allclose(values, sines(torch.arange(1500), 64, 31), atol=1e-6)


def test_single_precision_on_the_way_moves_far_positions_a_little() -> None:
    """The table of code that computes in float32, to its own precision."""
    values, _ = start("sinusoids(endpoint=True, single=True)", 1500, 64)
    frequency = torch.exp(torch.arange(32) * (-math.log(10000) / 31))
    angle = torch.arange(1500)[:, None] * frequency
    table = torch.cat([angle.sin(), angle.cos()], 1)
    assert table.dtype is torch.float32
    off = (values - table).abs()
    assert off.max() < 4e-5 and (off > 1e-6).double().mean() < 0.02


def test_interleaved_sinusoids_are_those_of_the_paper() -> None:
    values, _ = start("sinusoids(interleaved=True)", 50, 8)
    table = sines(torch.arange(50), 8, 4)
    assert torch.allclose(values[:, 0::2], table[:, :4], atol=1e-6)
    assert torch.allclose(values[:, 1::2], table[:, 4:], atol=1e-6)


def test_blank_rows_are_zero_and_positions_start_after_them() -> None:
    values, _ = start("sinusoids(blank=2, first=3)", 6, 8)
    assert values[:2].abs().max() == 0
    assert torch.allclose(values[2:], sines(torch.arange(3, 7), 8, 4), atol=1e-6)


def test_a_width_that_is_odd_ends_in_a_column_of_zeros() -> None:
    values, _ = start("sinusoids", 5, 7)
    assert values[:, 6].abs().max() == 0
    assert torch.allclose(values[:, :6], sines(torch.arange(5), 6, 3), atol=1e-6)


@pytest.mark.parametrize("rows_first", [False, True])
def test_a_grid_tells_column_and_row(rows_first: bool) -> None:
    """Half of the width each; class tokens' rows are 0; leading axes of one are no positions."""
    text = f"sincos_2d(blank=1, columns=3, rows_first={rows_first})"
    values, _ = start(text, 1, 1 + 2 * 3, 16)
    x, y = torch.arange(6) % 3, torch.arange(6) // 3
    halves = [sines(p, 8, 4) for p in ((y, x) if rows_first else (x, y))]
    assert values[0, 0].abs().max() == 0
    assert torch.allclose(values[0, 1:], torch.cat(halves, 1), atol=1e-6)


def test_a_grid_without_its_width_is_square() -> None:
    values, distribution = start("sincos_2d", 9, 8)
    assert torch.allclose(values[4, :4], sines(torch.tensor([1]), 4, 2)[0], atol=1e-6)
    assert distribution.describe() == "sinusoids of column, then row, 3 x 3"


# ------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("log_of(normal(std=1))", (4,), "log_of needs positive values, and N(0, 1) reaches -inf"),
        ("log_uniform(2, 1)", (4,), "log_uniform: low must not be above high, but 2 > 1"),
        ("arange(axis=2)", (4, 4), "arange: axis 2 is not one of the 2 of [4, 4]"),
        ("sincos_2d", (10, 8), "sincos_2d: 10 positions are no square grid; say how wide it is"),
        ("sincos_2d(columns=4)", (10, 8), "sincos_2d: 10 positions are no grid of 4 columns"),
        ("sincos_2d", (9, 6), "sincos_2d needs a width that 4 divides, not 6"),
        ("sinusoids", (9,), "it needs at least 2 dimensions, and the shape is [9]"),
    ],
)
def test_what_cannot_be_is_said(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InitkitError, match="cannot start it") as caught:
        apply_init(One(*shape), {"x": text}, seed=0)
    assert message in str(caught.value)


def test_a_map_of_a_number_is_a_number() -> None:
    assert start("log_of(2)", 3)[0].tolist() == pytest.approx([math.log(2)] * 3)
    assert str(Uniform(0.5, 1.0).mapped("times", 2.0)) == "2 x U(0.5, 1)"
    assert str(Arange((2,)).mapped("exp")) == "exp of (0, 1)"
    assert schemes.Arange().resolve(Site((3,))) == Arange((3,))
