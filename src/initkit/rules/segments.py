"""The globs that may be meant by one of which a segment is wrong, missing or too much."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import TypeAlias

from ..spelling import likeness, shortens
from .globs import compile_glob, numbers_glob

Shape: TypeAlias = "tuple[str, ...]"
"""The segments of names that are alike: a star for each number."""
_Part: TypeAlias = "tuple[str, int | None]"
"""A segment of a glob; of a word with a number that stands for another, both apart."""

# What it costs to take a segment for another. A near word is likelier than one too much, and that
# than one that is wholly another.
_JOINT, _MISSING, _TOO_MUCH, _ANOTHER = 0.25, 1.0, 1.5, 2.0
_AT_MOST = 2.5  # two slips, and not a name with nothing in common
_CLEARLY = 0.05  # by how much a better one differs
_OFFERED = 2
_SHAPES = 4_000  # of names that are looked at: about half a second's work
_WORDS = 4_000


def shape_of(name: str) -> Shape:
    """Return the segments of a name, with a star for each number.

    >>> shape_of("h.0.attn.weight")
    ('h', '*', 'attn', 'weight')
    """
    return tuple("*" if part.isdecimal() else part for part in name.split("."))


def nearest_globs(glob: str, shapes: Iterable[Shape]) -> list[str]:
    """Return the one glob that takes names and is nearest to one that takes none, or two as near.

    The user's wildcards and braces stay as they are.

    >>> shapes = [shape_of(f"h.0.{part}.weight") for part in ("attn.c_proj", "mlp.c_proj", "norm")]
    >>> nearest_globs("h.*.attention.c_proj.weight", shapes), nearest_globs("h.*.ln.bias", shapes)
    (['h.*.attn.c_proj.weight'], [])
    >>> nearest_globs("layers.*.attn.weight", [shape_of("layer1.0.attn.weight")])
    ['layer1.*.attn.weight']
    """
    wanted = segments_of(glob)
    if not wanted:  # of a text without a word in it
        return []
    shapes = list(islice(shapes, _SHAPES))
    known = list(islice(dict.fromkeys(part for shape in shapes for part in shape), _WORDS))
    ending = f"_{wanted[-1]}"  # "in_proj.weight" may be one name, "in_proj_weight"
    known += [part.removesuffix(ending) for part in known if part.endswith(ending)]
    kin = {part: _kin(part, known) for part in wanted}
    own = {part for part in wanted if part not in _TELL_NOTHING and not _wild(part)}
    telling = set(own)
    for part in set(wanted).difference(_TELL_NOTHING):
        telling |= {other for other, (cost, _) in kin[part].items() if cost < _TOO_MUCH}
    telling |= {part + ending for part in telling}
    found: dict[tuple[str, ...], list[tuple[float, tuple[_Part, ...]]]] = {}
    for shape in shapes:
        if telling.isdisjoint(shape):
            continue
        cost, parts = _Fit(wanted, shape, kin).best(0, 0)
        # With two slips a word of the user's own is left that tells what is meant.
        sure = cost < _ANOTHER or not own.isdisjoint(text for text, _ in parts)
        if 0 < cost <= _AT_MOST and sure:
            found.setdefault(tuple(text for text, _ in parts), []).append((cost, parts))
    least = min((cost for fits in found.values() for cost, _ in fits), default=0)
    near = [
        [parts for _, parts in fits]
        for fits in found.values()
        if min(cost for cost, _ in fits) <= least + _CLEARLY
    ]
    globs = list(dict.fromkeys(map(_joined, near)))
    # Among many words that look alike none is meant rather than others.
    return globs[:_OFFERED] if least < _ANOTHER or len(globs) <= _OFFERED else []


_TELL_NOTHING = ("weight", "bias")  # of what is meant: all modules have them


def segments_of(glob: str) -> list[str]:
    """Return the segments of a glob: dots in braces separate none.

    >>> segments_of("h.{0..3}.*.weight")
    ['h', '{0..3}', '*', 'weight']
    """
    return re.findall(r"(?:\{[^{}]*\}|[^.{}])+", glob)


def _wild(part: str) -> bool:
    return re.search(r"[*?{\[]", part) is not None


def _kin(part: str, known: Collection[str]) -> dict[str, tuple[float, _Part]]:
    """Return the words that a segment may have been meant to be, with what that costs.

    Of near words that differ in their numbers alone it is the one with the segment's own number,
    the nearest if there is none; all of them, where the segment has no number.
    """
    found = re.fullmatch(r"(\**)([^\W\d][\w-]*)(\**)", part)
    if found is None:
        return {}
    before, word, behind = found.groups()
    stem, number = _apart(word)
    alike = {other: likeness(word, other) for other in known if other not in ("*", word)}
    alike |= {
        other: max(ratio, _SHORTENED)
        for other, ratio in alike.items()
        if shortens(stem, _apart(other)[0])
    }
    near = {other: ratio for other, ratio in alike.items() if ratio >= _NEAR}
    kin: dict[str, tuple[float, _Part]] = {}
    if not before + behind:
        kin = {other: (_ANOTHER, (other, None)) for other in alike}
    by_stem: dict[str, list[str]] = {}
    for other in near:
        by_stem.setdefault(_apart(other)[0], []).append(other)
    for own, others in by_stem.items():
        cost = 2 - max(map(near.__getitem__, others))
        numbers = {_apart(other)[1]: other for other in others}
        if number is not None and None not in numbers:
            other = numbers[min(numbers, key=lambda n: (abs((n or 0) - number), -(n or 0)))]
            for every in others:
                kin.pop(every, None)
            kin[other] = cost, (f"{before}{other}{behind}", None)
            continue
        for of, other in numbers.items():
            text = other if of is None else f"{own}{_NUMBER}"
            kin[other] = cost, (f"{before}{text}{behind}", of)
    return kin


_NUMBER = "\0"  # where the number of a word goes: no name has it
_NEAR = 0.6  # the least likeness of words that are near, as `nearest` has it
_SHORTENED = 0.8  # the likeness of a word and its abbreviation


def _apart(word: str) -> tuple[str, int | None]:
    """Return a word without the number that it ends in, and that.

    >>> _apart("layer4"), _apart("fc")
    (('layer', 4), ('fc', None))
    """
    stem = word.rstrip("0123456789")
    return (stem, int(word[len(stem) :])) if stem != word else (word, None)


def _joined(fits: Sequence[Sequence[_Part]]) -> str:
    """Return the glob of fits that differ in the numbers of their words alone."""
    segments = []
    for parts in zip(*fits, strict=True):
        numbers = sorted({number for _, number in parts if number is not None})
        segments.append(parts[0][0].replace(_NUMBER, numbers_glob(numbers) if numbers else ""))
    return ".".join(segments)


_Way: TypeAlias = "tuple[float, tuple[_Part, ...]]"
"""A glob that takes a name, and at what cost it is taken for the user's."""


