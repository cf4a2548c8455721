"""The stream's numbers have the distributions that they are called by.

Every test has a fixed seed, so it is no lottery; each bound is the one that a perfect generator
would break less than once in a million such tests (4.9 standard errors, KS statistic 2.7).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch
from scipy import stats
from torch import Tensor

from initkit import stream

N = 1 << 20
SIGMAS = 4.9
KS = 2.7  # sqrt(n) D
STREAMS = [(0, "fc.weight"), (1, "fc.weight"), (2**63, "layers.11.attention.q.weight")]

every_stream = pytest.mark.parametrize("key", [stream.key(*s) for s in STREAMS], ids=repr)


def chi_squared(counts: Tensor, expected: float | Tensor) -> float:
    """Return how many standard deviations chi-squared is off (normal for so many cells)."""
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    free = counts.numel() - 1
    return (statistic - free) / math.sqrt(2 * free)


def normals(key: stream.Key, n: int = N, start: int = 0) -> Tensor:
    return stream.normal_(torch.empty(n, dtype=torch.float64), key, 0.0, 1.0, start)


def correlation(x: Tensor, y: Tensor) -> float:
    """Return the correlation in standard errors; x and y have mean 0 and variance 1."""
    return (x * y).sum().item() / math.sqrt(len(x))


# ---- words --------------------------------------------------------------------------------------


@every_stream
def test_all_bytes_of_the_words_are_uniform(key):
    words = stream.words(key, 0, N)
    for shift in (0, 8, 16, 24):
        counts = (words >> shift & 255).bincount(minlength=256).double()
        assert abs(chi_squared(counts, N / 256)) < SIGMAS


@every_stream
def test_neighbouring_elements_are_independent_in_every_pair_of_bits(key):
    n = 1 << 17
    words = stream.words(key, 1 << 34, n + 512)
    bits = (words.unsqueeze(1) >> torch.arange(32) & 1).float() * 2 - 1
    for lag in (1, 256, 512):  # the next; the same counter's other word; the next block
        product = bits[:n].T @ bits[lag : n + lag] / math.sqrt(n)
        assert product.abs().max() < 6.0  # of 1024: 6 sigma is a millionth again


@every_stream
def test_pairs_fill_the_square_evenly(key):
    words = stream.words(key, 5, N + 512) >> 26
    for lag in (1, 2, 255, 256, 257, 512):
        cells = (words[:N] * 64 + words[lag : N + lag]).bincount(minlength=4096).double()
        assert abs(chi_squared(cells, N / 4096)) < SIGMAS + 1  # overlapping pairs: a little wider


def test_equal_words_come_as_often_as_birthdays_do():
    n = 1 << 16  # pairs / 2^32 words = 0.5 expected in each of 40 samples
    repeats = sum(
        n - stream.words(stream.key(seed, "w"), 0, n).unique().numel() for seed in range(40)
    )
    assert abs(repeats - 20) < SIGMAS * math.sqrt(20)


def test_neighbouring_names_seeds_and_streams_share_nothing():
    keys = [stream.key(seed, f"layers.{i}.weight") for seed in range(3) for i in range(6)]
    keys += [stream.key(0, "layers.0.weight", s) for s in (1, 2)]
    values = torch.stack([normals(key, 1 << 16) for key in keys])
    product = values @ values.T / math.sqrt(1 << 16)
    product.fill_diagonal_(0.0)
    assert product.abs().max() < SIGMAS + 0.6  # of 190 pairs


def test_a_million_names_have_keys_that_spread_evenly():
    keys = [stream.key(0, f"h.{i}.w") for i in range(100_000)]
    assert len(set(keys)) == len(keys)
    for half in range(2):
        counts = (torch.tensor([k[half] for k in keys]) >> 22).bincount(minlength=1024).double()
        assert abs(chi_squared(counts, len(keys) / 1024)) < SIGMAS


# ---- values -------------------------------------------------------------------------------------


@every_stream
def test_uniform_passes_kolmogorov_and_smirnov(key):
    x = stream.uniform_(torch.empty(N), key, -0.3, 0.7).double().numpy()
    d = stats.kstest(x, stats.uniform(-0.3, 1.0).cdf).statistic
    assert math.sqrt(N) * d < KS
    assert abs(x.mean() - 0.2) < SIGMAS * math.sqrt(1 / 12 / N)
    assert abs(x.var() - 1 / 12) < SIGMAS * math.sqrt(1 / 180 / N)


@every_stream
def test_normal_passes_kolmogorov_and_smirnov(key):
    d = stats.kstest(normals(key).numpy(), stats.norm.cdf).statistic
    assert math.sqrt(N) * d < KS


@every_stream
def test_the_first_eight_moments_of_the_normal_are_right(key):
    z = normals(key)
    moments = [1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395, 0, 135135, 0, 2027025]
    for k in range(1, 9):
        error = math.sqrt((moments[2 * k] - moments[k] ** 2) / N)
        assert abs((z**k).mean().item() - moments[k]) < SIGMAS * error


def test_the_tails_beyond_four_sigma_have_their_mass():
    key, distribution, chunk, chunks = stream.key(3, "tail"), NormalDist(), 1 << 21, 12
    edges = (4.0, 4.5, 5.0)
    above, below = dict.fromkeys(edges, 0), dict.fromkeys(edges, 0)
    for i in range(chunks):
        z = stream.normal_(torch.empty(chunk), key, 0.0, 1.0, i * chunk)
        z = z[z.abs() > 4.0]
        for edge in edges:
            above[edge] += int((z > edge).sum())
            below[edge] += int((z < -edge).sum())
    for edge in edges:
        expected = chunk * chunks * distribution.cdf(-edge)
        for count in (above[edge], below[edge]):
            assert abs(count - expected) < SIGMAS * math.sqrt(expected)


@every_stream
def test_normals_have_no_serial_correlation(key):
    z = normals(key, N + 1024)
    for lag in (1, 2, 3, 7, 64, 255, 256, 257, 511, 512, 513, 1024):
        assert abs(correlation(z[:N], z[lag : lag + N])) < SIGMAS
        square = (z * z - 1) / math.sqrt(2)
        assert abs(correlation(square[:N], square[lag : lag + N])) < SIGMAS


@pytest.mark.parametrize("low", [-2.0, -1.0, 1.5, 4.0])
@pytest.mark.parametrize("width", [0.3, 2.0, 50.0])
def test_truncated_normal_fills_equally_likely_cells_equally(low, width):
    distribution = stats.truncnorm(low, low + width)
    key = stream.key(11, f"{low} {width}")
    x = stream.trunc_normal_(torch.empty(N // 4), key, 0.0, 1.0, low, low + width).double()
    assert x.min() >= low
    assert x.max() <= low + width
    cells = (
        torch.tensor(distribution.cdf(x.numpy()) * 64).long().clamp_(0, 63).bincount(minlength=64)
    )
    assert abs(chi_squared(cells.double(), N / 4 / 64)) < SIGMAS
    assert abs(x.mean().item() - distribution.mean()) < SIGMAS * distribution.std() / math.sqrt(
        N / 4
    )


def test_bernoulli_and_choice_have_their_frequencies():
    key = stream.key(0, "mask", 1)
    for p in (0.001, 0.25, 0.9):
        share = stream.bernoulli(key, p, 0, N).double().mean().item()
        assert abs(share - p) < SIGMAS * math.sqrt(p * (1 - p) / N)
    counts = stream.choice(key, 1000, 0, N).bincount(minlength=1000).double()
    assert abs(chi_squared(counts, N / 1000)) < SIGMAS


def test_elements_far_out_are_as_good_as_the_first():
    for start in (2**33 - N // 2, 2**40 + 77, 2**62):
        z = normals(stream.key(5, "far"), N, start).numpy()
        assert math.sqrt(N) * stats.kstest(z, stats.norm.cdf).statistic < KS
