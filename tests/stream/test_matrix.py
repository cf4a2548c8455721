"""Matrices drawn as a whole are orthogonal, Haar-distributed, and the same for any threads."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from initkit import stream
from initkit.stream import matrix

KEY = stream.key(0, "q")
SHAPES = [(1, 1), (1, 7), (7, 1), (5, 5), (3, 9), (9, 3), (128, 128), (129, 200), (300, 140)]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("rows", "cols"), SHAPES)
def test_the_shorter_side_is_orthonormal(rows, cols):
    q = stream.haar(rows, cols, KEY)
    assert q.shape == (rows, cols)
    assert q.dtype == torch.float64
    gram = q @ q.T if rows < cols else q.T @ q
    assert (gram - torch.eye(min(rows, cols), dtype=q.dtype)).abs().max() < 1e-14 * max(rows, cols)


def test_the_gain_multiplies():
    assert torch.allclose(stream.haar(6, 4, KEY, 3.0), 3.0 * stream.haar(6, 4, KEY))


def test_the_product_is_lapacks():
    for n, tall in ((4, 4), (130, 130), (50, 300), (300, 301)):
        v = torch.randn(n, tall, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
        tau, _ = matrix.reflectors(v)
        want = torch.linalg.householder_product(v.T.contiguous(), tau).T
        matrix.expand(v, tau)
        assert (v - want).abs().max() < 1e-13


def test_it_is_the_positive_qr_factor_of_what_the_first_reflection_starts_from():
    """The first column of Q is the first row of normals, scaled to length one."""
    x = stream.normal_(torch.empty(5, 8, dtype=torch.float64), KEY, 0.0, 1.0)
    q = stream.haar(8, 5, KEY)
    assert torch.allclose(q[:, 0], x[0] / x[0].norm())


def test_blocks_of_one_tensor_take_disjoint_scratch():
    second = stream.haar(6, 4, KEY, first=24)
    assert not torch.allclose(second, stream.haar(6, 4, KEY))
    x = stream.normal_(torch.empty(4, 6, dtype=torch.float64), KEY, 0.0, 1.0, 24)
    assert torch.allclose(second[:, 0], x[0] / x[0].norm())


def test_the_bits_do_not_depend_on_threads():
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(stream.haar(310, 290, KEY))
        stream.run([lambda: found.append(stream.haar(310, 290, KEY))] * 3, 2)
    assert len(found) == 12
    assert all(torch.equal(q, found[0]) for q in found)


@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (3, 5), (5, 3)])
def test_the_distribution_is_haars(rows, cols):
    """Entries, trace and determinant have the moments of the uniform distribution on O(n)."""
    samples, tall, size = 4000, max(rows, cols), rows * cols
    key = stream.key(1, "haar")
    q = torch.stack([matrix._haar(rows, cols, key, 1.0, i * size) for i in range(samples)])
    fourth = 3 / (tall * (tall + 2))
    for i in range(rows):
        for j in range(cols):
            x = q[:, i, j]
            assert abs(x.mean().item()) < 4.9 * math.sqrt(1 / tall / samples)
            assert abs((x**2).mean().item() - 1 / tall) < 4.9 * math.sqrt(fourth / samples)
            assert abs((x**4).mean().item() - fourth) < 4.9 * math.sqrt(0.1 / samples)
            d = stats.kstest((x**2).numpy(), stats.beta(0.5, (tall - 1) / 2).cdf).statistic
            assert math.sqrt(samples) * d < 2.7
    # Between entries: Haar columns turned by any fixed rotation are Haar again.
    u, v = torch.ones(rows).double() / rows**0.5, torch.arange(1.0, cols + 1).double()
    turned = (u @ q @ (v / v.norm())) ** 2
    assert abs(turned.mean().item() - 1 / tall) < 4.9 * math.sqrt(fourth / samples)
    if rows == cols:
        trace = q.diagonal(dim1=1, dim2=2).sum(1)
        assert abs(trace.mean().item()) < 4.9 / math.sqrt(samples)
        assert abs((trace**2).mean().item() - 1) < 4.9 * math.sqrt(2 / samples)
        mirrored = (torch.linalg.det(q) < 0).double().mean().item()
        assert abs(mirrored - 0.5) < 4.9 * 0.5 / math.sqrt(samples)
