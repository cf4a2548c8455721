"""What is known of a scheme is shown as a rule writes it, with formula and source."""

from __future__ import annotations

import pytest
from torch import Tensor

from initkit import describe_scheme, list_schemes, register_scheme
from initkit.errors import UnknownNameError
from initkit.schemes import unregister_scheme

SIGNATURES = {
    "blocks": "blocks(s0, s1, ..., dim=0, sizes=None)",
    "sparse": "sparse(sparsity, std=0.01, fans='module')",
    "glorot_normal": "xavier_normal(gain=1, fans='module')",
    "normal_": "normal(mean=0, std=1)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_how_a_rule_writes_the_scheme(name: str) -> None:
    assert describe_scheme(name).signature == SIGNATURES[name]


def test_a_description_lists_the_other_names() -> None:
    assert str(describe_scheme("trunc_normal")).endswith("also     truncated_normal")


def test_a_users_function_is_described_by_its_docstring() -> None:
    @register_scheme("waves")
    def waves(tensor: Tensor, *, length: float = 2.0) -> None:
        """Fill with waves.

        Of any length.
        """

    try:
        text = str(describe_scheme("waves"))
    finally:
        unregister_scheme("waves")
    assert text == "waves(length=2)\n  Fill with waves.\n  source   a registered function"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="there is no scheme 'normall'; did you mean 'norm"):
        describe_scheme("normall")
    with pytest.raises(UnknownNameError, match=r"It is a recipe: describe_recipe\('bert'\) shows"):
        describe_scheme("bert")


def test_no_scheme_is_told_with_the_marks_of_its_documentation() -> None:
    for name in list_schemes():
        assert "`" not in f"{describe_scheme(name)}{describe_scheme(name)._repr_html_()}", name
