"""Write the values of a plan; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.nn import Parameter

from .. import stream
from ..distributions import Distribution, Rows, Runs, Source
from ..errors import FillError
from ..model import CHUNK, LocalShard, Slot, chunks, local_shard
from ..plan import WRITE, Plan, Step, Target
from .dealing import Dealer

Task: TypeAlias = Callable[[], object]
observers: list[Callable[[Sequence[Slot]], object]] = []
"""Called with the slots of every step that was written, since torch does not see the kernel."""


def fill(
    plan: Plan,
    seed: int,
    prefix: str = "",
    *,
    drawn: Mapping[str, Tensor] | None = None,
    advance: Callable[[int], object] | None = None,
    communicate: bool = False,
    fresh: bool = False,
) -> None:
    """Write every step of status ``write``.

    ``drawn`` holds what users' functions made for the steps that they start, by the steps' names;
    ``advance`` is called with the number of elements that each task wrote; with ``communicate``
    whole matrices of sharded tensors are dealt out to the processes that hold parts of them;
    ``fresh`` says that nobody has touched the memory yet.
    """
    todo = [pair for pair in plan.pairs if pair[0].status == WRITE]
    drawn = drawn or {}
    queue, dealer = _WriteQueue(seed, advance, fresh), Dealer(advance)
    sharded: list[Tensor] = []
    specs = {id(distribution): distribution.spec for distribution in plan.distributions}
    with torch.inference_mode() if _needs_inference_mode(todo) else nullcontext():
        for step, target in todo:
            spec = specs.get(id(step.distribution))
            run = None if spec is None else _run(target.writer)
            if spec is not None and run is not None:
                tensor, first, elements = run
                whole = target.writer.tensor
                if whole is not None and whole is not tensor:
                    sharded.append(whole)  # the version of its part here is raised by the write
                queue.add_row((tensor, prefix + step.seed_name, spec, first), elements)
            else:
                source = Source(seed, step.seed_name, prefix)
                if not (communicate and dealer.take(step, target.writer.tensor, source)):
                    _add(queue, step, target.writer, source, drawn.get(step.name))
        dealer.compare()
        if sharded:
            increment_version(sharded)
        stream.run(queue.tasks())
        dealer.deal()
        # Padding rows and observers wait until every task has run: another name of the same memory
        # may have written the row, and what is not written yet must not be reported.
        for _, target in todo:
            for slot, row in target.padded:
                _zero_row(slot, row)
        for observer in observers:
            for _, target in todo:
                observer(target.slots)


def refresh_computed(slots: Sequence[Slot], plan: Plan) -> None:
    """Make what modules keep of computed weights that of the raw tensors that a plan wrote.

    Whoever wrote them: the weight's own step, one of a raw tensor, or one of a tensor tied to it.
    """
    slots = [slot for slot in slots if slot.computed is not None]
    if not slots:
        return
    todo = [pair for pair in plan.pairs if pair[0].status == WRITE]
    # The targets keep the tensors alive, so that an id stands for one of them.
    written = {id(raw) for _, t in todo for slot in (*t.slots, t.writer) for raw in slot.raw}
    with torch.inference_mode() if _needs_inference_mode(todo) else nullcontext():
        for slot in slots:
            computed = slot.computed
            assert computed is not None
            if written.isdisjoint(map(id, computed.raw)):
                continue
            # A rule may name a vector or a mask literally, and then means it.
            if written.isdisjoint(map(id, computed.state)):
                computed.refresh()


def _needs_inference_mode(todo: Sequence[tuple[Step, Target]]) -> bool:
    """Whether a tensor was made under inference mode, outside of which torch won't write it."""
    return any(t.writer.tensor is not None and t.writer.tensor.is_inference() for _, t in todo)


