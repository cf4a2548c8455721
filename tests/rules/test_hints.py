"""A rule that matches nothing is answered with what its author may have meant."""

from __future__ import annotations

import re
from typing import Any

import pytest
from torch import nn

from initkit import Rule, apply_init, plan_init
from initkit.errors import IdleRule, PlanError
from initkit.model import Slot
from initkit.rules import hint_module
from initkit.rules.hints import hint_example, hint_own_name


def never(slot: Slot) -> bool:
    return False


HERE = "; module types with parameters here are "
IDLE: dict[str, tuple[Any, str]] = {
    "a misspelt name": (
        {"haed.weight": 1},
        "; did you mean 'head.weight' or 'body.2.weight' or 'body.0.weight'?",
    ),
    "a misspelt tail": (
        {"*.wieght": 1},
        "; did you mean 'body.*.weight' or 'bn1.weight' or 'head.weight'?",
    ),
    "a name like none": ({"*zzz": 1}, "; names here are like 'conv1.weight'"),
    "a module": (
        {"head": 1},
        "; 'head' is a module: write 'head.*', or a dict of its own names under it",
    ),
    "a buffer": (
        {"bn1.running_mean": 1},
        "; 'bn1.running_mean' is a buffer: buffers=True initialises those, too",
    ),
    "a regex": ({re.compile("conv.*?x"): 1}, "; names here are like 'conv1.weight'"),
    "a type that is near one here": ({nn.Conv1d: 1}, f"{HERE}BatchNorm2d, Conv2d, Linear"),
    "a misspelt type": ({"type:conv2d": "eye"}, "; did you mean 'type:Conv2d'?"),
    "a type that is near none": ({nn.LSTM: 1}, f"{HERE}BatchNorm2d, Conv2d, Linear"),
    "types": ({"type:Linaer|LSTM": 1}, "; did you mean 'type:Linear'?"),
    "a misspelt type of own names": (
        {"type:linear": {"weight": 1}},
        "; did you mean 'type:Linear'?",
    ),
    "a class of torch, as a name": (
        {"Conv2d": 1},
        "; 'Conv2d' is a class: write nn.Conv2d or 'type:Conv2d'",
    ),
    "a class of torch, with its module": (
        {"nn.Linear": {"weight": 1}},
        "; 'nn.Linear' is a class: write nn.Linear or 'type:Linear'",
    ),
    "a class that the model lacks": (
        {"LSTM": 1},
        f"; 'LSTM' is a class, written nn.LSTM or 'type:LSTM'{HERE}BatchNorm2d, Conv2d, Linear",
    ),
    "a class around parameters": ({"Net": 1}, "write 'in:Net' for all that it holds"),
    "a call in a text": (
        {'last("body.*")': 1},
        "; write last('body.*') without quotes around it, or 'last:body.*'",
    ),
    "the first layer of a class": (
        {"first:Linear": 1},
        ", or 'earliest:Linear' for the first Linear of the model",
    ),
    "the last layer of a class": (
        {"last:Net": 1},
        "; 'Net' is a class: write 'in:Net.last'",
    ),
    "a class in a scope": (
        {"body": {"Linear": 1}},
        "; 'Linear' is a class: write nn.Linear or 'type:Linear'",
    ),
    "a regex without its prefix": (
        {r"head\.(weight|bias)": 1},
        r"; it looks like a regular expression: write r're:head\.(weight|bias)'",
    ),
    "an anchored regex": (
        {"^head.*$": 1},
        "; it looks like a regular expression: write 're:^head.*$'",
    ),
    "a regex that is found in names": (
        {r"conv\d": 1},
        r"; it looks like a regular expression: write r're:conv\d.*'",
    ),
    "a regex like no name": (
        {"(q|z)": 1},
        "; it looks like a regular expression: write 're:(q|z)'",
    ),
    "brackets that are no regex": (
        {"head.(weight": 1},
        "; did you mean 'head.weight' or 'body.2.weight' or 'body.0.weight'?",
    ),
    "a regex that is found at the start": (
        {re.compile("head"): 1},
        "; a regular expression must match the whole name, as 're:head.*' does",
    ),
    "a regex that is found at the end": (
        {"re:ight|bia": 1},
        "; a regular expression must match the whole name, as 're:.*(?:ight|bia).*' does",
    ),
    "a regex with flags": (
        {re.compile("BIAS", re.IGNORECASE): 1},
        "; a regular expression must match the whole name, as 're:.*BIAS' does",
    ),
    "a regex in a scope": (
        {"body": {r"re:\d\.weigh": 1}},
        r"; a regular expression must match the whole name, as r're:\d\.weigh.*' does",
    ),
    "a misspelt own name": (
        {nn.Linear: {"wieght": 1}},
        "'Linear.wieght' matches no parameter; did you mean 'weight'?",
    ),
    "another own name": ({nn.Linear: {"zz": 1}}, "; a Linear here has weight, bias"),
    "a role that nothing here has": ({"role:slope": 1}, f"{HERE}BatchNorm2d, Conv2d, Linear"),
    "a misspelt class around": (
        {"in:Blok": {"bn.weight": 0}},
        f"'in Blok: bn.weight' matches no parameter{HERE}BatchNorm2d, Conv2d, Linear",
    ),
    "the class around in another case": (
        {"in:net": {"head.weight": 0}},
        "'in net: head.weight' matches no parameter; did you mean 'in:Net'?",
    ),
    "a misspelt name inside a class": (
        {"in:Net": {"haed.weight": 0}},
        "; did you mean 'head.weight' or 'body.2.weight' or 'body.0.weight'?",
    ),
    "a misspelt scope": (
        {"boddy": {"*": 1}},
        "'boddy: *' matches no parameter; did you mean 'body' or 'body.2' or 'body.0'?",
    ),
    "a scope in a scope": (
        {"body": {"7": {"x": 1}}},
        "'body: 7: x' matches no parameter; the last module with parameters in 'body' is number 2",
    ),
    "a number beyond the end": (
        {"body.3.weight": 1},
        "; the last module with parameters in 'body' is number 2",
    ),
    "a number from the end": (
        {"body.-1.*": 1},
        "; the last module with parameters in 'body' is number 2",
    ),
    "a number beyond the end in a regular expression": (
        {r"re:body\.3\..*": 1},
        "; the last module with parameters in 'body' is number 2",
    ),
    "a number beyond the end in a compiled pattern": (
        {re.compile(r"body\.3\..*"): 1},
        "; the last module with parameters in 'body' is number 2",
    ),
    "a number that is too high for a scope": (
        {"body.3": {"*": 1}},
        "; the last module with parameters in 'body' is number 2",
    ),
    "a number among those that modules have": (
        {"body.1.weight": 1},
        "; did you mean 'body.2.weight' or 'body.0.weight' or 'bn1.weight'?",
    ),
    "a name that repeats its scope": (
        {"body": {"body.0.bais": 1}},
        "; names under 'body' begin below it",
    ),
    "a misspelt prefix": (
        {"typ:Linear": 1},
        "; no key opens with 'typ:': did you mean 'type:Linear'?",
    ),
    "a prefix of another library": (
        {"regex:head.*": 1},
        "; no key opens with 'regex:': did you mean 're:head.*'?",
    ),
    "a class behind a word like no prefix": (
        {"layer:Linear": 1},
        "; no key opens with 'layer:': did you mean 'type:Linear'?",
    ),
    "a misspelt name in a scope": (
        {"body": {"0": {"wieght": 1}}},
        "; did you mean 'body.0.weight' or 'body.2.weight' or 'body.0.bias'?",
    ),
    "a type in a scope": ({"body": {nn.Conv2d: 1}}, f"{HERE}Linear"),
    "a scope like none": ({"zz": {"*": 1}}, "; there is no module at 'zz'"),
    "a type and a name": (
        [Rule(1, type="Linear", name="zz")],
        f"{HERE}BatchNorm2d, Conv2d, Linear",
    ),
    "a predicate": ([Rule(1, where=never)], "the rule 'never' matches no parameter"),
}


