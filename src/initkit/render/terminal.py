"""What a terminal is wide and which colours it wants: as rich says where it is installed."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, cast

from ..errors import OptionError, shown
from ..wording import checks_methods
from .text import fold

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

F = TypeVar("F", bound="Callable[..., str]")
Tone: TypeAlias = Literal["", "warning", "error", "good", "muted", "title"]

# Colours alone: under NO_COLOR, which takes them away, nothing of a style is left to be written.
_STYLES: Mapping[Tone, str] = {
    "": "",
    "warning": "yellow",
    "error": "red",
    "good": "green",
    "muted": "bright_black",
    "title": "cyan",
}


class Line(NamedTuple):
    """A line of text, and what it is to the reader."""

    text: str
    tone: Tone = ""


def lines_of(text: str, tone: Tone = "", width: int | None = None) -> list[Line]:
    """Return the lines of a text, broken at a width where one is given."""
    return [Line(line, tone) for line in fold(text, width).split("\n")]


def lines_of_each(texts: Iterable[str], tone: Tone = "", width: int | None = None) -> list[Line]:
    """Return the lines of several texts, one behind the other."""
    return [line for text in texts for line in lines_of(text, tone, width)]


def terminal_width() -> int:
    """Return how many columns the terminal has; 80 where there is none."""
    console = _console()
    # Of a dumb terminal, which has no colours, rich takes the width for unknown, too.
    if console is not None and not console.is_dumb_terminal:
        return console.width
    return shutil.get_terminal_size((80, 24)).columns


def writable(text: str) -> str:
    """Return a text as standard output can write it, in whatever encoding it has.

    Our own signs have a plain form there; other characters, as of names, their escapes.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


_PLAIN = str.maketrans(
    {"…": "...", "±": "+-", "·": ".", **dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True))}
)


def show(lines: Sequence[Line]) -> None:
    """Print lines; in colours where the terminal has them and wants them."""
    lines = [Line(writable(line.text), line.tone) for line in lines]
    console = _console()
    if console is None:
        print("\n".join(line.text for line in lines))
        return
    for text in _coloured(lines):
        console.print(text, soft_wrap=True)


def check_count(option: str, value: object, what: str) -> None:
    """Raise :class:`OptionError` unless an option is None or a whole number from 1 on."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return
    message = f"{option} must be a number of {what}, 1 or more, or None, not {shown(value)}"
    raise OptionError(message, option=option)


def _checks_view(function: F) -> F:
    """Let a method that makes a text refuse a width or a folding that is none."""

    @functools.wraps(function)
    def viewed(self: object, width: object = None, **how: Any) -> str:
        check_count("width", width, "columns")
        if "fold" in how and not isinstance(how["fold"], bool):
            message = f"fold must be True or False, not {shown(how['fold'])}"
            raise OptionError(message, option="fold")
        text: str = function(self, width, **how)
        return text

    return cast(F, viewed)


@checks_methods
class Shown(ABC):
    """Something that is looked at: plain text as a ``str``, in colours on a terminal.

    A subclass says its :meth:`lines`. Its methods answer calls that do not fit, see
    :func:`~initkit.wording.checks_methods`, and those that make texts a width that is none.
    """

    def __init_subclass__(cls, **about: object) -> None:
        super().__init_subclass__(**about)
        for name in ("text", "table"):
            if name in vars(cls):
                setattr(cls, name, _checks_view(vars(cls)[name]))
        checks_methods(cls)

    @abstractmethod
    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines to show, in ``width`` columns where one is given."""

    @_checks_view
    def text(self, width: int | None = None) -> str:
        """Return it as text that fits into ``width`` columns; without one, lines are not broken."""
        return "\n".join(line.text for line in self.lines(width))

    def __str__(self) -> str:
        return writable(self.text(terminal_width()))

    def show(self) -> None:
        """Print it; in colours, where rich is installed and the terminal wants them.

        ``NO_COLOR``, ``FORCE_COLOR``, ``TERM=dumb`` and pipes are respected.
        """
        show(self.lines(terminal_width()))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from _coloured(self.lines(options.max_width))


def _console() -> Console | None:
    """Return how rich sees the terminal now: the environment may have changed since."""
    if importlib.util.find_spec("rich") is None:
        return None
    from rich.console import Console

    class _Passing(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  as print() does; rich would end the program

    return _Passing(highlight=False)


def _coloured(lines: Sequence[Line]) -> Iterator[Text]:
    from rich.text import Text

    for line in lines:
        yield Text(line.text, style=_STYLES[line.tone])
