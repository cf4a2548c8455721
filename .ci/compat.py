"""Test one wheel under several releases of torch and Python, each in an environment of its own.

    python .ci/compat.py                      # the whole matrix, and the table of docs/install.md
    python .ci/compat.py 2.6.0 3.11           # one cell
    python .ci/compat.py 2.6.0 3.11 --only-environment
    python .ci/compat.py 2.6.0 --tests tests/test_digests.py tests/ties

Each cell installs torch without its dependencies, lets it run on the CPU (see stub_libraries.py),
installs the wheel, and runs the tests that need no foreign models. Environments stay in
``.ci/compat/``. Pythons are those on the path (``python3.12``); one that is missing is named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".ci" / "compat"
MATRIX = [
    *((torch, "3.11") for torch in ("2.6.0", "2.9.1", "2.13.0")),
    ("2.9.1", "3.12"),
    ("2.13.0", "3.12"),
    ("2.9.1", "3.13"),
    ("2.13.0", "3.13"),
    ("2.13.0", "3.14"),
    ("2.15.0", "3.14"),
]
# What torch and the tests import. torch itself would bring gigabytes of CUDA libraries.
NEEDED = [
    *("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions>=4.10"),
    *("pytest>=8", "pytest-xdist", "hypothesis", "numpy", "scipy", "safetensors", "tqdm", "rich"),
]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PAGE = ROOT / "docs" / "install.md"
BEGIN, END = "<!-- compat: begin -->", "<!-- compat: end -->"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Test under several releases of torch and Python.")
    parser.add_argument("torch", nargs="?", help="a release of torch; the whole matrix without")
    parser.add_argument("python", nargs="?", default=HERE)
    parser.add_argument("--wheel", help="the wheel to test; built here without")
    parser.add_argument("--only-environment", action="store_true", help="install, and do not test")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="files; all without")
    options = parser.parse_args()
    wheel = options.wheel or build()
    cells = [(options.torch, options.python)] if options.torch else MATRIX
    rows = []
    for torch, python in cells:
        environment = prepare(torch, python, wheel)
        if environment is None:
            rows.append((torch, python, "no such Python on the machine that made this table"))
        elif not options.only_environment:
            rows.append((torch, python, test(environment, options.tests)))
    for row in rows:
        print(" | ".join(row))
    if not options.torch:
        write_table(rows)
    if any(outcome.startswith("failed") for _, _, outcome in rows):
        for log in WORK.glob("*/tests.log"):
            print(log.read_text()[-20_000:])
        sys.exit(1)


def build() -> str:
    """Build the wheel, and return its path."""
    shutil.rmtree(WORK / "dist", ignore_errors=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", WORK / "dist", ROOT)
    return str(next((WORK / "dist").glob("*.whl")))


def prepare(torch: str, python: str, wheel: str) -> Path | None:
    """Make the environment of one cell unless it stands, and put the wheel in it."""
    interpreter = sys.executable if python == HERE else shutil.which(f"python{python}")
    if interpreter is None:
        return None
    environment = WORK / f"torch{torch}-python{python}"
    pip = [environment / "bin" / "python", "-m", "pip", "install", "-q"]
    pip += ["--disable-pip-version-check", "--no-warn-conflicts"]
    if not (environment / "ready").exists():
        run(interpreter, "-m", "venv", "--clear", environment)
        run(*pip, "--no-deps", "--no-compile", f"torch=={torch}")
        run(*pip, *NEEDED)
        package = next(environment.glob("lib/python*/site-packages/torch"))
        run(sys.executable, ROOT / ".ci" / "stub_libraries.py", package)
        (environment / "ready").touch()
    run(*pip, "--no-deps", "--force-reinstall", wheel)
    return environment


def test(environment: Path, files: list[str]) -> str:
    """Run the tests of some files that need no foreign models, and return pytest's last line."""
    command = [environment / "bin" / "python", "-m", "pytest", "-q", "-n", "2"]
    command += ["-m", "not models and not slow", "-p", "no:cacheprovider", *files]
    # No cell has foreign models, so that the run around it may not ask for them here.
    env = {name: value for name, value in os.environ.items() if name != "CI_REQUIRE_MODELS"}
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, cwd=ROOT, check=False, env=env
    )
    told = done.stdout + done.stderr
    (environment / "tests.log").write_text(told)
    last = re.sub(r" in .*", "", told.strip().splitlines()[-1]).strip("= ")
    return last if done.returncode == 0 else f"failed: {last}"


def write_table(rows: list[tuple[str, str, str]]) -> None:
    """Put the table into the page that shows it."""
    lines = ["| torch | Python | tests |", "|---|---|---|"]
    lines += [f"| {torch} | {python} | {outcome} |" for torch, python, outcome in rows]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text("\n".join([before + BEGIN, "", *lines, "", END + after]))


def run(*command: str | Path) -> None:
    """Run a command whose failure ends all."""
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    main()
