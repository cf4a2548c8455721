"""The how-to page leads from the names that starts go by to rules that can be read."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from initkit import Rule
from initkit.rules import read_rules

PAGE = Path(__file__).parents[2] / "docs" / "how_to.md"
_, _, TABLE = PAGE.read_text().partition("| It goes by | As a rule |\n|---|---|\n")
ROWS = dict(line.strip("| ").split(" | ", 1) for line in TABLE.partition("\n\n")[0].splitlines())


def rules_in(text: str) -> list[Any]:
    """Return the rules that stand between backticks, each as a table of its own."""
    found: list[Any] = []
    for code in re.findall(r"`([^`]*)`", text):
        if code.startswith("Rule("):
            call: Any = ast.parse(code, mode="eval").body
            options = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
            found.append([Rule(ast.literal_eval(call.args[0]), **options)])
        else:
            found.append(ast.literal_eval(f"{{{code}}}"))
    return found


@pytest.mark.parametrize("name", ROWS)
def test_every_row_holds_rules(name: str) -> None:
    rules = rules_in(ROWS[name])
    assert rules
    assert all(read_rules(rule) for rule in rules)


@pytest.mark.parametrize("word", [
    "ICNR", "PiSSA", "adaLN", "target network", "forget gate", "orthogonal", "zero-init residual",
    "ControlNet", "momentum encoder", "SIREN", "Mamba", "GQA", "LayerScale", "focal loss",
])  # fmt: skip
def test_the_words_that_people_search_for_stand_there(word: str) -> None:
    assert any(word in name for name in ROWS)
