"""The command line: one function a command.

Exit codes: 0 fine, 1 a check failed or a plan has problems, 2 wrong use.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from .._version import __version__
from ..access import Summary, summary
from ..check.check import check_init
from ..errors import InitkitError, OptionError, RuleError
from ..files import read_text
from ..plan import DEFAULTS, UNEXPLAINED, Plan, PlanOptions, of_kind, plan_init, step_named
from ..record import recording
from ..render import Line, fold, lines_of, terminal_width
from ..rules import (
    Recipe,
    Rules,
    aliases,
    describe_recipe,
    every_recipe,
    list_recipes,
    recipe_named,
)
from ..rules.convert import convert_config
from ..rules.recipe_files import load_recipe, save_recipe
from ..schemes import canonical_name, describe_scheme, list_schemes, unknown_scheme
from ..signal import calibrate_init, probe_init
from ..stream import backend
from ..suggest import suggest_recipe
from ..ties.report import tie_report
from ..write import apply_init
from .printing import (
    Output,
    judged,
    plan_data,
    print_output,
    recipe_text,
    shell_text,
    two_columns,
)
from .targets import (
    check_folder,
    check_weights_path,
    load_inputs,
    load_module,
    load_target,
    load_weights,
    save_weights,
)
from .usage import Commands, Misuse, Parser, meant, told

FINE, FAILED, WRONG_USE = 0, 1, 2
_ONLY_WITH_RULES = ("strict", "only", "protect")


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
    words = sys.argv[1:] if arguments is None else arguments
    parser, commands = _parser()
    try:
        options = parser.parse_args(words)
    except Misuse as misuse:
        print(told(misuse, words, commands, parser.parse_args), file=sys.stderr)
        raise SystemExit(WRONG_USE) from None
    try:
        output: Output = options.run(options)
        print_output(output, as_json=options.json)
        sys.stdout.flush()  # here, where a pipe that was closed is no error
        return FINE if output.ok else FAILED
    except InitkitError as error:
        if error.shown is None:
            error.shown = meant(words, error)
        print(f"initkit: {error.respelled(shell_text)}", file=sys.stderr)
        return WRONG_USE
    except BrokenPipeError:  # `initkit recipes | head`
        # Python flushes stdout once more when it ends, and would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no integer") from None


class _Version(argparse.Action):
    """Print the version and what writes the values; asked for late, since it loads the kernel."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        python = platform.python_version()
        versions = f"torch {torch.__version__}, Python {python}"
        print(f"initkit {__version__} ({backend()}; {versions})")
        parser.exit(FINE)


