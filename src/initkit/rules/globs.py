"""Globs on dotted names, and lists of names, globs and modules' paths."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")


def has_wildcard(glob: str) -> bool:
    """Tell whether a glob may match more than the one name that it spells."""
    return _WILD.search(glob) is not None


@lru_cache(maxsize=4096)  # of a pure function: matchers stay plain values without compiled parts
def compile_glob(glob: str) -> Callable[[str], bool]:
    """Return the test that a glob stands for: case-sensitive, and ``*`` crosses dots.

    >>> is_weight = compile_glob("*.weight")
    >>> is_weight("a.b.weight"), is_weight("weight"), is_weight("a.b.weight_g")
    (True, True, False)
    """
    if not has_wildcard(glob):
        return glob.__eq__
    if not glob.startswith("*."):
        return _translated(glob)
    tail = glob[2:]  # a first "*." may be empty, so that "*.weight" names one at the root, too
    if not has_wildcard(tail):  # such as "*.weight", the most common of all: no regex
        end = "." + tail
        return lambda name: name == tail or name.endswith(end)
    at_the_root, below = _translated(tail), _translated(glob)
    return lambda name: at_the_root(name) or below(name)


def _translated(glob: str) -> Callable[[str], bool]:
    # The translation is anchored at its end, so that `match` is on the whole name.
    found = re.compile(fnmatch.translate(glob)).match
    return lambda name: found(name) is not None


@lru_cache(maxsize=4096)
def _stars(glob: str) -> re.Pattern[str]:
    """Return the regular expression of a glob, with a group for each of its stars."""
    first = r"(?:(.*)\.)?" if glob.startswith("*.") else ""
    pieces = (glob[2:] if first else glob).split("*")
    # fnmatch makes "(?s:...)\\Z" of a piece; between its ends stands what it matches.
    return re.compile(first + "(.*)".join(fnmatch.translate(piece)[4:-3] for piece in pieces))


def glob_stars(glob: str, name: str) -> tuple[str, ...]:
    """Return what each ``*`` of a glob stands for in a name that it matches.

    >>> glob_stars("target.*", "target.0.weight"), glob_stars("*.weight", "weight")
    (('0.weight',), ('',))
    """
    found = _stars(glob).fullmatch(name)
    return tuple(group or "" for group in found.groups()) if found is not None else ()


class Listing:
    """Names, globs and modules' paths (each its subtree), to be asked about thousands of names."""

    def __init__(self, entries: Sequence[str]) -> None:
        # an entry with a wildcard is a name as well: keys such as "a[0]" are names to the letter
        self.plain = frozenset(entries)
        self.globs = [compile_glob(entry) for entry in entries if has_wildcard(entry)]

    def matches(self, name: str) -> bool:
        """Tell whether one of the entries is or covers ``name``."""
        if name in self.plain or any(path in self.plain for path in paths_above(name)):
            return True
        return any(takes(name) for takes in self.globs)


def paths_above(name: str) -> list[str]:
    """Return the paths of the modules around a name, the nearest first; the root has none.

    >>> paths_above("a.b.weight")
    ['a.b', 'a']
    """
    found = []
    while (at := name.rfind(".")) > 0:
        name = name[:at]
        found.append(name)
    return found
