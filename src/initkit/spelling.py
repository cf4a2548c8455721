"""What a name was meant to be: the names that are there and look most like it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from difflib import SequenceMatcher, get_close_matches


def affordable_hints(choices: int) -> int:
    """Return how many names may be looked up among so many choices: about a second's work."""
    return max(5, 50_000 // max(1, choices))


def nearest(name: str, choices: Iterable[str], n: int = 3) -> list[str]:
    """Return up to ``n`` choices that look most like ``name``."""
    known = list(dict.fromkeys(choices))
    folded = {choice.lower(): choice for choice in known}
    # As written; whatever the case only where nothing is near so.
    near = get_close_matches(name, known, n=n, cutoff=_NEAR)
    return near or [folded[c] for c in get_close_matches(name.lower(), folded, n=n, cutoff=_NEAR)]


def clearly_nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like ``name``, unless another looks much as like it.

    >>> clearly_nearest("sdt", ["mean", "std"]), clearly_nearest("conv3", ["conv1", "conv2"])
    ('std', None)
    >>> clearly_nearest("Modle", ["model", "Model"])
    'Model'
    >>> clearly_nearest("VIT", ["vit", "vits", "vilt"])
    'vit'
    """
    choices = list(choices)
    if name not in choices and len(same := [c for c in choices if c.lower() == name.lower()]) == 1:
        return same[0]
    near = nearest(name, choices, n=3)
    # One name in two cases is one, and the first of them is written more like this one.
    near = [near[0], *(o for o in near[1:] if o.lower() != near[0].lower())][:2] if near else []
    likeness = [SequenceMatcher(None, other.lower(), name.lower()).ratio() for other in near]
    if not near or near[0] == name or _is_another(name, near[0]):
        return None
    if likeness[0] < (_ALIKE if _is_slip(name.lower(), near[0].lower()) else _MUCH_ALIKE):
        return None
    return near[0] if len(near) < 2 or likeness[0] > likeness[1] + _CLEARLY else None


def likeness(word: str, other: str) -> float:
    """Return how much two words look alike, whatever their case: from 0 to 1.

    >>> round(likeness("lin1", "linear1"), 2), likeness("Conv", "conv")
    (0.73, 1.0)
    """
    matcher = SequenceMatcher(None, word.lower(), other.lower())
    # The quick bounds first: of many words few come near.
    quick = min(matcher.real_quick_ratio(), matcher.quick_ratio())
    return matcher.ratio() if quick >= _NEAR else quick


def shortens(word: str, other: str) -> bool:
    """Tell whether a word abbreviates another, or a part of it, or the other way round.

    >>> shortens("wt", "weight"), shortens("attention", "self_attn"), shortens("norm", "mlp")
    (True, True, False)
    """
    pairs = [(a, b) for a in {word, *word.split("_")} for b in {other, *other.split("_")}]
    return any(_abbreviates(a, b) or _abbreviates(b, a) for a, b in pairs)


def _abbreviates(short: str, long: str) -> bool:
    """Tell whether a word has the letters of a longer one in their order, from the first on."""
    if len(short) < 2 or len(short) >= len(long) or short[0] != long[0]:
        return False
    letters = iter(long)
    return all(letter in letters for letter in short)


def _is_another(name: str, other: str) -> bool:
    """Tell whether a word as long as another is no slip of it: q and k, fc1 and fc2, en and de."""
    differing = [i for i, pair in enumerate(zip(name, other, strict=False)) if len({*pair}) > 1]
    if len(name) != len(other) or not differing:
        return False
    if len(differing) > 1:
        first, last = differing[0], differing[-1]
        return last - first > 1 or name[first : last + 1] != other[first : last + 1][::-1]
    (at,) = differing
    alone = not (name[at - 1 : at].isalpha() or name[at + 1 : at + 2].isalpha())
    return alone or (name[at].isdigit() and other[at].isdigit())


def _is_slip(name: str, other: str) -> bool:
    """Tell whether a word is another with its letters in disorder, or cut off, or with an end."""
    return sorted(name) == sorted(other) or name.startswith(other) or other.startswith(name)


_NEAR = 0.6  # the least ratio of words that are near
_ALIKE = 0.66  # the least ratio of a slip: "sdt" and "std" have two thirds
_MUCH_ALIKE = 0.75  # and of other words: "gauss" and "pegasus" have two thirds as well
_CLEARLY = 0.05  # by how much the ratio of what is meant lies above the next


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'a' or 'b'?"``, or nothing where nothing is near."""
    near = nearest(name, choices)
    return "; did you mean " + " or ".join(map(repr, near)) + "?" if near else ""


# What other libraries, and everyday words, call an option: the first of these that is one is meant.
_ELSEWHERE = {
    # of schemes
    **dict.fromkeys(("stddev", "sigma", "sd", "scale", "std_dev", "initializer_range"), ("std",)),
    **dict.fromkeys(("loc", "mu", "center"), ("mean",)),
    **dict.fromkeys(("min", "minval", "lo", "from", "left", "start"), ("low",)),
    **dict.fromkeys(("max", "maxval", "hi", "to", "right"), ("high",)),
    **dict.fromkeys(("val", "fill_value", "fill"), ("value",)),
    **dict.fromkeys(("slope", "negative_slope", "alpha"), ("a",)),
    **dict.fromkeys(("activation", "act", "nonlin", "func"), ("nonlinearity",)),
    **dict.fromkeys(("multiplier", "factor"), ("gain", "scale")),
    **dict.fromkeys(("n_std", "num_std"), ("cutoff",)),
    **dict.fromkeys(("prob", "prior", "prior_prob", "bias_prob"), ("p",)),
    "sparseness": ("sparsity",),
    "fan": ("mode", "fans"),
    # of rules, of planning and writing
    **dict.fromkeys(("init", "initializer", "init_fn", "distribution", "fn"), ("scheme",)),
    **dict.fromkeys(("pattern", "glob", "regex", "names", "path", "key"), ("name", "only")),
    **dict.fromkeys(("cls", "kind", "module_type", "layer", "types", "module"), ("type",)),
    **dict.fromkeys(("predicate", "filter", "condition", "cond"), ("where",)),
    **dict.fromkeys(("exclude", "freeze", "skip", "ignore", "keep", "frozen"), ("protect",)),
    **dict.fromkeys(("include", "select", "params", "parameters"), ("only",)),
    **dict.fromkeys(("random_state", "random_seed", "manual_seed", "rng"), ("seed",)),
    **dict.fromkeys(("verbose", "show_progress"), ("progress",)),
}


def option_elsewhere(name: str, known: Container[str]) -> str | None:
    """Return which of the options that are ``known`` another library's name is, or None.

    >>> option_elsewhere("stddev", ["mean", "std"]), option_elsewhere("stddev", ["gain"])
    ('std', None)
    """
    return next((one for one in _ELSEWHERE.get(name, ()) if one in known), None)


class Fact(str):
    """A hint that says what there is, and not what to write: a line to paste leaves it to say."""

    __slots__ = ()
