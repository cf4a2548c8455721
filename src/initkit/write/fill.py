"""Carry out a plan: the only code that writes parameters; it makes no decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

from .. import stream
from ..distributions import Distribution, Runs, Source, UserFunction
from ..errors import FillError
from ..model import LocalShard, Slot, local_shard, rank_count
from ..plan import WRITE, Plan, Step, Target

Task: TypeAlias = Callable[[], object]
CHUNK = 1 << 18  # elements of one task: large enough for a thread, small enough for its scratch
observers: list[Callable[[Sequence[Slot]], object]] = []
"""Told of the slots of every step that was written; torch itself does not see the kernel write."""
SMALL = 1 << 12  # below, the kernel keeps the interpreter's lock, and threads would only wait


def fill(
    plan: Plan,
    seed: int,
    prefix: str = "",
    *,
    ready: Task | None = None,
    advance: Callable[[int], object] | None = None,
) -> None:
    """Write every step of status ``write``.

    Users' functions run first, then ``ready``, which may give tensors their memory, then everything
    is written; ``advance`` is told how many elements each task wrote.
    """
    todo = [pair for pair in zip(plan.steps, plan.targets, strict=True) if pair[0].status == WRITE]
    drawn = {
        id(step): _run_function(step, target.writer, seed, prefix)
        for step, target in todo
        if isinstance(step.distribution, UserFunction)
    }
    if ready is not None:
        ready()
    tasks = _Tasks(advance)
    with torch.inference_mode() if _needs_inference_mode(todo) else nullcontext():
        for step, target in todo:
            if not _add_plain(tasks, step, target.writer, seed, prefix):
                source = Source(seed, prefix + step.seed_name)
                _add(tasks, step, target.writer, source, drawn.get(id(step)))
        stream.run(tasks.all())
        for step, target in todo:
            if step.padding is not None:
                _zero_padding(step.padding, target)
            for observe in observers:
                observe(target.slots)


def _needs_inference_mode(todo: Sequence[tuple[Step, Target]]) -> bool:
    """Whether a tensor was made under inference mode, outside of which torch won't write it."""
    return any(t.writer.tensor is not None and t.writer.tensor.is_inference() for _, t in todo)


class _Tasks:
    """Gather writes into tasks of about one chunk each; whole matrices go first."""

    def __init__(self, advance: Callable[[int], object] | None) -> None:
        self.advance = advance
        self.whole: list[Task] = []
        self.chunks: list[Task] = []
        self.batch: list[Task] = []
        self.small: list[Task] = []
        self.size = self.small_size = 0

    def add(self, write: Task, elements: int) -> None:
        if elements < SMALL:
            self.small.append(write)
            self.small_size += elements
            return
        self.batch.append(write)
        self.size += elements
        if self.size >= CHUNK:
            self._close()

    def add_whole(self, write: Task, elements: int) -> None:
        self.whole.append(_together([write], self.advance, elements))

    def _close(self) -> None:
        if self.batch:
            self.chunks.append(_together(self.batch, self.advance, self.size))
        self.batch, self.size = [], 0

    def all(self) -> list[Task]:
        self._close()
        small = [_together(self.small, self.advance, self.small_size)] if self.small else []
        return self.whole + self.chunks + small


def _together(
    writes: Sequence[Task], advance: Callable[[int], object] | None, elements: int
) -> Task:
    def task() -> None:
        with torch.no_grad():  # thread-local, so each task enters it
            for write in writes:
                write()
        if advance is not None:
            advance(elements)

    return task


def _add_plain(tasks: _Tasks, step: Step, slot: Slot, seed: int, prefix: str) -> bool:
    """Add the write of a small plain parameter, which most are; say whether it was one."""
    distribution, tensor = step.distribution, slot.tensor
    if type(tensor) is not Parameter or slot.computed is not None:
        return False
    elements = tensor.numel()
    if elements > CHUNK:
        return False
    value = distribution.constant if distribution is not None else None
    if value is not None:
        tasks.add(partial(tensor.fill_, value) if value else tensor.zero_, elements)
        return True
    if (
        distribution is not None
        and distribution.any_shape
        and tensor.is_contiguous()
        and not tensor.is_complex()
    ):
        source = Source(seed, prefix + step.seed_name)
        tasks.add(partial(distribution.write, tensor, source), elements)
        return True
    return False


