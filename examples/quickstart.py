"""Plan, apply, verify and report on three real models: what `make demo` shows."""

from __future__ import annotations

from typing import Any

import torch
from resnext29 import ResNeXt29
from tied_lm import TiedLM
from torch import nn
from wide_resnet import WideResNet

from initkit import InitkitError, apply_init, check_init, find_tied_parameters, plan_init

# GPT-2's rules, for a model of one's own: like if / elif, the first that matches decides.
LANGUAGE_MODEL = {
    "blocks.*.proj.weight": "normal(std=0.02/sqrt(2*n_layers))",
    "blocks.*.down.weight": "normal(std=0.02/sqrt(2*n_layers))",
    nn.LayerNorm: {"weight": 1, "bias": 0},
    "*.bias": 0,
    "*": "normal(std=0.02)",
}


def heading(text: str) -> None:
    """Print a title that the eye finds again."""
    print(f"\n{'=' * 96}\n{text}\n{'=' * 96}\n")


def show(title: str, model: nn.Module, rules: Any, *, plan_first: bool = False) -> None:
    """Plan, apply, verify and report on one model."""
    heading(title)
    plan = plan_init(model, rules)
    if plan_first:
        print(f"THE PLAN (nothing is written yet)\n\n{plan}\n")
    report = apply_init(model, rules, seed=0)
    if not plan_first:
        print(f"THE REPORT\n\n{report}\n")
    elements = sum(step.numel for step in plan.with_status("write"))
    print(f"wrote    {elements:,} elements in {report.seconds * 1e3:.0f} ms; seed {report.seed}")
    check = check_init(model, plan)  # every parameter against its planned distribution
    assert check.ok, check
    print(f"verified {check.verdict}")
    for group in find_tied_parameters(model):
        print(f"tied     {' = '.join(group)} (one memory, written once)")


def nothing_is_silent() -> None:
    """Show what a slip of the pen looks like: one error, before anything is written."""
    heading("And if a name is wrong, or a rule is in the wrong place?")
    slips = {"blocks.*.porj.weight": 0, **LANGUAGE_MODEL, "*.up.bias": 1}
    try:
        apply_init(TiedLM(), slips, seed=0)
    except InitkitError as error:
        print(f"{type(error).__name__}: {error}")


def nothing_slips_through() -> None:
    """Show what a check finds after somebody scaled one of 76 parameters by five per cent."""
    heading("And if one layer is not what it should be?")
    model = TiedLM()
    apply_init(model, LANGUAGE_MODEL, seed=0)
    with torch.no_grad():
        model.get_parameter("blocks.3.up.weight").mul_(1.05)
    for failure in check_init(model, LANGUAGE_MODEL).failures:
        print(failure)


def main() -> None:
    """Show all three, and two mistakes."""
    show("ResNeXt-29, 8x64d", ResNeXt29(), "resnext", plan_first=True)
    show("WRN-28-10", WideResNet(), "wide_resnet")
    show("A language model whose head is its embedding", TiedLM(), LANGUAGE_MODEL)
    nothing_is_silent()
    nothing_slips_through()


if __name__ == "__main__":
    main()
