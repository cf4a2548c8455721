"""A progress bar: where one was asked for, or on a terminal once the work takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Self

from ..errors import OptionError
from ..plan import WRITE, Plan

_SOON_DONE = 1 << 27  # elements that no machine needs two seconds for
_DELAY = 2.0  # seconds


class ProgressBar:
    """Show how many of the elements that a plan writes are written.

    Tasks call ``advance`` with the number of elements that they wrote, from any thread; it is None
    where no bar is shown.
    """

    def __init__(self, progress: bool | None, plan: Plan) -> None:
        self.advance: Callable[[int], object] | None = None
        self.bar: Any = None
        if progress is False or (progress is None and not sys.stderr.isatty()):
            return
        total = sum(step.elements for step in plan.with_status(WRITE))
        if progress is None and total < _SOON_DONE:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if progress is None:
                return
            message = "progress=True needs tqdm: pip install 'torch-initkit[progress]'"
            raise OptionError(message, option="progress") from None
        delay = 0.0 if progress else _DELAY
        self.bar = tqdm(total=total, unit_scale=True, desc="init", delay=delay)
        self.lock, self.advance = threading.Lock(), self._advance

    def _advance(self, elements: int) -> None:
        with self.lock:  # tqdm counts without one
            self.bar.update(elements)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
