"""The pytest plugin: a plan snapshot that lies in the user's repository, and opt-in loading."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import initkit.testing  # noqa: F401  loaded here, so that no inner run loads it again

pytest_plugins = ["pytester"]

TEST = """
from torch import nn
RULES = {"weight": "normal(std=0.02)", "bias": 0}

def test_plan(plan_snapshot):
    plan_snapshot(nn.Linear(3, 4), RULES)
"""
FILE = "init_plans/test_net-test_plan.txt"
SNAPSHOT = """\
# initkit plan: 2 parameters, 16 elements
weight  4x3  N(0, 0.02)
bias    4    constant 0
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CI", raising=False)

    def go(text: str, *options: str) -> pytest.RunResult:
        (pytester.path / "test_net.py").write_text(text)
        return pytester.runpytest_inprocess("-p", "initkit.pytest_plugin", *options)

    return go


def test_the_first_run_writes_a_readable_file(run, pytester: pytest.Pytester) -> None:
    run(TEST).assert_outcomes(passed=1)
    assert (pytester.path / FILE).read_text() == SNAPSHOT


def test_an_unchanged_plan_passes_and_rewrites_nothing(run, pytester: pytest.Pytester) -> None:
    run(TEST)
    before = (pytester.path / FILE).stat().st_mtime_ns
    run(TEST).assert_outcomes(passed=1)
    assert (pytester.path / FILE).stat().st_mtime_ns == before


def test_a_changed_plan_fails_with_a_diff_and_the_way_out(run) -> None:
    run(TEST)
    result = run(TEST.replace("0.02", "0.03"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*CheckError: the plan is not the one in *test_plan.txt:*", "*-weight  4x3  N(0, 0.02)*",
         "*+weight  4x3  N(0, 0.03)*", "*pytest --initkit-update*"]
    )  # fmt: skip
    assert "assert_plan(model, rules, path" not in result.stdout.str(), "the plugin's own frames"


def test_the_option_writes_the_file_anew(run, pytester: pytest.Pytester) -> None:
    run(TEST)
    changed = TEST.replace("0.02", "0.03")
    run(changed, "--initkit-update").assert_outcomes(passed=1)
    run(changed).assert_outcomes(passed=1)
    assert "N(0, 0.03)" in (pytester.path / FILE).read_text()


def test_a_missing_file_fails_in_continuous_integration(run, monkeypatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(TEST)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no snapshot *run*commit*"])


def test_every_test_and_name_has_a_file_of_its_own(run, pytester: pytest.Pytester) -> None:
    text = """
import pytest
from torch import nn

class TestNet:
    @pytest.mark.parametrize("width", [3, 5])
    def test_plan(self, plan_snapshot, width):
        plan_snapshot(nn.Linear(width, 4), {"*": 0})
        plan_snapshot(nn.Linear(width, 4), {"*": 1}, name=f"ones/{width}")
"""
    run(text).assert_outcomes(passed=2)
    found = sorted(path.name for path in (pytester.path / "init_plans").iterdir())
    assert found == [
        "ones_3.txt", "ones_5.txt", "test_net-TestNet-test_plan_3.txt",
        "test_net-TestNet-test_plan_5.txt",
    ]  # fmt: skip


def test_two_tests_whose_names_make_one_file_are_refused(run) -> None:
    text = """
import pytest
from torch import nn

@pytest.mark.parametrize("what", ["a/b", "a_b"])
def test_plan(plan_snapshot, what):
    plan_snapshot(nn.Linear(3, 4), {"*": 0})
"""
    result = run(text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_net-test_plan_a_b.txt is the file of test_net.py::test_plan[[]a/b], too; pass*"]
    )


def test_two_plans_under_one_name_are_refused(run) -> None:
    result = run(TEST + "    plan_snapshot(nn.Linear(3, 4), {'*': 0})\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*compared twice in one test; pass name=...*"])


def test_the_other_fixtures_check_values_and_guard_them(run) -> None:
    text = """
import initkit, pytest
from torch import nn

def test_values(check_initialized):
    model = nn.Linear(200, 200)
    with pytest.raises(initkit.CheckError, match="torch's own default"):
        check_initialized(model, {"weight": "normal(std=0.02)", "bias": 0})

def test_guard(untouched):
    model = nn.Linear(2, 2)
    with pytest.raises(initkit.CheckError, match="bias"), untouched(model):
        nn.init.zeros_(model.bias)
"""
    run(text).assert_outcomes(passed=2)


def test_a_run_that_does_not_ask_for_it_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\ndef test_plain():\n    assert not {'torch', 'initkit'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout


def test_loading_the_plugin_loads_no_testing_before_a_fixture_asks() -> None:
    code = (
        "import initkit.pytest_plugin, sys\n"
        "print({'initkit.testing', 'initkit.check'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("none", "{'initkit.check'}")
