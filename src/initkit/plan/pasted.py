"""Lines for users to paste, tried on the model before anybody sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MethodType
from typing import Any, TypeGuard, TypeVar

from torch import Tensor, nn

from ..errors import Correction, InitkitError, OptionError
from ..model import ModelView
from ..python_text import Code, python_text
from ..rules import Clause, Rules, Words, mended_entries, read_rules
from ..spelling import affordable_hints
from ..wording import Argument, Entry, mended, worth_showing
from .matching import RuleTable, adapter_slots, to_the_letter
from .options import Selection
from .resolve import Resolver
from .selection import Entry as Selected
from .selection import read_selection
from .startable import taken_by

T = TypeVar("T")


def starting(
    line: Entry, view: ModelView, others: RuleTable, place: int | None, *, some: bool = False
) -> Entry | None:
    """Return a line that starts all that it takes, or None where none is known.

    It stands among ``others`` in place of the one at ``place``; in front of all for None. With
    ``some`` it is enough that it starts a part.
    """
    clauses = to_the_letter(read_rules(line.table), view.slots)
    if len(clauses) != 1:  # a recipe's are its own affair
        return line
    before = others.clauses[:place] if place is not None else ()
    behind = others.clauses[place + 1 :] if place is not None else others.clauses
    table = RuleTable([*before, *clauses, *behind], adapter_slots(view))
    at, resolver = len(before), Resolver(view, table)
    choices = [resolver.choice(slot, slot.name, at) for slot in taken_by(at, table, view.slots)]
    errors = [choice.error for choice in choices if choice.error is not None]
    if not errors or (some and len(errors) < len(choices)):
        return line
    forms = [error.shown.mended if error.shown is not None else None for error in errors]
    first = forms[0]
    # One line for all of them, as each would have of them alone.
    return first if isinstance(first, Entry) and all(form is first for form in forms) else None


def read_for(view: ModelView, rules: Rules) -> list[Clause]:
    """Return the clauses of a rule table; errors speak of the model's modules by their names."""
    try:
        return read_rules(rules)
    except InitkitError as error:
        told = error.errors or (error,)
        for one in told[: affordable_hints(len(view.slots))]:
            if one.shown is not None and isinstance(one.shown.written, Entry):
                one.shown = _shown_for(view, one.shown, one.shown.written)
        raise


def selection_for(view: ModelView, option: str, value: Selection) -> list[Selected] | None:
    """Return the entries of ``only`` or ``protect``; an error names those of the model."""
    try:
        return read_selection(option, value)
    except OptionError as error:
        names = _Names(view)
        parts: list[Any] = [*value] if isinstance(value, tuple | list) else [value]
        found = [names.path(each) if _is_part(each) else each for each in parts]
        if any(map(_is_part, parts)) and None not in found:
            meant = Argument(option, found if isinstance(value, tuple | list) else found[0])
            error.shown = Correction(Argument(option, names.told(value)), meant)
        raise


def _is_part(thing: object) -> TypeGuard[nn.Module | Tensor]:
    return isinstance(thing, nn.Module | Tensor)


def _shown_for(view: ModelView, shown: Correction, written: Entry) -> Correction:
    """Return a line and its mended form as the model knows what they speak of."""
    names = _Names(view)
    named = names.told(written)
    meant = names.meant(written)
    forms = (shown.mended, *shown.others) if meant is None else (meant,)
    some = meant is None  # rules beside it may be for what it cannot start
    lines = [_tried(line, view, some) for line in forms if isinstance(line, Entry)]
    first, *others = list(filter(None, lines)) or (None,)
    if not worth_showing(named):
        return shown
    return replace(shown, written=named, mended=first, others=tuple(others))


def _tried(line: Entry, view: ModelView, some: bool) -> Entry | None:
    """Return a line as it may be pasted: of one that matches nothing what is meant.

    None where it could not start anything, or, unless ``some`` will do, all that it takes.
    """
    words = Words(view.slots)
    if (sound := _readable(line)) is None:
        return None
    clauses = read_rules(sound.table)
    if not clauses:  # a line of no rules
        return None
    clause, *others = clauses
    if others or clause.entry is None:
        return sound
    if not words.names_of([clause.matcher]):
        sound = next((either[0].line for either in mended_entries(clause.entry, words)), sound)
    return starting(sound, view, RuleTable([]), None, some=some)


def _readable(line: Entry) -> Entry | None:
    """Return a line that reads, with what else is wrong in it mended; None where it cannot be."""
    try:
        read_rules(line.table)
    except InitkitError as error:
        return mended(line, error, lambda form: read_rules(form.table))
    return line


class _Names:
    """What a program calls the modules and parameters of a model that it has as ``model``."""

    def __init__(self, view: ModelView) -> None:
        self.view = view
        modules = view.root.named_modules() if view.root is not None else ()
        self.modules = {id(module): path for path, module in modules}  # kept alive by the view
        named = ((raw, slot.name) for slot in view.slots for raw in (slot.tensor, *slot.raw))
        self.tensors = {id(raw): name for raw, name in named}

    def told(self, part: T) -> T:
        """Return what was written with what is of the model by its name in a program."""
        found: Any = part
        if isinstance(part, Entry):
            found = Entry(tuple(map(self.told, part.keys)), self.told(part.value))
        elif isinstance(part, nn.Module | Tensor):
            path = self.path(part)
            found = part if path is None else Code(_in_program(path))
        elif isinstance(part, MethodType) and isinstance(part.__self__, nn.Module | Tensor):
            found = Code(f"{python_text(self.told(part.__self__))}.{part.__name__}")
        elif isinstance(part, Mapping):
            found = {self.told(key): self.told(value) for key, value in part.items()}
        elif type(part) in (tuple, list):
            found = type(found)(map(self.told, found))
        return found  # type: ignore[no-any-return]

    def path(self, thing: nn.Module | Tensor) -> str | None:
        """Return the path of a module, or the name of a tensor, in the model."""
        return (self.modules if isinstance(thing, nn.Module) else self.tensors).get(id(thing))

    def meant(self, entry: Entry) -> Entry | None:
        """Return a line with modules and parameters by their names; None where it has none."""
        *around, last = entry.keys or (None,)
        if not any(map(_is_part, (*around, last))):
            return None
        keys = [self._scope(key) for key in around]
        if _is_part(last):
            path = self.path(last)
            if path is None:  # as all of its class
                key: Any = type(last) if isinstance(last, nn.Module) else None
            else:
                within = isinstance(last, nn.Module) and not _is_table(entry.value)
                key = f"{path}.*".removeprefix(".") if within else path
                keys = []  # a path of the whole model stands in no scope
        else:
            key = last
        if key is None or None in keys:
            return None
        return Entry(tuple(each for each in (*keys, key) if each != ""), entry.value)

    def _scope(self, key: Any) -> Any:
        return self.path(key) if _is_part(key) else key


def _is_table(value: Any) -> bool:
    """Whether a value is for the names in a module: a table, or the name of a recipe."""
    if not isinstance(value, str):
        return isinstance(value, Mapping)
    try:
        return any(clause.mention is not None for clause in read_rules({"*.": value}))
    except InitkitError:  # to be told where it is read as a scheme
        return False


def _in_program(path: str) -> str:
    """Return the Python for a path in a model.

    >>> _in_program("blocks.1.norm")
    'model.blocks[1].norm'
    """
    parts = (f"[{part}]" if part.isdecimal() else f".{part}" for part in path.split("."))
    return f"model{''.join(parts)}" if path else "model"
