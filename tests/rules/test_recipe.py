"""A recipe is a frozen value that prints what it is, takes options, and is found by its name."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest
from torch import nn

from initkit import Recipe, describe_recipe, plan_init, register_recipe
from initkit.errors import InitkitError, OptionError, RuleError, UnknownNameError


def rows(width: int, std: float = 0.5) -> dict[str, Any]:
    return {f"*{width}.weight": f"normal(std={std})"}


NEEDY = Recipe("doc/needy", rules=rows, summary="It needs a width.")


def test_a_recipe_prints_what_it_is_and_its_rules() -> None:
    recipe = Recipe(
        "mine/net",
        rules={"*.weight": "eye", "*": 0},
        summary="Small.",
        source="mine.py",
        paper="Me 2020",
        fits=("mine", "timm"),
        notes="none",
    )
    assert str(recipe).splitlines() == [
        "mine/net",
        "  Small.",
        "  source   mine.py",
        "  paper    Me 2020",
        "  fits     mine, timm",
        "  notes    none",
        "  *.weight  eye",
        "  *         0",
    ]
    page = recipe._repr_html_()
    assert recipe.summary in page and all(rule in page for rule, _ in recipe.rows)


def test_a_registered_recipe_is_printed_with_its_variants_other_names_and_open_options() -> None:
    lines = str(describe_recipe("olmo")).splitlines()
    assert lines[0] == "olmo/mitchell"
    assert "  variants olmo/full_megatron, olmo/normal, olmo/transformers" in lines
    assert "  names    olmo, olmo/olmo-1" in lines
    assert "  options  cutoff=3.0" in lines
    given = str(describe_recipe("olmo(cutoff=2)"))
    assert given.startswith("olmo/mitchell(cutoff=2)\n")
    assert "options" not in given


def test_options_fill_the_rules_in_and_are_part_of_the_name() -> None:
    recipe = NEEDY(width=3)(std=0.1)
    assert recipe.rows == [("*3.weight", "normal(std=0.1)")]
    assert recipe.label == "doc/needy(std=0.1, width=3)"
    assert NEEDY.given == (), "calling a recipe leaves it as it is"


def test_recipes_are_frozen_values() -> None:
    assert NEEDY(width=3, std=0.1) == NEEDY(std=0.1)(width=3) != NEEDY
    assert hash(NEEDY(width=3)) == hash(NEEDY(width=3))
    assert pickle.loads(pickle.dumps(NEEDY(width=3))) == NEEDY(width=3)
    with pytest.raises(AttributeError):
        NEEDY.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("attempt", "kind", "message"),
    [
        (lambda: NEEDY.rows, OptionError, "the recipe doc/needy needs width: doc/needy(width=...)"),
        (lambda: NEEDY(widht=3), OptionError, "has no option 'widht'; did you mean 'width'?"),
        (lambda: NEEDY(zzz=3), OptionError, "has no option 'zzz'; it takes width, std"),
        (lambda: describe_recipe("resnext(x=1)"), OptionError, "no option 'x'; it takes none"),
        (
            lambda: describe_recipe("resnext(1)"),
            OptionError,
            "the recipe resnext takes its options by name, not 1",
        ),
        (
            lambda: describe_recipe("resnxt"),
            UnknownNameError,
            "there is no recipe or scheme 'resnxt'; did you mean 'resnext'",
        ),
        (
            lambda: register_recipe({"*": 0}),  # type: ignore[arg-type]
            RuleError,
            "register a Recipe('name', rules=...), not {'*': 0}",
        ),
    ],
)
def test_what_a_recipe_does_not_know_is_refused(
    attempt: Any, kind: type[InitkitError], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        attempt()


# ------------------------------------------------------------------- what a scheme alone stands for


def test_every_schemes_name_is_described_as_the_recipe_that_it_stands_for() -> None:
    assert ("every weight", "xavier_uniform") in describe_recipe("xavier_uniform").rows
    assert describe_recipe("normal(std=2)").name == "normal(std=2)"


def test_keep_stands_for_keeping_everything() -> None:
    assert describe_recipe("keep").rows == [("*", "keep")]


def test_a_scheme_alone_starts_what_is_known_and_leaves_the_rest() -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(nn.Linear(1, 4).weight)
            self.layer, self.norm, self.slope = nn.Linear(8, 16), nn.LayerNorm(4), nn.PReLU()

    got = {step.name: step.start for step in plan_init(Foreign(), "xavier_normal")}
    assert got == {
        "token": "keeps its value (no rule)",
        "layer.weight": "N(0, 0.2887)",
        "layer.bias": "constant 0",
        "norm.weight": "constant 1",
        "norm.bias": "constant 0",
        "slope.weight": "constant 0.25",
    }
