"""The histograms of a check show planned and measured shares, of what failed first."""

from __future__ import annotations

import pytest
import torch
from checked import RULES, net, started

from initkit import apply_init, check_init
from initkit.check.picture import histograms


def test_what_failed_is_drawn_alone() -> None:
    model = started(net())
    with torch.no_grad():
        model[0].weight.mul_(1.5)
    [picture] = check_init(model, RULES).pictures()
    assert picture.title == "What failed: planned density and measured values"
    assert "0.weight: " in picture.svg and "1.weight: " not in picture.svg
    assert picture.svg in check_init(model, RULES).to_html()


def test_where_nothing_failed_the_largest_of_each_distribution_is_drawn() -> None:
    [picture] = check_init(started(net()), RULES).pictures()
    assert picture.title.startswith("The largest of each distribution")
    assert picture.svg.count('class="area') >= 1


def test_what_is_constant_has_no_histogram() -> None:
    tensors = {"a": torch.zeros(5), "b": torch.eye(4)}
    assert check_init(tensors, {"a": 0, "b": "eye"}).pictures() == []
    assert histograms([], []) == []


@pytest.mark.parametrize(
    "scheme",
    [
        "normal(std=2)",
        "uniform(-1, 3)",
        "zero_mask_uniform",
        "trunc_normal(cutoff=1)",
        "log_uniform(0.1, 1)",
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_shares_add_up_to_one_and_lie_at_the_plan(
    scheme: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(
        "initkit.check.picture.densities", lambda panels: drawn.extend(panels) or ""
    )
    tensor = torch.empty(300, 300, dtype=dtype)
    apply_init({"w": tensor}, {"w": scheme}, seed=3)
    check_init({"w": tensor}, {"w": scheme}).pictures()
    [panel] = drawn
    assert panel.edges == sorted(set(panel.edges))
    assert sum(panel.planned) == pytest.approx(1)
    assert sum(panel.seen) == pytest.approx(1)
    # Five standard errors of a share of 90,000 elements: less than 5 * 0.5 / 300.
    assert panel.seen == pytest.approx(panel.planned, abs=0.0084)


def test_what_was_planned_and_what_was_seen_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        "initkit.check.picture.densities", lambda panels: drawn.extend(panels) or ""
    )
    check_init({"w": torch.rand(300, 300)}, {"w": "uniform(-1, 1)"}).pictures()
    [panel] = drawn
    # The middle edge of the plan is 0, below which no value of U(0, 1) lies.
    below = sum(edge <= 0 for edge in panel.edges) - 1
    assert sum(panel.planned[:below]) == pytest.approx(0.5, abs=0.001)
    assert sum(panel.seen[:below]) == 0
