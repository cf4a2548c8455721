"""Saved reports: what they say, and what of a model they prove later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from models import mlp, tied_lm
from torch import nn

from initkit import apply_init, verify_report
from initkit.errors import FileError

RULES = {"*.weight": "normal(std=0.02)", "*.bias": "uniform(-1, 1)"}


def test_a_model_as_it_was_initialised_is_proven_by_its_report(tmp_path: Path) -> None:
    model = mlp()
    path = apply_init(model, RULES, seed=-5, prefix="q1").save(tmp_path / "init.json")
    found = verify_report(model, path)
    assert found.ok
    assert {outcome for _, outcome in found.rows} == {"as initialised"}
    assert verify_report(model.state_dict(), path).ok
    assert str(found).startswith("seed -5, digest ")


def test_a_verification_is_true_where_nothing_changed(tmp_path: Path) -> None:
    """As a check is, so that ``assert verify_report(...)`` proves something."""
    model = mlp()
    path = apply_init(model, RULES, seed=0).save(tmp_path / "init.json")
    assert verify_report(model, path)
    with torch.no_grad():
        model[0].weight[0, 0] += 1
    assert not verify_report(model, path)


def test_the_file_names_seed_versions_rules_and_every_parameter(tmp_path: Path) -> None:
    report = apply_init(mlp(), RULES, seed=7)
    data = json.loads(report.save(tmp_path / "init.json").read_text())
    assert data["seed"] == 7
    assert data["torch"] == torch.__version__
    assert data["rules"] == ["*.weight -> normal(std=0.02)", "*.bias -> uniform(low=-1)"]
    assert [row["names"][0] for row in data["steps"]] == [s.name for s in report.steps]
    assert all(len(row["digest"]) == 16 for row in data["steps"])


def test_what_changed_went_or_was_reshaped_is_named(tmp_path: Path) -> None:
    model = mlp()
    path = apply_init(model, RULES, seed=0).save(tmp_path / "init.json")
    with torch.no_grad():
        model[0].weight[0, 0] += 1
    state = dict(model.state_dict())
    del state["0.bias"]
    state["2.weight"] = state["2.weight"].double()
    outcomes = dict(verify_report(state, path).rows)
    assert outcomes["0.weight"] == "changed since"
    assert outcomes["0.bias"] == "not in the model"
    assert outcomes["2.weight"] == "has another shape or dtype"
    assert outcomes["2.bias"] == "as initialised"
    assert not verify_report(state, path).ok


def test_ties_padding_and_whole_matrices_are_drawn_again(tmp_path: Path) -> None:
    model = tied_lm()
    report = apply_init(model, "orthogonal", seed=0)
    assert verify_report(model, report.save(tmp_path / "init.json")).ok


def test_a_users_function_cannot_be_drawn_again(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    rules = {"weight": lambda t: t.zero_(), "bias": 0}
    found = verify_report(model, apply_init(model, rules, seed=0).save(tmp_path / "init.json"))
    assert dict(found.rows)["weight"] == "cannot be drawn again"
    assert not found.ok


@pytest.mark.parametrize("change", ["seed", "a distribution", "a parameter less", "a digest"])
def test_a_report_that_was_changed_since_is_refused(tmp_path: Path, change: str) -> None:
    model = mlp()
    path = apply_init(model, RULES, seed=7).save(tmp_path / "init.json")
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data))  # other white space is no change
    assert verify_report(model, path).ok
    if change == "seed":
        data["seed"] = 8
    elif change == "a distribution":
        data["steps"][0]["distribution"]["scale"] = 0.03
    elif change == "a parameter less":
        del data["steps"][0]
    else:
        data["steps"][0]["digest"] = "0" * 16
    path.write_text(json.dumps(data))
    with pytest.raises(FileError, match=r"init.json: the report was changed since initkit saved"):
        verify_report(model, path)


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(FileError, match=r"no report that initkit saved"):
        verify_report(mlp(), path)
    for text in (
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"format": "x"}',
        '{"format": "initkit-report-1"}',
    ):
        path.write_text(text)
        with pytest.raises(FileError, match=r"x.json: "):
            verify_report(mlp(), path)