def _parser() -> tuple[Parser, Commands]:
    """Return what reads a command line, and what reads that of each command."""
    parser = Parser(
        "initkit",
        # an abbreviation would change its meaning when an option is added
        allow_abbrev=False,
        description="Decide, show, write and prove how the parameters of a PyTorch model start.",
        epilog="TARGET is package.module:callable, path/to/file.py:callable, or a state_dict in a "
        ".safetensors, .pt or .pth file. Exit codes: 0 fine, 1 a check failed, 2 wrong use.",
    )
    parser.add_argument("--version", action=_Version, help="show versions, and which kernel writes")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _command(commands, _schemes, "schemes", "list all schemes")
    _command(commands, _recipes, "recipes", "list all recipes")
    describe = _command(commands, _describe, "describe", "show a scheme or a recipe")
    describe.add_argument("name", metavar="NAME|FILE")
    show = _command(commands, _show, "show", "show what a model has, and what its list misses")
    show.add_argument("target", metavar="TARGET")
    show.add_argument("name", metavar="NAME", nargs="?", help="a name, a glob or a module's path")
    show.add_argument("--buffers", action="store_true", help="list buffers, too")
    show.add_argument("--no-values", action="store_true", help="read no values")
    what = "show who gets what, and why; without rules, what the model's own code does"
    plan = _command(commands, _plan, "plan", what)
    _takes_rules(plan, required=False)
    _folds(plan)
    plan.add_argument("--tree", action="store_true", help="show the tree of the modules")
    record = _command(commands, _record, "record", "watch a model's own code start it")
    record.add_argument("target", metavar="TARGET")
    _folds(record)
    record.add_argument("--out", metavar="FILE", help="write it as rules, .toml or .json")
    record.add_argument("--history", metavar="NAME", help="show every write of one parameter")
    record.add_argument("--html", metavar="FILE", help="write a page with all histories")
    diff = _command(commands, _diff, "diff", "compare how two models start")
    for side in ("first", "second"):
        diff.add_argument(side, metavar="TARGET|PLAN", help="a target, or a plan as .json")
    _folds(diff)
    ties = _command(commands, _ties, "ties", "show which names share memory")
    ties.add_argument("target", metavar="TARGET")
    check = _command(commands, _check, "check", "compare a model with rules")
    _takes_rules(check, required=False)
    _folds(check)
    check.add_argument("--weights", metavar="FILE", help="check these weights in TARGET")
    apply = _command(commands, _apply, "apply", "initialise a model and save its state_dict")
    _takes_rules(apply)
    _folds(apply)
    apply.add_argument("--seed", type=_integer, required=True, help="any integer")
    apply.add_argument("--out", metavar="FILE", required=True, help=".safetensors, .pt or .pth")
    apply.add_argument("--report", metavar="FILE", help="save the report here, as JSON")
    probe = _command(commands, _probe, "probe", "run a model once, and find which layer spoils it")
    _takes_inputs(probe)
    probe.add_argument("--rules", metavar="FILE|NAME", help="probe what these rules plan")
    probe.add_argument("--seed", type=_integer, default=0, help="any integer")
    probe.add_argument("--html", metavar="FILE", help="save a page with pictures here")
    calibrate = _command(commands, _calibrate, "calibrate", "find factors for unit variance")
    _takes_inputs(calibrate)
    calibrate.add_argument("--rules", metavar="FILE|NAME", required=True, help="what is scaled")
    calibrate.add_argument("--seed", type=_integer, default=0, help="any integer")
    calibrate.add_argument("--out", metavar="FILE", help="save the calibrated plan here, as JSON")
    convert = _command(commands, _convert, "convert", "turn a foreign configuration into rules")
    convert.add_argument("config", metavar="CONFIG", help="of MMEngine (.py) or AllenNLP (.json)")
    convert.add_argument("--out", metavar="FILE", help="write the rules here, .toml or .json")
    suggest = _command(commands, _suggest, "suggest", "name the recipes that fit a model")
    suggest.add_argument("target", metavar="TARGET")
    return parser, commands.choices


def _command(
    commands: Any, run: Callable[[argparse.Namespace], Output], name: str, what: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False
    )
    command.add_argument("--json", action="store_true", help="print JSON for programs")
    command.set_defaults(run=run)
    return command


def _folds(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--full",
        action="store_true",
        help="one line per parameter, however wide in a pipe",
    )


def _takes_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="TARGET")
    what = "returns what the model is called with: a tuple of arguments, a dict, or one argument"
    command.add_argument("--inputs", metavar="FILE.py:FUNCTION", required=True, help=what)


