"""Garbage collection is held back for a while, and is afterwards as it was before."""

from __future__ import annotations

import gc

import pytest

from initkit.numbers import no_collecting


@pytest.mark.parametrize("collects", [True, False])
def test_collection_is_as_it_was_even_after_an_error(collects: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError), no_collecting():
            assert not gc.isenabled()
            raise ZeroDivisionError
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()
