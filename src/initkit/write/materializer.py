"""Give tensors on the meta device their memory: in place, every storage once, nothing left empty.

The private parts of torch that this needs: the flat weights of ``nn.RNNBase``, the identity of a
storage without memory, and the dicts in which a tensor keeps its hooks.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import OptionError, PlanError, Problem, TensorProblem, shown
from ..model import ModelView, Slot, device_type, find_computed_weights, is_sharded
from ..plan import Device, Step, Target
from ..render import fold_rows
from ..wording import Argument, show
from .running_stats import resettable

DEVICES = "_initkit_deferred"  # of a module: where its constructor put each parameter
_storage: Any = torch.UntypedStorage
_swap_tensors: Any = torch.utils.swap_tensors


def swap(tensor: Tensor, new: Tensor) -> bool:
    """Put the memory of ``new`` into the object ``tensor``; its attributes and hooks stay.

    False where a weak reference or a view holds on to the memory that it has.
    """
    if isinstance(tensor, nn.Parameter):
        new = nn.Parameter(new, requires_grad=tensor.requires_grad)
    elif tensor.requires_grad:
        new.requires_grad_()
    if type(new) is not type(tensor):
        new.__class__ = type(tensor)
    # swap_tensors exchanges __class__ and __dict__ as well, so both must agree first.
    new.__dict__.update(tensor.__dict__)
    # Hooks lie with the memory and leave with it; they were meant for the object.
    backward, accumulated = tensor._backward_hooks, tensor._post_accumulate_grad_hooks
    try:
        _swap_tensors(tensor, new)
    # torch refuses where a weak reference, a view or a graph would go on seeing the old memory.
    except RuntimeError:
        return False
    if backward is not None:
        tensor._backward_hooks = backward
    if accumulated is not None:
        tensor._post_accumulate_grad_hooks = accumulated
    return True


def _read_device(device: Device) -> torch.device | None:
    written = Argument("device", device)
    try:
        return _device(written)
    except OptionError as error:
        show(error, written, _device)
        raise


def _device(written: Argument) -> torch.device | None:
    value = written.value
    try:
        return torch.device(value) if value is not None else None
    except (RuntimeError, TypeError):  # whose words list what no build of torch has
        such = "'cpu', 'cuda' or 'cuda:1', or a torch.device"
        error = OptionError(f"device must be {such}, not {shown(value)}", option="device")
    if isinstance(value, str):
        kind = value.partition(":")[0]
        error.meaning(kind, _DEVICES)
        error.mends = ({kind: "cuda"},) if kind.lower() == "gpu" else error.mends
    raise error


_DEVICES = ("cpu", "cuda", "meta", "mps", "xpu", "xla", "hpu")


_NOT_COMPUTED = (
    "these buffers were never computed; construct under initkit.deferred(), which "
    "computes buffers, or give them a rule and buffers=True"
)
_FROM_DEFERRED = (
    "these buffers were never computed, since they come from deferred parameters or from "
    "torch.device('meta'); give them a rule and buffers=True, or set them before"
)


class Materializer:
    """What of a model holds no values yet, and how it gets memory: in place, every storage once."""

    def __init__(
        self,
        view: ModelView,
        device: Device,
        pairs: Sequence[tuple[Step, Target]],
        own: bool = False,
    ) -> None:
        """Judge a model; ``pairs`` are the steps that are written once memory is there.

        With ``own`` only the module's own tensors count, and not its children's.
        """
        self.view = view
        self.device = _read_device(device)
        self.own, self.pairs = own, pairs
        self.slots: list[Slot] = []
        self.problems: list[Problem] = []
        self.made_deferred = False
        if view.root is None:
            self._refuse_entries(self.written)
        elif view.on_meta:
            self.made_deferred = any(DEVICES in vars(module) for module in view.modules)
            self.slots = self._empty_slots(view)
            self._judge(self.written)
        if self.device is not None:
            self._refuse_elsewhere(self.written, self.device)

    @cached_property
    def written(self) -> list[Slot]:
        """The slots that are written; where all memory is there, nobody asks for them."""
        slots = [slot for _, target in self.pairs for slot in target.slots]
        # Slots compare by identity, so `in` finds the very slot; others were made up over overlaps.
        return slots + [t.writer for _, t in self.pairs if t.writer not in t.slots]

    def _empty_slots(self, view: ModelView) -> list[Slot]:
        """Return the slots that get memory, those that were made up over overlaps last."""
        known = {id(slot.tensor) for slot in view.raw_slots}
        made_up = [slot for slot in self.written if id(slot.tensor) not in known]
        return [
            slot
            for slot in (*view.raw_slots, *made_up)
            if slot.tensor is not None
            and slot.tensor.is_meta
            and (slot.owner is view.root or not self.own)
        ]

    def _refuse_elsewhere(self, written: Sequence[Slot], device: torch.device) -> None:
        """Refuse memory that is there already, and not where ``device`` says."""
        names = [
            slot.name
            for slot in written
            if slot.tensor is not None and slot.tensor.device.type not in ("meta", device.type)
        ]
        if names:
            message = (
                f"device={str(device)!r} is where parameters on the meta device get their memory, "
                f"and these have theirs elsewhere: {_several(names)}; move the model with .to()"
            )
            self.problems.append(TensorProblem(message, names=names))

    def _refuse_entries(self, written: Sequence[Slot]) -> None:
        names = [slot.name for slot in written if slot.tensor is not None and slot.tensor.is_meta]
        if names:
            what = "a state_dict cannot be given memory in place; apply to the module"
            self._problem(names, what)

    def _judge(self, written: Sequence[Slot]) -> None:
        """Find every tensor that would hold garbage or cannot get memory."""
        sure = {id(raw) for slot in written for raw in slot.raw}
        sure.update(id(t) for s in written if s.computed is not None for t in s.computed.state)
        homeless = [s.name for s in self.slots if self._home(s) is None]
        if homeless:
            what = "say where they should live, as in device='cpu'"
            self._problem(homeless, what)
        forgotten = [s for s in self.slots if id(s.tensor) not in sure and _size(s)]
        lost = [s.name for s in forgotten if s.kind == "buffer" and not resettable(s)]
        if lost:
            self._problem(
                lost,
                _FROM_DEFERRED if self.made_deferred else _NOT_COMPUTED,
            )
        bare = [s.name for s in forgotten if s.kind != "buffer"]
        if bare:
            self._problem(bare, "no rule writes these parameters, which would hold garbage")
        strays = list(self._strays())
        if strays:
            what = (
                "these attributes were computed from deferred parameters; compute them in forward"
            )
            self._problem(strays, what)
        # Those that recurrent modules keep are set aside in `give`; all others would stop the swap.
        flat = {id(ref) for rnn in _recurrent(self.view.modules) for ref in rnn._flat_weight_refs}
        for slot in self.slots:
            if any(id(ref) not in flat for ref in weakref.getweakrefs(slot.tensor)):
                self._problem(
                    [slot.name], "a weak reference holds on to it, so it cannot change place"
                )

    def _strays(self) -> Iterator[str]:
        """Yield plain tensors among the modules' attributes that nothing will ever fill."""
        known = {id(slot.tensor) for slot in self.slots}
        assert self.view.root is not None
        for path, module in self.view.root.named_modules():
            written = find_computed_weights(module)
            for key, value in vars(module).items():
                stray = isinstance(value, Tensor) and value.is_meta and id(value) not in known
                if stray and key not in written and not self.own:
                    yield f"{path}.{key}" if path else key

    def _problem(self, names: Sequence[str], what: str) -> None:
        message = f"on the meta device, which holds no values: {_several(names)}; {what}"
        self.problems.append(TensorProblem(message, names=names))

    def _home(self, slot: Slot) -> torch.device | None:
        """Return where a tensor gets its memory: as asked, else where its constructor put it."""
        if self.device is not None:
            return self.device
        tensor = slot.tensor
        if tensor is not None and is_sharded(tensor):
            return torch.device(device_type(tensor))
        # Noted under `deferred`; a model made under torch.device('meta') has no such notes.
        known = vars(slot.owner).get(DEVICES, {}) if slot.owner is not None else {}
        if slot.key in known:
            return torch.device(known[slot.key])
        return torch.device("cpu") if self.made_deferred else None

    def give(self) -> None:
        """Allocate; every tensor stays the object that it is."""
        if not self.slots:
            return
        for slot in self.view.slots:
            if slot.computed is not None and isinstance(vars(slot.owner).get(slot.key), Tensor):
                vars(slot.owner)[slot.key] = None  # its graph holds on to what it is computed from
        storages = _shared_storages(self.slots)
        given: set[int] = set()
        with _flat_weights_aside(self.view.modules), torch.no_grad():
            for slot in self.slots:
                tensor, home = slot.tensor, self._home(slot)
                assert tensor is not None
                assert home is not None
                # A tied parameter has several slots and is one object.
                if id(tensor) not in given:
                    given.add(id(tensor))
                    self._give(slot.name, tensor, storages.get(_storage_key(tensor)), home)
        for slot in self.slots:
            if slot.kind == "buffer" and resettable(slot):
                slot.owner.reset_running_stats()  # type: ignore[union-attr, operator]
        self._follow()
        self._forget()

    def _give(
        self, name: str, tensor: Tensor, storage: _Storage | None, home: torch.device
    ) -> None:
        # It is on meta like its tensor, and holds no values.
        tensor.grad = None
        if storage is None:
            new = torch.empty_like(tensor.detach(), device=home)
        else:
            place = tensor.storage_offset(), tensor.shape, tensor.stride()
            new = torch.empty(0, dtype=tensor.dtype, device=home).set_(storage.on(home), *place)
        if not swap(tensor, new):
            what = "cannot be given memory in place: a view or a graph holds on to it"
            raise PlanError([TensorProblem(f"{name} {what}", names=[name])])

    def _forget(self) -> None:
        """Drop the notes on modules that have their memory now."""
        for slot in self.slots:
            vars(slot.owner).pop(DEVICES, None)

    def _follow(self) -> None:
        """Move buffers to where the parameters went, if that was asked for."""
        if self.device is None:
            return
        for module in self.view.modules:
            for key, buffer in module._buffers.items():
                if buffer is not None and buffer.device.type != self.device.type:
                    module._buffers[key] = buffer.to(self.device)


