"""The command line: schemes, recipes, describe, plan, ties, check, apply, suggest.

Exit codes: 0 fine, 1 a check failed or a plan has problems, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ..check.check import check_init
from ..errors import InitkitError, UnknownNameError
from ..plan import plain_data, plan_init
from ..plan.suggest import suggest_recipe
from ..render import fold
from ..rules import Recipe, Table, aliases, describe_recipe, list_recipes, recipe_named
from ..rules.recipe_files import load_recipe
from ..schemes import canonical_name, describe_scheme, list_schemes
from ..ties.report import tie_report
from ..write import apply_init
from .targets import (
    check_folder,
    check_weights_path,
    load_module,
    load_target,
    load_weights,
    save_weights,
)

FINE, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    >>> main(["describe", "zeros"])
    zeros()
      Set every element to 0.
      formula  0
      moments  mean 0, std 0
      source   torch.nn.init.zeros_
      also     zero
    0
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except InitkitError as error:
        print(f"initkit: {error}", file=sys.stderr)
        return WRONG_USE
    except BrokenPipeError:  # `initkit recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "initkit",
        allow_abbrev=False,
        description="Decide, show, write and prove how the parameters of a PyTorch model start.",
        epilog="TARGET is package.module:callable, path/to/file.py:callable, or a state_dict in a "
        ".safetensors, .pt or .pth file. Exit codes: 0 fine, 1 a check failed, 2 wrong use.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _command(commands, _schemes, "schemes", "list all schemes")
    _command(commands, _recipes, "recipes", "list all recipes")
    describe = _command(commands, _describe, "describe", "show a scheme or a recipe")
    describe.add_argument("name", metavar="NAME")
    plan = _command(commands, _plan, "plan", "show who gets what, and why; write nothing")
    _takes_rules(plan)
    ties = _command(commands, _ties, "ties", "show which names share memory")
    ties.add_argument("target", metavar="TARGET")
    check = _command(commands, _check, "check", "compare a model with rules")
    _takes_rules(check, required=False)
    check.add_argument("--weights", metavar="FILE", help="check these weights in TARGET")
    apply = _command(commands, _apply, "apply", "initialise a model and save its state_dict")
    _takes_rules(apply)
    apply.add_argument("--seed", type=int, required=True, help="any integer")
    apply.add_argument("--out", metavar="FILE", required=True, help=".safetensors, .pt or .pth")
    apply.add_argument("--report", metavar="FILE", help="save the report here, as JSON")
    suggest = _command(commands, _suggest, "suggest", "name the recipes that fit a model")
    suggest.add_argument("target", metavar="TARGET")
    return parser


def _command(
    commands: Any, run: Callable[[argparse.Namespace], int], name: str, what: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False
    )
    command.add_argument("--json", action="store_true", help="print JSON for programs")
    command.set_defaults(run=run)
    return command


def _takes_rules(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("target", metavar="TARGET")
    what = "a .toml or .json file, or the name of a recipe or scheme"
    command.add_argument("--rules", metavar="FILE|NAME", required=required, help=what)
    command.add_argument("--strict", action="store_true", help="refuse uncovered parameters")
    command.add_argument("--ignore-idle", action="store_true", help="let rules match nothing")
    command.add_argument("--only", action="append", metavar="NAME", help="may be repeated")
    command.add_argument("--protect", action="append", metavar="NAME", help="may be repeated")


# ---------------------------------------------------------------------------------- commands


def _schemes(options: argparse.Namespace) -> int:
    infos = [describe_scheme(name) for name in list_schemes()]
    rows = [(info.name, info.formula or info.summary) for info in infos]
    return _print(options, {info.name: asdict(info) for info in infos}, lambda: _two_columns(rows))


def _recipes(options: argparse.Namespace) -> int:
    other: dict[str, list[str]] = {}
    for alias, name in aliases().items():
        other.setdefault(name, []).append(alias)
    recipes = [describe_recipe(name) for name in list_recipes() if name not in aliases()]
    rows = [
        (r.name, r.summary + (f" (also: {', '.join(other[r.name])})" if r.name in other else ""))
        for r in recipes
    ]
    data = {r.name: _recipe_data(r) | {"also": other.get(r.name, [])} for r in recipes}
    return _print(options, data, lambda: _two_columns(rows))


def _describe(options: argparse.Namespace) -> int:
    name = options.name
    if recipe_named(name.partition("(")[0]) is not None:
        recipe = describe_recipe(name)
        data = _recipe_data(recipe) | {"rules": recipe.rows}
        return _print(options, data, lambda: _folded(recipe))
    if canonical_name(name) is None:
        choices = [*list_schemes(), *list_recipes()]
        raise UnknownNameError("scheme or recipe", name, choices)
    info = describe_scheme(name)
    return _print(options, asdict(info), lambda: str(info))


def _plan(options: argparse.Namespace) -> int:
    plan = plan_init(load_target(options.target), _rules(options), **_plan_options(options))
    data = plan.to_dict() | {"problems": list(map(str, plan.problems))}
    _print(options, data, lambda: plan.text(_width()))
    return FAILED if plan.problems else FINE


def _ties(options: argparse.Namespace) -> int:
    report = tie_report(load_module(options.target))
    return _print(options, report.to_dict(), lambda: report.text(_width()))


def _check(options: argparse.Namespace) -> int:
    model = load_target(options.target)
    if options.weights:
        load_weights(model, options.weights)
    rules = _rules(options) if options.rules else None
    report = check_init(model, rules, **_plan_options(options))
    _print(options, report.to_dict(), lambda: _coloured(report.text(_width()), report.ok))
    return FINE if report.ok else FAILED


def _apply(options: argparse.Namespace) -> int:
    check_weights_path(options.out)
    if options.report:
        check_folder(options.report)
    model = load_target(options.target)
    rules = _rules(options)
    report = apply_init(model, rules, seed=options.seed, **_plan_options(options))
    save_weights(model, options.out)
    if options.report:
        report.save(options.report)
    saved = fold(f"saved to {options.out}", _width())
    return _print(options, report.to_dict(), lambda: f"{report.text(_width())}\n{saved}")


def _suggest(options: argparse.Namespace) -> int:
    found = suggest_recipe(load_module(options.target))
    data = [asdict(one) for one in found]
    return _print(options, data, lambda: found.text(_width()))


def _rules(options: argparse.Namespace) -> Table:
    text: str = options.rules
    return load_recipe(text) if text.endswith((".toml", ".json")) else text


def _plan_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "strict": options.strict,
        "idle": "ignore" if options.ignore_idle else "error",
        "only": options.only,
        "protect": options.protect,
    }


# ----------------------------------------------------------------------------------- printing


def _print(options: argparse.Namespace, data: Any, text: Callable[[], str]) -> int:
    if options.json:
        print(json.dumps(plain_data(data), indent=1, default=str))
    else:
        print(text())
    return FINE


def _recipe_data(recipe: Recipe) -> dict[str, Any]:
    keys = ("name", "summary", "source", "paper", "fits", "notes")
    options = {option: str(default) for option, default in recipe.options.items()}
    return {key: getattr(recipe, key) for key in keys} | {"options": options}


def _folded(recipe: Recipe) -> str:
    """Show a recipe in lines of the terminal's width, long rules on lines of their own."""
    head, rows = str(recipe).splitlines(), recipe.rows
    lines = [
        line
        for text in head[: len(head) - len(rows)]
        for line in textwrap.wrap(text, _width(), subsequent_indent=" " * 10)
    ]
    for rule, scheme in rows:
        short = f"  {rule}  {scheme}"
        wide = textwrap.wrap(scheme, _width() - 6) or [""]
        lines += [short] if len(short) <= _width() else [f"  {rule}", *(" " * 6 + w for w in wide)]
    return "\n".join(lines)


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _two_columns(rows: Sequence[tuple[str, str]]) -> str:
    """Lay out names and texts, the texts folded beside or, where names are long, below them."""
    left = min(max((len(name) for name, _ in rows), default=0), 24) + 2
    lines = []
    for name, text in rows:
        folded = textwrap.wrap(text, max(_width() - left, 30)) or [""]
        first = folded.pop(0) if len(name) < left - 1 else ""
        lines.append(f"{name:<{left}}{first}".rstrip())
        lines += [" " * left + line for line in folded]
    return "\n".join(lines)


def _coloured(text: str, ok: bool) -> str:
    """Colour the first line, on a terminal that wants it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    first, _, rest = text.partition("\n")
    return f"\x1b[{32 if ok else 31}m{first}\x1b[0m\n{rest}"
