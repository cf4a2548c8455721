"""What a probe measures is what mean-field theory predicts."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from signal_models import mlp
from torch import Tensor, nn

from initkit import coordinate_check, probe_init
from initkit.signal.report import Probe

RELU, TANH = nn.ReLU, nn.Tanh


def probed(depth: int, width: int, act: type[nn.Module] | None, scheme: str, seed: int) -> Probe:
    torch.manual_seed(seed)
    x = torch.randn(128, width)
    return probe_init(mlp(depth, width, act), x, rules={"*.weight": scheme}, seed=seed)


# The weights are drawn once a layer: a factor fluctuates by about sqrt(5 / (4 width depth)) for
# ReLU, which is 1 % here, and the tolerance is three times that.
@pytest.mark.parametrize(
    ("act", "scheme", "factor"),
    [
        (RELU, "xavier_normal", math.sqrt(1 / 2)),
        (RELU, "normal(std=0.01)", 0.01 * math.sqrt(300 / 2)),
        (RELU, "kaiming_normal(nonlinearity='relu')", 1.0),
        (None, "normal(std=0.01)", 0.01 * math.sqrt(300)),
        (None, "orthogonal", 1.0),
    ],
)
def test_the_factor_of_a_layer_is_the_predicted_one(act, scheme: str, factor: float) -> None:
    law = probed(24, 300, act, scheme, 0).trunk.forward
    assert law.fitted[-1] / law.fitted[0] == pytest.approx(factor**23, rel=0.03 * 23)
    assert law.kind != "exponential" or law.rate == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize(
    ("scheme", "last", "gain"),
    [
        ("kaiming_normal(nonlinearity='relu')", 0.786, 5.70),
        ("kaiming_normal(nonlinearity='tanh')", 1.086, 52.6),
    ],
)
def test_tanh_settles_where_its_map_has_a_fixed_point(scheme, last: float, gain: float) -> None:
    probe = probed(50, 200, TANH, scheme, 1)
    assert probe.trunk.forward.last == pytest.approx(last, rel=0.08)
    # The gain of 50 layers is a product of 50 draws: its logarithm fluctuates with the width.
    assert math.log(probe["0"].gradient) == pytest.approx(math.log(gain), abs=0.45)


def test_tanh_under_xavier_falls_as_a_power_and_not_exponentially() -> None:
    law = probed(50, 200, TANH, "xavier_normal", 0).trunk.forward
    assert law.kind == "power" and -0.8 < law.rate < -0.3


def test_relu_makes_samples_alike_at_the_predicted_rate() -> None:
    probe = probed(10, 400, RELU, "kaiming_normal(nonlinearity='relu')", 0)
    cosines = [probe[str(2 * layer - 1)].alike for layer in (1, 2, 10)]
    assert cosines == pytest.approx([0.318, 0.494, 0.872], abs=0.03)


def test_what_is_too_small_for_float32_squares_is_not_zero() -> None:
    # A factor of 0.2 a layer, as of a width of 400 under N(0, 0.01).
    probe = probed(50, 100, TANH, "normal(std=0.02)", 0)
    assert probe.trunk.forward.last == pytest.approx(1.08e-35, rel=0.6)
    assert probe.findings[0].kind == "vanishing"


def test_the_layer_at_which_float32_overflows_is_named() -> None:
    torch.manual_seed(0)
    probe = probe_init(mlp(30, 64), torch.randn(64, 64), rules={"*": "normal(std=4)"})
    assert (probe.findings[0].kind, probe.findings[0].name) == ("not_finite", "25")
    assert probe["24"].nonfinite == 0 < probe["25"].nonfinite


@pytest.mark.parametrize("std", [0.25, 0.5, 1.0])
def test_the_loss_of_logits_is_ln_c_and_half_their_variance(std: float) -> None:
    rules = {"*": f"normal(std={std / 16})"}
    head, x = nn.Linear(256, 1000, bias=False), torch.randn(512, 256)
    probe = probe_init(head, x, rules=rules, loss=lambda y: F.cross_entropy(y, torch.arange(512)))
    [loss] = probe.losses
    assert loss.nothing == math.log(1000) and loss.classes == 1000
    # 512 logits of the targets are averaged: their mean fluctuates by std / sqrt(512).
    assert loss.value == pytest.approx(math.log(1000) + std**2 / 2, abs=0.01 + 3 * std / 512**0.5)


@pytest.mark.parametrize("std", [0.25, 0.5, 1.0])
def test_the_entropy_of_attention_falls_with_the_variance_of_scores(std: float) -> None:
    probe = probe_init(nn.Softmax(-1), std * torch.randn(8, 32, 512))
    [found] = probe.attention
    assert found.entropy == pytest.approx(1 - std**2 / (2 * math.log(512)), abs=0.005)
    assert found.places == 512


class LastOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 16, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0][:, -1]


@pytest.mark.parametrize(("bias", "factor"), [(0, 0.5), (1, 0.7311), (2, 0.8808)])
def test_the_forget_gate_decides_how_fast_gradients_fall_in_time(bias, factor: float) -> None:
    # Without recurrent weights, and with inputs too small to move a gate, only it matters.
    small = "normal(std=0.0001)"
    rules = {
        "rnn.weight_hh_l0": 0,
        "rnn.weight_ih_l0": f"blocks({small}, 0, {small}, {small})",
        "rnn.bias_ih_l0": f"blocks(0, {bias}, 0, 0)",
        "rnn.bias_hh_l0": 0,
    }
    probe = probe_init(LastOutput(), torch.randn(4, 12, 8), along=1, rules=rules)
    [steps] = probe.steps.values()
    assert len(steps) == 12
    ratios = [before / after for before, after in pairwise(steps[:-1])]
    assert ratios == pytest.approx([factor] * 10, abs=1e-3)


def test_dropout_before_a_layer_is_seen_in_train_mode_alone() -> None:
    # Forward the mean square is kept times 1 / (1 - p): He's 2 / fan_in becomes 2 (1 - p).
    p = 0.4
    model = nn.Sequential(
        nn.Linear(256, 256, bias=False), nn.ReLU(), nn.Dropout(p), nn.Linear(256, 256, bias=False)
    )
    x, rules = torch.randn(256, 256), {"*": "kaiming_normal(nonlinearity='relu')"}
    train = probe_init(model.train(), x, rules=rules)
    evaluated = probe_init(model.eval(), x, rules=rules)
    assert (train.mode, evaluated.mode) == ("train", "eval")
    assert train["3"].rms / evaluated["3"].rms == pytest.approx((1 - p) ** -0.5, rel=0.1)


class Wide(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inp, self.hidden = nn.Linear(16, width), nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(torch.relu(self.inp(x)))))


def standard(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.005)


def scaled(model: Wide) -> torch.optim.Optimizer:
    vectors = [model.inp.weight, *(layer.bias for layer in (model.inp, model.hidden, model.out))]
    matrices = [model.hidden.weight, model.out.weight]
    rate = 0.005 * 64 / model.hidden.in_features
    return torch.optim.Adam([{"params": vectors, "lr": 0.005}, {"params": matrices, "lr": rate}])


def test_mup_keeps_changes_independent_of_width_and_the_standard_does_not() -> None:
    from initkit import apply_init

    def build(out: str):
        rules = {"out.weight": out, "*.weight": "kaiming_normal(nonlinearity='relu')", "*.bias": 0}

        def make(width: int) -> nn.Module:
            model = Wide(width)
            apply_init(model, rules)
            return model

        return make

    x, y = torch.randn(32, 16), torch.randn(32, 1)
    options = {"loss": lambda out: (out - y).square().mean(), "steps": 2, "seeds": 2}
    widths = [64, 128, 256, 512]
    mup = coordinate_check(build("normal(std=1/fan_in)"), widths, x, optimizer=scaled, **options)
    for name in ("inp", "hidden", "out"):
        assert abs(mup.slope(name, 1).change) < 0.15, mup.text()
    assert mup.slope("out", 0).size == pytest.approx(-0.5, abs=0.2)
    assert mup.slope("out", 0).verdict == "shrinks at the start, as an output may"
    plain = coordinate_check(
        build("kaiming_normal(nonlinearity='linear')"), widths, x, optimizer=standard, **options
    )
    assert not plain.ok and plain.slope("out", 1).change > 0.7
