"""The key that the author of a rule may have meant, who misspelt a word of the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from torch import nn

from ..errors import ReadError
from ..model import Slot, kind_of
from ..schemes import scheme_with
from ..spelling import clearly_nearest, nearest
from ..wording import Entry, changed
from .base import BY_PREFIX, Matcher
from .globs import braced_words, compile_glob, numbers_glob, paths_above, range_glob, splits
from .hints import REGEX_SIGNS, classes_around, known_prefix, numbers_under, out_of_range, owners
from .read import read_rules
from .rule import Rule
from .segments import Shape, nearest_globs, shape_of


class Words:
    """What a model calls its parameters and modules, to read a key as its author meant it."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        # What is registered as None is a name, too, but none that a rule starts.
        started = [slot for slot in slots if slot.kind != "buffer" and slot.tensor is not None]
        self.slots = started
        self._names = _parts(started)
        self.kinds = list(dict.fromkeys([*owners(slots), *classes_around(slots)]))
        self._known = {*_parts(slots), *self.kinds}
        paths = [path for slot in started for path in slot.paths]
        self._modules = {above for path in paths for above in paths_above(path)}
        # What names and modules' paths end with, from any dot on.
        self._ends = {end for path in paths for end in _ends(path)}
        self._module_ends = {end for path in self._modules for end in _ends(path)}

    @property
    def owners(self) -> list[nn.Module]:
        """The modules that own what a rule may start."""
        return [slot.owner for slot in self.slots if slot.owner is not None]

    @cached_property
    def shapes(self) -> list[Shape]:
        """The segments of all names, of those that are alike once."""
        return list(dict.fromkeys(shape_of(path) for slot in self.slots for path in slot.paths))

    def forms(self, key: str) -> Iterator[str]:
        """Yield what a key may have been meant to be, the likeliest first."""
        kind = re.sub(r"^(torch\.)?nn\.", "", key)
        if kind in self.kinds:
            yield f"type:{kind}"
        # Of a scope, or of the modules that a glob names, what is in them.
        if key in self._module_ends or any(map(compile_glob(key), self._modules)):
            yield f"{key}.*"
        if key in self._module_ends:
            yield f"*.{key}.*"
        if key in self._modules:
            yield f"{key}.weight"  # where others are for the rest of it
        yield from _as_regex(key)
        yield from self._prefixed(key)
        if (found := out_of_range(self.slots, key)) is not None:
            yield key[: found.start] + f"{found.last}" + key[found.stop :]
        yield from self._moved_back(key)
        yield from filter(None, (one(key) for one in _IN_OTHER_WORDS))
        if key in self._ends:
            yield f"*.{key}"
        for near_one in (self.near_name, self._near_kind):
            meant = {word: near for word in self._misspelt(key) if (near := near_one(word))}
            for one in meant.items():
                yield _spelt(key, dict([one]))
            if len(meant) > 1:
                yield _spelt(key, meant)

    def _prefixed(self, key: str) -> Iterator[str]:
        """Yield a key with a prefix that there is, in place of one that there is not."""
        head, colon, text = key.partition(":")
        if not colon or head + colon in BY_PREFIX:
            return
        if (known := known_prefix(head + colon, BY_PREFIX)) is not None:
            yield known + text
        if text in self.kinds:
            yield f"type:{text}"

    def _moved_back(self, key: str) -> Iterator[str]:
        """Yield a key whose numbers in braces lie beyond the last with as many that end there."""
        for found in _BRACED.finditer(key):
            numbers = [int(word) for word in braced_words(found[2]) if word.isdecimal()]
            known = numbers_under(self.slots, found[1])
            if numbers and known and min(numbers) > known[-1]:
                moved = [n - (max(numbers) - known[-1]) for n in sorted(numbers)]
                kept = [n for n in moved if n in known]
                yield f"{key[: found.start(2) - 1]}{numbers_glob(kept)}{key[found.end(2) + 1 :]}"

    def _misspelt(self, key: str) -> list[str]:
        words = re.findall(r"[^\W\d][\w-]*", key.partition(":")[2] or key)
        # A class that torch has is meant, whether the model has one or not.
        return [w for w in dict.fromkeys(words) if w not in self._known and not hasattr(nn, w)]

    def near_name(self, word: str) -> str | None:
        """Return the part of a name that a word was clearly meant to be, or None."""
        return clearly_nearest(word, (name for name in self._names if not name.isdecimal()))

    def _near_kind(self, word: str) -> str | None:
        return clearly_nearest(word, self.kinds) or _shortened(word, self.kinds)

    def names_of(self, matchers: Sequence[Matcher]) -> list[str]:
        """Return the parameters that any of some matchers takes."""
        return [
            slot.name
            for slot in self.slots
            if any(matcher.matches(slot, path) for matcher in matchers for path in slot.paths)
        ]


_BRACED = re.compile(r"([^\W\d][\w-]*)\.\{([\d,. ]+)\}")


