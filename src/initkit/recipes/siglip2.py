"""Another name of SigLIP's recipe, which fits SigLIP 2 as well."""

from __future__ import annotations

from ..rules import Recipe

RECIPES: tuple[Recipe, ...] = ()
ALIASES = {"siglip2": "siglip/transformers", "siglip2/transformers": "siglip/transformers"}
