"""Time apply_init on a GPU against what fills the same memory otherwise, and against a memset.

python benchmarks/gpu.py [--elements 4294967296] [--layers 32]

All works of a row take turns; each is timed from a device that is idle until it is idle again, and
the median counts. What `apply_init` takes includes the plan, all checks and the report; compiling
its kernels, once for each map and dtype, is told apart. The last table builds a Llama with the
shapes of Llama 3 8B in bfloat16, of which fewer --layers fit a smaller GPU.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

import initkit
from initkit import apply_init, deferred, stream
from initkit.stream import gpu

Work = Callable[[], object]
LAWS: dict[str, tuple[str, Callable[[Tensor], object]]] = {
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
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def seconds(work: Work) -> float:
    """Time a work from an idle device to an idle device."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def race(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Run works by turns, after one turn that nobody counts; return medians."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for n in range(rounds + 1):
        for name, work in works.items():
            took = seconds(work)
            if n:
                times[name].append(took)
    return {name: median(found) for name, found in times.items()}


def applied(tensors: Mapping[str, Tensor], rule: str) -> None:
    """Fill tensors as initkit does."""
    apply_init(tensors, {"*": rule}, seed=0, progress=False)


def looped(tensors: Mapping[str, Tensor], start: Callable[[Tensor], object]) -> None:
    """Fill tensors as a bare loop does."""
    for tensor in tensors.values():
        start(tensor)


def compared(rule: str, tensor: Tensor) -> bool:
    """Tell whether a piece of what is there has the bits that the CPU makes."""
    size = min(1 << 22, tensor.numel())
    there = {"w": tensor.view(-1)[:size].view(-1, 256)}
    here = {"w": torch.empty(there["w"].shape, dtype=tensor.dtype)}
    applied(there, rule)
    applied(here, rule)
    return torch.equal(there["w"].cpu(), here["w"])


def values(elements: int, rounds: int) -> None:
    """Print one row for each distribution and dtype."""
    print(f"| of {elements:,} elements | dtype | nn.init | apply_init | faster | TB/s | memset | |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for dtype in DTYPES:
        tensors = {"w": torch.empty(elements, dtype=dtype, device="cuda")}
        size = elements * dtype.itemsize
        for name, (rule, start) in LAWS.items():
            works: dict[str, Work] = {
                "nn.init": partial(looped, tensors, start),
                "apply_init": partial(applied, tensors, rule),
                "memset": tensors["w"].zero_,
            }
            took = race(works, rounds)
            same = "bits of the CPU" if compared(rule, tensors["w"]) else "OTHER BITS"
            cells = " | ".join(f"{took[who] * 1e3:.2f} ms" for who in ("nn.init", "apply_init"))
            times = f"{took['nn.init'] / took['apply_init']:.2f}x"
            rate, limit = (size / took[who] / 1e12 for who in ("apply_init", "memset"))
            row = name, str(dtype)[6:], cells, times, f"{rate:.2f}", f"{limit:.2f}", same
            print("|", " | ".join(row), "|", flush=True)


def small(rounds: int) -> None:
    """Print what 2,000 tiny tensors take."""
    tensors = {f"{i}.weight": torch.empty(16, 16, device="cuda") for i in range(2000)}
    works = {
        "2,000 tiny tensors, bare loop": partial(looped, tensors, LAWS["normal"][1]),
        "2,000 tiny tensors, apply_init": partial(applied, tensors, LAWS["normal"][0]),
    }
    for name, took in race(works, rounds).items():
        print(f"| {name} | {took * 1e3:.1f} ms |", flush=True)


def eager(elements: int, rounds: int) -> None:
    """Print what plain torch takes for the same bits, where Triton is missing."""
    out = torch.empty(elements, device="cuda")
    key = stream.key(0, "w")
    works = {
        f"normal, {elements:,} elements, kernel": partial(stream.normal_, out, key, 0.0, 0.02),
        f"normal, {elements:,} elements, without Triton": partial(
            stream.normal_, out, key, 0.0, 0.02, path="eager"
        ),
    }
    for name, took in race(works, rounds).items():
        print(f"| {name} | {took * 1e3:.1f} ms |", flush=True)


def llama(layers: int) -> None:
    """Print what a model takes from nothing to its last value, three ways."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        dtype="bfloat16",
    )

    construct: Callable[[], nn.Module] = partial(LlamaForCausalLM._from_config, config)

    def itself() -> nn.Module:
        with torch.device("cuda"):
            return construct()

    def emptied() -> nn.Module:
        with torch.device("meta"):
            model = construct()
        model.to_empty(device="cuda")
        for name, parameter in model.named_parameters():
            if "norm" in name:
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02)
        return model

    def initialised() -> nn.Module:
        with deferred():
            model = construct()
        apply_init(model, "llama/transformers", seed=0, device="cuda", progress=False)
        return model

    ways = {
        "its own code, on the GPU": itself,
        "meta device, to_empty and a loop": emptied,
        "deferred and apply_init": initialised,
    }
    for _ in range(2):  # the first time finds no memory to take again
        for name, way in ways.items():
            torch.cuda.synchronize()
            begin = time.perf_counter()
            model = way()
            torch.cuda.synchronize()
            took = time.perf_counter() - begin
            count = sum(p.numel() for p in model.parameters()) / 1e9
            peak = torch.cuda.max_memory_allocated() / 2**30
            print(
                f"| Llama of {count:.2f} billion, {name} | {took:.2f} s, {peak:.1f} GiB at most |"
            )
            del model
            gc.collect()
            torch.cuda.reset_peak_memory_stats()


def main() -> None:
    """Read the options, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, default=1 << 32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--layers", type=int, default=32)
    options = parser.parse_args()
    out = torch.empty(1024, device="cuda")
    first = seconds(lambda: applied({"w": out}, "normal(std=0.02)"))
    kernel = "Triton" if gpu.kernel(out, stream.normal_spec(0.0, 0.02)) else "eager"
    where = f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    print(f"{where}, initkit {initkit.__version__} ({kernel}); first fill {first:.2f} s\n")
    values(options.elements, options.rounds)
    print("\n| work | time |\n| --- | --- |")
    small(options.rounds)
    eager(min(1 << 26, options.elements), options.rounds)
    llama(options.layers)


if __name__ == "__main__":
    main()
