"""What the author of a rule that matches nothing may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import nn

from ..model import Slot, kind_of
from ..python_text import text_in_quotes
from ..spelling import Fact, clearly_nearest, did_you_mean, nearest
from .globs import compile_glob, has_wildcard, paths_above, splits
from .segments import shape_of

# Each hint continues the sentence "the rule ... matches no parameter"; where nothing can be said,
# it is empty.


def hint_module(slots: Sequence[Slot], path: str) -> str:
    """Return what is near a path or glob at which there is no module; "" where there is one."""
    known = list(dict.fromkeys(above for slot in slots for above in paths_above(slot.name)))
    if any(map(compile_glob(path), known)):
        return ""
    names = [slot.name for slot in slots]
    # One that ends in a wildcard takes parameters of any name, and means none.
    named = (p for p in (path, *paths_above(path)) if not has_wildcard(p.rpartition(".")[2]))
    around = map(compile_glob, named)
    if (name := next((n for takes in around for n in filter(takes, names)), None)) is not None:
        return f"; {name!r} is a parameter, and starts as one text says, such as 'normal(std=0.02)'"
    return (
        hint_class(slots, path)
        or _hint_number(slots, path)
        or did_you_mean(path, known)
        or f"; there is no module at {path!r}"
    )


def hint_name(slots: Sequence[Slot], glob: str, scope: str = "") -> str:
    """Return what is near a name or glob that matches nothing; ``scope`` is the path around it."""
    names = [path for slot in slots if slot.kind != "buffer" for path in slot.paths]
    full = scope + glob
    if any(name.startswith(full + ".") for name in names):
        return f"; {full!r} is a module: write '{full}.*', or a dict of its own names under it"
    buffers = [path for slot in slots if slot.kind == "buffer" for path in slot.paths]
    if found := [path for path in buffers if compile_glob(full)(path)]:
        return f"; {found[0]!r} is a buffer: buffers=True initialises those, too"
    if other := hint_other_kind(slots, glob, scope) or _hint_number(slots, full):
        return other
    if scope and any(path and compile_glob(scope[:-1])(path) for path, _ in splits(glob)):
        return f"; names under {scope[:-1]!r} begin below it"
    if has_wildcard(full) or "{" in full:  # for many layers: no one of them is meant
        names = list(dict.fromkeys(".".join(shape_of(name)) for name in names))
    near = did_you_mean(full, names)
    own = full.removeprefix("*.").strip("*")
    if not near and "." not in own:  # of a key that names a module all of its kind are not meant
        near = did_you_mean(f"*.{own}", sorted({f"*.{n.rpartition('.')[2]}" for n in names}))
    return near or hint_example(slots)


def hint_other_kind(slots: Sequence[Slot], key: str, scope: str = "") -> str:
    """Return how a key is written that reads as a name, and looks like a class, call or regex."""
    return (
        hint_class(slots, key)
        or _hint_call(key)
        or _hint_prefix(slots, key)
        or _hint_regex_key(slots, key, scope)
    )


def _hint_call(key: str) -> str:
    """Return how a call of ``first`` or ``last`` is written, where a text holds it."""
    found = re.fullmatch(r"(?:initkit\.)?(first|last)\((.+)\)", key)
    if not found:
        return ""
    end, container = found[1], found[2].strip("'\"")
    return f"; write {end}({container!r}) without quotes around it, or '{end}:{container}'"


def hint_example(slots: Sequence[Slot]) -> str:
    """Return what names look like here."""
    first = next((slot.name for slot in slots if slot.kind != "buffer"), None)
    return f"; names here are like {first!r}" if first else "; the model has no parameters"


def _hint_prefix(slots: Sequence[Slot], key: str) -> str:
    """Return what a text opens with in place of what makes it the key of a class or a pattern."""
    head, colon, text = key.partition(":")
    classes = {*owners(slots), *classes_around(slots)} if colon else ()
    known = known_prefix(head + colon, ("type:", "in:", "re:"))
    if known is None and text not in classes:
        return ""
    return f"; no key opens with {head + colon!r}: did you mean {(known or 'type:') + text!r}?"


def known_prefix(prefix: str, known: Iterable[str]) -> str | None:
    """Return the prefix of keys that another was meant to be, or None where none clearly was."""
    other = _PREFIXES_ELSEWHERE.get(prefix.lower())
    return other or clearly_nearest(prefix, [one for one in known if one != prefix])


_PREFIXES_ELSEWHERE = {
    "cls:": "type:",
    "class:": "type:",
    "kind:": "type:",
    "module:": "type:",
    "regex:": "re:",
    "regexp:": "re:",
    "inside:": "in:",
    "within:": "in:",
}


# ------------------------------------------------------------------------------------- numbers


class OutOfRange(NamedTuple):
    """A number in a key that no module of a container with parameters has, and where it stands."""

    container: str
    start: int
    stop: int
    numbers: Sequence[int]

    @property
    def last(self) -> int:
        """The last number that one has."""
        return self.numbers[-1]


def out_of_range(slots: Sequence[Slot], key: str) -> OutOfRange | None:
    """Return the first number of a key that lies outside of those that its container has here.

    A container is known by its own name, and where several have that, by what all of them have.
    """
    for found in _NUMBERED.finditer(key):
        name, number = found[1], int(found[2])
        numbers = numbers_under(slots, name)
        if numbers and not 0 <= number <= numbers[-1]:
            return OutOfRange(name, found.start(2), found.end(2), numbers)
    return None


# Dots as names, globs and regular expressions write them.
_NUMBERED = re.compile(r"(?<![\w-])([^\W\d][\w-]*)\\?\.(-?\d+)(?=\\?\.|$)")


def numbers_under(slots: Sequence[Slot], name: str) -> list[int]:
    """Return the numbers of modules with parameters in the containers of a name."""
    found = re.compile(rf"(?:^|\.){re.escape(name)}\.(\d+)\.")
    paths = (path for slot in slots for path in slot.paths)
    return sorted({int(number) for path in paths for number in found.findall(path)})


def _hint_number(slots: Sequence[Slot], key: str) -> str:
    found = out_of_range(slots, key)
    if found is None:
        return ""
    text = f"; the last module with parameters in {found.container!r} is number {found.last}"
    return Fact(text)


# ------------------------------------------------------------------------------------- classes


def hint_type(slots: Sequence[Slot]) -> str:
    """Return which classes own parameters here."""
    kinds = owners(slots)
    if not kinds:
        return "; a state_dict has no module types" if slots else hint_example(slots)
    return f"; module types with parameters here are {', '.join(kinds[:12])}"


def hint_class(slots: Sequence[Slot], name: str) -> str:
    """Return how a class is written whose name stands where a parameter's would; "" for others."""
    kind = re.sub(r"^(torch\.)?nn\.", "", name)
    kinds = owners(slots)
    shipped = isinstance(known := getattr(nn, kind, None), type) and issubclass(known, nn.Module)
    written = f"nn.{kind}" if shipped else "the class itself"
    if kind in kinds:
        return f"; {name!r} is a class: write {written} or 'type:{kind}'"
    if kind in classes_around(slots):
        return f"; {name!r} is a class: write 'in:{kind}' for all that it holds"
    if not shipped:
        return ""
    if not kinds:
        return f"; {name!r} is a class, and a state_dict has none; match names instead"
    return f"; {name!r} is a class, written {written} or 'type:{kind}'" + hint_type(slots)