def _as_regex(key: str) -> Iterator[str]:
    """Yield the regular expressions that a key may stand for."""
    if REGEX_SIGNS.search(key) and ":" not in key:
        yield f"re:{key}"
    if key.startswith("re:"):  # which must match the whole name
        yield from (f"{key}.*", f"re:.*{key[3:]}", f"re:.*{key[3:]}.*")


class Meant(NamedTuple):
    """A line whose key matches parameters, in place of one that matches none, and which."""

    line: Entry
    names: list[str]


def mended_entries(
    entry: Entry, words: Words, beside: Sequence[Entry] = ()
) -> Iterator[list[Meant]]:
    """Yield what may be meant by a line that matches nothing: one line, or two as likely.

    They are as their author wrote them but for the words of a key that the model spells in another
    way, for segments that are wrong, missing or too much, and for two slips where one explains
    nothing. ``beside`` are the lines of its table, with its own: they may be the options of one
    scheme.
    """
    forms = chain(([form] for form in _as_one_text(beside or (entry,))), _likeliest(entry, words))
    for either in islice(forms, affordable_forms(len(words.slots))):
        found = [Meant(form, names) for form in either if (names := _taken_by(form, words))]
        if found:
            yield found


def _taken_by(form: Entry, words: Words) -> list[str]:
    try:
        return words.names_of([clause.matcher for clause in read_rules(form.table)])
    except ReadError:  # a form of a line need not be one
        return []


