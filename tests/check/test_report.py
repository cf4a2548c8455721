"""The report of a check: text, plain data and HTML, failures first."""

from __future__ import annotations

import json

import torch
from checked import RULES, net, started
from torch import nn

from initkit import apply_init, check_init


def test_a_report_prints_failures_first_and_every_parameter() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    text = check_init(model, RULES).text()
    lines = text.splitlines()
    assert lines[0] == "Sequential: 1 of 4 parameters are not as planned"
    assert lines[1].startswith("  ! 1.bias [60]: every element is 1 where constant 0 was planned")
    first = lines[lines.index("") + 3]
    assert first.startswith("1.bias") and "FAILS: constant" in first
    assert sum(" ok" in line for line in lines) == 3


def test_a_report_is_plain_data() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    report = check_init(model, RULES)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False
    assert data["failures"][0]["name"] == "1.bias"
    assert data["parameters"][0]["planned"] == "N(0, 0.02)"
    assert not report
    assert repr(report) == "<CheckReport: 4 parameters, 1 failures>"


def test_a_report_renders_as_html_with_failures_first() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    page = check_init(model, RULES)._repr_html_()
    assert page.index("Failures") < page.index("<table")
    assert "constant 0 was planned" in page


def test_a_report_holds_no_tensor() -> None:
    report = check_init(started(net()), RULES)
    assert all(not c.pieces and c.slot is None for c in report._checked)


def test_failures_of_like_layers_are_told_together_with_their_ranges() -> None:
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(8)))
    apply_init(model, {"3.weight": 1, "*.weight": "normal(std=0.03)", "*": 0}, seed=1)
    report = check_init(model, {"*.weight": "normal(std=0.02)", "*": 0})
    stds = sorted(m.weight.double().std(correction=0).item() for m in model)[1:]
    first, second = (line for line in report.text().splitlines() if line.startswith("  !"))
    assert first.startswith("  ! {0..2,4..7}.weight  x7 [64, 64]: the std is ")
    assert f"{stds[0]:.4g}..{stds[-1]:.4g} where 0.02 was planned" in first
    assert second.startswith("  ! 3.weight [64, 64]: the std is 0 where 0.02 was planned")
    (line,) = (line for line in report.table().splitlines() if "x7" in line)
    assert line.startswith("{0..2,4..7}.weight") and "FAILS: std" in line
    # Nothing is lost: each failure is there, and told where every line is asked for.
    assert [failure.name for failure in report.failures] == [f"{i}.weight" for i in range(8)]
    assert report.text(fold=False).count("  !") == 8


def test_what_is_wrong_with_one_layer_more_is_told_of_it() -> None:
    model = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(12)))
    apply_init(model, {"*": "normal(std=0.02)"}, seed=1)
    with torch.no_grad():
        for layer in model:
            layer.weight.mul_(2)
        model[5].weight.add_(0.01)
        model[7].weight.clamp_(-0.06, 0.06)
    text = check_init(model, {"*": "normal(std=0.02)"}).text()
    first = [line.split()[1] for line in text.splitlines() if line.startswith("  !")]
    assert first == ["{0..4,6,8..11}.weight", "5.weight", "7.weight"]
    assert "the mean is 0.01" in text


def test_a_page_says_a_shape_of_several_ranges_in_few_letters_and_whole_on_hover() -> None:
    model = nn.Sequential(*(nn.Conv2d(2**i, 2 ** (i + 1), 3) for i in range(1, 9)))
    apply_init(model, "kaiming_normal", seed=0)
    page = check_init(model, "kaiming_normal").to_html()
    assert 'title="4..512x2..256x3x3">*x*x3x3<' in page
