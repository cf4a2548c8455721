"""Every line that an error offers as ready to paste runs where its text says."""

from __future__ import annotations

import pytest
from slips import SLIPS, trouble


@pytest.mark.parametrize("case", SLIPS)
def test_what_an_error_says_to_paste_runs(case: str) -> None:
    assert list(trouble(SLIPS[case])) == []
