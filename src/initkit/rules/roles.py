"""Matchers by what a parameter is to its module: a role, torch's default, first of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from ..errors import RuleError, UnknownNameError
from ..model import ParameterInfo, ParameterRole, Slot, parameter_info, shape_problem
from ..numbers import frozen
from .base import Matcher
from .matchers import Type


@frozen
class Role(Matcher, prefix="role:"):
    """What the parameter is to its module: weight, bias, norm weight, norm bias or slope."""

    role: str
    typed = True
    by_owner = True
    generic = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        roles = get_args(ParameterRole)
        if text not in roles:
            raise UnknownNameError("role", text, roles, f"Roles are {', '.join(roles)}.")
        return cls(text)

    def matches(self, slot: Slot, name: str) -> bool:
        known = _known(slot)
        return known is not None and known.role == self.role

    def spell(self) -> str:
        return f"{self.prefix}{self.role}"

    def __str__(self) -> str:
        return f"every {self.role}"


@frozen
class HasTorchDefault(Matcher, prefix="torch:"):
    """torch's own constructor is known to start this parameter."""

    typed = True
    by_owner = True
    generic = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        if text != "*":
            raise RuleError(f"behind 'torch:' stands '*', for all that torch starts, not {text!r}")
        return cls()

    def matches(self, slot: Slot, name: str) -> bool:
        known = _known(slot)
        return known is not None and known.default is not None

    def spell(self) -> str:
        return f"{self.prefix}*"

    def __str__(self) -> str:
        return "every parameter of a torch module"


def _known(slot: Slot) -> ParameterInfo | None:
    """Return what is known of the slot's module, or None."""
    if slot.literal or slot.owner is None or slot.tensor is None:
        return None
    # a stand-in serves a lazy parameter: roles go by module and name, whatever the sizes will be
    shape = (1, 1) if shape_problem(slot.tensor) else slot.shape
    return parameter_info(slot.owner, slot.key, shape)


@frozen
class Earliest(Matcher, prefix="earliest:"):
    """The first module of a class, in the model's order, within the scope of the rule."""

    kind: Type
    typed = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        return cls(Type.of(text))

    def matches(self, slot: Slot, name: str) -> bool:
        if not self.kind.matches(slot, name):
            return False
        # The name is relative to the scope, and each part but the last is a module below it.
        scope = slot.lineage[max(len(slot.lineage) - len(name.split(".")), 0)]
        first = next(module for module in scope.modules() if self.kind.covers(module))
        return first is slot.owner

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return self.kind.hint(slots, scope)

    def spell(self) -> str:
        return f"{self.prefix}{self.kind}"

    def __str__(self) -> str:
        return f"the first {self.kind}"
