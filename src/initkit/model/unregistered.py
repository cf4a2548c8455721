"""What hangs beside a model's lists, in words: what it is, what follows, how to mend it.

``nn.Module`` registers what is assigned to an attribute by itself. A tensor that is no Parameter,
and whatever lies in a list, a dict, an object or the closure of a hook, is missed by
``parameters()``, and so by optimizers, ``.to()``, ``state_dict()`` and every rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from torch import Tensor, nn

from ..render import Fold, fold_rows
from .slots import Slot, walk

UnregisteredKind: TypeAlias = Literal[
    "parameter",
    "computed",
    "trainable",
    "module",
    "buffer",
    "tensor",
    "result",
    "stateless",
    "unfinished",
]
PROBLEMS: Final = frozenset({"parameter", "computed", "trainable", "module", "buffer"})
"""Of these kinds something should be trained, and is not; the others are only worth knowing."""


@dataclass(frozen=True, slots=True, eq=False)
class Unregistered:
    """One tensor or module that can be reached from a model and is not registered in it.

    ``path`` leads to it as one would write it (``encoder.layers[2]``). ``kind`` is one of
    ``parameter``; ``computed`` (from a Parameter that is not registered); ``trainable``;
    ``module``; ``buffer`` (that takes gradients); ``tensor`` (without gradient); ``result``
    (computed from registered parameters); ``stateless`` (a module that neither holds tensors nor
    asks whether it trains); ``unfinished`` (where the search ended). ``module`` is the one whose
    ``attribute`` leads there, ``owner`` its class, ``holder`` what the attribute is, in
    words, if it is not the thing itself.

    >>> from torch import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layers = [nn.Linear(2, 2)]
    >>> found = summary(Net()).unregistered[0]
    >>> found.path, found.kind, found.problem, found.tensors
    ('layers[0]', 'module', True, ['layers[0].weight', 'layers[0].bias'])
    """

    path: str
    kind: UnregisteredKind
    module: nn.Module
    attribute: str
    holder: str
    thing: Tensor | nn.Module | None

    @property
    def owner(self) -> str:
        """The class of the module whose attribute leads there."""
        return type(self.module).__name__

    @property
    def problem(self) -> bool:
        """Whether something is missed that should train; else it is merely worth knowing."""
        return self.kind in PROBLEMS

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of a tensor; None of a module, and of what has none yet."""
        thing = self.thing
        if not isinstance(thing, Tensor) or nn.parameter.is_lazy(thing) or thing.is_nested:
            return None
        return tuple(thing.shape)

    @property
    def tensors(self) -> list[str]:
        """The paths of the tensors here: its own, or those of a module's parameters and buffers."""
        if isinstance(self.thing, nn.Module):
            return [f"{self.path}.{slot.name}" for slot in self._walked()]
        return [self.path] if self.thing is not None else []

    def slots(self) -> list[Slot]:
        """Return slots for the tensors here, under the names that they would have if registered."""
        name = re.sub(r"\[['\"]?([^]'\"]*)['\"]?\]", r".\1", self.path)
        if isinstance(self.thing, Tensor):
            return [_slot(name, name.rpartition(".")[2], self.module, self.thing)]
        return [_slot(f"{name}.{s.name}", s.key, s.owner, s.tensor) for s in self._walked()]

    def _walked(self) -> list[Slot]:
        if not isinstance(self.thing, nn.Module):
            return []
        return [s for s in walk(self.thing, buffers=True, raw=True) if s.tensor is not None]

    def sentence(self, path: str) -> str:
        """Say what it is, what follows, and how to mend it, of everything at a path like this."""
        inside = f" in {self.holder}" if self.holder else ""
        name = type(self.thing).__name__ if isinstance(self.thing, nn.Module) else ""
        what = _WHAT[self.kind].format(inside=inside, owner=self.owner, name=name)
        held = self.tensors if name else []
        if held:
            # The paths of a module's own tensors, since those are what one looks for.
            shown = [path + tensor.removeprefix(self.path) for tensor in held[:3]]
            more = f" and {len(held) - 3} more" if len(held) > 3 else ""
            what += f", with {', '.join(shown)}{more}"
        consequence = _CONSEQUENCES.get(self.kind, _NOT_LISTED if held or not name else _NO_MODE)
        return f"{what}: {consequence}{self._mend()}"

    def _mend(self) -> str:
        name, is_module = self.attribute, isinstance(self.thing, nn.Module)
        if self.kind in ("result", "unfinished"):
            return ""
        if self.kind == "buffer":
            return f". Register it as what it is: self.{name} = nn.Parameter(...)"
        if self.kind == "computed" and not self.holder:
            return f". Compute first, and wrap last: self.{name} = nn.Parameter(...)"
        if self.holder in _CONTAINERS and self.kind != "tensor":
            container = _CONTAINERS[self.holder][0 if is_module else 1]
            return f". Register it: self.{name} = {container}(...)"
        if self.holder or is_module:
            buffer = " by register_buffer" if self.kind == "tensor" else ""
            return f". Register it: make it an attribute of the module itself{buffer}"
        if self.kind != "tensor":
            return f". Register it: self.{name} = nn.Parameter(...)"
        return (
            f". If it is to train: self.{name} = nn.Parameter(...); if it is constant: "
            f"self.register_buffer({name!r}, ...)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        names = ("path", "kind", "owner", "attribute", "holder", "problem", "shape", "tensors")
        return {name: getattr(self, name) for name in names} | {"text": str(self)}

    def __str__(self) -> str:
        return f"{self.path} {self.sentence(self.path)}"


_NOT_LISTED = (
    "it is not in parameters(): an optimizer won't train it, .to() won't move it, state_dict() "
    "won't save it, no rule starts it"
)
_NO_MODE = "train(), eval() and apply() won't reach it"
_CONSEQUENCES: dict[str, str] = {
    "result": "it does not follow when those change, and state_dict() won't save it",
    "stateless": _NO_MODE,
    "buffer": "it is not in parameters(): an optimizer won't train it",
    "unfinished": "too many objects hang there, and the rest was not looked into",
}
_WHAT: dict[str, str] = {
    "parameter": "is a Parameter{inside} of {owner}, not registered",
    "computed": "is a plain tensor{inside} of {owner}, not a parameter, computed from a Parameter",
    "trainable": "is a plain tensor{inside} of {owner}, not a parameter, though it takes gradients",
    "module": "is a {name}{inside} of {owner}, not registered",
    "buffer": "is a buffer of {owner}, though it takes gradients",
    "tensor": "is a plain tensor{inside} of {owner}, not a parameter",
    "result": "is a tensor{inside} of {owner}, computed once from registered parameters",
    "stateless": "is a {name}{inside} of {owner}, not registered",
    "unfinished": "is as far as the search for what is not registered went",
}
_CONTAINERS: dict[str, tuple[str, str]] = {
    "a list": ("nn.ModuleList", "nn.ParameterList"),
    "a tuple": ("nn.ModuleList", "nn.ParameterList"),
    "a set": ("nn.ModuleList", "nn.ParameterList"),
    "a dict": ("nn.ModuleDict", "nn.ParameterDict"),
}
_FEW = 4  # of one kind, which are told one by one


def _slot(name: str, key: str, owner: nn.Module | None, tensor: Tensor | None) -> Slot:
    return Slot(name, (name,), (name,), key, owner, tensor, "parameter", (), None, None)


def fold_unregistered(found: Sequence[Unregistered]) -> list[str]:
    """Return a sentence for each, or one for many that differ in the numbers of their paths.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layers = [nn.PReLU() for _ in range(9)]
    >>> from .unregistered_search import find_unregistered
    >>> fold_unregistered(find_unregistered(Net()))[0].partition(",")[0]
    'layers[{0..8}]'
    """
    families: dict[Any, list[Fold[Unregistered]]] = {}
    for fold in fold_rows(found, name=lambda one: one.path, key=_alike):
        one = fold.first
        # By id of the module, which what was found keeps alive.
        family = id(one.module), one.attribute, one.kind, type(one.thing)
        families.setdefault(family, []).append(fold)
    return [line for folds in families.values() for line in _lines(folds)]


def _lines(folds: Sequence[Fold[Unregistered]]) -> list[str]:
    """Return the lines for what hangs on one attribute."""
    count = sum(map(len, folds))
    if count < _FEW:
        return [str(one) for fold in folds for one in fold.rows]
    first, *others = folds
    # Such as a dict with an entry for each parameter: their names differ in more than numbers.
    label = first.label if not others else f"{first.label} and {count - len(first)} more"
    return [f"{label}, each of {count}, {first.first.sentence(first.label)}"]


def _alike(one: Unregistered) -> tuple[Any, ...]:
    below = tuple(tensor.removeprefix(one.path) for tensor in one.tensors)
    return one.kind, one.owner, one.attribute, one.holder, type(one.thing), one.shape, below


def name_unregistered(found: Sequence[Unregistered]) -> list[str]:
    """Return one line that names the plain tensors among those that are no problem, or none."""
    plain = [one for one in found if one.kind == "tensor"]
    folds = fold_rows(plain, name=lambda one: one.path, key=lambda _: None)
    names = ", ".join(fold.label for fold in folds)
    return [f"not registered, so that no rule starts them: {names}"] if plain else []


def named_unregistered(
    found: Sequence[Unregistered], text: str, matches: Callable[[Slot, str], bool]
) -> str:
    """Return what the first of those is that a rule means, or a name as written; or nothing."""
    for one in found:
        if text in (one.path, *one.tensors) or any(matches(s, s.name) for s in one.slots()):
            return f"; {one}"
    return ""
