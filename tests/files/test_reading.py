"""JSON and TOML are read strictly: what another reader may take otherwise is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.errors import FileError
from initkit.files import parse_json, parse_toml

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(plain)
def test_json_that_a_writer_wrote_comes_back(data: object) -> None:
    assert parse_json(json.dumps(data)) == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"x": 1, "x": 1}}', "the key 'x' stands twice in one table"),
        ('{"a": NaN}', "NaN is no number that a file can carry"),
        ('{"a": [-Infinity]}', "-Infinity is no number that a file can carry"),
        ('{"a": -1e400}', "-1e400 is no number that a file can carry"),
        ("[" * 300 + "]" * 300, "nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
        ("[" * 100_000, "nested more than 100 deep"),
        ("1" * 5000, "4300 digits"),
        ("", r"Expecting value: line 1 column 1 \(char 0\)"),
    ],
)
def test_json_that_readers_disagree_about_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2", r"Cannot overwrite a value"),
        ("a = nan", "nan is no number that a file can carry"),
        ("a = +inf", r"\+inf is no number that a file can carry"),
        ("a = [1e400]", "1e400 is no number that a file can carry"),
        (f"a = {'[' * 300}{']' * 300}", "nested more than 100 deep"),
        (f"a = {'[' * 100_000}", "nested more than 100 deep"),
        (f"a = {'1' * 5000}", "4300 digits"),
    ],
)
def test_toml_that_has_no_meaning_here_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        parse_toml(text)


def test_what_is_nested_to_the_limit_is_read() -> None:
    assert parse_json("[" * 99 + "1" + "]" * 99) is not None
