"""One operation of torch, with what is known of its operands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from .expression import Expression, constant
from .memory import Held, Memory

Handler: TypeAlias = "Callable[[Operation], Held | list[Held] | None]"
"""Returns what an operation's result holds, or None where nothing of it needs to be noted."""


@dataclass(slots=True)
class Operation:
    """One operation of torch that has been carried out."""

    memory: Memory
    name: str  # without namespace and overload
    func: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    result: Any

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    def tensors(self) -> Iterator[Tensor]:
        """Yield every operand that is a tensor."""
        # Operations of torch take tensors and lists of them, and no deeper trees.
        for value in (*self.args, *self.kwargs.values()):
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, list | tuple):
                yield from (each for each in value if isinstance(each, Tensor))

    def held(self) -> list[Expression]:
        """Return the expressions among all operands."""
        return self.memory.merged(map(self.memory.read, self.tensors()))


def known_number(tensor: Tensor, held: Expression) -> Expression:
    """Return the expression of a fixed number, read off the value itself."""
    if held.fixed and held.distribution is None and tensor.numel() == 1 and not tensor.is_meta:
        value: object = tensor.item()
        return constant(float(value)) if isinstance(value, int | float) else held
    return held


def has_draws(memory: Memory, held: Held) -> bool:
    """Say whether any element depends on a draw, or on memory that was never written."""
    return any(not e.fixed for e in memory.present(held))
