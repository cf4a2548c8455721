"""Count how often check_init raises an alarm about models that are as planned.

    python benchmarks/false_alarms.py [models] [first seed]

Every model is a random mixture of modules of 1 to 10 million elements in one of four dtypes,
started by random rules: mostly by apply_init, and some by torch.nn.init's own functions. The last
column says how many models look odder than a correct one does with that probability; it may not
exceed its expectation by much, and the bounds behind the tests keep it well below.
"""

from __future__ import annotations

import functools
import math
import random
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from initkit import CheckReport, apply_init, check_init

LEVELS = (1e-1, 1e-2, 1e-3, 1e-6)
LARGEST = 10_000_000
WEIGHTS = (
    "normal(std=0.02)",
    "normal(mean=1, std=0.01)",
    "uniform(-0.05, 0.05)",
    "uniform(0, 1)",
    "trunc_normal(std=0.02)",
    "trunc_normal(std=0.02, cutoff=2)",
    "trunc_normal(std=1, low=0.5, high=3)",
    "xavier_uniform",
    "xavier_normal(gain=1.4)",
    "kaiming_uniform(a=sqrt(5))",
    "kaiming_normal(mode='fan_out')",
    "lecun_normal",
    "variance_scaling",
    "zero_mask_uniform",
    "log_uniform(0.001, 0.1)",
    "torch_default",
)
MATRICES = ("orthogonal", "orthogonal(gain=1.4)", "sparse(sparsity=0.3)", "eye")
VECTORS = ("0", "1", "1e-6", "normal(std=0.02)", "uniform(-0.1, 0.1)", "log_uniform(0.001, 0.1)")
DTYPES = (torch.float32, torch.float32, torch.bfloat16, torch.float16, torch.float64)
TORCH: dict[str, Callable[[Tensor], object]] = {
    "normal(std=0.02)": functools.partial(nn.init.normal_, std=0.02),
    "uniform(-0.05, 0.05)": functools.partial(nn.init.uniform_, a=-0.05, b=0.05),
    "trunc_normal(std=0.02)": functools.partial(nn.init.trunc_normal_, std=0.02),
    "trunc_normal(std=1, low=-1, high=2)": functools.partial(
        nn.init.trunc_normal_, std=1.0, a=-1.0, b=2.0
    ),
    "xavier_uniform": nn.init.xavier_uniform_,
    "kaiming_normal": nn.init.kaiming_normal_,
    "orthogonal": nn.init.orthogonal_,
    "sparse(sparsity=0.1)": functools.partial(nn.init.sparse_, sparsity=0.1),
    "0": nn.init.zeros_,
}


def size(rng: random.Random, largest: float = LARGEST) -> int:
    """Return a size whose logarithm is uniform."""
    return round(math.exp(rng.uniform(0, math.log(largest))))


def matrix(rng: random.Random, elements: int) -> tuple[int, int]:
    """Return rows and columns of about so many elements."""
    rows = max(1, round(elements ** rng.uniform(0.2, 0.8)))
    return rows, max(1, elements // rows)


def module(rng: random.Random, elements: int) -> nn.Module:
    """Return a module of about so many elements; its values come later."""
    rows, columns = matrix(rng, elements)
    kind = rng.choice(("linear", "linear", "conv", "embedding", "gru", "norm", "attention"))
    if kind == "conv":
        return nn.Conv2d(max(1, columns // 9), rows, 3)
    if kind == "embedding":
        return nn.Embedding(rows + 1, columns, padding_idx=rng.choice((None, 0, rows)))
    if kind == "gru":
        return nn.GRU(max(1, columns // 3), min(max(1, rows // 2), 400))
    if kind == "norm":
        return nn.LayerNorm(min(elements, 100_000))
    if kind == "attention":
        return nn.MultiheadAttention(min(max(1, math.isqrt(elements // 4)), 1000), 1)
    return nn.Linear(columns, rows)


def model(rng: random.Random, largest: float) -> nn.ModuleList:
    """Return a few modules, together of about 1 to ``largest`` elements."""
    total, count = size(rng, largest), rng.randint(1, 6)
    parts = [size(rng, max(1, total)) for _ in range(count - 1)] + [total]
    dtype = rng.choice(DTYPES)
    with torch.device("meta"):
        made = nn.ModuleList(module(rng, part) for part in parts)
    return made.to_empty(device="cpu").to(dtype)


def rules_for(rng: random.Random, made: nn.Module) -> dict[str, str]:
    """Return a rule for every parameter."""
    rules = {}
    for name, parameter in made.named_parameters():
        if parameter.dim() < 2:
            scheme = rng.choice(VECTORS)
        elif parameter.numel() <= 250_000 and rng.random() < 0.2:
            scheme = rng.choice(MATRICES if parameter.dim() == 2 else MATRICES[:2])
        else:
            scheme = rng.choice(WEIGHTS)
        rules[name] = scheme
    return rules


def by_torch(rng: random.Random, made: nn.Module) -> dict[str, str]:
    """Start a model by torch's own functions; return the rules that say the same."""
    rules = {}
    for name, parameter in made.named_parameters():
        whole = isinstance(made.get_submodule(name.rpartition(".")[0]), nn.Linear | nn.Embedding)
        names = [text for text in TORCH if whole or text in list(TORCH)[:4]]
        text = rng.choice(names) if parameter.dim() > 1 else rng.choice(("0", names[0], names[1]))
        if text == "orthogonal" and (parameter.numel() > 250_000 or parameter.dtype.itemsize < 4):
            text = "0"
        with torch.no_grad():
            TORCH[text](parameter)
        shaped = text.startswith(("kaiming", "xavier"))
        rules[name] = f"{text}(fans='tensor')" if shaped else text
    padded = [m for m in made.modules() if isinstance(m, nn.Embedding)]
    for embedding in padded:
        if embedding.padding_idx is not None:
            with torch.no_grad():
                embedding.weight[embedding.padding_idx].fill_(0)
    return rules


def one(seed: int, largest: float = LARGEST) -> tuple[nn.Module, dict[str, str], CheckReport]:
    """Start and check one random model."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    made = model(rng, largest)
    if rng.random() < 0.25:
        rules = by_torch(rng, made)
    else:
        rules = rules_for(rng, made)
        apply_init(made, rules, seed=seed)
    return made, rules, check_init(made, rules)


def main(count: int = 2000, first: int = 0) -> None:
    alarms, values, elements, tests, spent = 0, [], 0, 0, 0.0
    for seed in range(first, first + count):
        began = time.perf_counter()
        _, _, report = one(seed)
        spent += time.perf_counter() - began
        values.append(report.p_value)
        elements += report.elements
        tests += report.tests
        if not report.ok:
            alarms += 1
            print(f"seed {seed}: {report}", flush=True)
        if report.p_value < 1e-3:
            print(f"seed {seed}: p = {report.p_value:.2g}", flush=True)
    print(f"{count:,} models, {elements:,} elements, {tests:,} tests, {spent:.0f} s")
    print(f"alarms at 1e-6: {alarms}")
    for level in LEVELS:
        odd = sum(value <= level for value in values)
        print(f"odder than {level:g}: {odd} models (expected at most {level * count:g})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
