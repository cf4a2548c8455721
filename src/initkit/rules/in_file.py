"""The parameters that a checkpoint holds, for a rule that leaves the others to those below it."""

from __future__ import annotations

from ..model import Slot
from ..numbers import frozen
from ..schemes import Pretrained
from .base import Matcher


@frozen
class InFile(Matcher):
    """A checkpoint holds the parameter, under one of its names."""

    scheme: Pretrained
    joiner = " in "

    def matches(self, slot: Slot, name: str) -> bool:
        return self.scheme.holds(*slot.paths)  # the whole names, whatever scope the rule stands in

    def __str__(self) -> str:
        return self.scheme.path
