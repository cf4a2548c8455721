"""Read a plan off a model's own code: watch it build the model, and say what it drew."""

from .watch import Recording, record_init, recording

__all__ = ["Recording", "record_init", "recording"]
