"""What the author of a rule that matches nothing may have meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import did_you_mean, nearest
from ..model import Slot
from .globs import compile_glob, paths_above

# Each hint continues the sentence "the rule ... matches no parameter"; where nothing can be said,
# it is empty.


def hint_module(slots: Sequence[Slot], path: str) -> str:
    """Return what is near a path or glob at which there is no module; "" where there is one."""
    known = list(dict.fromkeys(above for slot in slots for above in paths_above(slot.name)))
    if any(map(compile_glob(path), known)):
        return ""
    return did_you_mean(path, known) or f"; there is no module at {path!r}"


def hint_name(slots: Sequence[Slot], glob: str) -> str:
    """Return what is near a name or glob that matches nothing."""
    names = [path for slot in slots if slot.kind != "buffer" for path in slot.paths]
    if any(name.startswith(glob + ".") for name in names):
        return f"; {glob!r} is a module: write '{glob}.*', or a dict of its own names under it"
    buffers = [path for slot in slots if slot.kind == "buffer" for path in slot.paths]
    if found := [path for path in buffers if compile_glob(glob)(path)]:
        return f"; {found[0]!r} is a buffer: buffers=True initialises those, too"
    tails = sorted({name.rsplit(".", 1)[-1] for name in names})
    tail = glob.rsplit(".", 1)[-1].strip("*")
    return did_you_mean(glob, names) or did_you_mean(tail, tails) or hint_example(slots)


def hint_example(slots: Sequence[Slot]) -> str:
    """Return what names look like here."""
    first = next((slot.name for slot in slots if slot.kind != "buffer"), None)
    return f"; names here are like {first!r}" if first else "; the model has no parameters"


def hint_type(slots: Sequence[Slot], rule: str) -> str:
    """Return which classes own parameters here: those near the one that a rule opens with, or all.

    ``rule`` is printed as ``Conv1d|Conv2d.weight``.
    """
    kinds = sorted({type(slot.owner).__name__ for slot in slots if slot.owner is not None})
    if not kinds:
        return hint_example(slots)
    near = nearest(re.split(r"[.|]", rule, maxsplit=1)[0], kinds)
    return f"; module types with parameters here are {', '.join((near or kinds)[:12])}"


def hint_own_name(own: Sequence[str], glob: str, kind: str) -> str:
    """Return what is near a name that no parameter of a class has, of those that it ``own``s."""
    return did_you_mean(glob, own) or f"; a {kind} here has {', '.join(own[:12])}"