class _Fit:
    """What it costs to take a glob for one that takes a name, from any segment of both on."""

    def __init__(
        self,
        glob: Sequence[str],
        shape: Shape,
        kin: Mapping[str, Mapping[str, tuple[float, _Part]]],
    ) -> None:
        self.glob, self.shape, self.kin = glob, shape, kin
        self.last = len(glob) - 1
        self._known: dict[tuple[int, int], _Way] = {}

    def best(self, i: int, j: int) -> _Way:
        """Return the cheapest way from these segments on; its cost is infinite for none."""
        if i > self.last:
            return (0.0 if j == len(self.shape) else float("inf")), ()
        if (i, j) not in self._known:
            ways = (*self._taken(i, j), *self._left_out(i, j), *self._replaced(i, j))
            self._known[i, j] = min(ways, key=lambda way: way[0], default=(float("inf"), ()))
        return self._known[i, j]

    def _way(self, cost: float, part: _Part | None, i: int, j: int) -> _Way:
        rest, parts = self.best(i, j)
        return cost + rest, parts if part is None else (part, *parts)

    def _taken(self, i: int, j: int) -> Iterator[_Way]:
        """Yield what takes the name as it is: a star crosses dots, and a first one may be empty."""
        part, length = self.glob[i], len(self.shape)
        for k in range(j + 1, length + 1 if "*" in part else min(j + 1, length) + 1):
            if _takes(part, self.shape[j:k]):
                yield self._way(0, (part, None), i + 1, k)
        if i == j == 0 and part == "*" and self.last:
            yield self._way(0, (part, None), 1, 0)

    def _left_out(self, i: int, j: int) -> Iterator[_Way]:
        """Yield what has a segment more, or one less."""
        if i == j == 0:
            yield from (self._way(_MISSING, ("*", None), 0, k) for k in range(1, len(self.shape)))
        elif j < len(self.shape):
            yield self._way(_MISSING, (self.shape[j], None), i, j + 1)
        # A star that has taken a word would stand for any in this one's place, and for far more
        # than was named: `head.weight` is not `*.weight`.
        starred = j > 0 and (i == 0 or "*" in self.glob[i - 1]) and self.shape[j - 1] != "*"
        if i < self.last and not starred and not (i == 0 and j > 0):
            yield self._way(_TOO_MUCH, None, i + 1, j)

    def _replaced(self, i: int, j: int) -> Iterator[_Way]:
        """Yield what has another word: alone, or joined with the parameter's own name."""
        if j == len(self.shape):
            return
        word, part = self.shape[j], self.glob[i]
        cost, other = self.kin[part].get(word, (float("inf"), (word, None)))
        if cost < (_TOO_MUCH if i == self.last else float("inf")):
            yield self._way(cost, other, i + 1, j + 1)
        if i == self.last - 1 and j == len(self.shape) - 1:
            own = word.removesuffix(ending := f"_{self.glob[-1]}")
            known = {part: (_JOINT, (part, None)), **self.kin[part]}
            if own != word and own in known:
                cost, (text, number) = known[own]
                yield self._way(cost, (f"{text}{ending}", number), i + 2, j + 1)


@cache
def _takes(part: str, segments: Shape) -> bool:
    numbered = ".".join("0" if segment == "*" else segment for segment in segments)
    if segments == ("*",):  # whichever numbers it is for: there may be others
        return part.isdecimal() or re.fullmatch(r"\{[\d., ]+\}|\[[\d-]+\]|[?*]+", part) is not None
    return compile_glob(part)(numbered)
