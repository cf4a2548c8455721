"""OLMo."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import tied_to_embedding
from ._transformers import published

_PAPER = "Groeneveld et al. 2024, OLMo (arXiv:2402.00838)"
_SOURCE = "allenai/OLMo: olmo/model.py, olmo/initialization.py"
_FITS = ("OLMo", "transformers")
_RESIDUAL = r"re:.*\.(attn_out|o_proj|down_proj|(blocks|layers)\.\d+\.ff_out)\.weight"
_HEAD = r"re:(.*\.)?(transformer\.ff_out|lm_head)\.weight"


def _cut(std: str, cutoff: float) -> str:
    return f"trunc_normal(std={std}, cutoff={cutoff:g})"


def rules(matrix: str, residual: str, head: str, cutoff: float = 3.0) -> list[Any]:
    """Return OLMo's rules from the stds of matrices, of residual projections and of the head."""
    start = _cut(matrix, cutoff)
    return [
        Rule(start, name="*.weight", type="Linear", where=tied_to_embedding),
        {
            "type:*LayerNorm*|*RMSNorm*": {"weight": 1, "bias": 0},
            _RESIDUAL: _cut(residual, cutoff),
            _HEAD: _cut(head, cutoff),
            "type:Linear": {"weight": start, "bias": 0},
            "type:Embedding": {"weight": start},
        },
        REST,
    ]


def _mitchell(*, cutoff: float = 3.0) -> list[Any]:
    plain = "1/sqrt(shape[-1])"
    return rules(plain, "1/sqrt(2*shape[-1]*(layer+1))", plain, cutoff)


def normal(*, std: float = 0.02, cutoff: float = 3.0) -> list[Any]:
    """Return OLMo 2's rules: every matrix alike."""
    return rules(str(std), str(std), str(std), cutoff)


def _full_megatron(*, std: float = 0.02, cutoff: float = 3.0) -> list[Any]:
    layers = "(config.n_layers or config.num_hidden_layers or n_layers)"
    return rules(str(std), f"{std}/sqrt(2*{layers})", "1/sqrt(shape[-1])", cutoff)


RECIPES = (
    Recipe(
        "olmo/mitchell",
        rules=_mitchell,
        summary="1/sqrt(d), residual projections 1/sqrt(2 fan_in (layer + 1)), all cut at 3 sigma.",
        source=f"{_SOURCE} (init_fn mitchell)",
        paper=_PAPER,
        fits=_FITS,
        notes="layers count from 0. OLMo 1; transformers starts it at N(0, 0.02)",
        padding=False,
    ),
    Recipe(
        "olmo/normal",
        rules=normal,
        summary="Every matrix and embedding N(0, 0.02) cut at 3 sigma; no depth scaling.",
        source=f"{_SOURCE} (init_fn normal); configs/official-1124",
        paper="OLMo Team 2024, 2 OLMo 2 Furious (arXiv:2501.00656)",
        fits=_FITS,
        notes="OLMo 2's; transformers does not cut",
        padding=False,
    ),
    Recipe(
        "olmo/full_megatron",
        rules=_full_megatron,
        summary="0.02, residual projections 0.02/sqrt(2 layers), head 1/sqrt(d), cut at 3 sigma.",
        source=f"{_SOURCE} (init_fn full_megatron)",
        paper=_PAPER,
        fits=_FITS,
        notes="Megatron itself neither cuts nor treats the head otherwise. With tied weights there "
        "is no head, and the embedding's 0.02 it is",
        padding=False,
    ),
    published(
        "olmo",
        models="olmo olmo3",
        summary="Every matrix N(0, initializer_range), padding row 0.",
        paper=_PAPER,
        notes="the norms have no parameters",
    ),
)
ALIASES = {
    "olmo": "olmo/mitchell",
    "olmo/olmo-1": "olmo/mitchell",
    "olmo/olmo-2": "olmo/normal",
}