def _takes_rules(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("target", metavar="TARGET")
    what = "a .toml or .json file, or the name of a recipe or scheme"
    command.add_argument("--rules", metavar="FILE|NAME", required=required, help=what)
    command.add_argument("--strict", action="store_true", help="refuse uncovered parameters")
    command.add_argument(
        "--ignore-idle",
        dest="idle",
        action="store_const",
        const="ignore",
        default=DEFAULTS["idle"],
        help="let rules match nothing",
    )
    command.add_argument("--only", action="append", metavar="NAME", help="may be repeated")
    command.add_argument("--protect", action="append", metavar="NAME", help="may be repeated")


# ---------------------------------------------------------------------------------- commands


def _schemes(_: argparse.Namespace) -> Output:
    infos = [describe_scheme(name) for name in list_schemes()]
    rows = [(info.name, info.formula or info.summary) for info in infos]
    return Output({info.name: asdict(info) for info in infos}, lambda: two_columns(rows))


def _recipes(_: argparse.Namespace) -> Output:
    # Aliases stand beside the recipe that they mean, and have no line of their own.
    other: dict[str, list[str]] = {}
    for alias, name in aliases().items():
        other.setdefault(name, []).append(alias)
    recipes = every_recipe()
    rows = [
        (r.name, r.summary + (f" (also: {', '.join(other[r.name])})" if r.name in other else ""))
        for r in recipes
    ]
    data = {r.name: _recipe_data(r) | {"also": other.get(r.name, [])} for r in recipes}
    return Output(data, lambda: two_columns(rows))


def _describe(options: argparse.Namespace) -> Output:
    name = options.name
    # A recipe goes first, as in rules; its options may be given: "convnext(layer_scale=1)".
    in_file = name.endswith((".toml", ".json"))
    if in_file or recipe_named(name.partition("(")[0]) is not None:
        recipe = load_recipe(name) if in_file else describe_recipe(name)
        data = _recipe_data(recipe) | {"rules": recipe.rows}
        return Output(data, lambda: recipe_text(recipe))
    if re.search(r"[*?\[:]|^nn\.|\.(weight|bias)$", name):
        message = f"describe takes the name of a scheme or a recipe, and {name!r} is a key of rules"
        raise RuleError(f"{message}: a plan by them says what it matches")
    if canonical_name(name) is None:
        choices = [*list_schemes(), *list_recipes()]
        raise unknown_scheme("scheme or recipe", name, choices, "")
    info = describe_scheme(name)
    return Output(asdict(info), lambda: str(info))


def _show(options: argparse.Namespace) -> Output:
    model = load_target(options.target)
    found = summary(model, values=not options.no_values, buffers=options.buffers)
    shown = found if options.name is None else found[options.name]
    text = shown.text if isinstance(shown, Summary) else lambda _: str(shown)
    return Output(shown.to_dict(), lambda: text(terminal_width()))


def _width(options: argparse.Namespace) -> int | None:
    """Return the width that is printed in: none for ``--full`` in a pipe, where a line is a row."""
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return None if options.full and piped else terminal_width()


def _plan(options: argparse.Namespace) -> Output:
    if options.rules is None:
        return _record(options)
    plan = plan_init(load_target(options.target), _rules(options), **_plan_options(options))
    for problem in plan.problems:
        problem.respelled(shell_text)
    return Output(
        plan_data(plan),
        lambda: _plan_lines(plan, options),
        ok=not plan.problems,
    )


def _plan_lines(plan: Plan, options: argparse.Namespace) -> list[Line]:
    if getattr(options, "tree", False):
        return plan.tree(depth=None if options.full else 3).lines(_width(options))
    return plan.lines(_width(options), fold=not options.full)


def _record(options: argparse.Namespace) -> Output:
    for file in filter(None, (getattr(options, "out", None), getattr(options, "html", None))):
        check_folder(file)
    given = [name for name in _ONLY_WITH_RULES if getattr(options, name, None)]
    if given:
        raise OptionError(f"--{given[0]} goes with --rules", option=given[0])
    plan = _recorded(options.target)
    if (name := getattr(options, "history", None)) is not None:
        writes = step_named(name, plan.steps).history
        lines = [f"{i}. {write}" for i, write in enumerate(writes, 1)] or ["no write was seen"]
        return Output(
            [write.to_dict() for write in writes],
            lambda: "\n".join(fold(line, terminal_width()) for line in lines),
        )
    if getattr(options, "html", None):
        Path(options.html).write_text(plan.to_html(), encoding="utf-8")
    if getattr(options, "out", None):
        save_recipe(plan.to_recipe(Path(options.out).stem), options.out)
    return Output(
        plan_data(plan),
        lambda: _plan_lines(plan, options),
        ok=not plan.with_status(UNEXPLAINED),
    )


def _recorded(target: str) -> Plan:
    """Return the plan that a target's own code carries out."""
    with recording() as record:
        model = load_module(target)
    return record.plan(model)


def _diff(options: argparse.Namespace) -> Output:
    first, second = map(_read_plan, (options.first, options.second))
    diff = first.diff(second)
    return Output(
        [f"{change.sign} {change.name}  {change.text}" for change in diff.changes],
        lambda: diff.lines(_width(options), fold=not options.full),
        ok=not diff,
    )


def _read_plan(text: str) -> Plan:
    """Return the plan in a file, or the one that a target's own code carries out."""
    if not text.endswith(".json"):
        return _recorded(text)
    return Plan.from_json(read_text(text))


def _ties(options: argparse.Namespace) -> Output:
    report = tie_report(load_module(options.target))
    return Output(report.to_dict(), lambda: report.lines(terminal_width()))


def _check(options: argparse.Namespace) -> Output:
    model = load_target(options.target)
    if options.weights:
        load_weights(model, options.weights)
    rules = _rules(options) if options.rules else None
    report = check_init(model, rules, **_plan_options(options))
    return Output(
        report.to_dict(),
        lambda: report.lines(_width(options), fold=not options.full),
        ok=report.ok,
    )


def _apply(options: argparse.Namespace) -> Output:
    # Before the model is built: a wrong path must not cost the minutes that building takes.
    check_weights_path(options.out)
    if options.report:
        check_folder(options.report)
    model = load_target(options.target)
    rules = _rules(options)
    report = apply_init(model, rules, seed=options.seed, **_plan_options(options))
    save_weights(model, options.out)
    if options.report:
        report.save(options.report)
    saved = lines_of(f"saved to {options.out}", "", terminal_width())
    return Output(
        report.to_dict(),
        lambda: [*report.lines(_width(options), fold=not options.full), *saved],
    )


def _probe(options: argparse.Namespace) -> Output:
    if options.html:
        check_folder(options.html)
    model = load_module(options.target)
    args, kwargs = load_inputs(options.inputs)
    rules = _rules(options) if options.rules else None
    probe = probe_init(model, *args, rules=rules, seed=options.seed, **kwargs)
    if options.html:
        Path(options.html).write_text(probe.to_html(), encoding="utf-8")
    return Output(
        probe.to_dict(), lambda: judged(probe.text(terminal_width()), probe.ok), ok=probe.ok
    )


def _calibrate(options: argparse.Namespace) -> Output:
    if options.out:
        check_folder(options.out)
    model = load_module(options.target)
    args, kwargs = load_inputs(options.inputs)
    found = calibrate_init(model, _rules(options), *args, seed=options.seed, **kwargs)
    if options.out:
        found.save(options.out)
    return Output(found.to_dict(), lambda: found.text(terminal_width()), ok=found.converged)


def _suggest(options: argparse.Namespace) -> Output:
    found = suggest_recipe(load_module(options.target))
    return Output(found.to_dict(), lambda: found.text(terminal_width()))


def _convert(options: argparse.Namespace) -> Output:
    recipe = convert_config(options.config)
    if options.out:
        save_recipe(recipe, options.out)
    return Output(_recipe_data(recipe) | {"rules": recipe.rows}, lambda: recipe_text(recipe))


def _rules(options: argparse.Namespace) -> Rules:
    text: str = options.rules
    # What ends like a file's name is one, unless a recipe is called so.
    is_file = re.search(r"\.\w+$", text) and recipe_named(text) is None
    return load_recipe(text) if is_file else text


def _plan_options(options: argparse.Namespace) -> PlanOptions:
    # argparse's names are those of the options; what is none of them falls away.
    return of_kind(PlanOptions, vars(options))


def _recipe_data(recipe: Recipe) -> dict[str, Any]:
    keys = ("name", "summary", "source", "paper", "fits", "notes")
    options = {option: str(default) for option, default in recipe.options.items()}
    return {key: getattr(recipe, key) for key in keys} | {"options": options}
