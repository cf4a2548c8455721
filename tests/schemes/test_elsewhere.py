"""Names of other libraries are answered with what says the same, and never with a look-alike."""

from __future__ import annotations

import math
import re

import pytest
from torch import nn

from initkit import describe_scheme, plan_init
from initkit.errors import RuleError, UnknownNameError
from initkit.schemes import canonical_name, plain_name, read_scheme
from initkit.schemes.elsewhere import _MEANT, meant_by


@pytest.mark.parametrize("meant", _MEANT.values())
def test_every_answer_can_be_written(meant: str) -> None:
    calls = re.findall(r"(\w+)(\([^()]*\))", meant.replace("...", "0.5"))
    names = [word for word in re.findall(r"\w+", meant) if canonical_name(word) is not None]
    assert calls or names or "only=" in meant
    for name, options in calls:
        read_scheme(name + options)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("GlorotUniform", "glorot_uniform"),
        ("c2_xavier_fill", "c2_xavier"),
        ("xavier_initializer", "xavier"),
        ("kaiming_init", "kaiming"),
        ("trunc_normal_tf_", "trunc_normal_tf"),
    ],
)
def test_a_name_is_known_whatever_its_library_appends(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("caffe2_xavier", "Write kaiming_uniform(a=1)."),
        ("Caffe2Xavier", "Write kaiming_uniform(a=1)."),
        ("random_normal", "Keras's is normal(std=0.05)."),
        ("TruncatedNormal", "Keras's is trunc_normal(std=0.05, cutoff=2)."),
        ("GlorotUniform", "Write glorot_uniform."),
        ("Orthogonal", "Write orthogonal."),
        ("lecun", "Write lecun_normal or lecun_uniform."),
        ("he_orthogonal_init", "Write he_orthogonal."),
        ("lstm_hidden_bias", "Write gates(forget=1)."),
        ("gaussian", "Write normal."),
        ("rand", "Write uniform(0, 1)."),
        (
            "unit_norm",
            (
                "No scheme here draws rows from the sphere: those of orthogonal have norm 1, and "
                "are at right angles; those of normal(std=fan_in**-0.5) have about that norm."
            ),
        ),
        (
            "BlockDiagonal",
            (
                "No scheme here writes blocks on the diagonal; register_scheme takes one of your "
                "own, and a function that writes into its tensor is a value as it is."
            ),
        ),
        (
            "gamma",
            "There is no gamma distribution here; register_scheme takes one of your own.",
        ),
    ],
)
def test_another_librarys_name_is_answered_with_ours(name: str, answer: str) -> None:
    for ask in (read_scheme, describe_scheme):
        with pytest.raises(UnknownNameError) as caught:
            ask(name)
        assert str(caught.value) == f"there is no scheme {name!r}. {answer}"


def test_a_name_with_two_meanings_is_answered_with_both_however_it_is_spelt() -> None:
    with pytest.raises(RuleError, match="'he_normal' has two meanings"):
        read_scheme("HeNormal")


def test_a_name_that_no_library_has_is_answered_with_what_is_near() -> None:
    assert meant_by("nromal") == ""
    with pytest.raises(UnknownNameError, match="did you mean 'normal'"):
        read_scheme("nromal")


def test_caffe2s_xavier_is_the_uniform_that_is_named() -> None:
    conv = nn.Conv2d(16, 32, 3)
    (step,) = plan_init(conv, {"weight": "kaiming_uniform(a=1)"}, only="weight").with_status(
        "write"
    )
    nn.init.kaiming_uniform_(conv.weight, a=1)  # as fvcore's c2_xavier_fill calls it
    assert step.distribution is not None
    high = step.distribution.high
    # the largest of 4,608 values is within 1 % of the bound but once in 10^20
    assert 0.99 * high < conv.weight.abs().max().item() <= high


def test_unit_scaling_of_a_matrix_counts_its_rows_as_allennlp_does() -> None:
    fc = nn.Linear(8, 32, bias=False)
    rule = "variance_scaling(mode='fan_out', distribution='uniform')"
    (step,) = plan_init(fc, {"weight": rule})
    assert step.distribution is not None
    assert step.distribution.high == pytest.approx(math.sqrt(3 / 32))
