"""The fixed parts of what a matcher takes, and an index that finds by them who may take a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple, TypeAlias

_FEW = 8  # matchers that are asked one by one sooner than an index is


class Landmark(NamedTuple):
    """What every name has that a matcher takes: it is, starts with, holds or ends in these texts.

    Empty texts say nothing. A name without one of them is not taken; one with all of them may be.
    """

    whole: str = ""
    head: str = ""
    inside: tuple[str, ...] = ()
    tail: str = ""

    def below(self, path: Landmark) -> Landmark:
        """Return the landmark of names relative to modules, whose paths have another."""
        if path.whole and self.whole:
            return Landmark(whole=f"{path.whole}.{self.whole}")
        # A path that may be empty has no texts, and every other one is followed by a dot.
        head, last = (f"{path.whole}.", "") if path.whole else (path.head, path.tail)
        inside = (*path.inside, f"{last}." if last else "", self.head, *self.inside)
        return Landmark(head=head, inside=inside, tail=self.whole or self.tail)

    def ending(self) -> Landmark:
        """Return the landmark of names whose last part has this one."""
        return Landmark(inside=(self.head, *self.inside), tail=self.whole or self.tail)

    @classmethod
    def of_all(cls, marks: Sequence[Landmark]) -> Landmark:
        """Return the landmark of what several matchers take together."""
        return cls(
            next((mark.whole for mark in marks if mark.whole), ""),
            max((mark.head for mark in marks), key=len),
            tuple(text for mark in marks for text in mark.inside),
            max((mark.tail for mark in marks), key=len),
        )


def glob_landmark(glob: str) -> Landmark:
    """Return the fixed parts of a glob.

    >>> glob_landmark("layers.*.attn.*weight")
    Landmark(whole='', head='layers.', inside=('.attn.',), tail='weight')
    """
    if glob.startswith("*."):  # which may be empty, so that the rest may open the name or not
        return glob_landmark(glob[2:]).ending()
    first, *others = re.split(r"[*?\[]", glob)
    if not others:
        return Landmark(whole=glob)
    # Behind a bracket all may belong to a set of characters, up to the last that closes one; a
    # bracket that none closes is a letter.
    *middle, last = re.split(r"[*?\]]", glob[len(first) + 1 :])
    inside = () if "[" in glob else tuple(middle)
    return Landmark(head=first, inside=inside, tail=last.rpartition("[")[2])


_Table: TypeAlias = "dict[int, dict[str, list[int]]]"  # by length, then by text: places


class LandmarkIndex:
    """Find which of many matchers may take a name, without asking each of them.

    >>> index = LandmarkIndex([glob_landmark(g) for g in ["a.*", "*.b", "c"] * 4])
    >>> list(index.candidates("a.b"))
    [0, 1, 3, 4, 6, 7, 9, 10]
    """

    def __init__(self, landmarks: Sequence[Landmark]) -> None:
        few = len(landmarks) <= _FEW
        self.few = list(range(len(landmarks))) if few else None  # all, where none is looked up
        self._any: list[int] = []
        self._whole: dict[str, list[int]] = {}
        self._heads: _Table = {}
        self._insides: _Table = {}
        self._tails: _Table = {}
        if few:
            return
        tables = (self._heads, self._insides, self._tails)
        # Each stands under the one of its texts that the fewest others have.
        common = Counter((kind, text) for mark in landmarks for kind, text in _parts(mark))
        for place, mark in enumerate(landmarks):
            parts = list(_parts(mark))
            if mark.whole:
                self._whole.setdefault(mark.whole, []).append(place)
            elif parts:
                kind, text = min(parts, key=lambda part: (common[part], -len(part[1])))
                tables[kind].setdefault(len(text), {}).setdefault(text, []).append(place)
            else:
                self._any.append(place)

    def candidates(self, *names: str) -> Iterable[int]:
        """Return the places of all matchers that may take one of the names, in order."""
        if self.few is not None:
            return self.few
        found = [self._any]
        for name in names:
            found += self._found(name)
        # A place stands in one list alone. They are merged as they are asked for: the first of all
        # often settles it.
        lists = list({id(places): places for places in found if places}.values())
        return lists[0] if len(lists) == 1 else merge(*lists)

    def _found(self, name: str) -> Iterator[list[int]]:
        if name in self._whole:
            yield self._whole[name]
        for size, table in self._heads.items():
            if (text := name[:size]) in table:
                yield table[text]
        for size, table in self._tails.items():
            if (text := name[-size:]) in table:
                yield table[text]
        for size, table in self._insides.items():
            texts = {name[at : at + size] for at in range(len(name) - size + 1)}
            yield from (table[text] for text in texts if text in table)


_HEAD, _INSIDE, _TAIL = range(3)


def _parts(mark: Landmark) -> Iterator[tuple[int, str]]:
    if mark.head:
        yield _HEAD, mark.head
    yield from ((_INSIDE, text) for text in mark.inside if text)
    if mark.tail:
        yield _TAIL, mark.tail