@pytest.mark.parametrize("case", IDLE)
def test_a_rule_that_matches_nothing_is_a_problem_with_a_way_out(case: str, net: nn.Module) -> None:
    rules, text = IDLE[case]
    (problem,) = plan_init(net, [rules, {"*": "keep"}]).problems
    assert type(problem) is IdleRule
    assert problem.sentence.endswith(text)


def test_a_recipe_under_a_misspelt_path_is_answered_with_near_paths(net: nn.Module) -> None:
    (problem,) = plan_init(net, {"boddy": "resnext", "*": "keep"}).problems
    hint = "decides anything under 'boddy'; did you mean 'body' or 'body.2' or 'body.0'?"
    assert problem.sentence.endswith(hint)


def test_where_nothing_can_be_near_the_hint_says_what_there_is() -> None:
    assert hint_example([]) == "; the model has no parameters"
    assert hint_module([], "a") == "; there is no module at 'a'"
    assert hint_own_name([f"p{i}" for i in range(20)], "zz", "Big").endswith(", p11")


def test_a_class_is_nothing_that_a_state_dict_has(net: nn.Module) -> None:
    (problem,) = plan_init(net.state_dict(), [{"Linear": 0}, {"*": 1}]).problems
    assert problem.sentence.endswith(
        "'Linear' is a class, and a state_dict has none; match names instead"
    )


def test_a_number_that_is_mended_is_told_to_lie_beyond_the_last(net: nn.Module) -> None:
    with pytest.raises(PlanError) as caught:
        apply_init(net, [{r"re:body\.3\..*": 1}, {"*": "keep"}])
    first, *lines = str(caught.value).splitlines()
    assert first.endswith(
        " matches no parameter; the last module with parameters in 'body' is number 2"
    )
    assert lines == [
        r"  as written:   r're:body\.3\..*': 1",
        "  would match:  body.2.weight",
        r"  to paste:     r're:body\.2\..*': 1",
    ]
