"""NeRF."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "nerf/original",
        rules=[{"type:Linear": {"weight": "xavier_uniform", "bias": 0}}, REST],
        summary="Linear layers Xavier, biases 0: the defaults of Keras.",
        source="bmild/nerf: run_nerf_helpers.py (init_nerf_model), with Keras's Dense",
        paper="Mildenhall et al. 2020, NeRF, arXiv:2003.08934",
        fits=("plain torch",),
        notes="ports to PyTorch keep torch's defaults instead. The paper says nothing of the start",
    ),
)
ALIASES = {
    "nerf": "nerf/original",
    "nerf/bmild": "nerf/original",
    "nerf/keras": "nerf/original",
}
