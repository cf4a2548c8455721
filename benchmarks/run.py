"""Time apply_init against a loop of torch.nn.init on the same tensors in the same run.

python benchmarks/run.py [--write docs/benchmarks.md] [--rounds 5]

Every row takes the best of some rounds in which both alternate, so that both meet the same noise.
Rows without the C kernel, and those that measure memory, come from processes of their own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

if "--without-kernel" in sys.argv:
    sys.modules["initkit.stream._kernel"] = None  # type: ignore[assignment]

import torch
from torch import nn

import initkit
from initkit import apply_init, deferred, plan_init, stream
from initkit.files import write_text

DISTRIBUTIONS: dict[str, tuple[str, Callable[[torch.Tensor], object]]] = {
    "normal": ("normal(std=0.02)", partial(nn.init.normal_, std=0.02)),
    "uniform": ("uniform(-0.05, 0.05)", partial(nn.init.uniform_, a=-0.05, b=0.05)),
    "trunc_normal, 2 sigma": (
        "trunc_normal(std=0.02, a=-0.04, b=0.04)",
        partial(nn.init.trunc_normal_, std=0.02, a=-0.04, b=0.04),
    ),
    "trunc_normal, 3 sigma": (
        "trunc_normal(std=0.02, a=-0.06, b=0.06)",
        partial(nn.init.trunc_normal_, std=0.02, a=-0.06, b=0.06),
    ),
}
DTYPES = (torch.float32, torch.bfloat16)
MIB = 1 << 20


def square(dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return four matrices of 2048 x 2048: 16.8 million elements."""
    return nn.Sequential(*[nn.Linear(2048, 2048, bias=False, dtype=dtype) for _ in range(4)])


def tiny(count: int = 1000) -> nn.Module:
    """Return many small layers, two parameters each."""
    return nn.Sequential(*[nn.Linear(16, 16) for _ in range(count)])


def loop(model: nn.Module, start: Callable[[torch.Tensor], object]) -> None:
    """Do what people write without a library: loop over the parameters."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            start(parameter)


def race(
    *works: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return the shortest time of each, in seconds; they take turns."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for i, work in enumerate(works):
            begin = clock()
            work()
            best[i] = min(best[i], clock() - begin)
    return best


# ----------------------------------------------------------------------------- parts of the table


def values(rounds: int) -> list[list[Any]]:
    """Time every distribution: its name, dtype, threads, seconds of torch and of initkit."""
    rows: list[list[Any]] = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for dtype in DTYPES:
            model = square(dtype)
            for name, (rule, start) in DISTRIBUTIONS.items():
                rules = {"*.weight": rule}
                times = race(
                    partial(loop, model, start),
                    partial(apply_init, model, rules, seed=0, progress=False),
                    rounds=rounds,
                )
                rows.append([name, str(dtype)[6:], threads, *times])
    return rows


def orthogonal(rounds: int) -> list[list[Any]]:
    """Time four orthogonal matrices."""
    rows: list[list[Any]] = []
    model = square()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = race(
            partial(loop, model, nn.init.orthogonal_),
            partial(apply_init, model, {"*": "orthogonal"}, seed=0, progress=False),
            rounds=max(2, rounds // 2),
        )
        rows.append(["orthogonal", "float32", threads, *times])
    return rows


def small(rounds: int) -> list[float]:
    """Time 2,000 tiny tensors, in seconds of processor time: bare loop, apply_init."""
    model = tiny()
    rules = {"*.weight": "normal(std=0.02)", "*.bias": 0}
    return race(
        partial(loop, model, partial(nn.init.normal_, std=0.02)),
        partial(apply_init, model, rules, seed=0, progress=False),
        rounds=rounds * 10,
        clock=time.process_time,
    )


def planning(rounds: int) -> list[tuple[int, float]]:
    """Time plan_init alone, in seconds of processor time."""
    rules = {"*.weight": "kaiming_normal", "*.bias": 0}
    found = []
    for count, times in ((2_000, rounds * 5), (100_000, 3)):
        model = tiny(count // 2)
        work = partial(plan_init, model, rules)
        found.append((count, race(work, rounds=times, clock=time.process_time)[0]))
    return found


# ------------------------------------------------------------------------- processes of their own


class Block(nn.Module):
    """One layer of a 1.1-billion-parameter Llama (TinyLlama's shape): 2048 wide, 4 key heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.o_proj = self._linear(2048, 2048), self._linear(2048, 2048)
        self.k_proj, self.v_proj = self._linear(2048, 256), self._linear(2048, 256)
        self.gate_proj, self.up_proj = self._linear(2048, 5632), self._linear(2048, 5632)
        self.down_proj = self._linear(5632, 2048)
        self.input_norm = nn.RMSNorm(2048, dtype=torch.bfloat16)
        self.post_norm = nn.RMSNorm(2048, dtype=torch.bfloat16)

    @staticmethod
    def _linear(inputs: int, outputs: int) -> nn.Linear:
        return nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16)


