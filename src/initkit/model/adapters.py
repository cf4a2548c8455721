"""What PEFT puts around a model: wrappers that hold parameters beside what they wrap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .slots import Slot

ADAPTERS: Mapping[str, str] = {
    "base_layer": "BaseTunerLayer",
    "base_model": "PeftModel",
    "model": "BaseTuner",
    "original_module": "AuxiliaryTrainingWrapper",
}
"""Attributes that hold what PEFT wraps, and its wrappers, which hold parameters of their own."""
_HOLD_ADAPTERS = ("BaseTunerLayer", "AuxiliaryTrainingWrapper", "PeftModel")


def holds_adapters(kind: type) -> bool:
    """Say whether modules of a class are PEFT's, with parameters beside what they wrap."""
    return any(cls.__name__ in _HOLD_ADAPTERS for cls in kind.__mro__)


def adapter_part(slot: Slot) -> str:
    """Return under which name an adapter of PEFT holds a slot (``lora_A``); "" where none does.

    What stands under ``base_layer`` is the wrapped layer's, and no adapter's.
    """
    parts = slot.name.split(".")
    # From the inside out: an adapter is within the model that PEFT wraps.
    for depth in range(len(slot.lineage) - 1, -1, -1):
        if holds_adapters(type(slot.lineage[depth])):
            return "" if parts[depth] in ADAPTERS else parts[depth]
    return ""
