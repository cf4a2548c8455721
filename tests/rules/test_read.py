"""Every form of a rule table is read into clauses in order, or refused in its author's words."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from initkit import Recipe, Rule, distributions, plan_init
from initkit.errors import InitkitError, OptionError, RuleError, UnknownNameError
from initkit.rules import Clause, read_rules
from initkit.schemes import Constant, Normal


def read(rules: Any) -> list[str]:
    """Return the clauses as text."""
    return [str(clause) for clause in read_rules(rules)]


def ramp(tensor: Tensor) -> None:
    """Count up."""
    tensor.copy_(torch.arange(tensor.numel()).view_as(tensor))


MINE = Recipe("mine/net", rules={"*": 0})
TABLES: dict[str, tuple[Any, list[str]]] = {
    "a dict, in its order": ({"b": 1, "a": 0}, ["b -> 1", "a -> 0"]),
    "a sequence of tables": ([{"b": 1}, [MINE], {"a": 0}], [
        "b -> 1", "mine/net: * -> 0", "a -> 0",
    ]),
    "pairs of key and value": ([("a.b", 0), (nn.Linear, {"w": 1}), ("c", {"d": 2})], [
        "a.b -> 0", "Linear.w -> 1", "c: d -> 2",
    ]),
    "pairs as JSON has them": ([["a", 0], ["b*", "normal"], ["re:c|d", 1]], [
        "a -> 0", "b* -> normal", "re:c|d -> 1",
    ]),
    "a pair whose key is a scheme's name": ([("zeros", 1)], ["zeros -> 1"]),
    "pairs under a name": ({"a": [("b", 0), ("c", 1)]}, ["a: b -> 0", "a: c -> 1"]),
    "two tables that are no pair": ([("keep", {"a": 0})], ["keep: * -> keep", "a -> 0"]),
    "a rule": (Rule(1, name="a", type="B"), ["B a -> 1"]),
    "a recipe": (MINE, ["mine/net: * -> 0"]),
    "a scheme": (Constant(3.0), [
        "3: every weight -> 3", "3: every bias -> 0", "3: every norm weight -> 1",
        "3: every norm bias -> 0", "3: every slope -> torch_default",
    ]),
    "the name of a scheme": ("keep", ["keep: * -> keep"]),
    "the name of a recipe": ("torch_default", [
        "torch_default: every parameter of a torch module -> torch_default",
    ]),
    "a class alone is its weights": ({nn.Linear: 1}, ["Linear.*weight* -> 1"]),
    "a dict under a class": ({nn.Linear: {"weight": 1, "b*": 2}}, [
        "Linear.weight -> 1", "Linear.b* -> 2",
    ]),
    "a table under a name": ({"head": {"weight": 1, nn.Linear: 2}}, [
        "head: weight -> 1", "head: Linear.*weight* -> 2",
    ]),
    "a table in a table": ({"a": {"b*": {"c": 1}}}, ["a: b*: c -> 1"]),
    "a rule under a name": ({"a": Rule(1, name="b")}, ["a: b -> 1"]),
    "a recipe under a name": ({"a": MINE}, ["mine/net: a: * -> 0"]),
    "a list under a name": ({"a": [{"b": 1}, MINE]}, ["a: b -> 1", "mine/net: a: * -> 0"]),
    "a table inside a class": ({"in:Block": {"bn.*": 1}}, ["in Block: bn.* -> 1"]),
    "a scheme inside a class": ({"in:Block": 1}, ["in Block: * -> 1"]),
    "classes in classes": ({"in:A": {"in:B": {"c": 1}}}, ["in A: in B: c -> 1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_read_into_clauses_in_order(case: str) -> None:
    table, clauses = TABLES[case]
    assert read(table) == clauses


def test_a_name_under_a_path_is_a_recipes_unless_a_scheme_has_it() -> None:
    assert read({"body": "resnext"})[0].startswith("resnext/torch7: body: Conv1d|Conv2d|Conv3d.")
    assert read({"body": "torch_default"}) == ["body -> torch_default"]
    assert read({"body": "xavier_uniform"}) == ["body -> xavier_uniform"]


def test_a_recipes_rules_are_optional_and_each_mention_of_it_is_told_apart() -> None:
    first, second, own = read_rules([MINE, MINE, {"a": 1}])
    assert first.optional and second.optional and not own.optional
    assert first.recipe == second.recipe == MINE and own.recipe is None
    assert first.mention is not second.mention
    assert first.mention and second.mention and first.mention.recipe == second.mention.recipe


def test_the_rules_of_a_file_without_a_name_are_as_strict_as_a_table() -> None:
    (clause,) = read_rules(Recipe("mine", rules={"*": 0}, general=False))
    assert not clause.optional and clause.mention is None and clause.recipe is not None


def test_a_rule_of_a_recipe_inside_a_recipe_belongs_to_the_inner_one() -> None:
    (clause,) = read_rules(Recipe("outer/net", rules=[MINE]))
    assert (clause.label, clause.mention and clause.mention.recipe.name) == (
        "mine/net: *",
        "outer/net",
    )


def test_two_clauses_that_say_the_same_are_two() -> None:
    first, second = read_rules([{"a": 0}, {"a": 0}])
    assert str(first) == str(second) and first != second


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        (1, "1"),
        (2.5, "2.5"),
        ("1e-6", "1e-06"),
        ("normal(std=0.1)", "normal(std=0.1)"),
        (Normal(std=0.1), "normal(std=0.1)"),
        (nn.init.ones_, "ones"),
        (partial(nn.init.kaiming_normal_, mode="fan_out"),
         "kaiming_normal(mode='fan_out', fans='tensor')"),
        (ramp, "ramp()"),
        ({"scheme": "normal", "std": 0.02}, "normal(std=0.02)"),
        ({"scheme": "normal"}, "normal"),
        ({"scheme": "kaiming_normal(mode='fan_out')", "a": "sqrt(5)"},
         "kaiming_normal(a=sqrt(5), mode='fan_out')"),
    ],
)  # fmt: skip
def test_a_value_is_a_number_a_text_a_scheme_or_a_function(value: Any, scheme: str) -> None:
    (clause,) = read_rules({"*": value})
    assert clause.scheme_text == scheme


def test_a_dict_with_a_scheme_stands_wherever_a_scheme_does() -> None:
    value = {"scheme": "normal", "std": 0.5}
    assert read({nn.Linear: value}) == ["Linear.*weight* -> normal(std=0.5)"]
    assert read({nn.Linear: {"bias": value}}) == ["Linear.bias -> normal(std=0.5)"]
    assert read(Rule(value, name="a")) == ["a -> normal(std=0.5)"]
    assert read(value) == read("normal(std=0.5)")
    # where a parameter is called scheme, its table has globs or no text
    assert read({"a": {"scheme": 0}}) == ["a: scheme -> 0"]
    assert read({"a": {"scheme": "normal", "*": 0}}) == ["a: scheme -> normal", "a: * -> 0"]


def test_torch_functions_keep_the_fans_that_torch_computes() -> None:
    conv = nn.Conv2d(8, 16, 3, groups=4)
    value = partial(nn.init.kaiming_normal_, mode="fan_out")
    step = plan_init(conv, {"weight": value, "bias": nn.init.zeros_})["weight"]
    assert step.distribution.std == pytest.approx((2 / (16 * 9)) ** 0.5)  # torch ignores the groups
    uniform = plan_init(conv, {"*": partial(nn.init.uniform_, a=-1, b=2)})["bias"]
    assert uniform.distribution == distributions.Uniform(-1.0, 2.0)


def test_a_clause_knows_the_formulas_that_depend_on_its_parameter() -> None:
    (clause,) = read_rules({"*": "normal(std=0.02/sqrt(2*n_layers))"})
    assert [str(formula) for formula in clause.named_formulas] == ["0.02/sqrt(2*n_layers)"]
    (number,) = read_rules({"*": "normal(std=1/2)"})
    assert isinstance(number, Clause) and number.named_formulas == ()


# ------------------------------------------------------------------------------ what is refused

BAD_TABLES: dict[str, tuple[Any, type[InitkitError], str]] = {
    "a set": ({1, 2}, RuleError, "(set); rules are a dict, a list of dicts, a Rule, a Recipe, or"),
    "a number": (3, RuleError, "cannot read rules from 3 (int); rules are a dict"),
    "a class": ([Rule], RuleError, "cannot read rules from <class"),
    "a key": ({3: 0}, RuleError, "3 is no key of a rule table"),
    "a class that is no module": ({int: 0}, RuleError, "<class 'int'> is no module class"),
    "a bad regex": ({"re:(": 0}, RuleError, "cannot read the regular expression in 're:('"),
    "a table under a regex": (
        {"re:a": {"b": 0}},
        RuleError,
        "a table under 're:a': only a name or a glob can be the scope of a table",
    ),
    "an empty table under a role": (
        {"role:bias": {}},
        RuleError,
        "a table under 'role:bias': only",
    ),
    "a recipe under a type": ({nn.Linear: ["resnext"]}, RuleError, "a type takes a scheme, or a"),
    "a recipe's name under a type": (
        {nn.Linear: "resnext"},
        RuleError,
        "parameter names to schemes. A recipe goes under a module's path",
    ),
    "a class under a type": (
        {nn.Linear: {nn.Conv2d: 0}},
        RuleError,
        "is no parameter name; write 'weight' or a glob",
    ),
    "a recipe for one parameter": (
        {nn.Linear: {"weight": "resnext"}},
        UnknownNameError,
        "no scheme 'resnext'. It is a recipe, which stands alone or under a module's path.",
    ),
    "an unknown scheme": (
        {"*": "nromal"},
        UnknownNameError,
        "recipe 'nromal'\n  as written:   '*': 'nromal'\n  to paste:     '*': 'normal'",
    ),
    "an unknown recipe": (
        "resnxt",
        UnknownNameError,
        "as written:   'resnxt'\n  to paste:     'resnext'",
    ),
    "another library's name": (
        "RandomNormal",
        UnknownNameError,
        "'RandomNormal'\n  as written:   'RandomNormal'\n  to paste:     'normal(std=0.05)'",
    ),
    "an unknown option": ("resnext(x=1)", OptionError, "recipe resnext/torch7 has no option 'x'"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_cannot_be_read_is_refused_at_once(case: str) -> None:
    rules, kind, message = BAD_TABLES[case]
    with pytest.raises(kind, match=re.escape(message)):
        read_rules(rules)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None is no way to start a parameter"),
        (True, "True is no way to start a parameter"),
        (nn.Linear(2, 2), "a Linear is no way to start a parameter"),
        (nn.Linear, "the class Linear is no way to start a parameter"),
        (distributions.Normal, "is no way to start a parameter"),
        (torch.ones(2), "a Tensor that is no single number cannot start a parameter"),
        (np.ones(2), "write a scheme such as 'normal(std=0.02)', or a function that copies it in"),
        ("", "cannot read ''; write a number, a name, or name(option=value)"),
        ("nan", "constant: value must be a number, not NaN"),
        ("he_normal", "'he_normal' has two meanings"),
        ("kaiming_normal(", "cannot read 'kaiming_normal('"),
        ("kaiming_normal(nonlinearity='gleu')", "there is no nonlinearity 'gleu'"),
        ("sparse(0.1)", "write sparse(sparsity=...), not sparse(0.1)"),
        ("normal(0.02)", "write normal(std=...), not normal(0.02)"),
        ("uniform(0, 1, 2)", "uniform takes no more than uniform(low, high), not uniform(0, 1, 2)"),
        ({"scheme": "normal", "sdt": 1}, "normal has no option 'sdt'\n"),
        ({"scheme": "normal(std=1)", "std": 2}, "normal: std is given twice"),
        ("caffe2_xavier", "  to paste:     'head.*': 'kaiming_uniform(a=1)'"),
        ("keep(1)", "keep takes no more than keep, not keep(1)"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_its_rule(value: Any, text: str) -> None:
    with pytest.raises(InitkitError) as caught:
        read_rules({"head.*": value})
    said = str(caught.value)
    assert text in said and "\n  as written:   'head.*': " in said
