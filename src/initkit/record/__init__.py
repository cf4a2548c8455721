"""Read rules off a plan."""

from .generalize import recipe_of

__all__ = ["recipe_of"]
