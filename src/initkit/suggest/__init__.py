"""Which recipes a model starts by: what speaks for each, and what the model's values say."""

from .advise import suggest_recipe
from .suggestions import Suggestion, Suggestions

__all__ = ["Suggestion", "Suggestions", "suggest_recipe"]
