"""Change the code in small wrong ways, and count the changes that no test notices.

    python benchmarks/mutation.py [--sample 20] [--seed 0] [--only ties] [--out mutants.json]

A mutant is one module with one operator, constant, condition or statement changed. It is killed
when a test of its rooms fails, hangs or does not import; a survivor is printed with its line, for a
person to judge: some change nothing that can be observed. Every verdict is written at once, so a
run that was stopped goes on where it was. Each mutant is tried in a fork of a process that has
imported torch, against a copy of the package: the checkout stays as it is.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 180
# A module, and the tests that answer for it, nearest first: the first failure ends a mutant.
TARGETS = {
    "numbers.fans": "numbers/test_fans.py model/test_layouts.py schemes model",
    "numbers.matrices": "numbers schemes/test_matrices.py check/test_matrices.py",
    "model.layouts": "model/test_layouts.py schemes model",
    "rules.globs": "rules/test_globs.py rules",
    "rules.landmarks": "rules/test_landmarks.py rules plan/test_matching.py",
    "rules.matchers": "rules/test_matchers.py rules plan",
    "rules.read": "rules/test_read.py rules plan",
    "plan.matching": "plan/test_matching.py plan",
    "plan.resolve": "plan/test_resolve.py schemes plan",
    "plan.conflicts": "plan/test_conflicts.py plan ties",
    "plan.dtypes": "plan/test_dtypes.py plan",
    "plan.unused": "plan/test_unused.py plan",
    "ties.grouping": "ties/test_grouping.py ties plan",
    "ties.storage": "ties/test_storage.py ties plan",
    "ties.byte_regions": "ties",
    "distributions.elementwise": "distributions schemes check",
    "distributions.structured": "distributions schemes check",
    "distributions.mapped": "distributions schemes check",
    "stream.keys": "stream",
    "stream.values": "stream schemes",
    "model.sharding": "model/test_sharding.py write/test_distributed.py write/test_apply.py",
    "check.sample_tests": "check",
    "check.norms": "check",
    "check.expectation": "check",
}
COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
OPERATORS = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}


@dataclass(frozen=True)
class Mutant:
    """One module with the text between two positions replaced."""

    module: str
    line: int
    start: int
    stop: int
    text: str

    def source(self, original: bytes) -> bytes:
        """Return the module's text with the change in it."""
        return original[: self.start] + self.text.encode() + original[self.stop :]

    def key(self) -> str:
        return f"{self.module}:{self.start}-{self.stop}:{self.text}"


def mutants(module: str, source: bytes) -> Iterator[Mutant]:
    """Yield every small change of a module's code; annotations and docstrings are left alone."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def at(node: ast.AST, text: str) -> Mutant:
        start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        stop = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return Mutant(module, node.lineno, start, stop, text)  # type: ignore[attr-defined]

    for node in _behaviour(ast.parse(source)):
        for text in _changes(node):
            yield at(node, text)


def _behaviour(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run: no annotations, docstrings, imports, messages of errors."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            skip = (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr, ast.Assert)
            if not isinstance(node, ast.AST) or isinstance(node, skip):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            yield from _behaviour(node)


def _changes(node: ast.AST) -> Iterator[str]:  # noqa: C901
    """Yield what a node may become."""
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in COMPARISONS:
            wrong = COMPARISONS[type(operator)]
            yield f"({ast.unparse(left)} {wrong} {ast.unparse(right)})"
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield f"({ast.unparse(left)} {OPERATORS[type(operator)]} {ast.unparse(right)})"
        case ast.BoolOp(operator, values):
            wrong = " or " if isinstance(operator, ast.And) else " and "
            yield f"({wrong.join(f'({ast.unparse(value)})' for value in values)})"
        case ast.UnaryOp(ast.Not(), operand):
            yield f"bool({ast.unparse(operand)})"
        case ast.UnaryOp(ast.USub(), operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value) if isinstance(value, bool):
            yield str(not value)
        case ast.Constant(value) if isinstance(value, int | float):
            yield str(value + 1)
        case ast.IfExp(_, body, orelse):
            for branch in (body, orelse):
                yield f"({ast.unparse(branch)})"
        case ast.Return(value) if value is not None and not isinstance(value, ast.Constant):
            yield "return None"
        case ast.Continue() | ast.Break():
            yield "pass"
        case ast.Expr(ast.Call()) | ast.AugAssign():
            yield "pass"


def sample(count: int, seed: int, only: str) -> list[tuple[Mutant, str]]:
    """Return up to `count` mutants of each target, with its tests, the same ones for a seed."""
    chosen = []
    for module, tests in TARGETS.items():
        if not module.startswith(only):
            continue
        found = list(mutants(module, path_of(module).read_bytes()))
        random.Random(f"{seed} {module}").shuffle(found)
        chosen += [(mutant, tests) for mutant in found[:count]]
    return chosen


def path_of(module: str, root: Path = ROOT / "src") -> Path:
    """Return a module's file."""
    return root / "initkit" / Path(*module.split(".")).with_suffix(".py")


