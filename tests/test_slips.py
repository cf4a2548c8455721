"""Every line that an error offers as ready to paste runs where its text says."""

from __future__ import annotations

from pathlib import Path

import pytest
from slips import FILE_SLIPS, SLIPS, Slip, trouble


@pytest.mark.parametrize("case", SLIPS)
def test_what_an_error_says_to_paste_runs(case: str) -> None:
    assert list(trouble(SLIPS[case])) == []


@pytest.mark.parametrize("case", FILE_SLIPS)
def test_what_an_error_says_to_paste_into_a_file_can_be_read(case: str, tmp_path: Path) -> None:
    assert list(FILE_SLIPS[case].trouble(tmp_path)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("'fc.weight': 'normal'", "it is no slip"),
        ("'fc.weight': 'normal(std=-1)'", "there is nothing to paste"),
        ("'fc.weight':  'norml'", "the line is not shown"),
    ],
)
def test_an_answer_that_will_not_do_is_told(line: str, said: str) -> None:
    assert next(trouble(Slip(line))).startswith(said)


def test_an_answer_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slips.to_paste", lambda _: ["'fc.weight': 'normal(std=-1)'"])
    assert any("leads to" in one for one in trouble(Slip("'fc.weight': 'norml'")))
