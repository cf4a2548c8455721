"""The Transformer, under its plain name."""

from __future__ import annotations

from ..rules import Recipe

RECIPES: tuple[Recipe, ...] = ()
ALIASES = {
    "transformer": "transformer_base/tensor2tensor",
    "transformer/tensor2tensor": "transformer_base/tensor2tensor",
    "transformer/fairseq": "transformer_base/fairseq",
    "transformer/torch": "transformer_base/torch",
}
