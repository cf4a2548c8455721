"""Every error that initkit raises, in one tree.

::

    InitkitError
    ├── ReadError                what was given cannot be read           (ValueError)
    │   ├── UnknownNameError     no scheme, recipe, gain, ... of that name (LookupError)
    │   ├── DuplicateNameError   the name is taken
    │   ├── OptionError          an option is unknown, missing or bad
    │   ├── FormulaError         a formula cannot be read or has no value here
    │   ├── LayoutError          a layout cannot be read or does not fit a shape
    │   ├── RuleError            a rule cannot be read
    │   └── FileError            a recipe file or saved report cannot be read or written
    ├── TargetError              not something that can be initialised    (TypeError)
    ├── Problem                  one thing that is wrong between rules and model
    │   ├── IdleRule             a rule matches nothing, or is shadowed wholly
    │   ├── RecipeMisfit         a recipe is not for this model, or finds half of what it is about
    │   ├── IdleSelection        an entry of `only` or `protect` matches nothing
    │   ├── TieConflict          names of one memory want different values
    │   ├── SchemeMismatch       this scheme cannot start this tensor
    │   ├── TensorProblem        the tensor's memory cannot be written
    │   ├── UnplannedParameter   a plan is applied to a parameter that it doesn't know
    │   ├── RankMismatch         `verify_ranks`: processes have other plans or seeds
    │   ├── UncoveredParameter   `strict`: no rule covers a parameter
    │   └── UnregisteredParameter `strict`: what should train is not in parameters()
    ├── PlanError                all problems of a plan; raised before the first write
    ├── DeferredError            a constructor needs values that are deferred (RuntimeError)
    ├── TieError                 these names cannot share one memory      (ValueError)
    ├── FillError                a user's own function failed while filling
    └── CheckError               what was found is not what was planned   (AssertionError)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from .spelling import Fact, clearly_nearest, did_you_mean, nearest

Mend: TypeAlias = "Mapping[str, str] | tuple[object, object]"
"""Words, each with the one that would do in its place; or a value, and what would do for it."""
_UNUSUAL = re.compile(r"[^ -~]+")


def first_few(names: Sequence[str], most: int) -> str:
    """Return the first of some names in one text, and whether there are more.

    >>> first_few(["a", "b"], 2), first_few(["a", "b", "c"], 2)
    ('a, b', 'a, b, ...')
    """
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def visible(text: str) -> str:
    r"""Return a text as one line in which nothing acts on a terminal or a page.

    Names come from files of any origin: control characters, line breaks, marks that turn the
    direction of writing, and lone surrogates are shown by their escapes.

    >>> print(visible("fc\x1b[2J.élan\n"))
    fc\x1b[2J.élan\n
    """
    return _UNUSUAL.sub(_shown, text)


def shown(value: object) -> str:
    """Return the repr of what a user gave; its type alone where it has none, or has lines of it."""
    kind = type(value).__name__
    try:
        text = repr(value)
    except Exception:  # of ints of thousands of digits, and of whatever users' classes do
        return f"a {kind} that cannot be shown"
    return text if len(text.splitlines()) == 1 or isinstance(value, str) else f"a {kind}"


def described(value: object) -> str:
    """Return what a user gave with its type.

    >>> from torch import nn
    >>> print(described(3), "or", described(nn.Sequential(nn.ReLU())))
    3 (int) or a Sequential
    """
    text, kind = shown(value), type(value).__name__
    return text if text.startswith(f"a {kind}") else f"{text} ({kind})"


def visible_lines(text: str) -> str:
    """Return a text of several lines, each as :func:`visible` shows it."""
    return "\n".join(map(visible, text.split("\n"))) if "\n" in text else visible(text)


def _shown(found: re.Match[str]) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in found[0]
    )


@dataclass(frozen=True)
class Correction:
    """What a user wrote and its mended form; both print as users write them, a list in lines.

    ``matches`` says what the mended form would match, ``behind`` what to do with it; ``others`` are
    forms that may be meant as well.
    """

    written: object
    mended: object = None
    matches: str = ""
    behind: str = ""
    others: tuple[object, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that an error shows below its message."""
        forms = [("to paste:", self.mended), *(("or:", other) for other in self.others)]
        told: list[tuple[str, Sequence[object]]] = [
            ("as written:", _texts(self.written)),
            ("would match:", _texts(self.matches)),
            *((what, [f"{text}{self.behind}" for text in _texts(form)]) for what, form in forms),
        ]
        return tuple(
            f"{'' if i else what:<14}{text}" for what, texts in told for i, text in enumerate(texts)
        )

    def respelled(self, spell: Callable[[object], object]) -> Correction:
        """Return it with what was written, and meant, printed as ``spell`` does."""
        mended = None if self.mended is None else spell(self.mended)
        others = tuple(map(spell, self.others))
        return replace(self, written=spell(self.written), mended=mended, others=others)


def _texts(told: object) -> list[object]:
    return told if isinstance(told, list) else [] if told in (None, "") else [told]


class InitkitError(Exception):
    """Base of every error that initkit raises.

    Attribute: ``advice``, lines that show what was written, what its mended form would match, and
    that form, ready to paste; none where nobody knows what was written.
    """

    # An error begins with what its raiser knows: a message, a hint, and by ``mends`` what would do
    # in place of what, or by ``either`` what something means of which only its author knows
    # what was meant. Who knows the text around the words sets ``entry``, who knows what
    # stands around that wraps it, and who knows the whole sets ``shown``. So no text is made twice.
    hint: str = ""
    mends: tuple[Mend, ...] = ()
    either: tuple[Mend, ...] = ()
    entry: object = None
    shown: Correction | None = None
    errors: tuple[InitkitError, ...] = ()
    """The errors that are told together in this one."""

    @property
    def advice(self) -> tuple[str, ...]:
        """The lines below the message."""
        return self.shown.lines if self.shown is not None else ()

    @property
    def message(self) -> str:
        """What is wrong, without what may have been meant."""
        return Exception.__str__(self)

    def or_rather(self, word: str, choices: Iterable[str], otherwise: str = "") -> Self:
        """Add what may have been meant by a word; where nothing is near, say something else."""
        known = tuple(choices)
        self.hint += did_you_mean(word, known) or otherwise
        return self.meaning(word, known)

    def meaning(self, word: str, choices: Iterable[str]) -> Self:
        """Remember which of some words may have been meant by another, where one is clearly."""
        if (meant := clearly_nearest(word, choices)) is not None:
            self.mends = (*self.mends, {word: meant})
        return self

    def instead_of(self, other: InitkitError) -> Self:
        """Take over what another error knows of what was meant."""
        self.hint, self.mends, self.either = other.hint, other.mends, other.either
        return self

    def respelled(self, spell: Callable[[object], object]) -> Self:
        """Print what was written, here and in errors within, as ``spell`` does."""
        if self.shown is not None:
            self.shown = self.shown.respelled(spell)
        for error in self.errors:
            error.respelled(spell)
        return self

    def told(self) -> str:
        """Return the message with its lines; the hint only where no line says it."""
        pasted = self.shown is not None and self.shown.mended is not None and not self.either
        told = not pasted or isinstance(self.hint, Fact)
        text = f"{self.message}{self.hint}" if told else self.message
        if not self.advice:
            return text
        return "\n  ".join([visible_lines(text), *map(visible, self.advice)])

    def __str__(self) -> str:
        return visible_lines(self.told())

    def __reduce__(self) -> tuple[Callable[..., InitkitError], tuple[object, ...]]:
        """Come back whole from another process: made anew from its text, it would lack its data."""
        return _restored, (type(self), self.args, vars(self))


def _restored(
    cls: type[InitkitError], args: tuple[object, ...], data: dict[str, object]
) -> InitkitError:
    # Without __init__, whose arguments differ from class to class and are not in `args`.
    error = cls.__new__(cls, *args)
    vars(error).update(data)
    return error


class ReadError(InitkitError, ValueError):
    """What was given cannot be read, whatever the model."""

    def told(self) -> str:
        return _numbered(self.message, self.errors) if self.errors else super().told()


class UnknownNameError(ReadError, LookupError):
    """No scheme, recipe or other named thing has this name.

    Attributes: ``kind``, ``name``, ``choices`` and ``nearest``.
    """

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.choices = kind, name, tuple(choices)
        self.nearest = tuple(nearest(name, self.choices))
        super().__init__(f"there is no {kind} {name!r}")
        self.or_rather(name, self.choices)
        if hint:  # a sentence of its own
            self.hint += f"{'' if self.hint else '.'} {hint}"


class DuplicateNameError(ReadError):
    """A name is registered already."""


class OptionError(ReadError):
    """An option is unknown, missing or bad.

    Attributes: ``owner`` (the scheme or recipe) and ``option``.
    """

    def __init__(self, message: str, *, owner: str = "", option: str = "") -> None:
        self.owner, self.option = owner, option
        super().__init__(message)


class FormulaError(ReadError):
    """A formula cannot be read, or has no value for this parameter.

    Attribute: ``formula``.
    """

    def __init__(self, message: str, *, formula: str = "") -> None:
        self.formula = formula
        super().__init__(message)


class LayoutError(ReadError):
    """A layout cannot be read, or does not fit the shape of a tensor."""


class RuleError(ReadError):
    """A rule, a rule table or a recipe cannot be read.

    Attribute: ``errors``, those of each rule where several cannot be read.
    """


class FileError(ReadError):
    """A recipe file or a saved report cannot be read or written.

    Attributes: ``path``, ``key`` and ``line`` (0 where unknown), and ``errors``, those of each
    place where several cannot be read.
    """

    def __init__(self, message: str, *, path: object, key: str = "", line: int = 0) -> None:
        self.path, self.key, self.line = path, key, line
        super().__init__(message)


class TargetError(InitkitError, TypeError):
    """What was given is no module and no state_dict."""


class Problem(InitkitError):
    """One thing that is wrong between rules and model.

    Attributes: ``names`` (of parameters) and ``rule`` (its text), where they apply.
    """

    def __init__(self, message: str, *, names: Sequence[str] = (), rule: str = "") -> None:
        self.names, self.rule = tuple(names), rule
        for name in self.names:
            if "\n" in name:  # it would end the line, and what follows pass for a text of ours
                message = message.replace(name, visible(name))
        super().__init__(message)

    @property
    def sentence(self) -> str:
        """What is wrong and what may be meant, without the advice below."""
        return visible_lines(f"{self.message}{self.hint}")


class IdleRule(Problem):
    """A rule matches nothing, or rules above it take all that it matches."""


class RecipeMisfit(Problem):
    """A recipe is not for this model, or finds only a part of what it is about."""


class IdleSelection(Problem):
    """An entry of ``only`` or ``protect`` matches nothing, or both leave nothing."""


class TieConflict(Problem):
    """Several names of one memory want different values."""


class SchemeMismatch(Problem):
    """This scheme cannot start this tensor."""


class TensorProblem(Problem):
    """The memory of a tensor cannot be written."""


class UnplannedParameter(Problem):
    """A plan made elsewhere does not know this parameter."""


class RankMismatch(Problem):
    """Processes that should initialise one model have different plans or seeds.

    Attribute: ``values``, what each rank has.
    """

    def __init__(self, message: str, *, values: Sequence[object] = ()) -> None:
        self.values = tuple(values)
        super().__init__(message)


class UncoveredParameter(Problem):
    """No rule covers a parameter, and ``strict=True`` asked for all of them."""


class UnregisteredParameter(Problem):
    """A parameter or module hangs beside the model's lists, and ``strict=True`` asked for all."""


class PlanError(InitkitError, ValueError):
    """All that is wrong between rules and model; nothing has been written.

    Attribute: ``problems``, a tuple of :class:`Problem`.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        self.errors = self.problems
        super().__init__("nothing was written")

    def told(self) -> str:
        texts = told_together(self.problems)
        if len(texts) == 1:
            return f"{self.message}: {texts[0]}"
        return _listed(f"{self.message}: {len(texts)} problems", texts)


class DeferredError(InitkitError, RuntimeError):
    """A constructor under ``deferred()`` needs values of parameters, which are not there yet."""


class TieError(InitkitError, ValueError):
    """These names cannot share one memory; nothing has been tied.

    Attribute: ``names``.
    """

    def __init__(self, message: str, *, names: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        super().__init__(message)


class FillError(InitkitError, RuntimeError):
    """A user's own function failed while filling.

    Attributes: ``name`` (of the parameter) and ``written`` (names that were written before).
    """

    def __init__(self, message: str, *, name: str, written: Sequence[str] = ()) -> None:
        self.name, self.written = name, tuple(written)
        super().__init__(message)


class CheckError(InitkitError, AssertionError):
    """What was found is not what was planned."""


def told_together(problems: Sequence[Problem]) -> list[str]:
    """Return the text of each problem with its lines; of many that are alike, of the first."""
    alike: dict[tuple[type, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((type(problem), _kind(problem)), []).append(problem)
    texts: list[tuple[Problem, list[str]]] = []
    for first, *others in alike.values():
        # What one line mends is one mistake, of however few parameters.
        together = others and all(p.advice == first.advice != () for p in others)
        if not (together or len(others) >= _MANY) or not all(problem.names for problem in others):
            texts += [(problem, []) for problem in (first, *others)]
            continue
        texts.append((first, [f"the same of {_and_more([p.names[0] for p in others])}"]))
    # In the order of the problems, whatever they are alike to.
    place = {id(problem): i for i, problem in enumerate(problems)}
    texts.sort(key=lambda entry: place[id(entry[0])])
    return ["\n  ".join([visible_lines(p.told()), *map(visible, more)]) for p, more in texts]


def _and_more(names: Sequence[str]) -> str:
    """Return some names in one text, of many the first and how many there are beside them."""
    if len(names) < _MANY:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[: _MANY - 1])} and {len(names) - _MANY + 1} more"


_MANY = 4  # problems alike the first that are told each


def _kind(problem: Problem) -> str:
    """Return the text of a problem without its names and numbers."""
    text = problem.sentence
    for name in problem.names:
        text = text.replace(visible(name), "")
    return re.sub(r"\d+", "#", text)


def _numbered(head: str, errors: Sequence[InitkitError]) -> str:
    return _listed(head, [visible_lines(error.told()) for error in errors])


def _listed(head: str, texts: Sequence[str]) -> str:
    indented = (text.replace("\n", "\n     ") for text in texts)
    return "\n".join([head, *(f"  {i}. {text}" for i, text in enumerate(indented, 1))])
