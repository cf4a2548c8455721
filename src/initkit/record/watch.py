"""Record what a model's own code draws: around a block, or around one call that builds a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import TargetError
from ..model import Slot
from ..plan import Plan
from ..wording import checks_calls, checks_methods
from .init_functions import seen_by
from .reading import read_plan
from .tables import table_of
from .tracker import Tracker


@checks_methods
class Recording:
    """What was seen while a block ran; :func:`recording` makes it.

    >>> from torch import nn
    >>> with recording() as record:
    ...     model = nn.LayerNorm(4)
    >>> [step.start for step in record.plan(model)]
    ['constant 1', 'constant 0']
    """

    def __init__(self) -> None:
        self._tracker = Tracker()

    def plan(self, model: nn.Module, *, buffers: bool = False) -> Plan:
        """Return the plan that the recorded code carried out on ``model``.

        Call it before training: it says what was written last. With ``buffers=True`` it has the
        buffers, too.
        """
        if not isinstance(model, nn.Module):
            raise TargetError(f"a recording has plans of modules, not of {type(model).__name__}")
        return read_plan(self._tracker.memory, model, self._compute, buffers)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See what this thread does in this block."""
        with seen_by(self._tracker), self._tracker:
            yield

    def move(self, old: torch.UntypedStorage, new: torch.UntypedStorage) -> None:
        """Let a storage that takes another's place hold what that one does."""
        self._tracker.memory.move(old, new)

    def keep_values(self, tensor: Tensor) -> None:
        """Keep the values that no randomness made, of a tensor that is about to lose them."""
        memory, plain = self._tracker.memory, tensor.detach()
        if not plain.is_meta and memory.knows(plain):
            expression = table_of(memory.present(memory.read(plain)), plain)
            if expression is not None:
                memory.write(plain, expression)

    def _compute(self, slot: Slot) -> Tensor | None:
        """Read a computed weight, and see what becomes of what its parts hold."""
        assert slot.computed is not None
        with self._tracker:
            return slot.computed.read()


@checks_calls
@contextmanager
def recording() -> Iterator[Recording]:
    """Watch how the code of this block starts the models that it builds.

    Every operation of this thread is seen; values and random generators are those that there would
    be without. ``record.plan(model)`` is the plan that the code carried out.

    >>> from torch import nn
    >>> with recording() as record:
    ...     model = nn.Linear(3, 4)
    ...     _ = nn.init.normal_(model.weight, std=0.02)
    >>> print(record.plan(model)["weight"].start)
    N(0, 0.02)
    """
    record = Recording()
    with record.watching():
        yield record


@checks_calls
def record_init(
    build: Callable[..., nn.Module], *args: Any, buffers: bool = False, **kwargs: Any
) -> Plan:
    """Build a model, and return the plan that its own code carried out.

    ``build`` is a class or a function that returns a module; ``args`` and ``kwargs`` are its own.
    The model is ``plan.model``. ``plan[name].history`` are the writes of a parameter in order, each
    with its file and line. What no distribution explains is listed, and keeps its values when the
    plan is applied.

    Errors of ``build`` pass unchanged. Raises :class:`TargetError` where it is a module that is
    built already, or returns none.

    >>> from torch import nn
    >>> plan = record_init(nn.Linear, 3, 4)
    >>> print(plan["weight"].start)
    U(-0.5774, 0.5774)
    >>> print(plan["weight"].history[0].call)
    kaiming_uniform_(a=sqrt(5))
    """
    if isinstance(build, nn.Module):
        kind = type(build).__name__
        raise TargetError(
            f"record_init watches a model being built, and this {kind} is built already; give what "
            f"builds it: record_init(lambda: {kind}(...))"
        )
    if not callable(build):
        raise TargetError(
            f"record_init watches a model being built, and {build!r} builds none; give a class or "
            "a function: record_init(Net, ...)"
        )
    with recording() as record:
        model = build(*args, **kwargs)
    return _plan_of(record, model, build, buffers)


def _plan_of(record: Recording, model: object, build: object, buffers: bool) -> Plan:
    if not isinstance(model, nn.Module):
        name = getattr(build, "__name__", repr(build))
        raise TargetError(f"{name} returned {type(model).__name__}, not a module")
    return record.plan(model, buffers=buffers)
