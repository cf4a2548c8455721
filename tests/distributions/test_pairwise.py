"""Sums and products of independent values: their algebra, their CDF and their streams."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stats import ks_distance
from torch import Tensor

from initkit.distributions import (
    Arange,
    Constant,
    Distribution,
    Eye,
    Normal,
    Orthogonal,
    Product,
    Source,
    Sum,
    TruncatedNormal,
    Uniform,
    from_dict,
    sum_of,
)
from initkit.errors import OptionError
from initkit.schemes import Site, read_scheme

SHAPE = (40, 50)
EYE, LINE = Eye(SHAPE, (1, 40, 50)), Arange(SHAPE)
TERMS = (Constant(2.0), Normal(1.0, 3.0), Normal(0.0, 4.0), Uniform(-1.0, 1.0), EYE, LINE)


def resolved(form: str) -> Distribution:
    return read_scheme(form).resolve(Site(SHAPE))


@settings(max_examples=15, deadline=None)
@given(picked=st.lists(st.sampled_from(TERMS), min_size=1, max_size=5))
def test_moments_of_a_sum_add_up_however_its_terms_are_grouped(picked: list[Distribution]) -> None:
    made = sum_of(SHAPE, *picked)
    at_once = made.moments
    by_steps = picked[0]
    for term in picked[1:]:
        by_steps = sum_of(SHAPE, by_steps, term)
    assert at_once is not None and by_steps.moments is not None
    assert by_steps.moments == pytest.approx(at_once, rel=1e-9, abs=1e-9)
    assert at_once[0] == pytest.approx(math.fsum(t.mean or 0.0 for t in picked), abs=1e-9)
    assert sum(isinstance(d, Normal) for d in (made, *made.inner())) <= 1
    assert from_dict(made.to_dict(), SHAPE) == made


@pytest.mark.parametrize(("form", "text"), [
    ("sum(normal, 2)", "N(2, 1)"),
    ("sum(0, uniform)", "U(0, 1)"),
    ("sum('normal(std=3)', 'normal(mean=1, std=4)')", "N(1, 5)"),
    ("sum(normal, eye)", "identity + N(0, 1)"),
    ("sum(eye, indexed(i))", "identity + (0, 1, ..., 49) along axis -1"),
    ("shifted(sum(eye, uniform), 2)", "identity + U(2, 3)"),
    ("scaled(sum(eye, normal), 2)", "2 x identity + N(0, 2)"),
    ("scaled(sum(eye, normal), 0)", "constant 0"),
    ("sum(sum(eye, normal), sum(indexed(i), 'normal(std=2)'))",
     "identity + (0, 1, ..., 49) along axis -1 + N(0, 2.236)"),
    ("product(sum(uniform, normal), 'uniform(1, 2)')", "(U(0, 1) + N(0, 1)) x U(1, 2)"),
])  # fmt: skip
def test_a_sum_says_what_it_is_in_its_simplest_form(form: str, text: str) -> None:
    assert str(resolved(form)) == text


@pytest.mark.parametrize(("form", "text"), [
    ("sum(blocks(normal, 'uniform'), indexed(i))", "both go by the place, so that"),
    ("product(sum(eye, normal), indexed(i))", "write blocks(product(...), product(...))"),
    ("sum(product(normal, uniform), product(uniform, uniform))", "both of its schemes are"),
])  # fmt: skip
def test_what_nobody_knows_is_refused_in_words(form: str, text: str) -> None:
    made = resolved(form)
    assert text in made.misfit(SHAPE)


def test_what_stands_for_a_whole_tensor_is_no_term() -> None:
    with pytest.raises(
        OptionError, match="sum: keep stands for a whole tensor, not for one of its"
    ):
        read_scheme("sum(keep, normal)")


def drawn(made: Distribution, seed: int = 0) -> Tensor:
    return made.draw(Source(seed, "w")).view(-1)


@pytest.mark.parametrize("form", [
    "sum(uniform, 'uniform(-2, 1)')",
    "sum('trunc_normal(low=-1, high=3)', exp_of(normal))",
    "sum(zero_mask_uniform(-1, 1, threshold=0.5), 'uniform(0, 0.1)')",
    "sum(sum(uniform, normal), exp_of('normal(std=2)'))",
    "product(sum(uniform, normal), 'uniform(-1, 2)')",
    "sum(indexed(i*i/500), normal)",
])  # fmt: skip
def test_the_cdf_is_that_of_the_values(form: str) -> None:
    made = read_scheme(form).resolve(Site((60, 80)))
    values = made.draw(Source(0, "w")).view(-1)
    # 4,800 values: a distance of 2.5 / sqrt(n) has the chance exp(-2 2.5^2), 4 in a million.
    assert ks_distance(values, made) < 2.5 / math.sqrt(4_800)


def test_the_sum_of_two_uniforms_has_a_triangle_for_its_density() -> None:
    x = torch.linspace(0, 2, 41).double()
    wanted = torch.where(x < 1, x**2 / 2, 1 - (2 - x) ** 2 / 2)
    found = Sum(SHAPE, Uniform(0.0, 1.0), Uniform(0.0, 1.0)).cdf(x)
    assert torch.allclose(found, wanted, atol=2e-5)


def test_the_atoms_of_a_sum_are_those_of_both() -> None:
    made = Sum(SHAPE, Normal(0.0, 1.0).mapped("at least", 0.0), EYE)
    assert made.atoms == pytest.approx({0.0: 0.49, 1.0: 0.01})


@pytest.mark.parametrize("form", [
    "sum(sum(uniform, normal), product(normal, uniform))",
    "product(sum(uniform, exp_of(normal)), normal)",
    "product(blocks('orthogonal(fans=tensor)', 'orthogonal(fans=tensor)', dim=1), normal)",
])  # fmt: skip
def test_no_two_parts_draw_from_one_stream(form: str) -> None:
    """Values of two parts from one stream would go up and down together."""
    made = read_scheme(form).resolve(Site((200, 50)))
    asked: list[tuple[int, int]] = []

    class Asked(Source):
        def block(self, index: int) -> Source:
            found = super().block(index)
            return Asked(found.seed, found.name, found.prefix, found.pair)

        def __getattribute__(self, name: str) -> object:
            value = object.__getattribute__(self, name)
            if name == "values":
                asked.append(value)
            return value

    made.draw(Asked(0, "w"))
    assert len(asked) == len(set(asked)) >= 3


def test_what_a_file_may_hold_is_no_end_of_what_is_made_of_it(tmp_path: object) -> None:
    """A dtype reaches to 1e38; what is planned goes by the values that the file has."""
    path = f"{tmp_path}/w.pt"
    torch.save(torch.full(SHAPE, 3.0), path)
    for form in ("product", "sum"):
        low, high = resolved(f"{form}(from_tensor({path!r}), uniform)").reach
        assert -1 <= low < high <= 4


def test_an_orthogonal_matrix_may_be_a_term() -> None:
    made = sum_of((40, 40), Eye((40, 40), (1, 40, 40)), Orthogonal((40, 40), 1.0, (1, 40, 40)))
    values = made.draw(Source(0, "w")) - torch.eye(40)
    assert torch.allclose(values @ values.T, torch.eye(40).double(), atol=1e-5)
    assert not made.elementwise


def test_a_product_with_what_is_not_drawn_keeps_its_order() -> None:
    made = Product(SHAPE, TruncatedNormal(0.0, 1.0, 1.0, 2.0), LINE)
    values = drawn(made).view(SHAPE)
    assert bool((values[:, 0] == 0).all()) and bool((values[:, 1:] > 0).all())


def test_the_variances_of_independent_values_add_up() -> None:
    normal, uniform = Normal(1.0, 3.0), Uniform(-1.0, 2.0)  # of variance 9, and of 9/12
    assert Sum(SHAPE, normal, uniform).moments == pytest.approx((1.5, math.sqrt(9.75)))
    # E x^2 y^2 - (E x E y)^2 = 10 (0.25 + 0.75) - 0.25
    assert Product(SHAPE, normal, uniform).moments == pytest.approx((0.5, math.sqrt(9.75)))
