"""Models that the command line takes: callables and files of weights, which run nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

Run = Callable[..., tuple[int, str, str]]


def test_a_file_of_weights_is_a_target_of_its_own(run: Run) -> None:
    torch.save(nn.Linear(4, 4).state_dict(), "w.pt")
    code, out, _ = run("plan", "w.pt", "--rules", "zeros")
    assert code == 1  # a scheme's name matches types, and a state_dict has none
    assert "match names instead" in " ".join(out.split())
    Path("all.toml").write_text('[rules]\n"*" = 0\n')
    assert run("plan", "w.pt", "--rules", "all.toml")[0] == 0
    assert run("check", "w.pt")[0] == 0
    assert "this needs a module" in run("ties", "w.pt")[2]


def test_weights_that_are_not_weights_run_nothing(run: Run) -> None:
    Path("bad.pt").write_bytes(b"not weights")
    code, _, err = run("check", "bad.pt")
    assert code == 2
    assert "bad.pt cannot be read as weights" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "leaves:net"], "importing leaves failed: SystemExit: 0"),
        (["plan", "cli_net.py:leaves"], "calling cli_net.py:leaves failed: SystemExit: 0"),
        (["apply", "cli_net:Net", "--seed=0", "--out=d.pt"], "d.pt is a folder"),
        (["apply", "cli_net:Net", "--seed=0", "--out=/proc/x.pt"], "/proc/x.pt cannot be written"),
        (
            ["apply", "cli_net:Net", "--seed=0", "--out=/proc/x.safetensors"],
            "/proc/x.safetensors cannot be written",
        ),
        (
            ["apply", "cli_net:Net", "--seed=0", "--out=x.pt", "--report=no/r.json"],
            "no/r.json: there is no folder no",
        ),
        (
            ["apply", "cli_net:Net", "--seed=0", "--out=x.pt", "--report=/proc/r.json"],
            "/proc/r.json: cannot be written",
        ),
    ],
)
def test_what_leaves_or_cannot_be_written_exits_2(
    place: Path, run: Run, words: list[str], message: str
) -> None:
    (place / "leaves.py").write_text("import sys; sys.exit(0)")
    with (place / "cli_net.py").open("a") as file:
        file.write("\ndef leaves():\n    raise SystemExit(0)\n")
    (place / "d.pt").mkdir()
    code, out, err = run(*words, "--rules=xavier_uniform")
    assert (code, out) == (2, "")
    assert message in err


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this code ran",)


def test_a_pickle_that_holds_code_is_refused_without_advice_to_run_it(run: Run) -> None:
    torch.save({"w": Payload()}, "evil.pt")
    code, out, err = run("check", "evil.pt")
    assert code == 2
    assert "it holds more than tensors and plain data (print), which could run" in err
    assert "weights_only" not in out + err
    assert "this code ran" not in out + err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rules.tml", None, "there is no file rules.tml"),
        ("rules.tml", "", "rules.tml: a recipe file ends in .toml or .json"),
        ("bare.toml", "'*' = 0", "bare.toml:1: unknown key '*'; put rules under [rules]"),
        ("bare.json", '{"*": 0}', "unknown key '*'; put rules under the key 'rules'"),
        ("empty.toml", "", "empty.toml: there are no rules: put them under [rules]"),
        ("twice.json", '{"rules": {"*": 0, "*": 1}}', "the key '*' stands twice in one table"),
        ("inf.json", '{"rules": {"*": Infinity}}', "Infinity is no number that a file can carry"),
        ("deep.json", '{"a":' * 300 + "0" + "}" * 300, "nested more than 100 deep"),
    ],
)
def test_a_file_that_holds_no_rules_is_told_what_is_wrong(
    run: Run, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        Path(name).write_text(content)
    code, _, err = run("plan", "cli_net:Net", "--rules", name)
    assert code == 2
    assert message in err


def test_a_recipe_with_a_point_in_its_name_is_no_file(run: Run) -> None:
    err = run("plan", "cli_net:Net", "--rules", "efficientnet/keras.applications")[2]
    assert "cannot be read" not in err
