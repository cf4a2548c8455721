"""The scheme that says a distribution's numbers, whatever maps its values went through."""

from __future__ import annotations

import pytest

from initkit.record.generalize_literals import literal
from initkit.schemes import Site, read_scheme


@pytest.mark.parametrize("form", [
    "shifted(log_uniform(1, 2), 3)",
    "rounded(scaled(exp_of(normal), -2), 0.5)",
    "shifted(indexed(i + 10*j), 3)",
    "log_of(shifted(arange, 1))",
    "sum(uniform(0, 1), indexed(1/(i + 1)))",
    "product(sum(uniform(0, 1), normal), normal(std=2))",
    "he_orthogonal(gain=2)",
    "product(shifted(log_of(uniform(0, 1)), 2), indexed(1/(i + 1)))",
    "inverse_softplus_of(log_uniform(0.001, 0.1, floor=1e-4))",
])  # fmt: skip
def test_every_map_comes_back_as_the_scheme_that_makes_it(form: str) -> None:
    site = Site((6, 4))
    made = read_scheme(form).resolve(site)
    said = literal(made)
    assert said is not None
    assert said.resolve(site) == made
