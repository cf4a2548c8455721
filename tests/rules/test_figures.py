"""Figures of the config as options of recipes: by their names there, and by synonyms."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from initkit import Recipe, apply_init, describe_recipe, plan_init
from initkit.errors import OptionError
from initkit.numbers import Formula


class Configured(nn.Module):
    """A layer with a config, as models of transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(initializer_range=0.5, n_layer=8)
        self.c_proj = nn.Linear(8, 8)


@pytest.mark.parametrize(
    ("recipe", "std"),
    [
        ("gpt2/transformers", 0.5 / 4),
        ("gpt2/transformers(std=0.01)", 0.01 / 4),
        ("gpt2/transformers(initializer_range=0.01)", 0.01 / 4),
        ("gpt2/transformers(n_layer=2, std=0.01)", 0.01 / 2),
    ],
)
def test_a_figure_that_is_given_goes_before_the_config_s(recipe: str, std: float) -> None:
    step = plan_init(Configured(), recipe)["c_proj.weight"]
    assert step.distribution is not None
    assert step.distribution.std == pytest.approx(std)
    assert step.rule.startswith(recipe)


def test_every_figure_that_a_recipe_reads_is_an_option_of_it() -> None:
    options = describe_recipe("mamba/transformers").options
    assert {"std", "time_step_min", "time_step_max", "time_step_floor"} <= options.keys()
    assert "figures  std, initializer_range" in str(describe_recipe("gpt2/transformers"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"std": 1, "initializer_range": 2}, "std and initializer_range of the recipe"),
        ({"std": "wide"}, "std of the recipe gpt2/transformers is a number, not 'wide'"),
        ({"sdt": 1}, "has no option 'sdt'; did you mean 'std'"),
    ],
)
def test_figures_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        describe_recipe("gpt2/transformers")(**options)


def test_a_number_for_one_name_of_a_choice_is_the_value_of_the_choice() -> None:
    formula = Formula("(config.a or config.b or 3)*fan_in")
    assert str(formula.with_names({"config.b": 2})) == "2.0 * fan_in"
    assert formula.with_names({"config.c": 2}).value({"fan_in": 2.0, "config.a": 5.0}.get) == 10  # type: ignore[union-attr,arg-type]


def test_a_figure_that_a_formula_of_the_index_reads_leaves_it_one_of_the_index() -> None:
    recipe = Recipe("mine/decay", rules={"w": "indexed('config.base**-(i + 1)')"})
    tensor = torch.empty(3)
    apply_init({"w": tensor}, recipe(base=2))
    assert tensor.tolist() == [0.5, 0.25, 0.125]
