"""Measure plans of many small parameters as JSON: bytes a step, and time to write and to read.

    python benchmarks/plan_file.py [parameters]

Times are processor time, the best of three, beside that of a plain json.dumps of as many rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from torch import nn

from initkit import Plan, plan_init


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Return the least processor time of a few rounds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def main(count: int = 20_000) -> None:
    model = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(count))
    plan = plan_init(model, {"*.weight": "normal(std=0.02)"})
    text = plan.to_json()
    rows = [step.to_dict() for step in plan.steps]
    plain = best(lambda: json.dumps(rows))
    print(f"{count:,} parameters: {len(text) / 1e6:.2f} MB, {len(text) / count:.0f} bytes each")
    print(f"write {best(plan.to_json) / count * 1e6:.2f} us a parameter")
    print(f"read {best(lambda: Plan.from_json(text)) / count * 1e6:.2f} us a parameter")
    print(f"json.dumps of the same rows, each written out: {plain / count * 1e6:.2f} us")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
