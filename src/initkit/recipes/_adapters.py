"""What the adapters of PEFT share: what they hold besides the layers that they wrap."""

from __future__ import annotations

from typing import Any

from ..rules import Recipe

COPIES = {"*.modules_to_save.*": "keep"}
"""Modules that train whole beside an adapter are copies of the model's own, made by PEFT."""


def adapter(
    name: str, *rules: Any, summary: str, file: str, paper: str, marks: str, notes: str = ""
) -> Recipe:
    """Return the recipe of an adapter: it says nothing of the model that the adapter is for."""
    return Recipe(
        name,
        rules=rules[0] if callable(rules[0]) else [*rules, COPIES],
        summary=summary,
        source=f"huggingface/peft 0.19: src/peft/tuners/{file}",
        paper=paper,
        fits=("peft",),
        notes=f"the wrapped model has a recipe of its own: ['{name}', 'gpt2/transformers']"
        + (f". {notes}" if notes else ""),
        marks=(marks,),
    )
