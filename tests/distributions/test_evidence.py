"""The binomial bound behind the tests that distributions bring."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from initkit.distributions import binomial


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.data())
@settings(max_examples=60, deadline=None)
def test_the_binomial_bound_is_never_below_the_exact_tail(n: int, p: float, data) -> None:
    hits = data.draw(st.integers(0, n))
    ways = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    tail = sum(ways[hits:]) if hits / n >= p else sum(ways[: hits + 1])
    assert binomial(hits, n, (p, p)) >= tail * (1 - 1e-9)
