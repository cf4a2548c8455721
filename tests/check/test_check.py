"""check_init: models as planned pass, others fail, by names and of any kind."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from checked import RULES, net, only_failure, started
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import OptionError, PlanError, apply_init, check_init

ROOT = Path(__file__).parents[2]


def false_alarms():
    path = ROOT / "benchmarks/false_alarms.py"
    spec = importlib.util.spec_from_file_location("false_alarms", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_correct_model_of_a_sample_of_mixtures_raises_an_alarm() -> None:
    script = false_alarms()
    reports = [script.one(seed, largest=100_000)[2] for seed in range(60)]
    assert all(report.ok for report in reports), "\n".join(map(str, reports))
    odd = sum(report.p_value < 0.01 for report in reports)
    assert odd <= 5, "of 60 correct models 0.6 may look odder than 1 in 100"


@given(st.integers(1, 400), st.integers(0, 2**32), st.sampled_from(["normal", "uniform"]))
@settings(max_examples=40, deadline=None)
def test_small_tensors_of_any_size_pass(n: int, seed: int, name: str) -> None:
    rules = {"weight": {"normal": "normal(std=0.1)", "uniform": "uniform(-1, 1)"}[name]}
    entries = {"weight": torch.empty(n)}
    apply_init(entries, rules, seed=seed)
    assert check_init(entries, rules).ok


def test_power_grows_with_the_number_of_elements() -> None:
    values = []
    for width in (30, 100, 300, 1000):
        model = started(net(width, width))
        with torch.no_grad():
            model[0].weight.mul_(1.05)
        values.append(check_init(model, RULES).p_value)
    assert values == sorted(values, reverse=True)
    assert values[0] > 1e-3
    assert values[-1] < 1e-300


def test_a_report_stands_for_its_plan() -> None:
    model = net()
    report = apply_init(model, RULES, seed=0)
    assert check_init(model, report).ok
    with torch.no_grad():
        model[1].weight.zero_()
    assert only_failure(model, report).kind == "zeros"


def test_a_state_dict_is_checked_by_its_names() -> None:
    entries = started(net(60, 80).state_dict())
    assert check_init(entries, RULES).ok
    entries["0.weight"].clamp_(-0.04, 0.04)
    assert only_failure(entries).name == "0.weight"


def test_rules_that_do_not_fit_the_model_are_an_error() -> None:
    with pytest.raises(PlanError, match="matches no parameter"):
        check_init(net(), {"*": 0, "fc.weight": 1})
    assert not check_init(net(), {"*": 0, "fc.weight": 1}, idle="ignore").ok


@pytest.mark.parametrize("level", [0, 1, -1, 2])
def test_the_level_is_a_probability(level: float) -> None:
    with pytest.raises(OptionError, match=r"level is a probability between 0 and 1, not"):
        check_init(net(), RULES, level=level)


def test_a_higher_level_finds_more() -> None:
    model = started(net(60, 60))
    with torch.no_grad():
        model[0].weight.mul_(1.04)
    assert check_init(model, RULES).ok
    assert not check_init(model, RULES, level=0.05).ok


def test_checking_changes_nothing_and_draws_nothing() -> None:
    model = started(net())
    before = [p.clone() for p in model.parameters()]
    versions = [p._version for p in model.parameters()]
    state = torch.random.get_rng_state()
    check_init(model, RULES)
    check_init(model)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    assert [p._version for p in model.parameters()] == versions
    assert torch.equal(torch.random.get_rng_state(), state)


def test_transposed_and_channels_last_memory_is_checked() -> None:
    model = nn.Conv2d(40, 40, 3, bias=False).to(memory_format=torch.channels_last)
    assert check_init(started(model, {"*": "kaiming_normal"}), {"*": "kaiming_normal"}).ok
    linear = nn.Linear(300, 200, bias=False)
    linear.weight = nn.Parameter(torch.empty(300, 200).T)
    assert check_init(started(linear, {"*": "uniform(0, 1)"}), {"*": "uniform(0, 1)"}).ok
