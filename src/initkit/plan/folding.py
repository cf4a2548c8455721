"""Steps of a plan that are alike become one line, which opens to all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

import torch

from ..render import (
    MOST_PLACES,
    Fold,
    TieFold,
    Traits,
    brief_ranges,
    common_start,
    fold_alike,
    fold_rows,
    fold_ties,
    format_shape,
    places_of_names,
    spanned,
    split_name,
    template,
)
from .step import LEFT_OUT, PROTECTED, Status, Step

_FEW = 12  # steps that are read at a glance: folding them would only hide names


def fold_steps(steps: Sequence[Step]) -> list[Fold[Step]]:
    """Return the lines of a plan: what is written first, then what is left as it is.

    Steps whose names differ in numbers alone are one line where one rule starts them by one scheme;
    their shapes, numbers and remarks may differ where no two of three are alike. What is odd in its
    family has a line by itself. A module of which nothing is selected is one line.
    """
    if len(steps) <= _FEW:
        return one_each(steps)
    chosen = [step for step in steps if step.status not in (LEFT_OUT, PROTECTED)]
    aside = [step for step in steps if step.status in (LEFT_OUT, PROTECTED)]
    folds = fold_alike(chosen, name=_name, traits=traits)
    return [*folds, *_whole_modules(aside, chosen)]


def one_each(steps: Sequence[Step]) -> list[Fold[Step]]:
    """Return one line a step."""
    return [Fold.single(step.name, step) for step in steps]


def traits(step: Step) -> Traits:
    """Return what a line says of a step besides its name."""
    # Of several names what they are called is told by each, and numbers of theirs may go together.
    others = tuple(map(template, step.names[1:]))
    decided = step.status, step.rule, step.scheme, step.dtype, step.frozen, step.padding
    return Traits((*decided, step.tie_kind, others), step.shape, (step.start, step.own_remarks))


def variants(fold: Fold[Step]) -> Iterator[tuple[str, list[Fold[Step]]]]:
    """Yield what the steps of one line differ in, and the steps of each kind, folded."""
    groups: dict[Hashable, list[Step]] = {}
    for step in sorted(fold.rows, key=lambda step: split_name(step.name)[1]):
        groups.setdefault(traits(step), []).append(step)
    for alike in groups.values():
        said = f"{format_shape(alike[0].shape)}  {alike[0].start}" if len(groups) > 1 else ""
        yield said, fold_rows(alike, name=_name, key=lambda _: None)


def labels(steps: Iterable[Step]) -> list[str]:
    """Return the names of steps, folded."""
    folds = fold_rows(list(steps), name=_name, key=lambda _: None, ragged=True)
    return [fold.label for fold in folds]


def tie_labels(steps: Iterable[Step]) -> list[str]:
    """Return the names of each tied step in one text, and of steps that are tied alike in one."""
    tied = [step for step in steps if len(step.names) > 1]
    folds = fold_ties(
        tied,
        places=lambda step: places_of_names(step.names),
        key=lambda step: (step.tie_kind, len(step.names)),
    )
    return [_tie_label(fold) for fold in folds]


def shapes(fold: Fold[Step]) -> str:
    """Return the shape of a line's steps, or the range of each size; how many, of unlike ones."""
    different = {step.shape for step in fold.rows}
    if len({len(shape) for shape in different}) > 1:
        return f"{len(different)} shapes"
    return spanned([format_shape(step.shape) for step in fold.rows])


def starts(fold: Fold[Step]) -> str:
    """Return how a line's steps start, or the range of each number in it."""
    return ranged([step.start for step in fold.rows])


def ranged(texts: Sequence[str]) -> str:
    """Return how like steps start as one text, with ranges of bounds that mirror each other as one.

    >>> ranged(["U(-0.1, 0.1)", "U(-0.2, 0.2)"])
    'U(±0.1..0.2)'
    """
    text = spanned(texts)
    return _BOUNDS.sub(_around_zero, text) if ".." in text else text


def remarks(fold: Fold[Step]) -> str:
    """Return what should be known of all of a line's steps."""
    text = spanned([step.own_remarks for step in fold.rows])
    return "" if text == "…" else text


def usual_dtype(steps: Iterable[Step]) -> torch.dtype | None:
    """Return the dtype that most steps have; None without any."""
    return next((dtype for dtype, _ in Counter(s.dtype for s in steps).most_common(1)), None)


def why_apart(step: Step, usual: torch.dtype | None, among: int = 0) -> str:
    """Return what keeps a step out of a line with others: its dtype, or a tie ``among`` others."""
    told = [str(step.dtype).removeprefix("torch.")] if step.dtype != usual else []
    told += ["tied"] if among and step.tie_kind in ("module", "parameter") else []
    return ", ".join(told)


def rule(fold: Fold[Step]) -> str:
    """Return the rule of a line's steps; nothing where a module is left alone by several."""
    first, *others = dict.fromkeys(step.rule for step in fold.rows)
    return "" if others else first


