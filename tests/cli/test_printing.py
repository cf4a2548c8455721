"""What commands print fits the terminal, or is JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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


def test_full_is_a_line_a_parameter_for_what_reads_a_pipe(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a_module_whose_name_is_longer_than_most_are"
    text = f"from torch import nn\nnet = nn.ModuleDict({{'{long}': nn.Linear(100000, 1)}})"
    (place / "long_net.py").write_text(text)
    arguments = ("plan", "long_net:net", "--rules", "kaiming_uniform(a='sqrt(5)')", "--full")
    assert max(map(len, run(*arguments)[1].splitlines())) <= 80  # COLUMNS asks for it
    monkeypatch.delenv("COLUMNS")
    rows = [line for line in run(*arguments)[1].splitlines() if line.startswith(long)]
    assert [row.split()[0] for row in rows] == [f"{long}.weight", f"{long}.bias"]
    assert "1x100000" in rows[0] and max(map(len, rows)) > 80