class Llama(nn.Module):
    """The whole: 22 layers, 32,000 words, 1.1 billion parameters in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(32000, 2048, dtype=torch.bfloat16)
        self.layers = nn.ModuleList(Block() for _ in range(22))
        self.norm = nn.RMSNorm(2048, dtype=torch.bfloat16)
        self.lm_head = nn.Linear(2048, 32000, bias=False, dtype=torch.bfloat16)


def llama_torch() -> nn.Module:
    """Give the model memory, then loop over its parameters."""
    with torch.device("meta"):
        model = Llama()
    model.to_empty(device="cpu")
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight"):
            nn.init.ones_(parameter)
        else:
            nn.init.normal_(parameter, std=0.02)
    return model


def llama_initkit() -> nn.Module:
    """Construct without memory; apply_init gives it."""
    with deferred():
        model = Llama()
    apply_init(model, {"*norm.weight": 1, "*": "normal(std=0.02)"}, seed=0, progress=False)
    return model


def elementwise() -> nn.Module:
    """Write one tensor of 1 GiB."""
    with deferred():
        model = nn.Linear(1 << 14, 1 << 14, bias=False)
    apply_init(model, {"weight": "trunc_normal(std=0.02)"}, seed=0, progress=False)
    return model


def whole() -> nn.Module:
    """Write four orthogonal matrices."""
    with deferred():
        model = square()
    apply_init(model, {"*": "orthogonal"}, seed=0, progress=False)
    return model


ALONE: dict[str, Callable[[], nn.Module]] = {
    "llama_torch": llama_torch,
    "llama_initkit": llama_initkit,
    "elementwise": elementwise,
    "whole": whole,
}


def alone(work: str) -> None:
    """Print the seconds that one work takes, and the bytes beyond its model that it needs."""
    torch.set_num_threads(2)
    for rule in ("uniform", "trunc_normal", "orthogonal"):  # what a process needs once: libraries
        with deferred():
            first = nn.Linear(600, 600, bias=False)
        apply_init(first, {"*": rule}, seed=0, progress=False)
    before = peak()
    begin = time.perf_counter()
    model = ALONE[work]()
    seconds = time.perf_counter() - begin
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    print(json.dumps([seconds, peak() - before - size]))


def peak() -> int:
    """Return the most bytes this process has held; getrusage would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def child(*arguments: str) -> Any:
    """Return what this script prints, as JSON, when it runs with these arguments."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def best_alone(work: str, rounds: int = 3) -> list[float]:
    """Return the least time and the least extra memory of some processes."""
    times, extra = zip(*[child("--alone", work) for _ in range(rounds)], strict=True)
    return [min(times), min(extra)]


# ------------------------------------------------------------------------------------- the report


def ms(seconds: float) -> str:
    """Return a time as the table shows it."""
    return f"{seconds * 1e3:,.0f} ms" if seconds > 0.1 else f"{seconds * 1e3:.1f} ms"


def table(headers: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    lines = [list(headers), *[list(map(str, row)) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def machine() -> str:
    """Return processor, cores, versions and date in one sentence."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        pairs = [line.split(":", 1) for line in reversed(lines) if ":" in line]
        info = {key.strip(): value.strip() for key, value in pairs}
        name = info.get("model name", name)
        name += f" (family {info.get('cpu family', '?')}, model {info.get('model', '?')})"
    return (
        f"{name}, {os.cpu_count()} cores; torch {torch.__version__}, Python "
        f"{platform.python_version()}, initkit {initkit.__version__} ({stream.backend()}); "
        f"{dt.date.today().isoformat()}"
    )


