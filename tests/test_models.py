"""The zoo itself: every model of it can be built, and names something to initialise."""

from __future__ import annotations

import pytest
from models import FOREIGN, ZOO


@pytest.mark.parametrize("name", ZOO)
def test_a_model_of_the_zoo_can_be_built(name: str) -> None:
    assert dict(ZOO[name]().named_parameters())


@pytest.mark.models
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_model_can_be_built_without_weights(name: str) -> None:
    assert dict(FOREIGN[name]().named_parameters())