def short_rule(rule: str, classes: Iterable[str] = ()) -> str:
    """Return a rule as a narrow column shows it: of several classes the one that matched.

    ``classes`` are the names of that. Where none is known, many are told by what they begin with.

    >>> short_rule("mine: Conv1d|Conv2d|Conv3d.weight"), short_rule("Linear|Conv1d|Bilinear.bias")
    ('mine: Conv*.weight', 'Linear|….bias')
    >>> short_rule("*LayerNorm|*RMSNorm.weight", ["MixtralRMSNorm", "Module"])
    '*RMSNorm.weight'
    """
    return _CLASSES.sub(partial(_begin, classes=classes), rule)


# Names of classes, which may be globs, between bars.
_CLASSES = re.compile(r"[\w*]+(?:\|[\w*]+)+")


def _begin(found: re.Match[str], classes: Iterable[str]) -> str:
    named = found[0].split("|")
    matched = (one for one in named for name in classes if fnmatchcase(name, one))
    if one := next(matched, ""):
        return one
    same = len(common_start(named))
    few = len(named) == 2
    return found[0] if few else f"{named[0][:same]}*" if same > 2 else f"{named[0]}|…"


def rule_told(fold: Fold[Step]) -> str:
    """Return the rule of a line's steps, shortened to the class that they have in common."""
    classes = {step.classes for step in fold.rows}
    return short_rule(rule(fold), classes.pop() if len(classes) == 1 else ())


def brief_starts(folds: Sequence[Fold[Step]]) -> tuple[str, Sequence[str]]:
    """Return the header, and how lines start, with the ends of ranges rounded."""
    ranges = (spanned([step.start for step in f.rows], digits=2) for f in folds)
    return "starts as", [_BOUNDS.sub(_around_zero, text) for text in ranges]


_BOUNDS = re.compile(r"\((-[^,()]+), ([^,()]+)\)")


def _around_zero(found: re.Match[str]) -> str:
    """Return bounds, or ranges of bounds, as one where they mirror each other."""
    low, high = found.groups()
    mirrored = "..".join(end.removeprefix("-") for end in reversed(low.split("..")))
    return f"(±{high})" if mirrored == high else found[0]


def brief_shapes(folds: Sequence[Fold[Step]]) -> tuple[str, Sequence[str]]:
    """Return the header, and the shapes of lines in fewer letters."""
    return "shape", list(map(brief_shape, folds))


def brief_shape(fold: Fold[Step]) -> str:
    """Return the shape of a line's steps; where they differ in several sizes, a ``*`` for each."""
    return brief_ranges(shapes(fold))


def brief_rules(folds: Sequence[Fold[Step]]) -> tuple[str, Sequence[str]]:
    """Return the header, and rules in a word; without the recipe, where one alone is named."""
    named = [rule_word(fold).rpartition(": ")[::2] for fold in folds]
    several = len({recipe for recipe, _ in named if recipe}) > 1
    # Of several, the families: what decided is read, and not who wrote it down.
    return "rule", [
        f"{recipe.partition('/')[0]}: {word}" if recipe and several else word
        for recipe, word in named
    ]


def rule_word(fold: Fold[Step]) -> str:
    """Return the recipe of a line's rule, and its word: without what the name ends with, too."""
    whole = rule_told(fold)
    recipe, colon, key = whole.partition(": ") if ": " in whole else ("", "", whole)
    end = f".{fold.first.name.rpartition('.')[2]}"
    word = key.removeprefix("every ")
    return recipe + colon + (word.removesuffix(end) or word if word != f"*{end}" else word)


def _name(step: Step) -> str:
    return step.name


def _tie_label(fold: TieFold[Step]) -> str:
    kind, more = fold.first.tie_kind, len(fold.labels) - MOST_PLACES
    names = " = ".join(fold.labels[:MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
    told = ", ".join(
        filter(None, [fold.told, kind if kind in ("alias", "view", "overlap") else ""])
    )
    return f"{names} ({told})" if told else names


def _whole_modules(aside: Sequence[Step], chosen: Sequence[Step]) -> list[Fold[Step]]:
    """Return a line for each module that is left as it is in whole, and for like modules one."""
    if not aside:
        return []
    touched = {path for step in chosen for path in _paths(step.name)}
    modules: dict[tuple[str, Status], list[Step]] = {}
    for step in aside:
        whole = next((path for path in _paths(step.name) if path not in touched), step.name)
        modules.setdefault((whole, step.status), []).append(step)
    bundles = [
        # A glob for all that a module holds.
        (held[0].name if len(held) == 1 else f"{path}.*", status, held)
        for (path, status), held in modules.items()
    ]
    folds = fold_rows(bundles, name=lambda b: b[0], key=lambda b: b[1], ragged=True)
    return [
        # What a glob stands for is told by the names of the steps, not by the pieces of its label.
        Fold(f.texts, f.grids, tuple(step for *_, held in f.rows for step in held))
        for f in folds
    ]


def _paths(name: str) -> Iterator[str]:
    """Yield the paths of the modules that hold a parameter, outermost first."""
    for found in re.finditer(r"\.", name):
        yield name[: found.start()]
