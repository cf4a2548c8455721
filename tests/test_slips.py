"""Every line that an error offers as ready to paste runs where its text says."""

from __future__ import annotations

from pathlib import Path

import pytest
from slips import FILE_SLIPS, SLIPS, trouble


@pytest.mark.parametrize("case", SLIPS)
def test_what_an_error_says_to_paste_runs(case: str) -> None:
    assert list(trouble(SLIPS[case])) == []


@pytest.mark.parametrize("case", FILE_SLIPS)
def test_what_an_error_says_to_paste_into_a_file_can_be_read(case: str, tmp_path: Path) -> None:
    assert list(FILE_SLIPS[case].trouble(tmp_path)) == []
