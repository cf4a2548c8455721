"""VeRA."""

from __future__ import annotations

from typing import Any

from ._adapters import COPIES, adapter


def _vera(*, d_initial: float = 0.1) -> list[Any]:
    shared = "kaiming_uniform(fans='tensor')"
    return [
        {
            "*.vera_lambda_d.*": d_initial,
            "*.vera_lambda_b.*": 0,
            "*vera_A.*": shared,
            "*vera_B.*": shared,
        },
        COPIES,
    ]


RECIPES = (
    adapter(
        "vera/peft",
        _vera,
        summary="lambda_d 0.1, lambda_b 0; the shared projections, which are buffers, Kaiming "
        "uniform.",
        file="vera/layer.py (reset_vera_parameters), vera/model.py (_kaiming_init)",
        paper="Kopiczko et al. 2024, VeRA: Vector-based Random Matrix Adaptation "
        "(arXiv:2310.11454)",
        marks="*.vera_lambda_[bd].*",
        notes="PEFT draws the projections under a seed of their own (projection_prng_key), so that "
        "a checkpoint need not hold them: they are left alone unless buffers=True is said",
    ),
)
ALIASES = {"vera": "vera/peft"}