def _add(tasks: _Tasks, step: Step, slot: Slot, source: Source, drawn: Tensor | None) -> None:
    """Add the writes of one step."""
    distribution, tensor = step.distribution, slot.tensor
    assert distribution is not None
    assert tensor is not None
    kind = type(tensor)
    if slot.computed is not None:
        tasks.add_whole(
            lambda: _through_parametrization(slot, step, distribution, source, drawn), step.numel
        )
        return
    part = None if kind is Parameter or kind is Tensor else local_shard(tensor)
    if part is not None:
        _add_part(tasks, tensor, part, distribution, source, drawn)
        return
    out = _real(tensor, distribution)
    if (value := distribution.constant) is not None:
        tasks.add(lambda: _fill(out, value), out.numel())
    elif drawn is not None or not distribution.elementwise:
        tasks.add_whole(lambda: _copy(out, _whole(distribution, source, drawn, out)), out.numel())
    elif out.numel() <= CHUNK and out.is_contiguous():
        tasks.add(lambda: distribution.write(out.view(-1), source), out.numel())
    else:
        for piece, start in pieces(out):
            tasks.add(lambda p=piece, s=start: _write(p, distribution, source, s), piece.numel())  # type: ignore[misc]


def _add_part(
    tasks: _Tasks,
    tensor: Tensor,
    part: LocalShard,
    distribution: Distribution,
    source: Source,
    drawn: Tensor | None,
) -> None:
    """Add the writes of what this process holds of a sharded tensor."""
    if not part.local.numel():
        return
    increment_version(tensor)  # the local tensor's own is raised where it is written
    if part.local.is_complex() and distribution.complex_as_pairs:
        part = part.as_real()
    out = part.local.detach()
    if (value := distribution.constant) is not None:
        tasks.add(lambda: _fill(out, value), out.numel())
    elif drawn is not None or not distribution.elementwise:
        tasks.add_whole(
            lambda: _copy(out, part.cut(_whole(distribution, source, drawn, tensor))),
            tensor.numel(),
        )
    else:
        for piece, start in pieces(out):
            write = partial(_write_part, piece, distribution, source, part, start)
            tasks.add(write, piece.numel())


def _write_part(
    out: Tensor, distribution: Distribution, source: Source, part: LocalShard, start: int
) -> None:
    _write(out, distribution, source, part.runs(start, out.numel()))


def _real(tensor: Tensor, distribution: Distribution) -> Tensor:
    """Return the memory to write, complex numbers as pairs of real ones."""
    out = tensor.detach()  # shares the version counter, unlike .data
    if out.is_complex() and distribution.complex_as_pairs:
        return torch.view_as_real(out)
    return out


