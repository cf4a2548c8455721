"""Reports say what was done, and save themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from initkit import apply_init, verify_report
from initkit.errors import FileError


def test_a_report_saves_itself_whatever_else_was_imported(tmp_path: Path) -> None:
    code = (
        "from torch import nn; from initkit import apply_init\n"
        f"apply_init(nn.Linear(2, 2), 'xavier_uniform', seed=0).save({str(tmp_path / 'r.json')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    model = nn.Linear(2, 2)
    apply_init(model, "xavier_uniform", seed=0)
    assert verify_report(model, tmp_path / "r.json").ok


def test_a_report_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    report = apply_init(nn.Linear(2, 2), {"*": 0}, seed=0)
    with pytest.raises(FileError, match=r"none.init.json: cannot be written: .*No such file"):
        report.save(tmp_path / "none" / "init.json")


def test_what_surprises_stands_first() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model(torch.randn(4, 2))
    model[0].weight.requires_grad_(False)
    lines = str(apply_init(model, {"*": 1}, seed=3)).splitlines()
    assert lines[0].startswith("Sequential; seed 3; digest ")
    assert lines[1] == "frozen, and written all the same: 0.weight"
    assert lines[2].startswith("running statistics not reset (reset_buffers=True does it): 1.run")
    assert lines[-1] == "written: 4 tensors, 10 elements"


def test_the_page_names_what_no_rule_covers_once() -> None:
    report = apply_init(nn.Linear(2, 3), {"weight": 0}, seed=0)
    assert report.uncovered == ["bias"]
    assert report.to_html().count("bias [3]") == 1
    assert "no rule covers bias [3]" in str(report)
