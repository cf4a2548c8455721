"""What `make demo` shows: slips that are caught, what a plan looks like, and how fast it is."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from resnext29 import ResNeXt29
from tied_lm import TiedLM
from torch import nn
from wide_resnet import WideResNet

from initkit import InitkitError, apply_init, check_init, plan_init

# GPT-2's rules, for a model of one's own: like if / elif, the first that matches decides.
LANGUAGE_MODEL = {
    "blocks.*.proj.weight": "normal(std=0.02/sqrt(2*n_layers))",
    "blocks.*.down.weight": "normal(std=0.02/sqrt(2*n_layers))",
    nn.LayerNorm: {"weight": 1, "bias": 0},
    "*.bias": 0,
    "*": "normal(std=0.02)",
}
PAGES = Path("build")


def heading(text: str) -> None:
    """Print a title that the eye finds again."""
    print(f"\n== {text} {'=' * (74 - len(text))}")


def say(text: object) -> None:
    """Print a text in lines of at most 80 columns."""
    for line in str(text).splitlines():
        print(textwrap.fill(line, 80, subsequent_indent=" " * (len(line) - len(line.lstrip()) + 4)))


def expect_error(call: Callable[[], object]) -> None:
    """Print the error that a mistake gives."""
    try:
        call()
    except InitkitError as error:
        say(f"{type(error).__name__}: {error}")


def slips_are_caught() -> None:
    """Show two slips in one error, and what a check finds where one layer is off by 5 %."""
    heading("two slips in the rules: one error, before anything is written")
    slips = {"blocks.*.qvk.weight": 0, **LANGUAGE_MODEL, "*.up.bias": 1}
    expect_error(lambda: apply_init(TiedLM(), slips, seed=0))

    heading("somebody scaled one of 76 parameters by 1.05")
    model = TiedLM()
    apply_init(model, LANGUAGE_MODEL, seed=0)
    with torch.no_grad():
        model.get_parameter("blocks.3.up.weight").mul_(1.05)
    for failure in check_init(model, LANGUAGE_MODEL).failures:
        say(failure)


def show(title: str, model: nn.Module, rules: Any) -> None:
    """Plan a model, start it as planned, and prove it."""
    heading(title)
    plan = plan_init(model, rules)
    plan.show()
    report = apply_init(model, rules, seed=0)
    check = check_init(model, plan)  # every parameter against its planned distribution
    assert check.ok, check
    PAGES.mkdir(exist_ok=True)
    page = PAGES / f"{type(model).__name__}.html"
    page.write_text(plan.to_html(), encoding="utf-8")
    say(f"written in {report.seconds * 1e3:.0f} ms; {check.verdict}; picture: {page}")


def mistakes() -> None:
    """Show the errors of three mistakes."""
    model = TiedLM()
    heading("three mistakes, and what they are told")
    expect_error(lambda: apply_init(model, {"*": "kaimin_normal"}, seed=0))
    expect_error(lambda: apply_init(model, {"*.bias": "orthogonal", "*": 0}, seed=0))
    tied = {"head.*": 0, "tokens.*": 1, "*": 0}
    expect_error(lambda: apply_init(model, tied, seed=0))


def speed() -> None:
    """Time both ways to fill one model."""
    heading("speed, measured here")
    weights = [nn.Parameter(torch.empty(1024, 1024)) for _ in range(8)]
    model = nn.ParameterList(weights)
    plan = plan_init(model, {"*": "normal(std=0.02)"})
    ours = fastest(lambda: plan.apply(model, seed=0))
    theirs = fastest(lambda: [nn.init.normal_(weight, std=0.02) for weight in weights])
    print(f"8.4 million draws: torch.nn.init {theirs * 1e3:.0f} ms, ", end="")
    print(f"initkit {ours * 1e3:.0f} ms ({theirs / ours:.1f} times faster)")


def fastest(run: Callable[[], object]) -> float:
    """Return the seconds that the fastest of three runs takes."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Begin with what persuades, end with what to try next."""
    slips_are_caught()
    show("WRN-28-10", WideResNet(), "wide_resnet")
    show("ResNeXt-29, 8x64d", ResNeXt29(), "resnext")
    show("a language model whose head is its embedding", TiedLM(), LANGUAGE_MODEL)
    mistakes()
    speed()
    heading("try next")
    print("make tutorial                      the lesson, step by step")
    print("initkit recipes                    how published models start")
    print("print(plan_init(your_model, 'xavier_uniform'))")


if __name__ == "__main__":
    main()
