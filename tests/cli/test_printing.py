"""What commands print fits the terminal, or is JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_schemes_and_recipes_fit_80_columns(run: Run) -> None:
    for command in ("schemes", "recipes"):
        code, out, _ = run(command)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80
    assert "resnext/torch7" in out


COMMANDS = [
    ["schemes"],
    ["recipes"],
    ["describe", "normal"],
    ["describe", "resnext"],
    ["plan", "cli_net:Net", "--rules", "rules.toml"],
    ["ties", "cli_net:Net"],
    ["check", "cli_net:Net"],
    ["suggest", "cli_net:Net"],
    ["apply", "cli_net:Net", "--rules", "rules.toml", "--seed", "0", "--out", "x.pt"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_every_command_speaks_json(command: list[str], run: Run) -> None:
    _, out, err = run(*command, "--json")
    assert err == ""
    json.loads(out)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "cli_net:Net", "--rules", "normal(std=0.02)"],
        ["check", "cli_net:Net", "--rules", "rules.toml"],
        ["check", "cli_net:Net"],
        ["ties", "cli_net:Net"],
        ["suggest", "cli_net:Net"],
        ["apply", "cli_net:Net", "--rules", "rules.toml", "--seed", "0", "--out", "w.pt"],
    ],
)
def test_what_is_shown_of_a_model_fits_80_columns(run: Run, words: list[str]) -> None:
    _, out, _ = run(*words)
    assert max(map(len, out.splitlines())) <= 80
