"""OLMo-core."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import tied_to_embedding

_PAPER = "OLMo Team 2024, 2 OLMo 2 Furious (arXiv:2501.00656)"
_SOURCE = "allenai/OLMo-core: src/olmo_core/nn/transformer/init.py"
_FITS = ("OLMo-core", "transformers")
_SCALED = r"re:.*\.(w_out|o_proj|feed_forward\.w[23]|up_proj|down_proj)\.weight"
_MIXTURE = r"re:.*feed_forward_moe\.(router\.weight|experts\.mlp\.w[123])"
_HEAD = r"re:(.*\.)?lm_head(\.w_out)?\.weight"


def _cut(std: str) -> str:
    return f"trunc_normal(std={std}, cutoff=3)"


def _rules(std: float, depth: str) -> list[Any]:
    """Return the rules; ``depth`` divides the std of output layers, and changes the ends."""
    scaled = bool(depth)
    table = "normal(std=1)" if scaled else _cut(str(std))
    output = _cut(f"{std}/sqrt({depth})" if scaled else str(std))
    return [
        Rule(table, name="*.weight", type="Linear", where=tied_to_embedding),
        {
            "type:*LayerNorm*|*RMSNorm*": {"weight": 1, "bias": 0},
            "*.feed_forward_moe.shared_mlp.*": "torch_default",
            _MIXTURE: output,
            _HEAD: _cut("1/sqrt(shape[1])" if scaled else str(std)),
            _SCALED: output,
            "type:Linear|Conv1d": {"weight": _cut(str(std)), "bias": 0},
            "type:Embedding": {"weight": table},
        },
        REST,
    ]


def _normal(*, std: float = 0.02) -> list[Any]:
    return _rules(std, "")


def _llama(*, std: float = 0.02) -> list[Any]:
    return _rules(std, "2*n_layers")


def _llama_depth(*, std: float = 0.02) -> list[Any]:
    return _rules(std, "2*(layer+1)")


RECIPES = (
    Recipe(
        "olmo_core/normal",
        rules=_normal,
        summary="Every matrix and embedding N(0, 0.02) cut at 3 sigma.",
        source=f"{_SOURCE} (InitMethod.normal, the default)",
        paper=_PAPER,
        fits=_FITS,
        padding=False,
    ),
    Recipe(
        "olmo_core/llama",
        rules=_llama,
        summary="w_out, w2, w3 0.02/sqrt(2 layers), head 1/sqrt(d), the rest 0.02, cut at 3 sigma; "
        "embedding N(0, 1).",
        source=f"{_SOURCE} (InitMethod.llama)",
        paper=_PAPER,
        fits=_FITS,
        padding=False,
    ),
    Recipe(
        "olmo_core/llama_depth",
        rules=_llama_depth,
        summary="w_out, w2, w3 0.02/sqrt(2 (layer + 1)), head 1/sqrt(d), the rest 0.02, cut at 3 "
        "sigma; embedding N(0, 1).",
        source=f"{_SOURCE} (InitMethod.llama_depth)",
        paper=_PAPER,
        fits=_FITS,
        notes="w3 (up) is scaled like w2 (down), not only what writes into the residual stream. Of "
        "a mixture of experts the router and all three matrices are, and a shared feed-forward "
        "keeps torch's default. A tied head starts as the embedding does",
        padding=False,
    ),
)
ALIASES = {"olmo_core": "olmo_core/normal"}