def hint_class_name(slots: Sequence[Slot], prefix: str, kinds: Sequence[object]) -> str:
    """Return the keys of classes that own parameters here and are spelt like one of ``kinds``."""
    return _near_keys(owners(slots), prefix, kinds)


def hint_class_around(slots: Sequence[Slot], prefix: str, kinds: Sequence[object]) -> str:
    """Return the keys of classes around parameters here that are spelt like one of ``kinds``."""
    return _near_keys(classes_around(slots), prefix, kinds)


def _near_keys(known: Sequence[str], prefix: str, kinds: Sequence[object]) -> str:
    texts = [kind for kind in kinds if isinstance(kind, str)]  # a class is not misspelt
    near = dict.fromkeys(found for text in texts for found in nearest(text, known))
    if not near or any(text in known for text in texts):
        return ""
    return "; did you mean " + " or ".join(f"'{prefix}{kind}'" for kind in list(near)[:3]) + "?"


def owners(slots: Sequence[Slot]) -> list[str]:
    """Return the names of the classes that own parameters."""
    return sorted({kind_of(slot.owner).__name__ for slot in slots if slot.owner is not None})


def classes_around(slots: Sequence[Slot]) -> list[str]:
    """Return the names of the classes of all modules around parameters."""
    return sorted({kind_of(module).__name__ for slot in slots for module in slot.lineage})


def hint_own_name(own: Sequence[str], glob: str, kind: str) -> str:
    """Return what is near a name that no parameter of a class has, of those that it ``own``s."""
    return did_you_mean(glob, own) or f"; a {kind} here has {', '.join(own[:12])}"


# ------------------------------------------------------------------------- regular expressions

# What names and globs do without: a key with one of these is a regular expression by intent.
REGEX_SIGNS = re.compile(r"[\\^$|()+]|^\.\*")


def hint_regex(slots: Sequence[Slot], pattern: re.Pattern[str], scope: str = "") -> str:
    """Return the form of a pattern that matches the whole of the names in which it is found."""
    form = _whole_form(slots, pattern, scope)
    if not form:
        return _hint_number(slots, pattern.pattern) or hint_example(slots)
    whole = text_in_quotes("re:" + form)
    return f"; a regular expression must match the whole name, as {whole} does"


def _hint_regex_key(slots: Sequence[Slot], glob: str, scope: str) -> str:
    if not REGEX_SIGNS.search(glob):
        return ""
    try:
        pattern = re.compile(glob)
    except re.error:
        return ""
    form = _whole_form(slots, pattern, scope) or glob
    return f"; it looks like a regular expression: write {text_in_quotes('re:' + form)}"


def _whole_form(slots: Sequence[Slot], pattern: re.Pattern[str], scope: str) -> str:
    """Return the pattern, extended where need be to whole names; "" where it is found in none."""
    found = [name for name in _names_under(slots, scope) if pattern.search(name)]
    text = f"(?:{pattern.pattern})" if "|" in pattern.pattern else pattern.pattern
    forms = (pattern.pattern, f"{text}.*", f".*{text}", f".*{text}.*")
    for form in forms if found else ():
        if all(map(re.compile(form, pattern.flags).fullmatch, found)):
            return form
    return ""


def _names_under(slots: Sequence[Slot], scope: str) -> list[str]:
    """Return the names of parameters, relative to the modules at a path that ends with a dot."""
    names = [path for slot in slots if slot.kind != "buffer" for path in slot.paths]
    if not scope:
        return names
    takes = compile_glob(scope[:-1])
    return [n[len(path) + 1 :] for n in names for path in paths_above(n) if takes(path)]
