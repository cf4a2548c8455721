"""What code draws comes out as the distribution that the values have, however it is written."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from initkit import check_init, record_init, recording
from initkit.distributions import (
    Blocks,
    Constant,
    Dirac,
    Distribution,
    Eye,
    Mapped,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
)

ROWS, COLUMNS = 40, 30
Draw = Callable[[Tensor], object]


def bag(fill: Draw) -> nn.Module:
    """Return a module with one parameter, which a function fills in place or returns anew."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.empty(ROWS, COLUMNS))
    with torch.no_grad():
        made = fill(module.weight)
        if isinstance(made, Tensor) and made is not module.weight:
            module.weight = nn.Parameter(made)
    return module


def own_trunc_normal(w: Tensor) -> Tensor:
    """Cut a normal by the quantiles of a uniform, as code did before torch had a function."""
    low, high = (math.erf(x / math.sqrt(2)) for x in (-1.5, 2.0))
    return w.uniform_(low, high).erfinv_().mul_(0.02 * math.sqrt(2)).add_(0.1).clamp_(0.07, 0.14)


def inverse_softplus(w: Tensor) -> Tensor:
    """Mamba's time steps: log-uniform, then softplus undone."""
    steps = torch.exp(torch.rand_like(w) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
    steps = steps.clamp(min=1e-4)
    return w.copy_(steps + torch.log(-torch.expm1(-steps)))


def other_inverse_softplus(w: Tensor) -> Tensor:
    """The same map as log(exp(x) - 1)."""
    return w.uniform_(1, 2).exp_().sub_(1).log_()


def by_qr(w: Tensor) -> Tensor:
    """An orthogonal matrix by hand."""
    q, r = torch.linalg.qr(torch.randn(w.shape))
    return 2 * q * torch.diag(r).sign()


def gates(w: Tensor) -> None:
    """Four gates: two distributions, a constant, and an orthogonal matrix."""
    a, b, c, d = w.chunk(4)
    a.normal_(0, 0.1)
    b.uniform_(-1, 1)
    c.fill_(1)
    nn.init.orthogonal_(d)


LAWS: list[tuple[str, Draw, Distribution]] = [
    ("normal_", lambda w: w.normal_(0.5, 0.02), Normal(0.5, 0.02)),
    ("nn.init.normal_", lambda w: nn.init.normal_(w, std=0.02), Normal(0.0, 0.02)),
    ("randn", lambda w: torch.randn(w.shape) * 0.02, Normal(0.0, 0.02)),
    ("randn_like", lambda w: torch.randn_like(w).div(4).neg(), Normal(0.0, 0.25)),
    ("torch.normal", lambda w: torch.normal(1.0, 2.0, w.shape), Normal(1.0, 2.0)),
    ("out=", lambda w: torch.randn(w.shape, out=torch.empty(w.shape)), Normal(0.0, 1.0)),
    ("a tensor's std", lambda w: torch.randn(w.shape) * torch.tensor(0.5), Normal(0.0, 0.5)),
    ("sum", lambda w: 3 * torch.randn(w.shape) + 4 * torch.randn(w.shape), Normal(0.0, 5.0)),
    ("uniform_", lambda w: w.uniform_(-0.1, 0.1), Uniform(-0.1, 0.1)),
    ("rand", lambda w: torch.rand(w.shape) * 2 - 1, Uniform(-1.0, 1.0)),
    ("rsub", lambda w: 1 - torch.rand(w.shape), Uniform(0.0, 1.0)),
    ("rand of no width", lambda w: w.uniform_(3, 3), Constant(3.0)),
    ("kaiming", lambda w: nn.init.kaiming_normal_(w), Normal(0.0, math.sqrt(2 / COLUMNS))),
    ("transposed", lambda w: w.t().normal_(0, 2), Normal(0.0, 2.0)),
    ("overwritten", lambda w: nn.init.zeros_(w.normal_()).add_(2), Constant(2.0)),
    ("scaled by 0", lambda w: w.normal_().mul_(0), Constant(0.0)),
    ("full", lambda w: torch.full(w.shape, 0.1), Constant(0.1)),
    ("ones", lambda w: 1e-6 * torch.ones(w.shape), Constant(1e-6)),
    (
        "nn.init.trunc_normal_",
        lambda w: nn.init.trunc_normal_(w, std=0.02, a=-0.04, b=0.04),
        TruncatedNormal(0.0, 0.02, -0.04, 0.04),
    ),
    (
        "trunc_normal_, scaled",
        lambda w: nn.init.trunc_normal_(w, a=-1, b=1).mul_(0.5).add_(1),
        TruncatedNormal(1.0, 0.5, 0.5, 1.5),
    ),
    ("erfinv", own_trunc_normal, TruncatedNormal(0.1, 0.02, 0.07, 0.14)),
    ("exp", lambda w: w.normal_().exp_(), Mapped(Normal(0.0, 1.0), (("exp", 0.0),))),
    ("log", lambda w: w.uniform_(1, 16).log_(), Mapped(Uniform(1.0, 16.0), (("log", 0.0),))),
    (
        "inverse softplus",
        other_inverse_softplus,
        Mapped(Uniform(1.0, 2.0), (("inverse softplus", 0.0),)),
    ),
    (
        "orthogonal_",
        lambda w: nn.init.orthogonal_(w, gain=2),
        Orthogonal((ROWS, COLUMNS), 2.0, (1, ROWS, COLUMNS)),
    ),
    ("by QR", by_qr, Orthogonal((ROWS, COLUMNS), 2.0, (1, ROWS, COLUMNS))),
    ("eye_", lambda w: nn.init.eye_(w), Eye((ROWS, COLUMNS), (1, ROWS, COLUMNS))),
    (
        "sparse_",
        lambda w: nn.init.sparse_(w, 0.25),
        Sparse((ROWS, COLUMNS), 0.01, 10, (1, ROWS, COLUMNS)),
    ),
    (
        "gates",
        gates,
        Blocks(
            (
                Normal(0.0, 0.1),
                Uniform(-1.0, 1.0),
                Constant(1.0),
                Orthogonal((10, COLUMNS), 1.0, (1, 10, COLUMNS)),
            ),
            ROWS * COLUMNS,
        ),
    ),
    (
        "masked",
        lambda w: w.normal_().mul_((torch.arange(ROWS) < 20).float()[:, None]),
        Blocks((Normal(0.0, 1.0), Constant(0.0)), ROWS * COLUMNS),
    ),
    (
        "concatenated",
        lambda w: torch.cat([torch.zeros(20, COLUMNS), torch.randn(20, COLUMNS)]),
        Blocks((Constant(0.0), Normal(0.0, 1.0)), ROWS * COLUMNS),
    ),
    ("halves alike", lambda w: [part.normal_(0, 2) for part in w.chunk(2)], Normal(0.0, 2.0)),
]


@pytest.mark.parametrize(("draw", "law"), [row[1:] for row in LAWS], ids=[row[0] for row in LAWS])
def test_a_way_to_draw_is_read_as_its_distribution(draw: Draw, law: Distribution) -> None:
    torch.manual_seed(0)
    plan = record_init(bag, draw)
    found = plan["weight"].distribution
    assert type(found) is type(law)
    assert str(found) == str(law)
    assert found.moments == pytest.approx(law.moments, rel=1e-12)
    torch.manual_seed(1)
    assert check_init(bag(draw), plan).ok  # a build that was not recorded
    again = bag(draw)
    plan.apply(again, seed=0)
    assert check_init(again, plan).ok


def test_the_time_steps_of_mamba_are_read_through_every_map() -> None:
    found = record_init(bag, inverse_softplus)["weight"]
    assert found.start == "inverse softplus of log-uniform(0.001, 0.1)"


def test_a_convolution_starts_as_the_identity() -> None:
    def build() -> nn.Module:
        model = nn.Conv2d(4, 8, 3, groups=2, bias=False)
        nn.init.dirac_(model.weight, groups=2)
        return model

    plan = record_init(build)
    assert plan["weight"].distribution == Dirac((8, 2, 3, 3), 2)
    assert check_init(build(), plan).ok


TABLES: list[tuple[str, Draw]] = [
    ("arange", lambda w: torch.arange(ROWS * COLUMNS).view(ROWS, COLUMNS) / 7),
    ("sines", lambda w: torch.sin(torch.arange(ROWS)[:, None] / torch.arange(1, COLUMNS + 1))),
    ("triangle", lambda w: torch.ones(ROWS, COLUMNS).tril()),
    ("a list", lambda w: torch.tensor([[0.5, 0.25]])),
    ("numpy", lambda w: torch.from_numpy(torch.arange(6.0).numpy().copy()) * 2),
    ("places", lambda w: w.zero_().fill_diagonal_(1).index_fill_(0, torch.tensor([3]), 2)),
]


@pytest.mark.parametrize("draw", [row[1] for row in TABLES], ids=[row[0] for row in TABLES])
def test_values_that_no_randomness_made_are_a_table(draw: Draw) -> None:
    plan = record_init(bag, draw)
    assert plan["weight"].start.startswith("table")
    again = bag(draw)
    plan.apply(again, seed=3)
    assert torch.equal(again.weight, plan.model.weight)


UNKNOWN: list[tuple[str, Draw, str]] = [
    ("product", lambda w: torch.randn(ROWS, 8) @ torch.randn(8, COLUMNS), "mm(N(0, 1), N(0, 1))"),
    ("cube", lambda w: w.normal_().pow_(3), "pow(N(0, 1), 3)"),
    ("half normal", lambda w: w.normal_().abs_(), "abs(N(0, 1))"),
    ("q alone", lambda w: torch.linalg.qr(torch.randn(8, 8))[0], "qr Q(orthogonal)"),
    ("same twice", lambda w: w.normal_() + w, "add(N(0, 1), N(0, 1))"),
    ("a row for all", lambda w: torch.randn(1, COLUMNS).repeat(4, 1), "repeated(N(0, 1))"),
    ("expanded", lambda w: w.copy_(torch.randn(1, COLUMNS)), "repeated(N(0, 1))"),
    ("broadcast", lambda w: torch.randn(1, COLUMNS) + torch.zeros(4, 1), "add(N(0, 1), 0)"),
    ("picked twice", lambda w: torch.randn(9, 4)[[0, 0, 1]], "repeated(N(0, 1))"),
    ("doubled", lambda w: torch.cat([w.normal_()] * 2), "repeated(N(0, 1))"),
    ("scattered", lambda w: w.zero_().index_fill_(0, torch.randperm(4), 1), "put at random places"),
    ("coins", lambda w: torch.bernoulli(torch.full((4, 4), 0.5)), "bernoulli values"),
    ("never written", lambda w: w, "memory that was never written"),
    ("half written", lambda w: [w[:20].normal_()], "memory that was never written in part"),
]


@pytest.mark.parametrize(
    ("draw", "seen"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN]
)
def test_what_no_distribution_explains_is_listed_with_what_was_seen(draw: Draw, seen: str) -> None:
    plan = record_init(bag, draw)
    step = plan["weight"]
    assert (step.status, step.start) == ("unexplained", "not explained")
    assert step.note.startswith(seen)
    assert f"not explained: weight {list(step.shape)}: {step.note}" in plan.text()


def test_python_and_numpy_randomness_is_named() -> None:
    import random

    import numpy as np

    def by_python() -> nn.Module:
        module = nn.Module()
        module.weight = nn.Parameter(torch.tensor([random.random() for _ in range(8)]))
        return module

    def by_numpy() -> nn.Module:
        module = nn.Module()
        module.weight = nn.Parameter(torch.from_numpy(np.random.rand(8)).float())  # noqa: NPY002
        return module

    assert "after Python's random was used" in record_init(by_python)["weight"].note
    assert "after numpy.random was used" in record_init(by_numpy)["weight"].note


def test_values_from_before_the_recording_are_not_guessed() -> None:
    weight = nn.Parameter(torch.randn(3))
    module = nn.Module()
    with recording() as record:
        module.weight = weight
    assert record.plan(module)["weight"].note == "no operation was seen to write it"


def test_a_padding_row_belongs_to_its_embedding() -> None:
    plan = record_init(nn.Embedding, 50, 16, padding_idx=3)
    step = plan["weight"]
    assert (step.start, step.padding) == ("N(0, 1)", 3)
    assert check_init(nn.Embedding(50, 16, padding_idx=3), plan).ok
    drawn = record_init(lambda: _drawn_padding())["weight"]
    assert drawn.padding is None


def _drawn_padding() -> nn.Module:
    model = nn.Embedding(50, 16, padding_idx=3)
    nn.init.normal_(model.weight)
    return model


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_and_casts_keep_what_was_drawn(dtype: torch.dtype) -> None:
    def build() -> nn.Module:
        return nn.Linear(64, 64).to(dtype)

    plan = record_init(build)
    assert (plan["weight"].start, plan["weight"].dtype) == ("U(-0.125, 0.125)", dtype)
    assert check_init(build(), plan).ok


def test_weights_that_are_computed_are_read_through_their_parametrization() -> None:
    def build() -> nn.Module:
        return nn.utils.parametrizations.weight_norm(nn.Linear(64, 32))

    plan = record_init(build)
    assert plan["weight"].start == "U(-0.125, 0.125)"
    assert check_init(build(), plan).ok