def pieces(out: Tensor, start: int = 0) -> Iterator[tuple[Tensor, int]]:
    """Yield parts of ``out`` of at most one chunk, each with the index of its first element."""
    if out.numel() <= CHUNK or out.dim() == 0:
        yield out, start
        return
    if out.is_contiguous():
        flat = out.view(-1)
        for at in range(0, flat.numel(), CHUNK):
            yield flat.narrow(0, at, min(CHUNK, flat.numel() - at)), start + at
        return
    row = out.numel() // out.shape[0]
    if row > CHUNK:
        for i in range(out.shape[0]):
            yield from pieces(out[i], start + i * row)
        return
    rows = max(1, CHUNK // row)
    for i in range(0, out.shape[0], rows):
        yield out.narrow(0, i, min(rows, out.shape[0] - i)), start + i * row


def _write(out: Tensor, distribution: Distribution, source: Source, runs: Runs) -> None:
    if out.is_contiguous():
        distribution.write(out.view(-1), source, runs)
        return
    scratch = torch.empty(out.numel(), dtype=out.dtype, device=out.device)
    distribution.write(scratch, source, runs)
    out.copy_(scratch.view(out.shape))


def _fill(out: Tensor, value: float) -> None:
    out.fill_(value)


def _copy(out: Tensor, values: Tensor) -> None:
    out.copy_(values.reshape(out.shape))


def _whole(
    distribution: Distribution, source: Source, drawn: Tensor | None, like: Tensor
) -> Tensor:
    """Return all values of a tensor that are drawn at once; they may be of a wider dtype."""
    if drawn is not None:
        return drawn
    return distribution.draw_all(source, like)


_UNSURE = "other parameters may have been written already"


def _through_parametrization(
    slot: Slot, step: Step, distribution: Distribution, source: Source, drawn: Tensor | None
) -> None:
    """Write a computed weight: make its values, then let the parametrization invert them."""
    computed, tensor = slot.computed, slot.tensor
    assert computed is not None
    assert tensor is not None
    value = torch.empty(tuple(computed.shape), dtype=computed.dtype, device=tensor.device)
    if drawn is None and distribution.elementwise:
        distribution.write(_real(value, distribution).view(-1), source)
    else:
        _copy(value, _whole(distribution, source, drawn, value))
    if step.padding is not None:
        value[step.padding].zero_()
    try:
        computed.write(value)
    except Exception as error:
        what = f"its parametrization cannot take the values: {error!r}"
        raise FillError(f"{step.name}: {what}; {_UNSURE}", name=step.name) from error
    if computed.note and any(raw.isnan().any() for raw in computed.raw):
        what = f"the right_inverse of its parametrization makes NaN of {distribution.describe()}"
        raise FillError(f"{step.name}: {what}; {_UNSURE}", name=step.name)


def _zero_padding(row: int, target: Target) -> None:
    """Zero the padding row, which belongs to the memory and not to the distribution."""
    slot = target.padded
    if slot is None or slot.tensor is None or slot.computed is not None:
        return
    part = local_shard(slot.tensor)
    place = row if part is None else part.place(row)
    if place is not None:
        with torch.no_grad():
            (slot.tensor.detach() if part is None else part.local)[place].zero_()


# -------------------------------------------------------------------------- users' functions


class _OwnGenerator(Exception):
    """An operation draws from a generator that was passed to it."""


class _OwnGenerators(TorchFunctionMode):
    """Refuse operations that draw from a generator passed to them."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.Generator) and value is not torch.default_generator:
                raise _OwnGenerator
        return func(*args, **kwargs)


def _one_generator(slot: Slot) -> AbstractContextManager[object]:
    """Return what refuses other generators where ranks must draw alike."""
    assert slot.tensor is not None
    if rank_count(slot.tensor) == 1:
        return nullcontext()
    return _OwnGenerators()


_ELSEWHERE = (
    "draws from a generator of its own, whose state may differ from rank to rank; draw from "
    "torch's global generator, which stands at the parameter's own seed here"
)
_GET = "functions here get a tensor, not a module"


def _run_function(step: Step, slot: Slot, seed: int, prefix: str) -> Tensor:
    """Return what a user's function writes into a scratch full of NaN, under a keyed generator."""
    distribution = step.distribution
    assert isinstance(distribution, UserFunction)
    assert slot.tensor is not None
    dtype = slot.tensor.dtype
    wide = dtype if dtype in (torch.float64, torch.complex64, torch.complex128) else torch.float32
    scratch = torch.full(distribution.shape, torch.nan, dtype=wide, device="cpu")
    key = Source(seed, prefix + step.seed_name).values
    generator = torch.default_generator
    state = generator.get_state()
    try:
        generator.manual_seed(key.k1 << 32 | key.k0)
        with torch.no_grad(), _one_generator(slot):
            returned = distribution.function(scratch, **dict(distribution.options))
    except _OwnGenerator:
        message = f"{step.name}: {distribution.describe()} {_ELSEWHERE}; nothing was written"
        raise FillError(message, name=step.name) from None
    except Exception as error:
        hint = f" ({_GET})" if isinstance(error, AttributeError) else ""
        message = (
            f"{step.name}: {distribution.describe()} failed: {error!r}{hint}; nothing was written"
        )
        raise FillError(message, name=step.name) from error
    finally:
        generator.set_state(state)
    _check_written(step, distribution, scratch, returned)
    return scratch if distribution.factor == 1 else scratch * distribution.factor


def _check_written(
    step: Step, distribution: UserFunction, scratch: Tensor, returned: object
) -> None:
    left = int(scratch.isnan().sum())
    resized = tuple(scratch.shape) != distribution.shape
    if not left and not resized:
        return
    if resized:
        what = f"made the tensor {list(scratch.shape)}, and it must stay {list(distribution.shape)}"
    elif left < scratch.numel():
        what = f"left {left} of {scratch.numel()} elements unwritten, or wrote NaN there"
    elif isinstance(returned, Tensor) and returned is not scratch:
        what = "wrote nothing but returned a tensor; write in place, as in tensor.copy_(values)"
    else:
        what = f"wrote nothing ({_GET}), or read the old values, which are NaN here"
    raise FillError(
        f"{step.name}: {distribution.describe()} {what}; nothing was written", name=step.name
    )
