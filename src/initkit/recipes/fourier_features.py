"""Fourier feature networks."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe


def _fourier(scale: float = 10.0) -> list[Any]:
    return [
        {
            r"re:(.*\.)?_?B": f"normal(std={float(scale)})",
            "type:Linear": {
                "weight": "variance_scaling(mode='fan_avg')",
                "bias": "normal(std=0.01)",
            },
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "fourier_features/original",
        rules=_fourier,
        marks=(r"re:(.*\.)?_?B",),
        summary="Frequencies B from N(0, scale); linear layers Glorot; biases N(0, 0.01).",
        source="tancik/fourier-feature-networks: Demo.ipynb, with jax.example_libraries.stax.Dense",
        paper="Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions, "
        "arXiv:2006.10739",
        fits=("plain torch",),
        notes="scale is the standard deviation of the frequencies; the demo shows 1, 10 and "
        "100; 10 is best for its image. JAX truncates glorot_normal at two sigma and corrects it; "
        "torch's xavier_normal is not. Where B is a buffer, apply with buffers=True",
    ),
)
ALIASES = {
    "fourier_features": "fourier_features/original",
    "fourier_features/jax": "fourier_features/original",
    "fourier_features/tancik": "fourier_features/original",
}
