"""A pause in garbage collection, for making thousands of objects that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collecting() -> Iterator[None]:
    """Hold garbage collection back while objects are made that stay.

    Else the collector would walk through all of torch's objects every so often, in vain.

    >>> with no_collecting():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    # Whoever found it on turns it on again, so that nested pauses, and those of several threads,
    # end with it on; where it was off before, it stays off.
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
