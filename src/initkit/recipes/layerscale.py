"""Another name of CaiT's recipe, after the layer that it brought."""

from __future__ import annotations

from ..rules import Recipe

RECIPES: tuple[Recipe, ...] = ()
ALIASES = {"layerscale": "layerscale_cait/timm"}
