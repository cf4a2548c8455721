"""A command line that cannot be read is shown, with the one that was meant ready to paste."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

MEANT = {
    "plam cli_net:Net": "plan cli_net:Net",
    "plan cli_net:Net --rule zeros": "plan cli_net:Net --rules zeros",
    "plan cli_net:Net --rule=zeros --ful": "plan cli_net:Net --rules=zeros --full",
    "plan cli_net:Net zeros": "plan cli_net:Net --rules zeros",
    "plan --json cli_net:Net zeross": "plan --json cli_net:Net --rules zeros",
    "schemes --jsn": "schemes --json",
    "show resnext": "describe resnext",
    "plan xavier_unifrm": "describe xavier_uniform",
    "plan cli_net:Nett": "plan cli_net:Net",
    "plan zeros cli_net:Net": "plan cli_net:Net --rules zeros",
    "plan --rules cli_net:Net zeros": "plan --rules zeros cli_net:Net",
    "plan cli_net.Net --rules zeros": "plan cli_net:Net --rules zeros",
    "suggest cli_net:Net --rules resnet": "suggest cli_net:Net",
    "ties --full cli_net:Net": "ties cli_net:Net",
    "recipes resnet": "describe resnet",
    "schemes xavier_unifrm": "describe xavier_uniform",
    "summary cli_net:Net": "show cli_net:Net",
    "help": "--help",
    "apply cli_net:Net --rules zeros --seed 1.5 --out a.pt": (
        "apply cli_net:Net --rules zeros --seed 1 --out a.pt"
    ),
    "apply cli_net:Net zeros": "apply cli_net:Net --rules zeros --seed 0 --out weights.pt",
}


@pytest.mark.parametrize("typed", MEANT)
def test_a_slip_is_shown_mended(typed: str, run: Run) -> None:
    code, out, err = run(*shlex.split(typed))
    assert (code, out) == (2, "")
    assert err.splitlines()[-2:] == [
        f"  as written:   initkit {typed}",
        f"  to paste:     initkit {MEANT[typed]}",
    ]
    _, _, error = run(*shlex.split(MEANT[typed]))
    assert "to paste" not in error


@pytest.mark.parametrize("typed", ["list foo", "", "plan", "plan --wibble", "show nothing_like_it"])
def test_what_is_near_nothing_has_no_line_to_paste(typed: str, run: Run) -> None:
    code, _, err = run(*shlex.split(typed))
    assert code == 2 and "to paste" not in err


def test_a_command_that_may_mean_two_shows_both(run: Run) -> None:
    _, _, err = run("list")
    assert err.endswith("to paste:     initkit recipes\n  or:           initkit schemes\n")


def test_a_key_of_rules_is_not_taken_for_the_name_of_a_recipe(run: Run) -> None:
    for key in ("*.weight", "type:Linear", "nn.Linear", "fc.bias"):
        assert run("describe", key) == (
            2,
            "",
            (
                f"initkit: describe takes the name of a scheme or a recipe, and {key!r} is a key "
                "of rules: a plan by them says what it matches\n"
            ),
        )


def test_a_file_of_rules_is_described_and_a_plan_shown_as_a_tree(run: Run, tmp_path: Path) -> None:
    (path := tmp_path / "mine.toml").write_text("[rules]\n'*' = 0\n")
    assert run("describe", str(path))[1] == "mine\n  *  0\n"
    _, out, _ = run("plan", "cli_net:Net", "--rules", str(path), "--tree")
    assert "(model)  constant 0" in out


def test_a_callable_of_this_folder_is_found_by_its_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text("def Model(): ...\n")
    assert run("plan", "Model")[2].endswith("to paste:     initkit plan nets.py:Model\n")


def test_a_name_of_two_meanings_is_described(run: Run) -> None:
    _, _, err = run("show", "he_normal")
    assert err.endswith("to paste:     initkit describe he_normal\n")


def test_nothing_that_was_typed_acts_on_the_terminal(run: Run) -> None:
    _, _, err = run("plan", "cli_net:Net", "--ful", "--only", "\x1b[2J")
    assert "\x1b" not in err.partition("as written")[2]


def test_a_target_that_is_none_is_mended_and_its_rules_are_left_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text("from torch import nn\ndef Model(): return nn.Linear(2, 2)\n")
    rest = "--rules xavier_uniform"
    for wrong in ("nets.py:Modle", "nest.py:Model"):
        code, _, err = run("plan", wrong, *rest.split())
        assert code == 2 and err.endswith(f"to paste:     initkit plan nets.py:Model {rest}\n")
    _, _, err = run("plan", "nets.py", *rest.split())
    assert err == (
        "initkit: 'nets.py' does not say which callable of the file builds the model; "
        "it has Model\n"
        f"  as written:   initkit plan nets.py {rest}\n"
        f"  to paste:     initkit plan nets.py:Model {rest}\n"
    )
    with Path("nets.py").open("a") as file:
        file.write("class Other(nn.Module): pass\ndef _hidden(): pass\n")
    _, _, err = run("plan", "nets.py:", *rest.split())
    assert "; it has Model, Other\n" in err
    assert err.endswith(
        f"  to paste:     initkit plan nets.py:Model {rest}\n"
        f"  or:           initkit plan nets.py:Other {rest}\n"
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "plan rules.toml",
            "'rules.toml' is no target, and rules go behind --rules: ",
        ),
        ("plan none.py", "there is no file none.py\n"),
        (
            "plan broken.py",
            "'broken.py' does not say which callable of the file builds the model; ",
        ),
        ("plan broken.py", "it defines none\n"),
        ("plan gone/none.py", "there is no file gone/none.py; there is no folder gone\n"),
    ],
)
def test_what_names_no_callable_is_told_what_it_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("def (")
    code, _, err = run(*typed.split())
    assert code == 2 and told in err and "to paste" not in err


def test_a_file_beside_the_one_that_was_meant_is_no_slip_of_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "a_folder_with_a_long_name").mkdir()
    (folder / "nets.py").write_text("")
    assert "to paste" not in run("plan", f"{folder}/training.py:Net")[2]
    assert (
        f"to paste:     initkit plan {folder}/nets.py:Net"
        in run("plan", f"{folder}/nest.py:Net")[2]
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("kaimin_normal", ["kaiming_normal"]),
        ("VIT", ["vit"]),
        ("xavier", ["xavier_normal", "xavier_uniform"]),
    ],
)
def test_a_name_that_nothing_has_shows_the_command_of_each_that_is_meant(
    run: Run, word: str, meant: list[str]
) -> None:
    code, _, err = run("describe", word)
    assert code == 2
    lines = [f"initkit describe {one}" for one in meant]
    assert re.findall(r"(?:to paste|or): +(.*)", err) == lines


def test_the_name_of_the_program_alone_shows_its_commands(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "") and all(name in err for name in ("plan", "show who gets what"))
