"""The harness of the recipes finds what it is for, and every published model can be rebuilt."""

from __future__ import annotations

import pytest
import torch
from published import all_published, published, skeleton
from recipe_checks import check_facts, check_model
from torch import nn


def draws(**distribution: float) -> nn.Module:
    """Return a layer that its own code starts at N(mean, std), bias 0."""
    layer = nn.Linear(40, 60)
    nn.init.normal_(layer.weight, **distribution)
    nn.init.zeros_(layer.bias)
    return layer


def test_a_true_recipe_passes() -> None:
    check_model({"weight": "normal(std=0.5)", "bias": 0}, lambda: draws(std=0.5))


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("normal(std=0.56)", "the std is"),
        ("normal(mean=0.05, std=0.5)", "the mean is"),
        ("uniform(-0.866, 0.866)", "the distribution is another"),
        ("trunc_normal(std=0.5, cutoff=2)", "values reach from"),
        ("orthogonal(gain=0.5)", "not orthogonal"),
        (0, "the values are from"),
    ],
)
def test_a_wrong_distribution_is_found(rule: object, what: str) -> None:
    """Each comparison catches what it is for."""
    with pytest.raises(pytest.fail.Exception, match=what):
        check_model({"weight": rule, "bias": 0}, lambda: draws(std=0.5))


def test_a_parameter_that_the_recipe_leaves_open_is_named() -> None:
    with pytest.raises(AssertionError, match="leaves 1 parameters open: bias"):
        check_model({"weight": "normal(std=0.5)"}, lambda: draws(std=0.5))


def test_a_padding_row_must_be_zero() -> None:
    """An embedding whose code leaves the padding row random differs from one that zeroes it."""

    def random_padding() -> nn.Module:
        layer = nn.Embedding(50, 20, padding_idx=3)
        nn.init.normal_(layer.weight)
        return layer

    check_model("torch_default", lambda: nn.Embedding(50, 20, padding_idx=3))
    with pytest.raises(pytest.fail.Exception, match="padding row 3 is not zero"):
        check_model({"weight": "normal(std=1)"}, random_padding)


def test_blocks_are_compared_one_by_one() -> None:
    def forget_one() -> nn.Module:
        layer = nn.Linear(10, 80)
        nn.init.zeros_(layer.bias)
        layer.bias.data[20:40] = 1
        return layer

    check_model({"weight": "torch_default", "bias": "blocks(0, 1, 0, 0)"}, forget_one)
    with pytest.raises(pytest.fail.Exception, match="block 1"):
        check_model({"weight": "torch_default", "bias": "blocks(0, 0, 1, 0)"}, forget_one)


@pytest.mark.parametrize("key", [k for k in all_published() if not k.startswith("jax: ")])
def test_a_published_model_is_rebuilt_with_its_names_and_shapes(key: str) -> None:
    with torch.device("meta"):
        model = skeleton(key)
    built = {name: list(p.shape) for name, p in model.named_parameters()}
    assert built == {name: row[1] for name, row in published(key)["params"].items()}


def test_figures_are_read_rightly() -> None:
    """torch's own modules start as the recipe torch_default says, by the figures too."""
    check_facts("torch_default", "torch_default torch.nn 2.13")


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("normal(std=0.1)", "the std is"),
        ("uniform(-0.13, 0.12)", "the mean is"),
        ("normal(std=0.0722)", "the excess kurtosis is"),
        ("uniform(-0.12, 0.12)", "values reach from"),
        (0, "the values are from"),
    ],
)
def test_figures_that_differ_are_reported(rule: object, what: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=what):
        check_facts([{"linear.weight": rule}, "torch_default"], "torch_default torch.nn 2.13")
