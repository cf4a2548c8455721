"""The examples run as a user runs them, and the README's own code is true."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/initkit"
BASES = (ROOT, PACKAGE)
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
GALLERY = sorted((ROOT / "docs/gallery").glob("*.md"))
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
    assert "stage{1..3}.{0..2}.conv2.weight" in text
    assert "N(0, 0.0" in text


def test_the_tutorial_runs_and_says_what_it_found() -> None:
    text = run("examples/tutorial.py")
    assert "gradient 6" in text


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
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


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_a_readme_shows_what_its_code_prints(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / page).read_text()
    scope: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        exec(compile(block, page, "exec"), scope)
    shown = re.findall(r"^```text\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert shown and "".join(shown) == capsys.readouterr().out


def test_the_tutorial_in_chinese_has_every_example_of_the_english_one() -> None:
    def examples(page: str) -> set[str]:
        blocks = re.findall(r"^```pycon\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
        return {line for block in blocks for line in block.splitlines() if line.startswith(">>>")}

    english, chinese = (
        examples((ROOT / f"docs/tutorial{language}.md").read_text()) for language in ("", ".zh")
    )
    assert english and english <= chinese


def test_the_picture_in_the_readme_is_what_its_script_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for folder in ("docs", "examples"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    assert re.findall(r"\(docs/images/([\w-]+)\.svg\)", README) == ["odd-layer"]
    drawn = importlib.import_module("pictures").odd_layer()
    assert drawn == (ROOT / "docs/images/odd-layer.svg").read_text(), "python docs/pictures.py"


@pytest.mark.parametrize(
    "page", [ROOT / "docs/signal.md", *GALLERY], ids=lambda path: str(path.stem)
)
def test_the_pictures_of_a_page_are_drawn_by_its_own_code(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.chdir(tmp_path)
    drawn = dict(importlib.import_module("generate").pictures(page))
    assert drawn and all("<svg" in picture for picture in drawn.values())


def test_the_gallery_lists_each_of_its_pages() -> None:
    index = (ROOT / "docs/gallery.md").read_text()
    listed = re.findall(r"\]\(gallery/(\w+)\.md\)", index)
    assert sorted(listed) == [page.stem for page in GALLERY]
    assert listed == re.findall(r"^gallery/(\w+)$", index, re.MULTILINE)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_its_pages_show(notebook: Path) -> None:
    torch.manual_seed(0)
    cells = json.loads(notebook.read_text())["cells"]
    scope: dict[str, object] = {}
    shown = 0
    for cell in cells:
        assert not cell.get("outputs")
        if cell["cell_type"] != "code":
            continue
        *body, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(body, []), notebook.name, "exec"), scope)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), notebook.name, "eval"), scope)
            shown += "class=initkit" in getattr(value, "_repr_html_", str)()
        else:
            exec(compile(ast.Module([last], []), notebook.name, "exec"), scope)
    assert shown


@pytest.mark.parametrize(
    "page", ["README.md", "README.zh.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
)
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


def test_the_installation_page_names_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/install.md").read_text(), flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(project["optional-dependencies"])


def test_the_task_file_stays_short() -> None:
    assert len((ROOT / "Makefile").read_text().splitlines()) < 60