def measure(rounds: int) -> str:
    """Measure everything; return it as Markdown."""
    rows = [*values(rounds), *orthogonal(rounds)]
    eager = {
        tuple(row[:3]): f"{row[3] / row[4]:.1f}x"
        for row in child("--without-kernel", "--values", "--rounds", str(max(2, rounds // 2)))
    }
    filled = [
        [*case, ms(theirs), ms(ours), f"{theirs / ours:.1f}x", eager.get(tuple(case), "same")]
        for (*case, theirs, ours) in rows
    ]
    heads = (*"distribution dtype threads torch.nn.init apply_init faster".split(), "without C")
    bare, ours = small(rounds)
    plans = [[f"plan of {n:,} parameters", ms(t), ""] for n, t in planning(rounds)]
    theirs, own = best_alone("llama_torch"), best_alone("llama_initkit")
    one, four = best_alone("elementwise"), best_alone("whole")
    more = [
        ["2,000 tiny tensors, bare loop", ms(bare), ""],
        ["2,000 tiny tensors, apply_init", ms(ours), f"{ours / bare:.2f} times the loop"],
        *plans,
        ["Llama of 1.1 billion parameters, to_empty and loop", ms(theirs[0]), extra(theirs[1])],
        ["the same, deferred and apply_init", ms(own[0]), extra(own[1])],
        ["", f"{theirs[0] / own[0]:.1f}x faster", ""],
        ["trunc_normal, one tensor of 1 GiB", ms(one[0]), extra(one[1])],
        ["orthogonal, four of 2048 x 2048", ms(four[0]), extra(four[1])],
    ]
    return "\n\n".join([machine(), table(heads, filled), table(("work", "time", ""), more)])


def extra(size: float) -> str:
    """Return memory beyond the model's own as the table shows it."""
    return f"{max(size, 0) / MIB:.0f} MiB beyond the model"


HEAD = """# Benchmarks

`python benchmarks/run.py` times `apply_init` against a loop of `torch.nn.init` over the same
tensors in the same run. Both take turns, and each row is the best of several rounds. What
`apply_init` takes includes the plan, all checks and the report.

"""
TAIL = """

How to read it
: The first table fills four matrices of 2048 x 2048, whose memory has been touched before.
  *Without C* is `apply_init` where the C kernel is missing, against `torch.nn.init` again: below 1x
  it is slower. Tiny tensors and plans are processor time. The Llama has TinyLlama's shape, in
  bfloat16, on 2 threads, from construction to the last value: its memory is fresh, and most of the
  time that `apply_init` takes there is the system's, which hands out pages. Memory is the peak of a
  process of its own, beyond what it held before and beyond the model.

Where the time goes
: A normal value costs one Threefry word and one table look-up. A truncated one costs the same,
  since nothing is rejected. Orthogonal matrices are Householder products in float64, one thread a
  matrix, and each in work needs its scratch in float64. Of a tiny tensor's time, about a third each
  goes to walking and checking, deciding, and writing.

`torch.nn.init` draws normal and uniform values on one thread whatever it is given. Where other work
runs on the machine, times are upper bounds.
"""


def main() -> None:
    """Print the tables; write them as a page where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="the page to write")
    parser.add_argument("--alone", choices=ALONE, help=argparse.SUPPRESS)
    parser.add_argument("--values", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--without-kernel", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
    elif options.values:
        print(json.dumps(values(options.rounds)))
    else:
        text = measure(options.rounds)
        print(text)
        if options.write:
            write_text(options.write, HEAD + text + TAIL)


if __name__ == "__main__":
    main()
