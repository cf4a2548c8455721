"""Another name of CaiT's recipe."""

from __future__ import annotations

from ..rules import Recipe

RECIPES: tuple[Recipe, ...] = ()
ALIASES = {"cait": "layerscale_cait/timm", "cait/timm": "layerscale_cait/timm"}
