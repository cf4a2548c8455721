"""Same rules, same seed, same bits: digests of plans and models as they were first recorded.

`python tests/test_digests.py` records them anew. That is for cases that are added: a digest that
moves means that everybody's models start otherwise than before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import models
import pytest
import torch
from torch import nn

from initkit import Rule, apply_init, list_schemes, model_digest, plan_init
from initkit.schemes import factory_of

FILE = Path(__file__).parent / "data" / "digests.json"
SEED = 20_240_229
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.complex64)
OPTIONS = {
    "constant": "(0.3)",
    "sparse": "(sparsity=0.5)",
    "log_uniform": "(0.001, 0.1)",
    "blocks": "(0, 'normal', 'xavier_uniform', 'orthogonal')",
    "scaled": "('normal', 0.5)",
    "log_of": "('arange(start=1)')",
    "exp_of": "('normal')",
    "inverse_softplus_of": "('log_uniform(0.001, 0.1)')",
    "trunc_normal": "(std=0.02, cutoff=2)",
    "shifted": "('normal', 2)",
    "rounded": "('normal', 0.25)",
    "product": "('normal', 'uniform(1, 2)')",
    "sum": "('eye', 'uniform(1, 2)')",
    "indexed": "(-5 + 8*(i/(n-1))**1.3 + sin(j))",
    "quantile": "(-log(-log(u)))",
    "icnr": "('normal')",
    "skew_pairs": "('uniform(-3, 3)')",
    "mel_bands": "(sample_rate=16000)",
    "radial_offsets": "(heads=4, points=2)",
    "table": f"({[[(8 * i + j) / 128 for j in range(8)] for i in range(16)]})",
}
SHAPES = {
    "dirac": (16, 8, 3, 3),
    "delta_orthogonal": (16, 8, 3, 3),
    "icnr": (16, 8, 3, 3),
    "bilinear_upsampling": (8, 8, 4, 4),
    "stft": (18, 1, 16),
    "reservoir": (16, 16),
    "skew_pairs": (9, 9),
    "rotated_frequencies": (2, 3, 8),
}
# A file, other rows or other parameters make them; those of groups and gates are among the models.
NOT_DRAWN = (
    "keep torch_default copy_of gates from_tensor pretrained mean_resizing copied_rows pissa olora "
    "mimetic glow_lu chrono quaternion"
).split()
# Their last bits are those of the LAPACK at hand: only the plan is the same everywhere.
FACTORED = (
    "orthogonal",
    "delta_orthogonal",
    "he_orthogonal",
    "glorot_orthogonal",
    "blocks",
    "recurrent",
    "parametrized",
    "random_features",
    "reservoir",
    "low_rank",
)


def _tensor(scheme: str, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(SHAPES.get(scheme, (16, 8)), dtype=dtype)


def _built_in() -> list[str]:
    made = ((name, factory_of(name)) for name in list_schemes())
    return [n for n, f in made if isinstance(f, type) and f.__module__.startswith("initkit.")]


def _by_scheme() -> Iterator[tuple[str, Callable[[], Any], Any]]:
    for scheme in _built_in():
        if scheme not in NOT_DRAWN:
            for dtype in DTYPES:
                name = f"{scheme} {str(dtype).removeprefix('torch.')}"
                value = scheme + OPTIONS.get(scheme, "")
                yield name, lambda s=scheme, d=dtype: {"w": _tensor(s, d)}, {"w": value}


def _half(tensor: torch.Tensor) -> None:
    tensor.fill_(0.5)


def _adapters() -> nn.Module:
    return nn.Sequential(*(nn.Linear(*sizes, bias=False) for sizes in ((8, 6), (8, 2), (2, 6))))


MODELS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "resnext": (models.resnext, "resnext"),
    "wide_resnet": (models.wide_resnet, "wide_resnet"),
    "tied_lm": (models.tied_lm, "xavier_uniform"),
    "convolutions": (models.Convolutions, "kaiming_normal"),
    "recurrent": (models.Recurrent, "orthogonal"),
    "attention": (models.Attention, "torch_default"),
    "norms": (models.Norms, {"*weight*": "uniform", "*": 0.5}),
    "lookups": (models.Lookups, {"*": "normal(std=0.02)"}),
    "parametrized": (models.parametrized, {"one_way.*": "keep", "*.bias": 0, "*": "normal"}),
    "shared": (models.Shared, {"*": "normal(std=0.02)"}),
    "copies": (models.Shared, {"other.weight": "copy_of('first.weight')", "*": "normal"}),
    "gates": (lambda: nn.LSTM(6, 8), {"bias*": "gates(forget=1)", "*": "gates(normal, cell=0)"}),
    "chrono": (
        lambda: nn.LSTM(6, 8),
        {"bias_ih*": "chrono(100)", "bias_hh*": "chrono(50, order='ifgo')", "*": 0},
    ),
    "nested blocks": (
        lambda: nn.Linear(8, 16),
        {
            "weight": "blocks(blocks(normal, indexed(i), dim=1, sizes=(3, 5)), uniform)",
            "bias": "blocks(1, shifted(normal, 2), sizes=('fan_in + 4', 4))",
        },
    ),
    "tails": (
        models.mlp,
        {"*.bias": "trunc_normal(low=5, high=6)", "*": "trunc_normal(low=0, high=1e-6)"},
    ),
    "rows": (models.mlp, [Rule("normal", name="0.weight", rows="1:"), {"*": "normal"}]),
    "low_rank": (_adapters, {"{0,1,2}.weight": "pissa(weight='normal')"}),
    "functions": (models.mlp, {"*.bias": _half, "*": nn.init.normal_}),
}


def _cases() -> dict[str, tuple[Callable[[], Any], Any]]:
    return {name: (make, rules) for name, make, rules in _by_scheme()} | MODELS


def _record(name: str, make: Callable[[], Any], rules: Any) -> list[str]:
    """Return the digests of the plan and of the values, or why there are none."""
    torch.manual_seed(0)
    model = make()
    plan = plan_init(model, rules, idle="ignore")
    if plan.problems:
        return ["refused"]
    if name.startswith(FACTORED):
        return [plan.digest()]
    apply_init(model, rules, seed=SEED, idle="ignore")
    return [plan.digest(), model_digest(model)]


KNOWN: dict[str, list[str]] = json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.mark.parametrize("name", KNOWN)
def test_plans_and_values_are_those_of_the_record(name: str) -> None:
    assert _record(name, *_cases()[name]) == KNOWN[name]


def test_every_case_is_recorded() -> None:
    assert _cases().keys() == KNOWN.keys()


if __name__ == "__main__":
    rows = {name: _record(name, *case) for name, case in _cases().items()}
    FILE.write_text(json.dumps(rows, indent=0) + "\n")
