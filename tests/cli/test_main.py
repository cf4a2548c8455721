"""The command line: its commands, and how they exit."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import initkit
from initkit import Plan, apply_init, record_init, verify_report
from initkit.cli.main import main
from initkit.errors import PlanError, ReadError
from initkit.stream import backend

Run = Callable[..., tuple[int, str, str]]


def test_describe_shows_a_scheme_or_a_recipe(run: Run) -> None:
    assert "std = sqrt(scale/fan)" in run("describe", "variance_scaling")[1]
    code, out, _ = run("describe", "gpt2")
    assert code == 0
    assert out.startswith("gpt2/transformers\n")
    assert max(map(len, out.splitlines())) <= 80
    code, _, err = run("describe", "gtp2")
    assert (code, err) == (
        2,
        (
            "initkit: there is no scheme or recipe 'gtp2'\n"
            "  as written:   initkit describe gtp2\n"
            "  to paste:     initkit describe gpt2\n"
        ),
    )


def test_the_version_names_what_writes_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"initkit {initkit.__version__} ({backend()}; torch {torch.__version__}")


@pytest.mark.parametrize("target", ["cli_net:Net", "cli_net.py:Net"])
def test_plan_shows_who_gets_what_and_exits_1_for_problems(target: str, run: Run) -> None:
    code, out, _ = run("plan", target, "--rules", "rules.toml")
    assert code == 0
    assert "N(0, 0.02)" in out
    code, out, _ = run("plan", target, "--rules", "rules.toml", "--strict")
    assert code == 0
    code, out, _ = run("plan", target, "--rules", "orthogonal", "--only", "haed")
    assert code == 1
    assert "only has 'haed', which matches no parameter" in out


def test_show_lists_what_a_model_has(run: Run) -> None:
    code, out, _ = run("show", "cli_net:Net")
    assert code == 0 and "embed.weight" in out and "head.weight" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run("show", "cli_net:Net", "norm.weight")
    assert code == 0 and out.startswith("norm.weight: 4 float32 on cpu, LayerNorm parameter\n")
    code, out, _ = run("show", "cli_net:Net", "norm", "--no-values")
    assert code == 0 and out.startswith("LayerNorm: 2 parameters") and "all 1" not in out
    code, _, err = run("show", "cli_net:Net", "nrom.weight")
    assert code == 2 and "initkit: Net has no parameter 'nrom.weight'; did you mean 'norm" in err
    code, out, _ = run("show", "cli_net:Net", "norm.*", "--json")
    names = [row["names"] for row in json.loads(out)["parameters"]]
    assert names == [["norm.weight"], ["norm.bias"]]


def test_record_shows_what_a_models_own_code_does(place: Path, run: Run) -> None:
    code, out, _ = run("record", "cli_net:Net", "--html", "page.html", "--out", "own.toml")
    assert code == 0
    assert "N(0, 1)" in out
    assert run("plan", "cli_net:Net")[:2] == (code, out)
    assert "1. normal_(): N(0, 1)" in (place / "page.html").read_text()
    assert run("plan", "cli_net:Net", "--rules", "own.toml")[0] == 0
    code, out, _ = run("record", "cli_net:Net", "--history", "norm.bias")
    assert code == 0
    assert out.startswith("1. zeros_(): constant 0, in LayerNorm.reset_parameters (cli_net.py:")
    code, _, err = run("record", "cli_net:Net", "--history", "norm.bais")
    assert (code, "no parameter 'norm.bais'" in err) == (2, True)
    code, _, err = run("plan", "cli_net:Net", "--only", "norm")
    assert (code, err) == (2, "initkit: --only goes with --rules\n")


def test_diff_compares_models_and_saved_plans(place: Path, run: Run) -> None:
    (place / "plan.json").write_text(record_init(torch.nn.Linear, 4, 4).to_json())
    (place / "other.py").write_text(
        "from torch import nn\nmine = lambda: nn.Linear(4, 4)\n"
        "def wide():\n    m = mine()\n    nn.init.normal_(m.weight)\n    return m\n"
    )
    assert run("diff", "plan.json", "other:mine")[:2] == (0, "no difference\n")
    code, out, _ = run("diff", "plan.json", "other:wide")
    assert (code, out) == (1, "~ weight  U(-0.5, 0.5) -> N(0, 1)\n")
    for command in ("plan", "record"):
        (place / "printed.json").write_text(run(command, "other:mine", "--json")[1])
        assert run("diff", "printed.json", "plan.json")[:2] == (0, "no difference\n")
        assert run("diff", "printed.json", "other:wide")[:2] == (1, out)
    code, _, err = run("diff", "none.json", "other:wide")
    assert (code, err) == (2, "initkit: there is no file none.json\n")


def test_a_printed_plan_keeps_its_problems(run: Run) -> None:
    rules = ("--rules", "xavier_uniform", "--only", "nrom.weight")
    code, out, _ = run("plan", "cli_net:Net", *rules, "--json")
    plan = Plan.from_json(out)
    assert (code, [str(problem) for problem in plan.problems]) == (1, json.loads(out)["problems"])
    with pytest.raises(PlanError, match=r"only has 'nrom\.weight'"):
        plan.apply(torch.nn.Linear(1, 1), seed=0)
    with pytest.raises(ReadError, match="the plan was changed"):
        Plan.from_json(out.replace("not in only", "write"))


def test_what_is_wrong_on_the_command_line_is_mended_as_one_writes_it(run: Run) -> None:
    code, _, err = run("plan", "cli_net:Net", "--rules", "gpt2/transfomers(std=1)")
    assert code == 2
    assert err.endswith(
        "  as written:   --rules 'gpt2/transfomers(std=1)'\n"
        "  to paste:     --rules 'gpt2/transformers(std=1)'\n"
    )
    code, out, _ = run("plan", "cli_net:Net", "--rules", "keep", "--only", "norm.wieght")
    assert code == 1
    assert "  as written:   --only norm.wieght\n  to paste:     --only norm.weight\n" in out
    code, _, err = run("check", "cli_net:Net", "--rules", "keep", "--protect", "norm.wieght")
    assert code == 2 and err.endswith("  to paste:     --protect norm.weight\n")


def test_ties_names_what_shares_memory(run: Run) -> None:
    code, out, _ = run("ties", "cli_net:Net")
    assert code == 0
    assert "embed.weight" in out
    assert "head.weight" in out


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_apply_writes_weights_that_check_proves(suffix: str, place: Path, run: Run) -> None:
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    rules = ("--rules", "xavier_normal")
    out = f"init{suffix}"
    made = run("apply", "cli_net:Net", *rules, "--seed", "3", "--out", out)
    assert made[0] == 0
    assert "seed 3; digest " in made[1]
    code, text, _ = run("check", "cli_net:Net", *rules, "--weights", out)
    assert code == 0, text
    wrong = ("--rules", "xavier_uniform")
    assert run("check", "cli_net:Net", *wrong, "--weights", out)[0] == 1
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


WRONG: dict[str, tuple[list[str], str]] = {
    "no command": ([], "the following arguments are required"),
    "an unknown command": (["plann"], "invalid choice"),
    "an unknown option": (["schemes", "--jsn"], "unrecognized arguments"),
    "no target": (["plan", "Net", "--rules", "zeros"], "'Net' is no target"),
    "no module": (["plan", "nope.mod:f", "--rules", "zeros"], "importing nope.mod failed"),
    "no file": (["plan", "nope.py:f", "--rules", "zeros"], "there is no file nope.py"),
    "no callable": (["plan", "cli_net:nope", "--rules", "zeros"], "has no 'nope'"),
    "arguments": (["plan", "cli_net:needs", "--rules", "zeros"], "calling cli_net:needs failed"),
    "no arguments": (
        ["plan", "cli_net:needs", "--rules", "zeros"],
        "; a target is called without arguments: name a function that gives them",
    ),
    "a number": (["plan", "cli_net:number", "--rules", "zeros"], "returned int, not a module"),
    "no rules": (["plan", "cli_net:Net", "--rules", "nope"], "there is no recipe or scheme 'nope'"),
    "no rule file": (["plan", "cli_net:Net", "--rules", "nope.toml"], "there is no file nope.toml"),
    "no weights": (["check", "nope.pt"], "there is no file nope.pt"),
    "no such ending": (
        ["apply", "cli_net:Net", "--rules", "zeros", "--seed", "0", "--out", "x.bmp"],
        "weights go into a .safetensors, .pt or .pth file",
    ),
    "no number": (
        ["apply", "cli_net:Net", "--rules", "zeros", "--seed", "x", "--out", "x.pt"],
        "argument --seed: 'x' is no integer",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_exits_2_with_a_sentence(case: str, run: Run) -> None:
    arguments, message = WRONG[case]
    code, out, err = run(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""


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


def test_apply_keeps_a_report_that_proves_the_weights(place: Path) -> None:
    words = "apply cli_net:Net --rules rules.toml --seed 3 --out w.pt --report r.json".split()
    done = subprocess.run(
        [sys.executable, "-m", "initkit", *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert verify_report(torch.load(place / "w.pt"), place / "r.json").ok


def test_python_minus_m_runs_it_and_a_closed_pipe_is_no_error() -> None:
    command = [sys.executable, "-m", "initkit", "recipes"]
    process: Any = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


# ---- probe and calibrate

PROBED = """
import torch
from torch import nn

