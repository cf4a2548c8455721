"""Measure what check_init costs, against one pass for the mean and one for the std by torch.

    python benchmarks/check_speed.py [rounds]

Both take turns in one process, on one thread; times are processor time, the least of all rounds.
The third column is check_init where the C extension is missing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from initkit import apply_init, check_init
from initkit.check import duplicates, followers, measure, norms, slices
from initkit.check.native_pass import native

RULES = ("normal(std=0.02)", "uniform(-0.05, 0.05)", "trunc_normal(std=0.02, cutoff=2)")
MODELS = {
    "2,000 of 16 x 16": (2000, 16),
    "100 of 16 x 16": (100, 16),
    "1 of 16 x 16": (1, 16),
    "1 of 256 x 256": (1, 256),
    "1 of 1024 x 1024": (1, 1024),
    "4 of 2048 x 2048": (4, 2048),
}


WITH_C = (measure, norms, slices, duplicates, followers)


@contextmanager
def without_c() -> Iterator[None]:
    """Let checks find no extension."""
    for module in WITH_C:
        vars(module)["native"] = lambda: None
    try:
        yield
    finally:
        for module in WITH_C:
            vars(module)["native"] = native


def spent(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def passes(model: nn.Module) -> None:
    """Take mean and std of every parameter."""
    for parameter in model.parameters():
        values = parameter.detach()
        values.mean(), values.std()


def row(count: int, size: int, rule: str, rounds: int) -> tuple[float, float, float, int]:
    """Return the least times of check_init, of the two passes, and without C; and the elements."""
    model = nn.ModuleList(nn.Linear(size, size, bias=False) for _ in range(count))
    rules = {"*.weight": rule}
    apply_init(model, rules, seed=0)
    best = [float("inf")] * 3
    for _ in range(rounds):
        best[0] = min(best[0], spent(lambda: check_init(model, rules)))
        best[1] = min(best[1], spent(lambda: passes(model)))
        with without_c():
            best[2] = min(best[2], spent(lambda: check_init(model, rules)))
    return best[0], best[1], best[2], count * size * size


def main(rounds: int = 7) -> None:
    torch.set_num_threads(1)
    print("tensors | rule | check_init | ns an element | times mean and std | without C")
    for what, (count, size) in MODELS.items():
        for rule in RULES:
            check, both, plain, elements = row(count, size, rule, rounds)
            print(
                f"{what} | {rule} | {check * 1e3:.2f} ms | {check / elements * 1e9:.1f} | "
                f"{check / both:.1f}x | {plain / both:.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
