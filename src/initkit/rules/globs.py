"""Globs on dotted names, and lists of names, globs and modules' paths."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")


def has_wildcard(glob: str) -> bool:
    """Tell whether a glob may match more than the one name that it spells."""
    return _WILD.search(glob) is not None


def names_nothing(glob: str) -> bool:
    """Tell whether a glob is for parameters of any module, such as ``*.weight``.

    >>> [names_nothing(glob) for glob in ("*", "*.weight", "*bias*", "*.fc.weight", "fc.*")]
    [True, True, True, False, False]
    """
    return re.fullmatch(r"[*?.]*(weight|bias)?[*?]*", glob) is not None


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


class Listing:
    """Names and modules' paths (each its subtree), or globs on them, to ask thousands of names.

    An entry that is one of ``known``, the names of a model and the paths in it, is no glob.
    """

    def __init__(self, entries: Sequence[str], known: Collection[str] = ()) -> None:
        # an entry with a wildcard is a name as well: keys such as "a[0]" are names to the letter
        self.plain = frozenset(entries)
        self.globs = [compile_glob(e) for e in entries if has_wildcard(e) and e not in known]

    def matches(self, name: str) -> bool:
        """Tell whether one of the entries is or covers ``name``."""
        paths = (name, *paths_above(name))
        if any(path in self.plain for path in paths):
            return True
        return any(takes(path) for takes in self.globs for path in paths)


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
