"""Probes, comparisons, calibrations and coordinate checks as text, data, HTML and figures."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from signal_models import mlp, residual
from torch import nn

from initkit import calibrate_init, compare, coordinate_check, probe_init
from initkit.errors import OptionError
from initkit.signal.report import sparkline

X = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def probe():
    return probe_init(mlp(12, 16, nn.ReLU), X, rules={"*.weight": "normal(std=0.01)"})


def test_text_has_the_findings_first_and_a_line_a_point(probe) -> None:
    lines = probe.text().splitlines()
    assert lines[0] == "Sequential: 2 problems: 25 points, train mode"
    assert lines[1].startswith("  ! 0: the signal falls by a factor of 0.0")
    assert lines[3].startswith("trunk, 12 deep: █") and lines[3].endswith("▁")
    assert [line.split()[1] for line in lines[9:11]] == ["Linear", "ReLU"]
    assert len(lines) == 9 + 25
    assert all(len(line) <= 70 for line in probe.text(70).splitlines() if " " in line.strip())


def test_of_many_points_text_shows_those_that_matter() -> None:
    probe = probe_init(mlp(40, 16, nn.ReLU), X)
    assert len(probe.table().splitlines()) == 2 + 40
    assert len(probe.table(all_points=True).splitlines()) == 2 + 81


def test_a_sparkline_is_level_where_values_are() -> None:
    assert sparkline([1.0, 1.1, 0.95]) == "▂▂▁"
    assert sparkline([0.0, 1.0, float("inf")]) == "·▁·"


def test_data_is_plain_and_complete(probe) -> None:
    data = json.loads(json.dumps(probe.to_dict()))
    assert data["ok"] is False and data["mode"] == "train"
    assert [f["kind"] for f in data["findings"]] == ["vanishing", "vanishing"]
    assert data["points"][0]["rms"] == probe["0"].rms
    assert data["trunk"]["forward"]["kind"] == "exponential"
    assert data["findings"][0]["rules"]["0.weight"].startswith("kaiming_normal")
    assert repr(probe) == "<Probe of Sequential: 25 points, 2 problems>"


def test_infinities_are_data_too() -> None:
    model = mlp(30, 16)
    data = probe_init(model, X, rules={"*": "normal(std=1000)"}).to_dict()
    json.dumps(data, allow_nan=False)


def test_a_page_has_findings_pictures_and_points_and_loads_nothing() -> None:
    probe = probe_init(residual(4, 16), X, loss=lambda y: y.square().mean())
    page = probe.to_html()
    assert page.startswith("<!doctype") and page.count("<svg ") == 4
    for title in ("Signal against depth", "Gradient against depth", "Residual branches", "Histogr"):
        assert title in page
    assert "http" not in page.replace("http://www.w3.org", "") and "prefers-color-scheme" in page
    assert probe._repr_html_().startswith("<div class=initkit>")
    assert "0.up" in page


def test_names_are_escaped_on_a_page() -> None:
    model = nn.ModuleDict({"a<b": nn.Linear(16, 16)})
    model.forward = lambda x: model["a<b"](x)
    page = probe_init(model, X).to_html()
    assert "a&lt;b" in page and "a<b" not in page


def test_a_comparison_says_what_is_gone_and_what_is_new(probe) -> None:
    after = probe_init(mlp(12, 16, nn.ReLU), X, rules=probe.suggest())
    found = compare(probe, after)
    assert found and len(found.gone) == 2 and found.new == ()
    assert not compare(after, probe) and len(compare(after, probe).new) == 2
    text = str(found)
    assert text.startswith("Sequential: 2 problems -> no problem\n  - 0: the signal falls")
    assert found.to_html().count("<svg ") == 2
    assert found.to_dict()["after"]["ok"] is True
    assert repr(found) == "<Comparison: Sequential: 2 problems -> no problem>"


def check(optimizer=torch.optim.SGD):
    return coordinate_check(
        lambda width: nn.Sequential(nn.Linear(16, width), nn.Linear(width, 1)),
        [8, 16, 32],
        X,
        loss=lambda y: y.square().mean(),
        optimizer=lambda model: optimizer(model.parameters(), lr=0.1),
        steps=1,
    )


def test_a_coordinate_check_keeps_the_generator_and_shows_its_slopes() -> None:
    state = torch.get_rng_state()
    found = check()
    assert torch.equal(torch.get_rng_state(), state)
    assert [(r.name, r.step) for r in found.rows] == [
        (name, step) for step in (0, 1) for name in ("0", "1", "")
    ]
    assert found.to_html().count("<svg ") == 2
    assert json.loads(json.dumps(found.to_dict()))["widths"] == [8, 16, 32]
    assert "(model)" in str(found) and found.slope("0", 0).change is None
    assert check().to_dict() == found.to_dict()


@pytest.mark.parametrize(
    ("widths", "text"),
    [([8], r"^widths needs at least two, not \[8\]$"), ([8, 16], "'1' is not in every model")],
)
def test_a_coordinate_check_refuses_what_it_cannot_compare(widths, text: str) -> None:
    def build(width: int) -> nn.Module:
        layers = [nn.Linear(16, 1)] + [nn.ReLU()] * (width > 8)
        return nn.Sequential(*layers)

    with pytest.raises(OptionError, match=text):
        coordinate_check(
            build,
            widths,
            X,
            loss=lambda y: y.sum(),
            optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
        )
    with pytest.raises(OptionError, match="there is no layer 'x' at step 0"):
        check().slope("x", 0)


# ---- matplotlib


def test_a_figure_has_the_same_pictures(pyplot, probe) -> None:
    figure = probe.plot()
    forward = [args for name, args, _ in figure.axes[0][0].drawn if name == "plot"]
    assert forward[0][1] == list(probe.trunk.signal) and len(forward) == 2
    assert figure.title == "Sequential: 2 problems: 25 points, train mode"
    # No residual sums, so no panel of them; the place that is left stays empty.
    assert [name for name, *_ in figure.axes[1][0].drawn] == ["set", "set_yticks", "imshow"]
    assert [name for name, *_ in figure.axes[1][1].drawn] == ["set_axis_off", "text"]
    figure = probe_init(residual(3, 16), X).plot()
    assert {k["label"] for n, _, k in figure.axes[1][0].drawn if n == "plot"} == {"trunk", "branch"}
    titles = [
        told.get("title")
        for axis in check().plot().axes[0]
        for n, _, told in axis.drawn
        if n == "set"
    ]
    assert [title for title in titles if title] == [
        "mean |x| after 0 steps",
        "mean |x - x0| after 1 step",
    ]


def test_a_real_matplotlib_draws_all_of_it(probe) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    for found in (probe, probe_init(residual(3, 16), X), probe_init(nn.Linear(16, 4), X), check()):
        figure = found.plot()
        figure.canvas.draw()
        assert figure.axes


def test_without_matplotlib_it_says_what_to_install(monkeypatch, probe) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for found in (probe, check()):
        with pytest.raises(OptionError) as caught:
            found.plot()
        assert str(caught.value) == (
            "plot() needs matplotlib: pip install 'torch-initkit[plots]'; to_html() needs nothing"
        )


def test_a_calibration_is_data_and_saves_factors_where_there_is_no_plan(tmp_path) -> None:
    found = calibrate_init(mlp(2, 16), None, X)
    found.save(tmp_path / "factors.json")
    assert json.loads((tmp_path / "factors.json").read_text()) == found.to_dict()
    assert found._repr_html_().startswith("<div") and "std after" in str(found)
