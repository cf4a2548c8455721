"""Seeds are any int; prefixes are texts; whatever else is refused in the user's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from initkit import OptionError
from initkit.write.seeds import draw_seed, read_prefix, read_seed, with_prefix


@pytest.mark.parametrize("seed", [0, -1, 2**80, np.int64(7)])
def test_any_int_is_a_seed(seed: Any) -> None:
    assert read_seed(seed) == int(seed)


REFUSED: list[tuple[Any, str]] = [
    (True, "seed must be an int or None, not True"),
    (1.5, "seed must be an int or None, not 1.5"),
    (torch.tensor(3), r"seed must be an int or None, not tensor\(3\)"),
    (torch.Generator(), r"write seed=generator.initial_seed\(\)"),
]


@pytest.mark.parametrize(("seed", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_is_no_int_is_no_seed(seed: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        read_seed(seed)


def test_a_prefix_that_is_no_text_is_refused() -> None:
    with pytest.raises(OptionError, match="prefix must be a text, not 3"):
        read_prefix(3)


def test_a_prefix_joins_with_one_dot() -> None:
    assert {with_prefix(prefix, "w") for prefix in ("q1", "q1.")} == {"q1.w"}


def test_seeds_are_drawn_from_the_global_generator() -> None:
    torch.manual_seed(1)
    first = draw_seed()
    torch.manual_seed(1)
    assert draw_seed() == first and 0 <= first < 2**63