def survives(mutant: Mutant, tests: str, package: Path) -> bool:
    """Return whether all tests pass with the change, tried in a fork that may take SECONDS."""
    path = path_of(mutant.module, package)
    original = path.read_bytes()
    path.write_bytes(mutant.source(original))
    try:
        child = os.fork()
        if not child:
            os.setsid()
            os._exit(_passes(tests, package))
        return _exit_code(child) == 0
    finally:
        path.write_bytes(original)


def _passes(tests: str, package: Path) -> int:
    """Run the tests of one mutant, and return pytest's exit code."""
    import pytest

    sys.path.insert(0, str(package))
    sys.dont_write_bytecode = True
    os.environ["PYTHONPATH"] = os.pathsep.join([str(package), str(ROOT / "examples")])
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    chosen = ["-m", "not slow and not models"]
    paths = [f"tests/{test}" for test in tests.split()]
    try:
        with open(os.devnull, "w") as sink, redirect_stdout(sink), redirect_stderr(sink):
            return int(pytest.main([*quiet, *chosen, *paths]))
    except BaseException:
        return 1


def _exit_code(child: int) -> int:
    """Wait for a fork, and return its exit code; one that hangs is ended, which counts as 1."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


def main() -> None:
    """Try the mutants that were not tried yet, then print the survivors and their share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sample", type=int, default=20, help="mutants per module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a module, or a room, of the package")
    parser.add_argument("--out", type=Path, default=Path.cwd() / "mutants.json")
    parser.add_argument("--sound", action="store_true", help="the tests are known to pass")
    parser.add_argument("--list", action="store_true", help="count the mutants, and try none")
    given = parser.parse_args()
    chosen = sample(given.sample, given.seed, given.only)
    if given.list:
        print(f"{len(chosen)} mutants of {len({mutant.module for mutant, _ in chosen})} modules")
        return
    verdicts = judge(chosen, given.out, sound=given.sound)
    show([mutant for mutant, _ in chosen if verdicts[mutant.key()]], len(chosen))


def judge(chosen: list[tuple[Mutant, str]], out: Path, *, sound: bool) -> dict[str, bool]:
    """Return which mutants survive, by their keys; a verdict that `out` holds is taken from it.

    Unless they are known to be `sound`, the tests of a module are run without a change first.
    """
    import torch

    torch.set_num_threads(1)
    os.chdir(ROOT)
    verdicts: dict[str, bool] = json.loads(out.read_text()) if out.exists() else {}
    passed = {tests for _, tests in chosen} if sound else set()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        shutil.copytree(ROOT / "src", package, dirs_exist_ok=True)
        for number, (mutant, tests) in enumerate(chosen, 1):
            if mutant.key() not in verdicts:
                if tests not in passed and not survives(_unchanged(mutant.module), tests, package):
                    sys.exit(f"tests of {mutant.module} fail without a change: {tests}")
                passed.add(tests)
                verdicts[mutant.key()] = survives(mutant, tests, package)
                out.write_text(json.dumps(verdicts, indent=1))
            print(f"\r{number} of {len(chosen)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return verdicts


def _unchanged(module: str) -> Mutant:
    """Return the change that changes nothing: its tests must pass, or no verdict means anything."""
    return Mutant(module, 1, 0, 0, "")


def show(survivors: list[Mutant], tried: int) -> None:
    """Print each survivor as its line, was and is, and what share of all survived."""
    for mutant in survivors:
        original = path_of(mutant.module).read_bytes()
        was = original[mutant.start : mutant.stop].decode()
        print(f"{mutant.module}:{mutant.line}: {was} -> {mutant.text}")
    print(f"{len(survivors)} of {tried} survived ({len(survivors) / max(tried, 1):.1%})")


if __name__ == "__main__":
    main()
