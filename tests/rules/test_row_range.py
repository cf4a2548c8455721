"""Rows of a rule: how they are written, and which they are of a tensor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit import Rule
from initkit.errors import RuleError
from initkit.rules import RowRange

ENDS = st.none() | st.integers(-30, 30)


@given(ENDS, ENDS, st.integers(1, 20))
def test_rows_are_those_of_pythons_slices_where_all_of_them_exist(
    start: int | None, stop: int | None, count: int
) -> None:
    rows = RowRange.of(slice(start, stop))
    assert RowRange.of(str(rows)) == rows
    ends = [end for end in (start, stop) if end is not None]
    if all(-count <= end <= count for end in ends):
        wanted = list(range(count))[start:stop]
        assert list(range(*rows.within(count))) == wanted
    else:
        assert rows.within(count) in ((0, 0), (0, stop), (start, count))


@pytest.mark.parametrize(
    ("written", "text"), [("50257:", "50257:"), (" 3 : 5 ", "3:5"), (7, "7:8"), ("-1", "-1:")]
)
def test_rows_are_written_as_a_slice_or_one_number(written: object, text: str) -> None:
    assert str(RowRange.of(written)) == text


@pytest.mark.parametrize("written", ["1:5:2", "new", True, slice(0, 9, 3), 1.5])
def test_what_is_no_range_of_rows_is_refused(written: object) -> None:
    with pytest.raises(RuleError, match="rows are written like '50257:', ':10' or '-2:'"):
        Rule("normal", name="*", rows=written)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["keep", "copy_of('q.*')"])
def test_what_stands_for_a_whole_tensor_has_no_rows(scheme: str) -> None:
    with pytest.raises(RuleError, match="stands for a whole tensor"):
        Rule(scheme, name="*", rows="1:")