class _WriteQueue:
    """Gather writes into tasks of about one chunk each; whole matrices go first."""

    def __init__(self, seed: int, advance: Callable[[int], object] | None, fresh: bool) -> None:
        self.seed, self.advance = seed, advance
        # The kernel writes whole chunks past the caches. Into those the system has just put zeros
        # where memory is fresh, so that smaller pieces, which it writes through them, go faster.
        self.piece = CHUNK // 2 if fresh else CHUNK
        self.whole: list[Task] = []
        self.chunks: list[Task] = []
        self.batch: list[Task] = []
        self.rows: list[stream.Row] = []
        self.elsewhere: list[stream.Row] = []
        self.size = self.row_size = self.elsewhere_size = 0

    def add(self, write: Task, elements: int) -> None:
        self.batch.append(write)
        self.size += elements
        if self.size >= CHUNK:
            self._close()

    def add_row(self, row: stream.Row, elements: int) -> None:
        """Add a tensor that is one run of its values; many of them make one call of a kernel."""
        if row[0].is_cpu:
            self.rows.append(row)
            self.row_size += elements
            if self.row_size >= CHUNK:
                self._close_rows()
        else:  # where threads gain nothing, and each launch costs
            self.elsewhere.append(row)
            self.elsewhere_size += elements

    def add_whole(self, write: Task, elements: int) -> None:
        self.whole.append(_task([write], self.advance, elements))

    def _close(self) -> None:
        if self.batch:
            self.chunks.append(_task(self.batch, self.advance, self.size))
        self.batch, self.size = [], 0

    def _close_rows(self) -> None:
        self._add_rows(self.rows, self.row_size)
        self.rows, self.row_size = [], 0

    def _add_rows(self, rows: list[stream.Row], elements: int) -> None:
        if rows:
            write = partial(stream.write_many, rows, self.seed)
            self.chunks.append(_task([write], self.advance, elements))

    def tasks(self) -> list[Task]:
        """Return all tasks, the longest first: begun last, they would leave other threads idle."""
        self._close()
        self._close_rows()
        self._add_rows(self.elsewhere, self.elsewhere_size)
        return self.whole + self.chunks


def _task(writes: Sequence[Task], advance: Callable[[int], object] | None, elements: int) -> Task:
    def task() -> None:
        with torch.no_grad():  # thread-local, so each task enters it
            for write in writes:
                write()
        if advance is not None:
            advance(elements)

    return task


def _run(slot: Slot) -> tuple[Tensor, int, int] | None:
    """Return memory that holds one run of a tensor's values, the first one's index, and how many.

    None where it holds others, or where something else hides behind the tensor. A large one is cut
    into chunks, which threads share; a complex number is two real ones.
    """
    tensor = slot.tensor
    if tensor is None or slot.computed is not None:
        return None
    if type(tensor) in (Parameter, Tensor):  # a subclass may be sharded, or catch operations
        elements = tensor.numel()
        return None if _in_parts(tensor, elements) else (tensor, 0, elements)
    part = local_shard(tensor)
    elements = 0 if part is None else part.local.numel()
    first = None if part is None else part.runs(0, elements)
    if part is None or not isinstance(first, int) or _in_parts(part.local, elements):
        return None
    return part.local, first, elements


def _in_parts(tensor: Tensor, elements: int) -> bool:
    return tensor.dtype.is_complex or (elements > CHUNK and tensor.is_cpu)


def _add(queue: _WriteQueue, step: Step, slot: Slot, source: Source, drawn: Tensor | None) -> None:
    """Add the writes of one step, whatever tensor it is."""
    distribution, tensor = step.distribution, slot.tensor
    assert distribution is not None
    assert tensor is not None
    if slot.computed is not None:
        write = partial(_through_parametrization, slot, step, distribution, source, drawn)
        queue.add_whole(write, step.numel)
        return
    # Only subclasses are sharded, and asking is dearer than the type.
    part = None if type(tensor) in (Parameter, Tensor) else local_shard(tensor)
    if part is not None and not part.local.numel():
        return
    if part is not None:
        increment_version(tensor)  # the local tensor's own is raised where it is written
        part = part.as_real() if _as_pairs(part.local, distribution) else part
    out = part.local.detach() if part is not None else _real(tensor, distribution)
    distribution = _of_parts(tensor, distribution)
    if (value := distribution.constant) is not None:
        queue.add(partial(out.fill_, value), out.numel())
    # Every rank draws the whole and keeps its part: an orthogonal matrix cannot be made in parts.
    elif drawn is not None or not distribution.elementwise:
        like = out if part is None else tensor
        queue.add_whole(
            partial(_write_whole, out, distribution, source, drawn, like, part), like.numel()
        )
    else:
        for chunk, start in chunks(out, queue.piece) if out.is_cpu else chunks(out):
            queue.add(partial(_write, chunk, distribution, source, start, part), chunk.numel())


