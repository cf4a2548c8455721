"""What is measured of a tensor is what float64 would give, within float32's range and beyond."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from initkit.signal.histogram import histogram
from initkit.signal.moments import channel_dim, measure, rms


@pytest.mark.parametrize("scale", [1e-44, 1e-35, 1e-12, 1.0, 1e12, 1e37])
@pytest.mark.parametrize("shape", [(8,), (4, 6), (3, 4, 5), (2, 3, 4, 5)])
def test_moments_are_those_of_float64(scale: float, shape: tuple[int, ...]) -> None:
    x = (torch.randn(shape).clamp(-3, 3) + 0.3) * scale
    wide = x.double()
    found = measure(x, channel_dim(x))
    tolerance = 1e-4 if scale > 1e-40 else 0.5
    exact = float(wide.square().mean().sqrt())
    assert [found.rms, rms(x)] == pytest.approx([exact, exact], rel=1e-5)
    assert found.mean == pytest.approx(float(wide.mean()), rel=tolerance)
    assert found.std == pytest.approx(float(wide.std(correction=0)), rel=tolerance)
    assert found.peak == float(x.abs().max()) and found.nonfinite == 0


def test_channels_are_the_second_dimension_of_images_and_else_the_last() -> None:
    images = torch.zeros(2, 3, 4, 5)
    assert channel_dim(images) == channel_dim(images[0], convolutional=True) == 1
    assert channel_dim(images[0]) == 2 and channel_dim(images[0, 0]) == 1
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert measure(x, 1).channel_square == pytest.approx(14 / 3)


def cosines(x: Tensor) -> float:
    rows = torch.nn.functional.normalize(x.flatten(1).double(), dim=1)
    n = len(rows)
    return float(((rows @ rows.T).sum() - n) / (n * (n - 1)))


def test_alike_is_the_mean_cosine_of_two_samples() -> None:
    x = torch.randn(7, 3, 5) + 0.5
    assert measure(x, 2).alike == pytest.approx(cosines(x), abs=1e-6)
    assert measure(torch.ones(4, 3), 1).alike == pytest.approx(1.0)
    assert measure(torch.ones(1, 3), 1).alike is None
    assert measure(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), 1).alike is None


def test_the_share_of_what_is_not_finite_is_counted_and_the_rest_measured() -> None:
    x = torch.tensor([[3.0, math.nan], [math.inf, 3.0]])
    found = measure(x, 1)
    assert (found.nonfinite, found.peak) == (0.5, 3.0)
    assert math.isnan(rms(x))
    assert measure(torch.full((2, 2), math.nan), 1).nonfinite == 1.0


def test_nothing_and_zeros_have_no_moments() -> None:
    for x in (torch.zeros(2, 3), torch.empty(0, 3)):
        assert measure(x, 1).rms == rms(x) == 0.0


def test_complex_numbers_are_pairs() -> None:
    assert rms(torch.full((4,), 3 + 4j)) == pytest.approx(math.sqrt(12.5))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_histogram_holds_all_values_whatever_the_layout(layout) -> None:
    x = torch.randn(16, 8, 16, 16).contiguous(memory_format=layout)
    shares = torch.tensor(histogram(x, 1.0))
    assert float(shares.sum()) == pytest.approx(1.0)
    # 4,096 values of a normal: the middle bin has an 8/33 of a std, and a share of .0965.
    assert float(shares[16]) == pytest.approx(0.0965, abs=4 * math.sqrt(0.0965 / 4096))
