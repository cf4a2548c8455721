"""The resolved distributions: moments, bounds, CDF, scaling, writing by ranges, and plain data."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stats import assert_drawn_from, ks_distance

from initkit import distributions
from initkit.distributions.plain import from_dict
from initkit.distributions.source import Source

SOURCE = Source(0, "fc.weight")
ELEMENTWISE = [
    distributions.Constant(-1.5),
    distributions.Normal(0.0, 0.02),
    distributions.Normal(1.0, 0.5),
    distributions.Uniform(-0.05, 0.05),
    distributions.Uniform(2.0, 3.0),
    distributions.TruncatedNormal(0.0, 0.02, -0.04, 0.04),
    distributions.TruncatedNormal(1.0, 1.0, 1.5, 4.0),
    distributions.TruncatedNormal(0.0, 0.02, -2.0, 2.0),
    distributions.MaskedUniform(-10.0, 10.0, 5.0),
    distributions.MaskedUniform(-1.0, 10.0, 5.0),
    distributions.MaskedUniform(1.0, 2.0, 0.5),
    distributions.MaskedUniform(-2.0, 3.0, 0.0),
    distributions.Blocks(
        (
            distributions.Normal(0.0, 1.0),
            distributions.Constant(1.0),
            distributions.Uniform(0.0, 1.0),
        ),
        60_000,
    ),
    distributions.Blocks(
        (distributions.Uniform(-1.0, 0.0), distributions.Uniform(0.0, 2.0)), 60_000
    ),
    distributions.Quantile("-log(-log(u))"),
    distributions.Quantile("layer*(1 - u**3)", (("layer", 2.0),)),
]
STRUCTURED = [
    distributions.Eye((300, 200), (1, 300, 200)),
    distributions.Eye((400, 150), (4, 100, 150)),
    distributions.Dirac((60, 20, 5, 10)),
    distributions.Dirac((60, 20, 5, 10), 3),
    distributions.Orthogonal((300, 200), 1.0, (1, 300, 200)),
    distributions.Orthogonal((400, 150), 2.0, (4, 100, 150)),
    distributions.DeltaOrthogonal((100, 60, 5, 2), 1.5),
    distributions.Sparse((300, 200), 0.1, 30, (1, 300, 200)),
    distributions.RescaledOrthogonal((300, 200), 0.5, (1, 300, 200)),
    distributions.RescaledOrthogonal((400, 150), 0.1, (4, 100, 150)),
    distributions.Opposed(
        distributions.Blocks(
            (
                distributions.Uniform(-2.0, -1.0),
                distributions.Uniform(1.0, 2.0),
                distributions.Normal(0.0, 1.0),
            ),
            60_000,
        ),
        1,
        0,
    ),
    distributions.Arranged(
        (20, 200, 15),
        distributions.Orthogonal((1, 300, 200), 2.0, (1, 300, 200)),
        ("out", "in", "out"),
    ),
    distributions.Arranged(
        (200, 300), distributions.Eye((1, 300, 200), (1, 300, 200)), ("in", "out")
    ),
]
EVERY = ELEMENTWISE + STRUCTURED


def draw(distribution: distributions.Distribution, n: int = 60_000) -> torch.Tensor:
    out = torch.full((n,), torch.nan)
    distribution.write(out, SOURCE)
    return out


@pytest.mark.parametrize("distribution", EVERY, ids=str)
def test_what_is_written_has_the_declared_moments_bounds_and_cdf(
    distribution: distributions.Distribution,
) -> None:
    independent = not isinstance(
        distribution, distributions.Orthogonal | distributions.DeltaOrthogonal
    )
    assert_drawn_from(draw(distribution), distribution, independent)


@pytest.mark.parametrize("distribution", EVERY, ids=str)
def test_the_cdf_grows_from_0_to_1_and_jumps_by_the_atoms(
    distribution: distributions.Distribution,
) -> None:
    x = torch.linspace(-60, 60, 20_001, dtype=torch.float64)
    f = distribution.cdf(x)
    assert f[0] == 0
    assert abs(float(f[-1]) - 1) < 1e-12
    assert bool((f.diff() >= -1e-12).all())
    for value, share in distribution.atoms.items():
        jump = distribution.cdf(value) - distribution.cdf(math.nextafter(value, -math.inf))
        assert jump == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("distribution", EVERY, ids=str)
def test_the_declared_moments_are_those_of_the_cdf(
    distribution: distributions.Distribution,
) -> None:
    """Integrate 1 - F and F, which needs no density."""
    low, high = -60.0, 60.0
    x = torch.linspace(low, high, 2_400_001, dtype=torch.float64)
    f = distribution.cdf(x)
    mean = high - float(torch.trapezoid(f, x))
    square = high**2 - 2 * float(torch.trapezoid(x * f, x))
    step = (high - low) / 2_400_000
    assert distribution.mean == pytest.approx(mean, abs=2 * step)
    assert distribution.std**2 == pytest.approx(square - mean**2, abs=400 * step)


@pytest.mark.parametrize("distribution", EVERY, ids=str)
@pytest.mark.parametrize("factor", [2.0, -0.5, 0.0])
def test_a_scaled_distribution_is_the_distribution_of_the_scaled_values(
    distribution: distributions.Distribution, factor: float
) -> None:
    scaled = distribution.scaled(factor)
    assert scaled.mean == pytest.approx(distribution.mean * factor, abs=1e-12)
    assert scaled.std == pytest.approx(distribution.std * abs(factor), abs=1e-12)
    independent = not isinstance(
        distribution, distributions.Orthogonal | distributions.DeltaOrthogonal
    )
    assert_drawn_from(draw(scaled), scaled, independent)


@pytest.mark.parametrize("distribution", EVERY, ids=str)
def test_plain_data_reads_back_equal(distribution: distributions.Distribution) -> None:
    import json

    assert from_dict(json.loads(json.dumps(distribution.to_dict()))) == distribution


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("distribution", EVERY, ids=str)
def test_any_range_or_list_of_runs_is_the_same_as_its_part_of_the_whole(
    distribution: distributions.Distribution, data: st.DataObject
) -> None:
    whole = draw(distribution)
    cuts = sorted(data.draw(st.sets(st.integers(0, 60_000), min_size=2, max_size=6)))
    runs = [(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    out = torch.full((sum(length for _, length in runs),), torch.nan)
    distribution.write(out, SOURCE, runs)
    wanted = torch.cat([whole[a : a + length] for a, length in runs])
    assert torch.equal(out.view(torch.int32), wanted.view(torch.int32))
    start, stop = cuts[0], cuts[-1]
    if distribution.elementwise:
        part = torch.empty(stop - start)
        distribution.write(part, SOURCE, start)
        assert torch.equal(part.view(torch.int32), whole[start:stop].view(torch.int32))


@pytest.mark.parametrize("distribution", ELEMENTWISE, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_values_are_computed_in_float32_and_rounded_once(
    distribution: distributions.Distribution, dtype: torch.dtype
) -> None:
    out = torch.empty(60_000, dtype=dtype)
    distribution.write(out, SOURCE)
    assert torch.equal(out, draw(distribution).to(dtype))


def test_a_wrong_distribution_is_noticed() -> None:
    sample = draw(distributions.Normal(0.0, 0.02))
    for wrong in (
        distributions.Normal(0.0, 0.0205),
        distributions.Normal(0.001, 0.02),
        distributions.Uniform(-0.0346, 0.0346),
    ):
        with pytest.raises(AssertionError):
            assert_drawn_from(sample, wrong)
    assert ks_distance(sample, distributions.Uniform(-0.0346, 0.0346)) > 0.03


def test_distributions_print_as_the_textbook_writes_them() -> None:
    shown = [str(distribution) for distribution in EVERY]
    assert shown[1] == "N(0, 0.02)"
    assert shown[3] == "U(-0.05, 0.05)"
    assert shown[5] == "TN(0, 0.02; -0.04, 0.04)"
    assert shown[8] == "U(-10, 10), 0 where |x| < 5"
    assert shown[12] == "N(0, 1) | constant 1 | U(0, 1)"
    assert shown[17] == "identity, 4 blocks"
    assert shown[19] == "Dirac, 3 groups"
    assert shown[21] == "orthogonal, gain 2, 4 blocks"
    assert shown[23] == "N(0, 0.1), 30 zeros per column"
