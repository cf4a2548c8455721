"""The examples run as a user runs them, and the README's own code is true."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/initkit"
BASES = (ROOT, PACKAGE)
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def run(script: str) -> str:
    """Return what a script prints, run in a process of its own where warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_quickstart_shows_a_plan_and_a_report_of_each_model() -> None:
    text = run("examples/quickstart.py")
    for model in ("ResNeXt-29", "WRN-28-10", "language model"):
        assert model in text
    assert "stage3.2.conv2.weight" in text
    assert "N(0, 0.0" in text


def test_the_tutorial_runs_and_says_what_it_found() -> None:
    text = run("examples/tutorial.py")
    assert "gradient 6" in text


@pytest.mark.parametrize("page", ["README.md"])
def test_code_on_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), scope)
    for name, test in scope.items():
        if name.startswith("test_") and callable(test):
            test()


def test_the_readme_shows_what_its_code_prints(capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE):
        exec(compile(block, "README.md", "exec"), scope)
    shown = re.findall(r"^```text\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert "".join(shown) == capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_a_page_names_only_files_that_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    links += re.findall(r"`([\w./]+/(?:[\w.]+\.\w+)?)`", text)
    missing = [link for link in links if not any((base / link).exists() for base in BASES)]
    assert links and not missing


def test_the_architecture_lists_every_room_and_nothing_else() -> None:
    listed = re.findall(r"^(\w+)/?  +\w", _block(ARCHITECTURE, "The rooms"), re.MULTILINE)
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(listed) == sorted(n for n in there if not n.startswith("_"))


def test_the_architecture_shows_the_floors_that_are_tested() -> None:
    tree = ast.parse((ROOT / "tests/test_architecture.py").read_text())
    values = {ast.unparse(n.targets[0]): n.value for n in tree.body if isinstance(n, ast.Assign)}
    floors = ast.literal_eval(values["FLOORS"])
    assert _block(ARCHITECTURE, "The floors").split("\n") == list(reversed(floors))


def _block(text: str, heading: str) -> str:
    """Return the first block of code under a heading."""
    return text.split(f"## {heading}\n")[1].split("```\n")[1].removesuffix("\n")


def test_the_readme_names_only_targets_that_the_task_file_has() -> None:
    targets = set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


def test_the_task_file_stays_short() -> None:
    assert len((ROOT / "Makefile").read_text().splitlines()) < 60
