"""One view of whatever can be initialised: a module or a state_dict, walked once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..errors import TargetError, shown
from .slots import Slot, walk, walk_modules, walk_state_dict
from .unregistered import Unregistered
from .unregistered_search import find_unregistered

Model: TypeAlias = "nn.Module | Mapping[str, Any]"


class ModelView:
    """A module or a state_dict as slots; nothing is read before it is asked for, and then once.

    ``model`` is what was given and ``root`` the module, None of a state_dict. Raises
    :class:`TargetError` for what is neither.

    >>> ModelView(nn.Linear(2, 3)).title, [slot.name for slot in ModelView(nn.Linear(2, 3)).slots]
    ('Linear', ['weight', 'bias'])
    >>> ModelView({"w": nn.Linear(2, 3).weight}).title
    'state_dict'
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.root = model if isinstance(model, nn.Module) else None
        if self.root is not None:
            _refuse_unfinished(self.root)
        elif isinstance(model, Mapping):
            _refuse_checkpoint(model)
        else:
            raise TargetError(f"a model is a module or a state_dict, not {_what_it_is(model)}")

    @property
    def title(self) -> str:
        """What reports call the model."""
        return "state_dict" if self.root is None else type(self.root).__name__

    # Kept as long as the view: what makes one must not change the model's modules while using it.
    @cached_property
    def _walked(self) -> tuple[list[Slot], list[nn.Module]]:
        if self.root is None:
            return self._entries, []
        return walk_modules(self.root, buffers=True)

    def among(self, names: Collection[str]) -> ModelView:
        """Return a view of the same model that shows no slots but these.

        >>> [slot.name for slot in ModelView(nn.Linear(2, 3)).among(["bias"]).slots]
        ['bias']
        """
        few, chosen = ModelView(self.model), frozenset(names)
        few._walked = [slot for slot in self.slots if slot.name in chosen], self.modules
        return few

    @property
    def slots(self) -> list[Slot]:
        """Every slot, buffers and computed weights included, in registration order."""
        return self._walked[0]

    @property
    def modules(self) -> list[nn.Module]:
        """The modules that hold or lead to a slot, each once; of a state_dict none."""
        return self._walked[1]

    @cached_property
    def raw_slots(self) -> list[Slot]:
        """The slots by the names that ``named_parameters`` and ``named_buffers`` show."""
        return walk(self.root, buffers=True, raw=True) if self.root is not None else self._entries

    @cached_property
    def _entries(self) -> list[Slot]:
        assert isinstance(self.model, Mapping)
        return walk_state_dict(self.model)

    @cached_property
    def unregistered(self) -> list[Unregistered]:
        """What hangs beside the model's lists, so that no slot shows it; of entries nothing."""
        return find_unregistered(self.root) if self.root is not None else []

    @cached_property
    def on_meta(self) -> bool:
        """Whether a parameter or buffer is on the meta device, where it holds no values."""
        return any(slot.tensor is not None and slot.tensor.is_meta for slot in self.slots)


def _refuse_unfinished(module: nn.Module) -> None:
    if not hasattr(module, "_modules"):  # nn.Module.__init__ makes it
        raise TargetError(f"{type(module).__name__}.__init__ has not called super().__init__()")


def _what_it_is(thing: object) -> str:
    if isinstance(thing, type):
        return f"{thing!r}; give the instance, not the class"
    if isinstance(thing, Tensor):
        return "a tensor; put it into a dict with its name: {'weight': tensor}"
    if isinstance(thing, Iterable) and not isinstance(thing, str | bytes):
        return f"a {type(thing).__name__}; give the model, or dict(model.named_parameters())"
    if isinstance(thing, str):
        return f"{thing!r}; the model comes first, and rules after it"
    text = shown(thing)
    return text if "\n" not in text else f"a {type(thing).__name__}"


def _refuse_checkpoint(entries: Mapping[Any, Any]) -> None:
    bad = [key for key in entries if not isinstance(key, str)]
    if bad:
        raise TargetError(f"a state_dict has names as keys, not {bad[0]!r}")
    if any(isinstance(value, Tensor) for value in entries.values()):
        return
    for key, value in entries.items():
        if isinstance(value, Mapping) and any(isinstance(t, Tensor) for t in value.values()):
            raise TargetError(
                f"this is a checkpoint that contains a state_dict under {key!r}; give that one: "
                f"checkpoint[{key!r}]"
            )
    if entries:
        what = "this mapping holds no tensors; give a module or its state_dict()"
        raise TargetError(f"{what}, and rules after it")
