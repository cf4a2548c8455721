"""Time apply_init against what fills the same tensors otherwise, and against what memory allows.

python benchmarks/run.py [--write docs/benchmarks.md] [--rounds 7] [--elements 16777216]

It takes a minute or two: on a busy machine a row gets fewer rounds. All works of a row take turns
within every round, so that all meet the same noise, and processor time is counted on one thread:
times are the least of all rounds, ratios the median over the rounds. Every instruction set that
this processor has is forced in turn.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from html import escape
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import initkit
from initkit import apply_init, deferred, plan_init, stream
from initkit.files import write_text
from initkit.stream import native

Work = Callable[[], object]
MIB = 1 << 20
ROW_SECONDS = 4.0


class Law(NamedTuple):
    """One distribution in the words of all who draw from it."""

    rule: str
    torch: Callable[[Tensor], object]
    numpy: Callable[[Any, int], object] | None = None  # generator, count -> fresh float32 values


LAWS = {
    "normal": Law(
        "normal(std=0.02)",
        partial(nn.init.normal_, std=0.02),
        lambda rng, n: rng.standard_normal(n, "float32") * 0.02,
    ),
    "uniform": Law(
        "uniform(-0.05, 0.05)",
        partial(nn.init.uniform_, a=-0.05, b=0.05),
        lambda rng, n: rng.random(n, "float32") * 0.1 - 0.05,
    ),
    "trunc_normal, 2 sigma": Law(
        "trunc_normal(std=0.02, a=-0.04, b=0.04)",
        partial(nn.init.trunc_normal_, std=0.02, a=-0.04, b=0.04),
    ),
    "trunc_normal, 3 sigma": Law(
        "trunc_normal(std=0.02, a=-0.06, b=0.06)",
        partial(nn.init.trunc_normal_, std=0.02, a=-0.06, b=0.06),
    ),
}
DTYPES = (torch.float32, torch.bfloat16)


class Times(NamedTuple):
    """What one work took in every round, in seconds."""

    seconds: list[float]

    @property
    def least(self) -> float:
        """Return the shortest."""
        return min(self.seconds)

    def over(self, other: Times) -> float:
        """Return how many times longer this took, by the median over rounds."""
        return median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def race(works: Mapping[str, Work], rounds: int) -> dict[str, Times]:
    """Run works by turns, after one turn that nobody counts; count processor time.

    When the row's time is over, no further round begins; two are counted in any case.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    end = time.monotonic() + ROW_SECONDS
    for n in range(rounds + 1):
        if n > 2 and time.monotonic() > end:
            break
        for name, work in works.items():
            begin = time.process_time()
            work()
            if n:
                found[name].append(time.process_time() - begin)
    return {name: Times(seconds) for name, seconds in found.items()}


@contextmanager
def forced(path: str) -> Iterator[None]:
    """Let initkit write by one path of `stream.paths()`."""
    module: Any = import_module("initkit.stream.write")
    loaded, load = native.load(), native.load
    kernel = None if path == "eager" else loaded.kernel
    numbers = {name: n for name, n in loaded.paths.items() if name == path}
    native.load = lambda: native.Loaded(kernel, "forced", numbers)  # type: ignore[assignment]
    module._codes, module._best = {}, module._EAGER  # as before the first write
    try:
        yield
    finally:
        native.load = load
        module._codes = {}
        module._wake()


# ---------------------------------------------------------------------------- values by the element


