"""Read a plan off what a model's own code does, and readable rules off a plan."""

from .generalize import recipe_of
from .watch import Recording, record_init, recording

__all__ = ["Recording", "recipe_of", "record_init", "recording"]
