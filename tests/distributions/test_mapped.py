"""Growing functions of distributions: there and back, and of what keeps its own form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import plan_init
from initkit.check.sample import TensorSample
from initkit.distributions import (
    Arange,
    Blocks,
    Constant,
    Distribution,
    Eye,
    Mapped,
    Normal,
    Orthogonal,
    Source,
    Sum,
    Uniform,
)
from initkit.distributions.maps import Map, backward, falling, through

MAPS: list[Map] = [
    ("log", 0.0),
    ("exp", 0.0),
    ("inverse softplus", 0.0),
    ("times", -3.0),
    ("plus", 0.25),
    ("at least", 0.5),
]


@pytest.mark.parametrize("step", MAPS, ids=lambda step: step[0])
def test_every_map_has_its_inverse(step: Map) -> None:
    x = torch.linspace(0.6, 4.0, 50, dtype=torch.float64)
    back = backward(through(x, [step]), (step,))
    assert torch.allclose(back, x, rtol=1e-14, atol=1e-14)
    assert falling([step]) is (step[0] == "times")


@pytest.mark.parametrize(
    ("distribution", "text", "cls"),
    [
        (Constant(1.0), "constant 2.718", Constant),
        (Uniform(0.0, 1.0), "log-uniform(1, 2.718)", Mapped),
        (Normal(0.0, 1.0), "exp of N(0, 1)", Mapped),
        (Normal(0.0, 1.0).mapped("times", 2.0), "exp of 2 x N(0, 1)", Mapped),
        (Arange((3,)), "exp of (0, 1, 2)", Arange),
    ],
    ids=str,
)
def test_a_mapped_distribution_says_so_and_stays_in_its_form(
    distribution: Distribution, text: str, cls: type[Distribution]
) -> None:
    mapped = distribution.mapped("exp")
    assert str(mapped) == text
    assert type(mapped) is cls


@pytest.mark.parametrize(
    "part",
    [Normal(0.0, 1.0), Eye((4, 4), (1, 4, 4)), Blocks((Normal(0.0, 1.0), Normal(1.0, 2.0)), 8),
     Orthogonal((4, 4), 1.0, (1, 4, 4))],
    ids=str,
)  # fmt: skip
def test_a_mapped_distribution_has_the_traits_of_what_is_mapped(part: Distribution) -> None:
    mapped = part.mapped("exp")
    for trait in ("elementwise", "random", "iid", "placed", "shape_matters", "complex_as_pairs"):
        assert getattr(mapped, trait) is getattr(part, trait), trait


def test_a_mapped_matrix_is_drawn_for_a_block_as_it_is_written_by_itself() -> None:
    mapped = Orthogonal((6, 6), 1.0, (1, 6, 6)).mapped("exp")
    source, alone, blocks = Source(0, "w"), torch.empty(36), torch.empty(72)
    mapped.write(alone, source)
    Blocks((mapped, Constant(1.0)), 72).write(blocks, source)
    assert torch.equal(blocks[:36], alone)


def test_a_mapped_identity_is_compared_and_not_tested_as_a_sample() -> None:
    mapped = Eye((4, 4), (1, 4, 4)).mapped("exp")
    tensor = torch.empty(4, 4)
    mapped.write(tensor.view(-1), Source(0, "w"))
    (test,) = TensorSample(mapped, [tensor]).tests()
    assert test.p == 1
    tensor[0, 1] = 2
    (test,) = TensorSample(mapped, [tensor]).tests()
    assert test.text == "1 elements differ, the first at [0, 1]: 2 for 1"


def test_what_is_mapped_stands_in_brackets_where_it_is_made_of_several() -> None:
    two = Sum((2, 2), Uniform(0.0, 1.0), Uniform(0.0, 2.0))
    assert str(two.mapped("exp")) == "exp of (U(0, 1) + U(0, 2))"
    assert str(two.mapped("rounded", 0.1)) == "(U(0, 1) + U(0, 2)) rounded to multiples of 0.1"
    shifted = Uniform(0.0, 1.0).mapped("exp").mapped("plus", 1.0)
    assert str(shifted.mapped("times", 2.0)) == "2 x (log-uniform(1, 2.718) + 1)"


def test_what_is_shifted_stands_in_brackets_where_it_has_parts() -> None:
    lstm = nn.LSTM(8, 4)
    rules = {"weight*": 0, "bias_hh*": 0, "bias_ih*": "shifted(chrono(100), 1)"}
    start = plan_init(lstm, rules)["bias_ih_l0"].start
    assert start.startswith("(") and start.endswith(") + 1") and " | " in start
    parts = plan_init({"w": torch.zeros(40, 9)}, {"w": "shifted(sparse(sparsity=0.1), -2)"})["w"]
    assert parts.start == "(N(0, 0.01), 4 zeros per column) - 2"
    assert str(Uniform(0.0, 1.0).mapped("exp").shifted(1.0)) == "log-uniform(1, 2.718) + 1"
