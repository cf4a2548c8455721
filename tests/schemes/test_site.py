"""Sites: what a scheme may know of a tensor, and what it is told where nobody knows."""

from __future__ import annotations

import pytest

from initkit.errors import OptionError, SchemeMismatch
from initkit.schemes import Site, read_scheme

SITES = {
    "a vector has no fans": ("xavier_uniform", (4,), r"needs fans, which a tensor of shape \[4\]"),
    "a vector is no matrix": ("orthogonal", (4,), r"needs matrices, which a tensor of shape \[4\]"),
    "three dimensions are not guessed": (
        "kaiming_normal",
        (4, 5, 6),
        r"layout='E in out' .* register_layout, .* fans='tensor'",
    ),
    "eye is for matrices": ("eye(fans='tensor')", (4, 5, 6), "needs 2 dimensions"),
    "dirac is for convolutions": ("dirac", (4, 5), "needs 3 to 5 dimensions"),
    "dirac's groups divide": ("dirac(groups=3)", (4, 5, 3), "3 do not divide the 4 entries"),
    "delta orthogonal widens": ("delta_orthogonal", (4, 5, 3), "as many outputs as inputs"),
    "blocks are equal": ("blocks(0, 1)", (5, 2), "5 entries, which are no 2 equal blocks"),
    "torch has no default here": ("torch_default", (4, 5), "does not know how the constructor"),
}


@pytest.mark.parametrize("case", SITES)
def test_a_scheme_that_does_not_fit_the_tensor_says_so(case: str) -> None:
    text, shape, message = SITES[case]
    with pytest.raises((SchemeMismatch, OptionError), match=message):
        read_scheme(text).resolve(Site(shape))
