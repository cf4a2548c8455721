"""Schemes whose spread follows from the fans, against torch's own arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from initkit import distributions, plan_init, schemes
from initkit.numbers import MODES, Fans, Layout
from initkit.schemes import Site, read_scheme

LINEAR = Site((300, 200), layout=Layout.parse("out in"))


TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_uniform(gain=3)": lambda t: nn.init.xavier_uniform_(t, gain=3),
    "xavier_normal": nn.init.xavier_normal_,
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "kaiming_uniform(a=sqrt(5))": lambda t: nn.init.kaiming_uniform_(t, a=math.sqrt(5)),
    "kaiming_normal": nn.init.kaiming_normal_,
    "kaiming_normal(mode='fan_out')": lambda t: nn.init.kaiming_normal_(t, mode="fan_out"),
    "kaiming_normal(nonlinearity='relu', a=2)": lambda t: nn.init.kaiming_normal_(
        t, 2, nonlinearity="relu"
    ),
    "kaiming_normal(nonlinearity='tanh')": lambda t: nn.init.kaiming_normal_(
        t, nonlinearity="tanh"
    ),
}


def numbers_of_torch(
    function: Callable[[torch.Tensor], torch.Tensor],
    shape: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[float, float]:
    """Return the two numbers that torch hands to ``normal_`` or ``uniform_``."""
    seen: list[tuple[float, float]] = []

    def record(tensor: torch.Tensor, a: float, b: float, *_: object, **__: object) -> torch.Tensor:
        seen.append((a, b))
        return tensor

    monkeypatch.setattr(nn.init, "_no_grad_normal_", record)
    monkeypatch.setattr(nn.init, "_no_grad_uniform_", record)
    monkeypatch.setattr(torch.Tensor, "normal_", record)
    monkeypatch.setattr(torch.Tensor, "uniform_", record)
    function(torch.empty(shape))
    monkeypatch.undo()
    return seen[0]


@pytest.mark.parametrize("text", TORCH)
@pytest.mark.parametrize("shape", [(30, 20), (16, 8, 3), (16, 8, 3, 5), (4, 6, 2, 3, 2)])
def test_fans_of_the_tensor_give_the_numbers_of_torch(
    text: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = numbers_of_torch(TORCH[text], shape, monkeypatch)
    call = text[:-1] + ", fans='tensor')" if text.endswith(")") else text + "(fans='tensor')"
    got = read_scheme(call).resolve(Site(shape))
    pair = (got.mean, got.std) if isinstance(got, distributions.Normal) else (got.low, got.high)
    assert pair == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("text", TORCH)
@pytest.mark.parametrize(
    "module", [nn.Linear(20, 30), nn.Conv1d(8, 16, 3), nn.Conv2d(8, 16, 3), nn.Conv3d(4, 6, 2)]
)
def test_linear_and_convolution_have_the_numbers_of_torch(
    text: str, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = numbers_of_torch(TORCH[text], tuple(module.weight.shape), monkeypatch)
    got = plan_init(module, {"weight": text, "*": "keep"})["weight"].distribution
    pair = (got.mean, got.std) if isinstance(got, distributions.Normal) else (got.low, got.high)
    assert pair == pytest.approx(wanted, rel=1e-14)


@given(
    scale=st.floats(0.01, 10),
    mode=st.sampled_from(MODES),
    kind=st.sampled_from(["normal", "uniform", "truncated_normal"]),
    fan_in=st.integers(1, 5000),
    fan_out=st.integers(1, 5000),
)
def test_variance_scaling_has_the_variance_that_it_promises(
    scale: float, mode: str, kind: str, fan_in: int, fan_out: int
) -> None:
    site = Site((fan_out, fan_in), layout=Layout.parse("out in"))
    got = schemes.VarianceScaling(scale=scale, mode=mode, distribution=kind).resolve(site)
    assert got.std**2 == pytest.approx(scale / Fans(fan_in, fan_out).of(mode), rel=1e-9)


def test_a_function_of_the_shape_only_is_allowed_where_the_user_says_so() -> None:
    got = read_scheme("kaiming_normal(fans='tensor')").resolve(Site((4, 5, 6)))
    assert got.std == pytest.approx(math.sqrt(2 / 30))


def start(model: nn.Module, name: str, text: str) -> distributions.Distribution:
    got = plan_init(model, {name: text, "*": "keep"})[name].distribution
    assert got is not None
    return got


def test_fans_are_those_of_the_module() -> None:
    """The shape alone would say otherwise for every one of these."""
    cases: list[tuple[nn.Module, str, int, int]] = [
        (nn.Conv2d(8, 16, 3, groups=4), "weight", 2 * 9, 4 * 9),
        (nn.Conv2d(16, 16, 3, groups=16), "weight", 9, 9),
        (nn.ConvTranspose2d(8, 4, 4), "weight", 8 * 16, 4 * 16),
        (nn.ConvTranspose2d(8, 4, 4, groups=2), "weight", 4 * 16, 2 * 16),
        (nn.MultiheadAttention(12, 3), "in_proj_weight", 12, 12),
        (nn.MultiheadAttention(12, 3, kdim=5, vdim=6), "k_proj_weight", 5, 12),
        (nn.LSTM(5, 7), "weight_ih_l0", 5, 7),
        (nn.GRU(5, 7), "weight_hh_l0", 7, 7),
        (nn.Bilinear(3, 4, 5), "weight", 12, 5),
        (nn.Embedding(10, 4), "weight", 4, 10),
    ]
    for model, name, fan_in, fan_out in cases:
        assert start(model, name, "lecun_normal").std == pytest.approx(fan_in**-0.5)
        fan_out_std = start(model, name, "kaiming_normal(mode='fan_out', nonlinearity='linear')")
        assert fan_out_std.std == pytest.approx(fan_out**-0.5)


def test_an_activation_module_is_as_good_as_its_name() -> None:
    by_module = schemes.KaimingNormal(nonlinearity=nn.LeakyReLU(0.2)).resolve(LINEAR)
    by_name = schemes.KaimingNormal(nonlinearity="leaky_relu", a=0.2).resolve(LINEAR)
    assert by_module == by_name
    gelu = schemes.KaimingNormal(nonlinearity=nn.GELU()).resolve(LINEAR)
    assert gelu == schemes.KaimingNormal(nonlinearity="gelu").resolve(LINEAR)
