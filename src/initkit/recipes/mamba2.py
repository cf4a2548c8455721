"""Mamba 2."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import published
from .mamba import STATE_SPACE, original

_PAPER = "Dao & Gu 2024, Transformers are SSMs (arXiv:2405.21060)"


def _original(
    *,
    initializer_range: float = 0.02,
    dt_min: float = 0.001,
    dt_max: float = 0.1,
    dt_floor: float = 1e-4,
    a_min: float = 1.0,
    a_max: float = 16.0,
) -> list[Any]:
    numbers = (initializer_range, dt_min, dt_max, dt_floor)
    return [*original(*numbers, f"log_of(uniform({a_min}, {a_max}))", "*.dt_bias"), REST]


RECIPES = (
    Recipe(
        "mamba2/original",
        rules=_original,
        marks=(
            "*.A_log",
            "*.dt_bias",
        ),
        summary="exp(A_log) U(1, 16), D 1, softplus(dt_bias) log-uniform in [0.001, 0.1], "
        "embedding N(0, 0.02); out_proj torch's default by 1/sqrt(layers).",
        source="state-spaces/mamba: mamba_ssm/modules/mamba2.py, models/mixer_seq_simple.py",
        paper=_PAPER,
        fits=("mamba_ssm", "transformers"),
        notes="transformers counts A = 1..heads instead of drawing it",
        padding=False,
    ),
    published(
        "mamba2",
        *STATE_SPACE,
        marks=(
            "*.A_log",
            "*.dt_bias",
        ),
        summary="A_log = log(1..heads), D, dt as the original; embedding and in_proj N(0, 0.1).",
        paper=_PAPER,
        notes="A is counted, not drawn; initializer_range is 0.1, and out_proj is not scaled by "
        "depth unless rescale_prenorm_residual",
    ),
)
ALIASES = {"mamba2": "mamba2/original"}
