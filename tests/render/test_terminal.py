"""Colours and width are the terminal's, by rich where it is installed."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import sys
from typing import Any

import pytest
from torch import nn

from initkit import OptionError, Plan, plan_init, summary
from initkit.render import Line, Shown, lines_of, show, terminal_width

LINES = [Line("fine"), Line("wrong", "error")]
RED = "\x1b[31mwrong\x1b[0m"
VARIABLES = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "COLORTERM", "TTY_COMPATIBLE")
needs_rich = pytest.mark.skipif(not importlib.util.find_spec("rich"), reason="rich is an extra")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[pytest.param(True, marks=needs_rich), False], ids=["rich", "plain"])
def rich(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Test with and without rich."""
    if not request.param:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return bool(request.param)


@pytest.mark.parametrize(
    ("given", "coloured"),
    [
        ({}, False),  # a pipe
        ({"FORCE_COLOR": "1", "TERM": "xterm"}, True),
        ({"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_colours_are_written_where_they_are_wanted(
    given: dict[str, str],
    coloured: bool,
    rich: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    show(LINES)
    wrong = RED if coloured and rich else "wrong"
    assert capsys.readouterr().out == f"fine\n{wrong}\n"


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("120", 120)])
def test_the_width_is_the_terminals_and_80_where_there_is_none(
    columns: str | None, width: int, rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == width


def test_a_terminal_without_colours_is_as_wide_as_it_is(
    rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich: this is a terminal
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((100, 30)))
    assert terminal_width() == 100


def test_long_lines_and_markup_are_printed_as_they_are(
    rich: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[red]" + 60 * "word " + "[/red] :smile:"
    show([Line(text)])
    assert capsys.readouterr().out == text + "\n"


class Words(Shown):
    """Something to look at."""

    def lines(self, width: int | None = None) -> list[Line]:
        return lines_of("one two three four", "error", width)


def test_a_text_is_plain_and_fits_whatever_the_terminal(
    rich: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "12")
    assert str(Words()) == "one two\n    three\n    four"
    assert Words().text() == "one two three four"
    Words().show()
    assert ("\x1b[31mone two\x1b[0m" in capsys.readouterr().out) is rich


@needs_rich
def test_rich_prints_it_in_colours(capsys: pytest.CaptureFixture[str]) -> None:
    import rich as library
    from rich.console import Console

    Console(force_terminal=True, width=80, color_system="standard").print(Words())
    assert library and "\x1b[31m" in capsys.readouterr().out


@pytest.mark.parametrize("width", ["wide", 0, -1, 1.5, True])
def test_a_width_that_is_none_is_refused_by_whatever_makes_a_text(width: Any) -> None:
    model = nn.Linear(2, 2)
    plan = plan_init(model, {"*": 0})
    told = f"width must be a number of columns, 1 or more, or None, not {width!r}"
    for text in (
        plan.text,
        plan.table,
        plan.tree().text,
        plan.diff(plan).text,
        summary(model).text,
    ):
        with pytest.raises(OptionError, match=f"^{re.escape(told)}$"):
            text(width)


def test_a_folding_that_is_no_truth_value_is_refused() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": 0})
    for text in (plan.text, plan.table):
        with pytest.raises(OptionError, match="^fold must be True or False, not 'no'$"):
            text(fold="no")


def test_a_text_fits_the_narrowest_width() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": 0})
    assert plan.text(1).startswith("Linear")


def test_what_is_printed_holds_no_sign_that_the_output_cannot_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(3)])
    model.add_module("kopf_für_x", nn.Linear(4, 2))
    kinds = (nn.Linear, nn.Conv1d, nn.Embedding)
    made = plan_init(model, {kinds: "normal(std=1/sqrt(fan_in))", "*": 0})
    plan = Plan.from_json(made.to_json())  # which does not know the class that matched
    assert "|…" in str(plan) and "kopf_für_x" in str(plan)
    for encoding, name in (("ascii", r"kopf_f\xfcr_x"), ("latin-1", "kopf_für_x")):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        print(plan)
        plan.show()
        out.flush()
        told = out.buffer.getvalue().decode(encoding)
        assert told.count("|...") > 1 and told.count(name) > 1
