"""Globs on dotted names, and lists of names, globs and modules' paths."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product

from ..errors import RuleError
from ..model import Slot, is_wrapper_segment
from .landmarks import LandmarkIndex, glob_landmark

BRACES = re.compile(r"\{([^{}]*,[^{}]*|\d+\.\.\d+)\}")
"""Words of which each may stand there, or a range of numbers."""
_WILD = re.compile(r"[*?\[]")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 100_000  # numbers of a range, and globs that one with braces stands for


def has_wildcard(glob: str) -> bool:
    """Tell whether a glob may match more than the one name that it spells."""
    return _WILD.search(glob) is not None


def names_nothing(glob: str) -> bool:
    """Tell whether a glob is for parameters of any module, such as ``*.weight``.

    >>> [names_nothing(glob) for glob in ("*", "*.weight", "*bias*", "*.fc.weight", "fc.*")]
    [True, True, True, False, False]
    """
    return re.fullmatch(r"[*?.]*(weight|bias)?[*?]*", glob) is not None


@lru_cache(maxsize=4096)
def spelt_out(glob: str) -> tuple[str, ...]:
    """Return the globs without braces that one stands for, one for each combination.

    >>> spelt_out("h.{0..1}.{q,k}")
    ('h.0.q', 'h.0.k', 'h.1.q', 'h.1.k')
    """
    pieces = BRACES.split(glob)  # what stands between braces, and within, by turns
    choices = [braced_words(piece) if i % 2 else [piece] for i, piece in enumerate(pieces)]
    if (count := math.prod(map(len, choices))) > _MOST:
        way = "write '*', or a regular expression ('re:...')"
        raise RuleError(f"{glob!r} stands for {count:,} globs, and {_MOST:,} are the most; {way}")
    return tuple("".join(words) for words in product(*choices))


def braced_words(within: str) -> list[str]:
    """Return what may stand in place of braces: the words between commas, ranges spelt out."""
    words: list[str] = []
    for word in map(str.strip, within.split(",")):
        found = _RANGE.fullmatch(word)
        numbers = range(int(found[1]), int(found[2]) + 1) if found else ()
        words += map(str, numbers) if 0 < len(numbers) < _MOST else [word]
    return words


def range_glob(start: int, stop: int) -> str:
    """Return the glob of the numbers of a range, as Python has its ends.

    >>> range_glob(0, 4), range_glob(3, 4)
    ('{0..3}', '3')
    """
    if start >= stop:  # nothing, which no key is for
        return f"{{{start}:{stop}}}"
    return f"{{{start}..{stop - 1}}}" if start < stop - 1 else f"{start}"


def numbers_glob(numbers: Sequence[int]) -> str:
    """Return the glob of one of some numbers, which are in order.

    >>> numbers_glob([1, 2, 3]), numbers_glob([1, 3])
    ('{1..3}', '{1,3}')
    """
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return range_glob(numbers[0], numbers[-1] + 1)
    return f"{{{','.join(map(str, numbers))}}}"


@lru_cache(maxsize=1 << 16)  # of a pure function: matchers stay plain values without compiled parts
def compile_glob(glob: str) -> Callable[[str], bool]:
    """Return the test that a glob stands for: case-sensitive, and ``*`` crosses dots.

    >>> is_weight = compile_glob("*.weight")
    >>> is_weight("a.b.weight"), is_weight("weight"), is_weight("a.b.weight_g")
    (True, True, False)
    """
    if BRACES.search(glob):
        each = [compile_glob(one) for one in spelt_out(glob)]
        return lambda name: any(takes(name) for takes in each)
    if not has_wildcard(glob):
        return glob.__eq__
    if not glob.startswith("*."):
        return _whole(glob)
    tail = glob[2:]  # a first "*." may be empty, so that "*.weight" names one at the root, too
    if not has_wildcard(tail):  # such as "*.weight", the most common of all
        end = "." + tail
        return lambda name: name == tail or name.endswith(end)
    at_the_root, below = _whole(tail), _whole(glob)
    return lambda name: at_the_root(name) or below(name)


def _whole(glob: str) -> Callable[[str], bool]:
    """Return the test of a glob that has a wildcard, on the whole name."""
    if "?" in glob or "[" in glob:
        return _translated(glob)
    head, *middle, tail = glob.split("*")
    least = len(head) + len(tail)  # else the two could overlap in a short name

    def takes(name: str) -> bool:
        if len(name) < least or not (name.startswith(head) and name.endswith(tail)):
            return False
        at, end = len(head), len(name) - len(tail)
        for text in middle:  # the first place of each leaves the most to those behind it
            if (found := name.find(text, at, end)) < 0:
                return False
            at = found + len(text)
        return True

    return takes


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
    each = (_stars(one).fullmatch(name) for one in spelt_out(glob))
    found = next(filter(None, each), None)
    return tuple(group or "" for group in found.groups()) if found is not None else ()


class Listing:
    """Names and modules' paths (each its subtree), or globs on them, to ask thousands of names.

    An entry that is one of ``known``, the names of a model and the paths in it, is no glob.
    """

    def __init__(self, entries: Sequence[str], known: Collection[str] = ()) -> None:
        # an entry with a wildcard is a name as well: keys such as "a[0]" are names to the letter
        self._entries, self.plain = list(entries), frozenset(entries)
        self._globs = [e for e in dict.fromkeys(entries) if has_wildcard(e) and e not in known]
        self._index = LandmarkIndex([glob_landmark(glob) for glob in self._globs])

    def matches(self, name: str) -> bool:
        """Tell whether one of the entries is or covers ``name``."""
        paths = (name, *paths_above(name))
        if any(path in self.plain for path in paths):
            return True
        return any(any(self._taking(path)) for path in paths)

    def unmatched(self, names: Iterable[str]) -> list[str]:
        """Return the entries that neither are one of ``names`` nor match one as globs."""
        known = frozenset(names)
        matched = {glob for name in known for glob in self._taking(name)}
        return [entry for entry in self._entries if entry not in known and entry not in matched]

    def _taking(self, name: str) -> Iterator[str]:
        globs = (self._globs[place] for place in self._index.candidates(name))
        return (glob for glob in globs if compile_glob(glob)(name))


def splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield (module's path, name relative to it), from the root down.

    >>> list(splits("h.0.w"))
    [('', 'h.0.w'), ('h', '0.w'), ('h.0', 'w')]
    """
    yield "", name
    at = name.find(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.find(".", at + 1)


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


def names_below(slot: Slot, depth: int) -> list[str]:
    """Return the slot's name relative to a module of its lineage, with and without wrappers."""
    # lineage[0] is the root, and each later module adds one segment to the slot's (first) name
    parts = slot.name.split(".")[depth:]
    owners = (*slot.lineage[depth:-1], None)  # the last part is the parameter's own name
    plain = [
        p for p, m in zip(parts, owners, strict=True) if m is None or not is_wrapper_segment(m, p)
    ]
    name = ".".join(parts)
    return [name] if plain == parts else [name, ".".join(plain)]