def square(elements: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return four matrices that hold so many elements together."""
    rows = elements // 4 // 1024
    return nn.Sequential(*[nn.Linear(1024, rows, bias=False, dtype=dtype) for _ in range(4)])


def loop(model: nn.Module, start: Callable[[Tensor], object]) -> None:
    """Do what people write without a library: loop over the parameters."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            start(parameter)


def applied(model: nn.Module, rules: object, path: str) -> None:
    """Do what initkit does, by one path."""
    with forced(path):
        apply_init(model, rules, seed=0, progress=False)  # type: ignore[arg-type]


def by_numpy(model: nn.Module, law: Law, rng: Any) -> None:
    """Draw with a numpy Generator and copy, the way to torch's memory."""
    assert law.numpy is not None
    with torch.no_grad():
        for parameter in model.parameters():
            values: Any = law.numpy(rng, parameter.numel())
            parameter.view(-1).copy_(torch.from_numpy(values))


def by_jax(model: nn.Module, draw: Callable[[int], Any]) -> None:
    """Draw with a compiled function of JAX; its memory is not copied."""
    for parameter in model.parameters():
        draw(parameter.numel()).block_until_ready()


def peers(model: nn.Module, name: str) -> dict[str, Work]:
    """Return who else draws from a distribution here."""
    law, works = LAWS[name], dict[str, Work]()
    numpy, jax = found("numpy"), found("jax")
    if numpy and law.numpy:
        rng = numpy.random.Generator(numpy.random.SFC64(0))
        works["numpy SFC64"] = partial(by_numpy, model, law, rng)
    if jax and name in ("normal", "uniform"):
        draw = getattr(jax.random, name)
        key = jax.random.key(0)
        works["jax"] = partial(by_jax, model, jax.jit(lambda n: draw(key, (n,)), static_argnums=0))
    return works


def found(module: str, name: str = "") -> Any:
    """Return a module, or a name in it: None where it is missing, or does not fit this torch."""
    try:
        here = import_module(module)
        return getattr(here, name) if name else here
    except (ImportError, RuntimeError):
        return None


def words(model: nn.Module) -> None:
    """Make the words that the values are made of, and nothing of them."""
    for parameter in model.parameters():
        stream.bernoulli((1, 2), 0.5, 0, parameter.numel())  # type: ignore[arg-type]


def memset(model: nn.Module) -> None:
    """Write zeros."""
    for parameter in model.parameters():
        parameter.detach().zero_()


Row = tuple[str, str, dict[str, Times]]


def values(rounds: int, elements: int) -> list[Row]:
    """Race all who fill the same memory, distribution by distribution."""
    rows = []
    for dtype in DTYPES:
        model = square(elements, dtype)
        for name, law in LAWS.items():
            works: dict[str, Work] = {"torch.nn.init": partial(loop, model, law.torch)}
            works |= peers(model, name)
            rules = {"*.weight": law.rule}
            for path in stream.paths():
                works[path] = partial(applied, model, rules, path)
            works |= {"words": partial(words, model), "memset": partial(memset, model)}
            rows.append((name, str(dtype)[6:], race(works, rounds)))
    return rows


# ------------------------------------------------------------------------------------- whole models


def tiny(count: int) -> nn.Module:
    """Return many small layers, two parameters each."""
    return nn.Sequential(*[nn.Linear(16, 16) for _ in range(count)])


TINY = {"*.weight": "normal(std=0.02)", "*.bias": 0}


def small(rounds: int) -> dict[str, Times]:
    """Race 2,000 tiny tensors."""
    model = tiny(1000)
    best = stream.paths()[0]
    works: dict[str, Work] = {
        "2,000 tiny tensors, bare loop": partial(loop, model, partial(nn.init.normal_, std=0.02)),
        "2,000 tiny tensors, apply_init": partial(applied, model, TINY, best),
    }
    return race(works, rounds * 3)


def matrices(rounds: int) -> dict[str, Times]:
    """Race four orthogonal matrices."""
    model, best = square(MIB), stream.paths()[0]
    works: dict[str, Work] = {
        "4 orthogonal matrices, nn.init": partial(loop, model, nn.init.orthogonal_),
        "4 orthogonal matrices, apply_init": partial(applied, model, {"*": "orthogonal"}, best),
    }
    return race(works, max(3, rounds // 2))


def constructed(build: Callable[[], nn.Module], recipe: str) -> nn.Module:
    """Return a model, from its class to its last value, as initkit does it."""
    with deferred():
        model = build()
    apply_init(model, recipe, seed=0, progress=False)
    return model


def name_torchvision_operators() -> None:
    """Name what torchvision wants to exist, where it was built for another torch than this."""
    for operator in ("nms", "qnms"):
        with suppress(RuntimeError):
            torch.library.define(
                f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor"
            )


def libraries(rounds: int) -> list[dict[str, Times]]:
    """Race models of libraries, from the class to the last value, against their own code."""
    builds: list[tuple[str, Callable[[], nn.Module], str]] = []
    name_torchvision_operators()
    if gpt2 := found("transformers", "GPT2LMHeadModel"):
        config = gpt2.config_class(n_layer=6, n_embd=384, n_head=6)
        label = "GPT-2 of transformers, 30 million"
        builds.append((label, partial(gpt2, config), "gpt2/transformers"))
    if timm := found("timm"):
        builds.append(
            ("ViT-Ti of timm", lambda: timm.create_model("vit_tiny_patch16_224"), "vit/timm")
        )
    return [
        race(
            {
                f"{name}, its own code": build,
                f"{name}, deferred and {recipe!r}": partial(constructed, build, recipe),
            },
            max(3, rounds // 2),
        )
        for name, build, recipe in builds
    ]


def planning(rounds: int) -> list[tuple[str, float]]:
    """Time plan_init alone."""
    rows = []
    for count in (2_000, 20_000):
        work = partial(plan_init, tiny(count // 2), {"*.weight": "kaiming_normal", "*.bias": 0})
        label = f"plan of {count:,} parameters"
        rows.append((label, race({label: work}, max(3, rounds // 2))[label].least))
    return rows


# ------------------------------------------------------------------------- processes of their own


class Block(nn.Module):
    """One layer of a Llama of TinyLlama's shape: 2048 wide, 4 key heads."""

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
    """Its first 2 of 22 layers, 32,000 words: 219 million parameters in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(32000, 2048, dtype=torch.bfloat16)
        self.layers = nn.ModuleList(Block() for _ in range(2))
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
    """Write one tensor of 256 MiB."""
    with deferred():
        model = nn.Linear(1 << 13, 1 << 13, bias=False)
    apply_init(model, {"weight": "trunc_normal(std=0.02)"}, seed=0, progress=False)
    return model


def whole() -> nn.Module:
    """Write two orthogonal matrices of 1024 x 1024."""
    with deferred():
        model = nn.Sequential(*[nn.Linear(1024, 1024, bias=False) for _ in range(2)])
    apply_init(model, {"*": "orthogonal"}, seed=0, progress=False)
    return model


ALONE: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "llama_torch": ("Llama of 219 million, to_empty and loop", llama_torch),
    "llama_initkit": ("the same, deferred and apply_init", llama_initkit),
    "elementwise": ("trunc_normal, one tensor of 256 MiB", elementwise),
    "whole": ("orthogonal, two of 1024 x 1024", whole),
}


def alone(work: str) -> None:
    """Print the processor time of one work, and the bytes beyond its model that it needs."""
    torch.set_num_threads(1)
    for rule in ("uniform", "trunc_normal", "orthogonal"):  # what a process needs once: libraries
        with deferred():
            first = nn.Linear(600, 600, bias=False)
        apply_init(first, {"*": rule}, seed=0, progress=False)
    before = peak()
    begin = time.process_time()
    model = ALONE[work][1]()
    seconds = time.process_time() - begin
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    print(json.dumps([seconds, peak() - before - size]))


def peak() -> int:
    """Return the most bytes this process has held; getrusage would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def children(rounds: int = 1) -> dict[str, tuple[float, float]]:
    """Return the least time and the least extra memory of works, each in processes of its own."""
    runs: dict[str, list[list[float]]] = {work: [] for work in ALONE}
    for _ in range(rounds):
        for work in ALONE:
            command = [sys.executable, __file__, "--alone", work]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[work].append(json.loads(done.stdout))
    return {work: (min(r[0] for r in rs), min(r[1] for r in rs)) for work, rs in runs.items()}


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


def by_element(rows: list[Row], elements: int) -> str:
    """Return nanoseconds an element, and how many times faster than torch each path is."""
    names = list(dict.fromkeys(work for *_, times in rows for work in times))
    found = []
    for law, dtype, times in rows:
        line = [law, dtype]
        for name in names:
            took = times.get(name)
            cell = "" if took is None else f"{took.least / elements * 1e9:.2f}"
            if took is not None and name in stream.paths():
                cell += f" ({times['torch.nn.init'].over(took):.1f}x)"
            line.append(cell)
        found.append(line)
    return table(["ns an element", "", *names], found)


def by_work(rounds: int) -> str:
    """Return what whole models take."""
    lines: list[list[str]] = []
    for pair in (small(rounds), matrices(rounds), *libraries(rounds)):
        (theirs, before), (ours, now) = pair.items()
        lines.append([theirs, ms(before.least), ""])
        lines.append([ours, ms(now.least), f"{now.over(before):.2f} times that"])
    lines += [[label, ms(seconds), ""] for label, seconds in planning(rounds)]
    for work, (seconds, extra) in children().items():
        lines.append([ALONE[work][0], ms(seconds), f"{max(extra, 0) / MIB:.0f} MiB more"])
    return table(("work", "processor time", ""), lines)


INKS = {"torch.nn.init": "#c2410c", "numpy SFC64": "#0f8a5f", "jax": "#7a5195"}


def picture(rows: list[Row], elements: int) -> str:
    """Draw float32's rows as bars, as one SVG of its own, readable on light and dark pages."""
    parts, y = [], 8
    for law, dtype, times in rows:
        if dtype != "float32":
            continue
        parts.append(f'<text x="4" y="{y + 11}" font-weight="bold">{escape(law)}</text>')
        y += 18
        most = max(took.least for took in times.values())
        for name, took in times.items():
            ink = INKS.get(name, "#2563c9" if name in stream.paths() else "#888")
            wide = max(1.0, 400 * took.least / most)
            number = f"{took.least / elements * 1e9:.2f}"
            parts.append(f'<text x="112" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
            parts.append(f'<rect x="118" y="{y + 2}" width="{wide:.1f}" height="10" fill="{ink}"/>')
            parts.append(f'<text x="{wide + 123:.1f}" y="{y + 11}">{number}</text>')
            y += 15
        y += 10
    style = 'font-family="system-ui,sans-serif" font-size="11" fill="#777"'
    size = f'viewBox="0 0 580 {y}" width="580" height="{y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {style}>'
    return f"{head}<title>Nanoseconds an element, float32</title>{''.join(parts)}</svg>\n"


HEAD = """# Benchmarks

`python benchmarks/run.py` takes a minute or two where a core is free. All that fill the same memory
take turns in every round, after one that is not counted; what counts is processor time on one
thread. Times are the least of all rounds; ratios are the median over rounds, each of two neighbours
in time. What `apply_init` takes includes the plan, all checks and the report.

"""
FIGURE = """

```{figure} benchmarks.svg
:alt: Bars of nanoseconds an element for torch, peers, each path of initkit, words and memset

Nanoseconds an element in float32, from the table: orange torch, green numpy, blue initkit by path,
grey the limits.
```
"""
TAIL = """
How to read it
: The first table fills four matrices whose memory has been touched before. *avx512*, *avx2* and
  *baseline* are `apply_init` with that instruction set forced, as far as the processor has it,
  *eager* is where the C kernel is missing, and beside each stands how many times faster than
  `torch.nn.init` it is: below 1x it is slower. *numpy* draws from a `Generator` and copies into
  torch's memory. The limits are *words*, the generator alone, whose words become bools, and
  *memset*, zeros into the same memory. The Llama has TinyLlama's shape with 2 layers, in bfloat16,
  from construction to the last value: its memory is fresh, and most of the time that `apply_init`
  takes there is the system's, which hands out pages. Memory is the peak of a process of its own,
  beyond what it held before and beyond the model.

Where the time goes
: A normal value costs one Threefry word and one table look-up. Large tensors are written past the
  caches, so that memory is not read before it is written. A truncated value costs the same, since
  nothing is rejected. Orthogonal matrices are Householder products in float64, one thread a
  matrix, and each in work needs its scratch in float64. Of a tiny tensor's time, about a third each
  goes to walking and checking, deciding, and writing.

`torch.nn.init` draws normal and uniform values on one thread whatever it is given; `apply_init`
uses as many as `torch.set_num_threads` says.
"""


def main() -> None:
    """Print the tables; write them as a page, beside what else the page holds, where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--elements", type=int, default=1 << 24)
    parser.add_argument("--write", type=Path, help="the page to write; its picture goes beside it")
    parser.add_argument("--alone", choices=ALONE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
        return
    torch.set_num_threads(1)
    begin = time.perf_counter()
    rows = values(options.rounds, options.elements)
    first = "\n\n".join([machine(), by_element(rows, options.elements)])
    print(first, flush=True)
    second = by_work(options.rounds)
    print(f"\n{second}\n\n{time.perf_counter() - begin:.0f} s in all")
    if options.write:
        _, mark, other = options.write.read_text().partition("\n## ")  # sections of other scripts
        write_text(
            options.write, HEAD + first + FIGURE + "\n" + second + "\n" + TAIL + mark + other
        )
        write_text(options.write.with_suffix(".svg"), picture(rows, options.elements))


if __name__ == "__main__":
    main()
