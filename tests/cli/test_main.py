"""The command line: what it prints, in 80 columns and as JSON, and how it exits."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import apply_init, verify_report
from initkit.cli.main import main

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(8, 4), nn.Linear(4, 8, bias=False)
        self.head.weight = self.embed.weight
        self.norm = nn.LayerNorm(4)

def needs(width):
    return nn.Linear(width, 2)

def number():
    return 3
"""
RULES = """
[[rules]]
"embed.weight" = "normal(std=0.02)"
"norm.*" = "keep"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cli_net.py").write_text(MODEL)
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse's own way out
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_schemes_and_recipes_fit_80_columns(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("schemes", "recipes"):
        code, out, _ = run(capsys, command)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80
    assert "resnext/torch7" in out


def test_describe_shows_a_scheme_or_a_recipe(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "std = sqrt(scale/fan)" in run(capsys, "describe", "variance_scaling")[1]
    code, out, _ = run(capsys, "describe", "gpt2")
    assert code == 0
    assert out.startswith("gpt2/transformers\n")
    assert max(map(len, out.splitlines())) <= 80
    code, _, err = run(capsys, "describe", "gtp2")
    assert (code, err) == (
        2,
        "initkit: there is no scheme or recipe 'gtp2'; did you mean 'gpt2'?\n",
    )


@pytest.mark.parametrize("target", ["cli_net:Net", "cli_net.py:Net"])
def test_plan_shows_who_gets_what_and_exits_1_for_problems(
    target: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "plan", target, "--rules", "rules.toml")
    assert code == 0
    assert "N(0, 0.02)" in out
    code, out, _ = run(capsys, "plan", target, "--rules", "rules.toml", "--strict")
    assert code == 0
    code, out, _ = run(capsys, "plan", target, "--rules", "orthogonal", "--only", "haed")
    assert code == 1
    assert "only has 'haed', which matches no parameter" in out


def test_ties_names_what_shares_memory(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "ties", "cli_net:Net")
    assert code == 0
    assert "embed.weight" in out
    assert "head.weight" in out


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_apply_writes_weights_that_check_proves(
    suffix: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    rules = ("--rules", "xavier_normal")
    out = f"init{suffix}"
    made = run(capsys, "apply", "cli_net:Net", *rules, "--seed", "3", "--out", out)
    assert made[0] == 0
    assert "seed 3; digest " in made[1]
    code, text, _ = run(capsys, "check", "cli_net:Net", *rules, "--weights", out)
    assert code == 0, text
    wrong = ("--rules", "xavier_uniform")
    assert run(capsys, "check", "cli_net:Net", *wrong, "--weights", out)[0] == 1
    sys.path.insert(0, str(place))
    from cli_net import Net

    net = Net()
    apply_init(net, "xavier_normal", seed=3)
    saved = torch.load(out, weights_only=True) if suffix == ".pt" else _safetensors(out)
    assert torch.equal(saved["embed.weight"], net.embed.weight)
    sys.path.remove(str(place))


def _safetensors(path: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def test_a_file_of_weights_is_a_target_of_its_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(nn.Linear(4, 4).state_dict(), "w.pt")
    code, out, _ = run(capsys, "plan", "w.pt", "--rules", "zeros")
    assert code == 1  # a scheme's name matches types, and a state_dict has none
    assert "match names instead" in " ".join(out.split())
    Path("all.toml").write_text('[rules]\n"*" = 0\n')
    assert run(capsys, "plan", "w.pt", "--rules", "all.toml")[0] == 0
    assert run(capsys, "check", "w.pt")[0] == 0
    assert "this needs a module" in run(capsys, "ties", "w.pt")[2]


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
def test_every_command_speaks_json(
    command: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(capsys, *command, "--json")
    assert err == ""
    json.loads(out)


WRONG: dict[str, tuple[list[str], str]] = {
    "no command": ([], "the following arguments are required"),
    "an unknown command": (["plann"], "invalid choice"),
    "an unknown option": (["schemes", "--jsn"], "unrecognized arguments"),
    "no target": (["plan", "Net", "--rules", "zeros"], "'Net' is no target"),
    "no module": (["plan", "nope.mod:f", "--rules", "zeros"], "importing nope.mod failed"),
    "no file": (["plan", "nope.py:f", "--rules", "zeros"], "there is no file nope.py"),
    "no callable": (["plan", "cli_net:nope", "--rules", "zeros"], "has no 'nope'"),
    "arguments": (["plan", "cli_net:needs", "--rules", "zeros"], "calling cli_net:needs failed"),
    "a number": (["plan", "cli_net:number", "--rules", "zeros"], "returned int, not a module"),
    "no rules": (["plan", "cli_net:Net", "--rules", "nope"], "there is no recipe or scheme 'nope'"),
    "no rule file": (["plan", "cli_net:Net", "--rules", "nope.toml"], "nope.toml: cannot be read"),
    "no weights": (["check", "nope.pt"], "there is no file nope.pt"),
    "no such ending": (
        ["apply", "cli_net:Net", "--rules", "zeros", "--seed", "0", "--out", "x.bmp"],
        "weights go into a .safetensors, .pt or .pth file",
    ),
    "no number": (
        ["apply", "cli_net:Net", "--rules", "zeros", "--seed", "x", "--out", "x.pt"],
        "invalid int value",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_exits_2_with_a_sentence(
    case: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = WRONG[case]
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""


def test_weights_that_are_not_weights_run_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.pt").write_bytes(b"not weights")
    code, _, err = run(capsys, "check", "bad.pt")
    assert code == 2
    assert "bad.pt cannot be read as weights" in err


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(
        st.text(max_size=10) | st.sampled_from([*sorted(WRONG), "--json", "plan"]), max_size=5
    )
)
def test_any_words_end_with_a_known_exit_code(words: list[str]) -> None:
    codes: list[Any] = []
    with contextlib.suppress(SystemExit):
        codes.append(main(words))
    assert set(codes) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("words", "told"),
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
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    (place / "leaves.py").write_text("import sys; sys.exit(0)")
    (place / "cli_net.py").write_text(f"{MODEL}\ndef leaves():\n    raise SystemExit(0)\n")
    (place / "d.pt").mkdir()
    code, out, err = run(capsys, *words, "--rules=xavier_uniform")
    assert (code, out) == (2, "")
    assert told in err


def test_apply_keeps_a_report_that_proves_the_weights(place: Path) -> None:
    words = "apply cli_net:Net --rules rules.toml --seed 3 --out w.pt --report r.json".split()
    done = subprocess.run(
        [sys.executable, "-m", "initkit", *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert verify_report(torch.load(place / "w.pt"), place / "r.json").ok


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
def test_what_is_shown_of_a_model_fits_80_columns(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    _, out, _ = run(capsys, *words)
    assert max(map(len, out.splitlines())) <= 80


def test_python_minus_m_runs_it_and_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "initkit", "recipes"]
    process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