def _as_pairs(tensor: Tensor, distribution: Distribution) -> bool:
    return tensor.is_complex() and distribution.complex_as_pairs


def _real(tensor: Tensor, distribution: Distribution) -> Tensor:
    """Return the memory to write, complex numbers as pairs of real ones."""
    out = tensor.detach()  # shares the version counter, unlike .data
    # A conjugate view has no real one; `_write` goes through scratch.
    pairs = _as_pairs(out, distribution) and not out.is_conj()
    return torch.view_as_real(out) if pairs else out


def _of_parts(tensor: Tensor, distribution: Distribution) -> Distribution:
    """Return the distribution of what is written: of a complex number, that of each part."""
    return distribution.in_pairs if _as_pairs(tensor, distribution) else distribution


def _write(
    out: Tensor, distribution: Distribution, source: Source, start: int, part: LocalShard | None
) -> None:
    """Write a chunk; the place of each element in the whole tensor decides its value."""
    if out.is_conj():
        scratch = torch.empty(out.shape, dtype=out.dtype, device=out.device)
        if isinstance(distribution, Rows):
            scratch.copy_(out)
        pairs = distribution.complex_as_pairs
        first = 2 * start if pairs else start
        _write(_real(scratch, distribution), distribution, source, first, part)
        out.copy_(scratch)
        return
    runs: Runs = start if part is None else part.runs(start, out.numel())
    if out.is_contiguous():
        distribution.write(out.view(-1), source, runs)
        return
    # The kernel writes contiguous memory; strides are left to torch's copy. Where some rows alone
    # are written, the others are what they were.
    scratch = torch.empty(out.numel(), dtype=out.dtype, device=out.device)
    if isinstance(distribution, Rows):
        scratch.copy_(out.flatten())
    distribution.write(scratch, source, runs)
    out.copy_(scratch.view(out.shape))


def _write_whole(
    out: Tensor,
    distribution: Distribution,
    source: Source,
    drawn: Tensor | None,
    like: Tensor,
    part: LocalShard | None,
) -> None:
    """Write values that can only be drawn all at once, or what this process holds of them."""
    values = _whole(distribution, source, drawn, like)
    if isinstance(distribution, Rows):
        _copy_rows(out, distribution, values, part)
    else:
        _copy(out, values if part is None else part.cut(values))


def _copy_rows(out: Tensor, rows: Rows, values: Tensor, part: LocalShard | None) -> None:
    """Write the values of some rows, or what this process holds of them."""
    values = values.reshape(rows.stop - rows.start, *rows.shape[1:])
    if part is None:
        _copy(rows.of(out), values)
        return
    whole = values.new_zeros(rows.shape)
    rows.of(whole).copy_(values)
    cut, held = part.cut(whole), part.places(rows.start, rows.stop)
    out[held] = cut[held].to(out)


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
        parts = _of_parts(value, distribution)
        parts.write(_real(value, distribution).view(-1), source)
    else:
        _copy(value, _whole(distribution, source, drawn, value))
    for row in step.padding_rows:
        value[row].zero_()
    try:
        computed.write(value)
    except Exception as error:
        what = f"its parametrization cannot take the values: {error!r}"
        raise FillError(f"{step.name}: {what}; {_UNSURE}", name=step.name) from error
    # A right_inverse may be defined for some values alone and say nothing: a logarithm leaves NaN.
    if computed.note and any(raw.isnan().any() for raw in computed.raw):
        what = f"the right_inverse of its parametrization makes NaN of {distribution.describe()}"
        raise FillError(f"{step.name}: {what}; {_UNSURE}", name=step.name)


def _zero_row(slot: Slot, row: int) -> None:
    """Zero a padding row, which belongs to the memory and not to the distribution."""
    # A computed weight's row was zeroed before its inverse was taken.
    if slot.tensor is None or slot.computed is not None:
        return
    part = local_shard(slot.tensor)
    place = row if part is None else part.place(row)
    if place is not None:
        with torch.no_grad():
            (slot.tensor.detach() if part is None else part.local)[place].zero_()
