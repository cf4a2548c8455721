"""Read a plan off a model's own code: watch it build the model, and say what it drew."""

from .generalize import recipe_of
from .watch import Recording, record_init, recording

__all__ = ["Recording", "recipe_of", "record_init", "recording"]