def deep():
    return nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.ReLU())])

def one():
    return torch.ones(4, 8)

def several():
    return (torch.randn(4, 8),)

def named():
    return {"input": torch.randn(4, 8)}

def broken():
    raise ValueError("no data")

number = 3
"""
SMALL = '[[rules]]\n"*.weight" = "normal(std=0.001)"\n"*.bias" = 0\n'


@pytest.fixture
def probed(place: Path) -> Path:
    (place / "probed.py").write_text(PROBED)
    (place / "small.toml").write_text(SMALL)
    return place


@pytest.mark.parametrize("inputs", ["one", "several", "named"])
def test_probe_exits_with_1_where_there_are_problems(probed: Path, run, inputs: str) -> None:
    code, out, err = run(
        "probe", "probed.py:deep", "--inputs", f"probed.py:{inputs}", "--rules", "small.toml"
    )
    assert (code, err) == (1, "") and "the signal falls" in out
    code, out, _ = run(
        "probe", "probed.py:deep", "--inputs", f"probed.py:{inputs}", "--rules", "kaiming_normal"
    )
    assert code == 0 and out.startswith("Sequential: no problem")


def test_probe_writes_json_and_a_page(probed: Path, run) -> None:
    target = ("probe", "probed.py:deep", "--inputs", "probed.py:one")
    code, out, _ = run(*target, "--json", "--html", "probe.html", "--rules", "small.toml")
    assert code == 1 and json.loads(out)["ok"] is False
    assert (probed / "probe.html").read_text().startswith("<!doctype html>")
    code, _, err = run(*target, "--html", "nowhere/probe.html")
    assert code == 2 and "nowhere" in err


def test_calibrate_saves_a_plan_that_travels(probed: Path, run) -> None:
    code, out, _ = run(
        "calibrate", "probed.py:deep", "--inputs", "probed.py:several",
        "--rules", "small.toml", "--seed", "3", "--out", "plan.json",
    )  # fmt: skip
    assert code == 0 and out.startswith("8 layers on target after 2 passes")
    plan = Plan.from_json((probed / "plan.json").read_text())
    assert plan["0.weight"].distribution.std > 0.1


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("probed.py", "'probed.py' names no inputs: give path/to/file.py:function"),
        ("probed.py:number", "probed.py:number is int, which cannot be called"),
        ("probed.py:broken", "probed.py:broken failed: ValueError: no data"),
        ("gone.py:one", "there is no file gone.py"),
    ],
)
def test_inputs_that_cannot_be_made_are_refused(probed: Path, run, inputs: str, text: str) -> None:
    code, _, err = run("probe", "probed.py:deep", "--inputs", inputs)
    assert (code, err) == (2, f"initkit: {text}\n")


def test_convert_writes_the_rules_of_another_librarys_configuration(run: Run, place: Path) -> None:
    (place / "mm.py").write_text("init_cfg = dict(type='Constant', layer='LayerNorm', val=1)")
    code, out, _ = run("convert", "mm.py", "--out", "mm.toml")
    assert code == 0 and "LayerNorm.weight  1" in out
    code, out, _ = run("plan", "cli_net:Net", "--rules", "mm.toml")
    assert code == 0 and "constant 1" in out
    code, _, err = run("convert", "missing.py")
    assert code == 2 and err == "initkit: there is no file missing.py\n"