def affordable_forms(names: int) -> int:
    """Return how many forms of a line may be tried on so many names: about half a second's work."""
    return max(20, 400_000 // max(1, names))


def _likeliest(entry: Entry, words: Words) -> Iterator[list[Entry]]:
    """Yield the forms of a line, those nearest to it by their segments, then the forms' own."""
    once = list(_forms(entry, words))
    yield from ([form] for form in once)
    yield list(_nearest(entry, words))
    for form in once:
        with suppress(ReadError):  # it need not be one that can be read
            yield from ([further] for further in _forms(form, words))


def _nearest(entry: Entry, words: Words) -> Iterator[Entry]:
    """Yield a line with the globs that are nearest to its own, in the scope around it if need be.

    Where what is meant is not in that scope, the line stands without one.
    """
    keys, rule = entry
    named = isinstance(rule, Rule) and rule.name is not None
    globs = [*keys, rule.name] if named else [*keys]
    if not globs or not all(map(_is_glob, globs)):
        return
    scope = "".join(f"{glob}." for glob in globs[:-1])
    for glob in nearest_globs(".".join(globs), words.shapes):
        own = glob.removeprefix(scope)
        around = tuple(globs[:-1]) if own != glob else ()
        with suppress(ReadError):
            yield (Entry(around, replace(rule, name=own)) if named else Entry((*around, own), rule))


def _is_glob(key: object) -> bool:
    """Tell whether a key is a glob, and no index or pattern of another kind."""
    return isinstance(key, str) and not re.search(r"[:\[]", key) and not REGEX_SIGNS.search(key)


def _without_wrapper(key: str) -> str:
    """Return a key without the name of what holds a model in programs."""
    return re.sub(r"^((model|module|net|self|_orig_mod|state_dict|params)\.)+(?=.)", "", key)


def _dotted(key: str) -> str:
    head, colon, _ = key.partition(":")
    return key if head + colon in BY_PREFIX else re.sub(r"[:/>]+", ".", key)


def _indexed(key: str) -> str:
    """Return a key whose brackets index modules as dots do: of a slice the range that it takes."""
    key = re.sub(r"\[(\d+):(\d+)\]", lambda found: f".{range_glob(*map(int, found.groups()))}", key)
    return re.sub(
        r"\[(?:(\d+|\*)|['\"](\w+)['\"])\]", lambda found: f".{found[1] or found[2]}", key
    )


def _braced(key: str) -> str:
    key = re.sub(r"\{(\d+):(\d+)\}", lambda found: range_glob(*map(int, found.groups())), key)
    return re.sub(r"\{(\d+)-(\d+)\}", r"{\1..\2}", key)


def _below(key: str) -> str:
    """Return the key of an end that begins with a dot, or of a start that ends with one."""
    return f"*{key}" if key.startswith(".") else f"{key}*" if key.endswith(".") else key


def _listed(key: str) -> str:
    """Return the key of several names that stand in one text, in braces."""
    names = re.split(r"\s*[,;|]\s*|\s+", key.strip())
    several = len(names) > 1 and all(names) and "{" not in key and ":" not in key
    return f"{{{','.join(names)}}}" if several else ""


def _other_join(key: str) -> str:
    """Return a key whose last dot is an underscore, or the other way round: ``in_proj_weight``."""
    return re.sub(r"([._])(?=(weight|bias)$)", lambda found: "._"[found[0] == "."], key)


def _as_torch_says(key: str) -> str:
    """Return a key that ends in what other libraries call a parameter as torch calls it."""
    return re.sub(r"[A-Za-z]+$", lambda found: _NAMES_ELSEWHERE.get(found[0], found[0]), key)


_NAMES_ELSEWHERE = {
    **dict.fromkeys(("gamma", "kernel", "scale", "embedding", "embeddings", "weights"), "weight"),
    **dict.fromkeys(("beta", "offset", "biases"), "bias"),
    "w": "weight",
    "W": "weight",
    "b": "bias",
}

_IN_OTHER_WORDS: tuple[Callable[[str], str], ...] = (
    str.strip,
    _below,
    _indexed,
    _braced,
    _dotted,
    _without_wrapper,
    _listed,
    _other_join,
    _as_torch_says,
)
"""What a key may mean that is written as elsewhere: indexed, cut in another way, wrapped."""


def _ends(path: str) -> Iterator[str]:
    for found in re.finditer(r"\.", path):
        yield path[found.end() :]


def _of_kinds(entry: Entry, words: Words) -> Iterator[Entry]:
    """Yield a line whose key has a class and a parameter in one text with a key for each."""
    *around, key = entry.keys or (None,)
    if isinstance(key, str) and (found := re.fullmatch(r"(?:type:|nn\.)*(\w+)\.([\w*]+)", key)):
        kind, own = found.groups()
        if kind in words.kinds:
            yield Entry((*around, f"type:{kind}", own), entry.value)


def _of_other_class(entry: Entry, words: Words) -> Iterator[Entry]:
    """Yield a line for the class that the model has and that is called most like the line's."""
    known = {kind.__name__: kind for kind in map(kind_of, words.owners)}
    for place, key in enumerate(entry.keys):
        for name in nearest(key.__name__, known, n=1) if isinstance(key, type) else ():
            # A class of another library may not be there where the line is pasted; its name is.
            home, mine = (kind.__module__.partition(".")[0] for kind in (known[name], key))
            other = known[name] if home in ("torch", mine, "__main__") else f"type:{name}"
            yield Entry((*entry.keys[:place], other, *entry.keys[place + 1 :]), entry.value)


def _ends_of(entry: Entry) -> Iterator[Entry]:
    """Yield a line in which the first or last layer of what is around it stands as a key does."""
    for place, key in enumerate(entry.keys):
        scope = entry.keys[place - 1] if place else None
        found = re.fullmatch(r"(first|last)(?:\.(.+))?", key) if isinstance(key, str) else None
        if found is not None and isinstance(scope, str):
            end, own = found.groups()
            end = f"{scope}.{end}" if scope.startswith("in:") else f"{end}:{scope}"
            inner = ((own,) if own else ()) + entry.keys[place + 1 :]
            yield Entry((*entry.keys[: place - 1], end, *inner), entry.value)


def _forms(entry: Entry, words: Words) -> Iterator[Entry]:
    """Yield a line with a key changed, or the name or type of a rule that stands in it."""
    changes = words.forms
    for keys in _without_scope(entry.keys):
        yield Entry(keys, entry.value)
        for form in changes(str(keys[-1])):
            yield Entry((*keys[:-1], form), entry.value)
    for keys in changed(entry.keys, changes):
        yield Entry(keys, entry.value)
    yield from _of_kinds(entry, words)
    yield from _of_other_class(entry, words)
    yield from _ends_of(entry)
    if isinstance(rule := entry.value, Rule):
        for argument in rule.written.arguments:
            if argument.name in ("name", "type"):
                for value in changed(argument.value, changes):
                    with suppress(ReadError):  # a changed pattern need not be one
                        yield Entry(entry.keys, replace(rule, **{argument.name: value}))


def _without_scope(keys: Sequence[object]) -> Iterator[tuple[object, ...]]:
    """Yield keys of which the last does not repeat the path that those around it are."""
    *around, last = keys or (None,)
    if not isinstance(last, str):
        return
    for start in range(len(around)):
        if all(isinstance(key, str) for key in around[start:]):
            takes = compile_glob(".".join(map(str, around[start:])))
            yield from ((*around, rest) for path, rest in splits(last) if path and takes(path))


def _as_one_text(lines: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the line of a scheme whose options stand in lines of their own, by their names."""
    around = lines[0].keys[:-1]
    call = scheme_with({str(line.keys[-1]): line.value for line in lines if line.keys})
    if around and call is not None:
        yield Entry(around, call)


def _parts(slots: Sequence[Slot]) -> list[str]:
    names = (path for slot in slots for path in (*slot.paths, *slot.canonicals))
    return list(dict.fromkeys(part for name in names for part in name.split(".")))


def _shortened(word: str, kinds: Sequence[str]) -> str | None:
    """Return the one class of whose name, from a capital on, a word has letters, in their order.

    >>> _shortened("Attn", ["Linear", "MultiheadAttention"]), _shortened("L", ["Linear"])
    ('MultiheadAttention', None)
    """
    letters = "".join(f"{re.escape(letter)}.*" for letter in word)
    found = [kind for kind in kinds if re.search(rf"(?=[A-Z]){letters}", kind)]
    return found[0] if len(word) > 1 and len(found) == 1 else None


def _spelt(key: str, meant: dict[str, str]) -> str:
    return re.sub(r"[^\W\d][\w-]*", lambda found: meant.get(found[0], found[0]), key)
