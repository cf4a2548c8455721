"""Saved reports: what they say, and what of a model they prove later."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from models import mlp, tied_lm
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from initkit import apply_init, verify_report
from initkit.errors import FileError, OptionError
from initkit.write.digests import values_digest
from initkit.write.report import checksum

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


def test_a_users_function_is_proven_by_a_digest_of_what_it_wrote(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    rules = {"weight": lambda t: t.normal_(), "bias": 0}
    path = apply_init(model, rules, seed=0).save(tmp_path / "init.json")
    assert verify_report(model, path).proven
    with torch.no_grad():
        model.weight[1, 1].neg_()
    assert verify_report(model, path).changed == ("weight",)


@pytest.mark.parametrize("contract", [1, 2])
def test_a_report_with_digests_of_either_contract_is_verified(
    tmp_path: Path, contract: Literal[1, 2]
) -> None:
    model = nn.Linear(2, 2)
    report = apply_init(model, {"weight": lambda t: t.normal_(), "bias": 0}, seed=0)
    assert report.values["weight"].startswith("2:")
    report.values["weight"] = values_digest([model.weight], contract)
    path = report.save(tmp_path / "init.json")
    assert verify_report(model, path).proven
    with torch.no_grad():
        model.weight[1, 1].neg_()
    assert verify_report(model, path).changed == ("weight",)


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


class _Scale(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 3 + 1

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        return (x - 1) / 3


def _scaled() -> nn.Module:
    return parametrize.register_parametrization(nn.Linear(4, 5), "weight", _Scale())


def _overlapping() -> nn.Module:
    memory, model = torch.empty(10), nn.Module()
    model.a, model.b = nn.Parameter(memory[:6]), nn.Parameter(memory[4:])
    return model


DOORS = {
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(3, 4)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Linear(3, 4)),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(3, 4)),
    "a user's": _scaled,
    "pruning": lambda: prune.l1_unstructured(nn.Linear(3, 4), "weight", amount=5),
    "legacy weight_norm": lambda: legacy(nn.utils.weight_norm),
    "legacy spectral_norm": lambda: legacy(nn.utils.spectral_norm),
    "overlaps": _overlapping,
}


def legacy(wrap: Callable[[nn.Module], nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return wrap(nn.Linear(3, 4))


@pytest.mark.parametrize("door", DOORS)
def test_right_after_the_initialisation_every_door_is_proven(tmp_path: Path, door: str) -> None:
    model = DOORS[door]().train()
    path = apply_init(model, {"*": "normal(std=0.5)"}, seed=0).save(tmp_path / "init.json")
    assert verify_report(model, path).proven
    assert verify_report(model.state_dict(), path).changed == ()
    moved = max(model.parameters(), key=torch.Tensor.numel)
    with torch.no_grad():
        moved.view(-1)[-1] += 0.25
    found = verify_report(model, path)
    assert not found.ok and len(found.changed) == 1


def test_a_computed_weight_in_a_state_dict_cannot_be_told(tmp_path: Path) -> None:
    model = DOORS["weight_norm"]()
    path = apply_init(model, {"*": "normal"}, seed=0).save(tmp_path / "init.json")
    found = verify_report(model.state_dict(), path)
    assert (found.as_written, found.unknown) == (("bias",), ("weight",))
    assert found.ok and not found.proven
    assert dict(found.rows)["weight"] == "cannot be read here"


def test_a_zero_of_another_sign_is_a_change(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    path = apply_init(model, {"*": 0}, seed=0).save(tmp_path / "init.json")
    with torch.no_grad():
        model.bias[0] = -0.0
    assert verify_report(model, path).changed == ("bias",)


def test_what_the_report_lacks_is_named(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    path = apply_init(model, {"*": 0}, seed=0).save(tmp_path / "init.json")
    model.append(nn.PReLU())
    found = verify_report(model, path)
    assert dict(found.rows)["1.weight"] == "not in the report"
    assert found.unknown == ("1.weight",) and found.ok and not found.proven


def test_names_that_were_tied_are_compared_by_themselves(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    path = apply_init(model, {"*": "normal"}, seed=0).save(tmp_path / "init.json")
    model[1].weight = nn.Parameter(model[0].weight.detach() + 1)
    assert verify_report(model, path).changed == ("1.weight",)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("digest", r"what it says of 0.weight was changed: its digest is of another step"),
        ("contract", r"drawn by 'initkit-v9', and initkit draws by 'initkit-v1' here"),
    ],
)
def test_a_report_that_does_not_fit_itself_is_refused(
    tmp_path: Path, change: str, text: str
) -> None:
    path = apply_init(mlp(), RULES, seed=0).save(tmp_path / "init.json")
    data = json.loads(path.read_text())
    if change == "digest":
        data["steps"][0]["seed_name"] = "elsewhere"
    else:
        data["contract"] = "initkit-v9"
    path.write_text(json.dumps({**data, "checksum": checksum(data)}))
    with pytest.raises(FileError, match=text):
        verify_report(mlp(), path)


def test_a_report_that_was_never_saved_is_no_path() -> None:
    model = nn.Linear(2, 2)
    report: Any = apply_init(model, "xavier_uniform", seed=0)
    text = "verify_report takes the path of a saved report, not a Report; report.save(path) writes"
    with pytest.raises(OptionError, match=f"^{re.escape(text)} one$"):
        verify_report(model, report)