def _several(names: Sequence[str]) -> str:
    """Return names in one text, those of like layers in one word: of a model there are many."""
    folds = [fold.label for fold in fold_rows(names, name=str, key=lambda _: None, ragged=True)]
    return ", ".join(folds[:_MOST]) + (f" and {len(folds) - _MOST} more" * (len(folds) > _MOST))


_MOST = 4  # labels of names that an error lists


class _Storage:
    """A storage that several tensors without memory share, allocated on first use."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made: torch.UntypedStorage | None = None

    def on(self, device: torch.device) -> torch.UntypedStorage:
        if self.made is None:
            self.made = _storage(self.size, device=device)
        return self.made


def _shared_storages(slots: Sequence[Slot]) -> Mapping[int, _Storage]:
    tensors = {id(slot.tensor): slot.tensor for slot in slots}
    found: dict[int, _Storage] = {}
    seen: set[int] = set()
    for tensor in tensors.values():
        key = _storage_key(tensor)
        # Met a second time, it is shared. A tensor alone gets memory of its own size, and not that
        # of a large storage of which it was a slice.
        if key and key in seen:
            assert tensor is not None
            found[key] = _Storage(tensor.untyped_storage().nbytes())
        else:
            seen.add(key)
    return found


def _storage_key(tensor: Tensor | None) -> int:
    """Return what tells a storage from others; 0 where there is no storage to speak of."""
    if tensor is None or is_sharded(tensor) or tensor.layout is not torch.strided:
        return 0
    # On meta every data_ptr is 0; the storage's own address tells, while its tensors live.
    return int(tensor.untyped_storage()._cdata) if tensor.numel() else 0


@contextmanager
def _flat_weights_aside(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Let go of the weak references that recurrent modules keep to their weights; renew them."""
    rnns = _recurrent(modules)
    for rnn in rnns:
        rnn._flat_weight_refs = []
    try:
        yield
    finally:
        for rnn in rnns:
            rnn._init_flat_weights()


def _recurrent(modules: Sequence[nn.Module]) -> list[nn.RNNBase]:
    return [module for module in modules if isinstance(module, nn.RNNBase)]


def _size(slot: Slot) -> int:
    return slot.tensor.numel() if slot.tensor is not None else 0
