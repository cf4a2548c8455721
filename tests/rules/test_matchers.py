"""Each matcher takes what its key says, prints as plans show it and is spelled as files hold it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from initkit import plan_init
from initkit.errors import RuleError
from initkit.model import Slot, walk
from initkit.rules import (
    All,
    HasTorchDefault,
    Inside,
    Matcher,
    Name,
    ParameterOf,
    Regex,
    Role,
    Scope,
    Type,
    Where,
    read_key,
)

ALL = (
    "conv1.weight conv1.bias bn1.weight bn1.bias body.0.weight body.0.bias body.2.weight "
    "head.weight head.bias"
)


def taken(matcher: Matcher, model: nn.Module) -> str:
    """Return the parameters that a matcher takes."""
    slots = [s for s in walk(model) if s.kind != "buffer" and s.tensor is not None]
    return " ".join(slot.name for slot in slots if matcher.matches(slot, slot.name))


def square(slot: Slot) -> bool:
    """Say whether it has two equal sizes."""
    return len(slot.shape) == 2 and slot.shape[0] == slot.shape[1]


KEYS: dict[str, tuple[Any, str, str]] = {
    "a name": ("head.bias", "head.bias", "head.bias"),
    "a glob crosses dots": ("b*.weight", "bn1.weight body.0.weight body.2.weight", "b*.weight"),
    "a leading *. may be empty": (
        "*.bias",
        "conv1.bias bn1.bias body.0.bias head.bias",
        "*.bias",
    ),
    "a regex is matched whole": (
        re.compile(r"body\.\d\.weigh.?"),
        "body.0.weight body.2.weight",
        r"re:body\.\d\.weigh.?",
    ),
    "a regex as text": (r"re:body\.0\..*", "body.0.weight body.0.bias", r"re:body\.0\..*"),
    "a class": (nn.Conv2d, "conv1.weight conv1.bias", "Conv2d"),
    "classes": (
        (nn.Conv2d, nn.BatchNorm2d),
        "conv1.weight conv1.bias bn1.weight bn1.bias",
        "Conv2d|BatchNorm2d",
    ),
    "a class by name": ("type:Conv2d", "conv1.weight conv1.bias", "Conv2d"),
    "classes by name": (
        "type:Conv2d, BatchNorm2d",
        "conv1.weight conv1.bias bn1.weight bn1.bias",
        "Conv2d|BatchNorm2d",
    ),
    "a base class by name": ("type:_BatchNorm", "bn1.weight bn1.bias", "_BatchNorm"),
    "a glob on class names": ("type:Batch*", "bn1.weight bn1.bias", "Batch*"),
    "a role": ("role:norm bias", "bn1.bias", "every norm bias"),
    "a role that none has": ("role:slope", "", "every slope"),
    "all that torch starts": ("torch:*", ALL, "every parameter of a torch module"),
    "the first of a class": (
        "earliest:Conv2d|Linear",
        "conv1.weight conv1.bias",
        "the first Conv2d|Linear",
    ),
    "everything inside": (
        "in:Sequential",
        "body.0.weight body.0.bias body.2.weight",
        "in Sequential: *",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_takes_what_it_says_and_prints_as_plans_show_it(case: str, net: nn.Module) -> None:
    key, names, text = KEYS[case]
    matcher = read_key(key)
    assert (taken(matcher, net), str(matcher)) == (names, text)


LINEAR = Type((nn.Linear,))
COMPOSED: dict[str, tuple[Matcher, str, str]] = {
    "own names": (ParameterOf(LINEAR, "b*"), "body.0.bias head.bias", "Linear.b*"),
    "a predicate": (Where(square), "body.0.weight body.2.weight", "square"),
    "all of several": (
        All((LINEAR, Name("*.0.*"), Where(square))),
        "body.0.weight",
        "Linear *.0.* if square",
    ),
    "a scope": (Scope("b?1", Name("weight")), "bn1.weight", "b?1: weight"),
    "a scope of the root": (Scope("", Name("head.bias")), "head.bias", ": head.bias"),
    "scopes in scopes": (Scope("body", Scope("2", Name("*"))), "body.2.weight", "body: 2: *"),
    "a type in a scope": (Scope("body", ParameterOf(LINEAR, "bias")), "body.0.bias",
                          "body: Linear.bias"),
    "names inside a class": (
        Inside(Type(("Sequential",)), Name("0.*")),
        "body.0.weight body.0.bias",
        "in Sequential: 0.*",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPOSED)
def test_what_is_made_of_matchers_takes_and_prints_what_they_do(case: str, net: nn.Module) -> None:
    matcher, names, text = COMPOSED[case]
    assert (taken(matcher, net), str(matcher)) == (names, text)


@pytest.mark.parametrize(
    ("matcher", "literal", "typed", "whole"),
    [
        (Name("a.b"), True, False, "a.b"),
        (Name("a.*"), False, False, None),
        (Name("a[0]"), False, False, None),
        (Regex(re.compile("a")), False, False, None),
        (LINEAR, False, True, None),
        (ParameterOf(LINEAR, "weight"), False, True, None),
        (Role("weight"), False, True, None),
        (HasTorchDefault(), False, True, None),
        (Where(square), False, False, None),
        (All((LINEAR, Name("a"))), True, True, "a"),
        (All((Name("a"), Where(square))), True, False, "a"),
        (Scope("a", Name("b")), True, False, "a.b"),
        (Scope("a*", Name("b")), False, False, None),
        (Scope("a", LINEAR), False, True, None),
        (Inside(LINEAR, Name("weight")), False, True, None),
    ],
    ids=str,
)
def test_a_matcher_says_whether_it_is_literal_typed_and_one_name(
    matcher: Matcher, literal: bool, typed: bool, whole: str | None
) -> None:
    assert (matcher.literal, matcher.typed, matcher.landmark.whole or None) == (
        literal,
        typed,
        whole,
    )


def test_scopes_in_scopes_are_asked_once_for_each_name_below() -> None:
    """Each of 60 levels may stand for any of 60 modules: more ways than anyone can count."""
    net: nn.Module = nn.PReLU()
    matcher: Matcher = Name("wieght")
    for level in range(60):
        net = nn.Sequential(net)
        matcher = Scope("*", matcher) if level % 3 else Inside(Type.of("Sequential"), matcher)
    assert taken(matcher, net) == ""


RAW = prune.identity(nn.Linear(2, 2), "weight")


@pytest.mark.parametrize(
    "matcher",
    [
        Name("*"),
        Name("weight_*"),
        Regex(re.compile(".*")),
        LINEAR,
        ParameterOf(LINEAR, "*"),
        Role("weight"),
        HasTorchDefault(),
        Where(lambda slot: True),
        Scope("", Name("*")),
        Inside(LINEAR),
    ],
    ids=str,
)
def test_a_raw_tensor_is_taken_by_its_whole_name_alone(matcher: Matcher) -> None:
    assert "weight_orig" not in taken(matcher, RAW)
    assert taken(Name("weight_orig"), RAW) == "weight_orig"


def test_a_lazy_parameter_has_its_role_and_default_before_its_shape() -> None:
    assert taken(Role("weight"), nn.LazyLinear(2)) == "weight"
    assert taken(HasTorchDefault(), nn.LazyLinear(2)) == "weight"


def test_a_predicate_that_fails_is_an_error_with_its_name_and_the_parameter(net: nn.Module) -> None:
    def wide(slot: Slot) -> bool:
        raise ValueError("no width")

    message = re.escape("the rule's where=wide failed on conv1.weight: ValueError('no width')")
    with pytest.raises(RuleError, match=message):
        taken(Where(wide), net)


# ----------------------------------------------------------------------------- spelling, reading

WORDS = st.from_regex(r"[A-Za-z_*]\w*", fullmatch=True)
KINDS = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: Type(tuple(words)))
SPELLED = st.one_of(
    st.text(max_size=8).filter(lambda text: ":" not in text).map(Name),
    st.sampled_from(["a.*", "", r"h\.\d+", "x|y", "re:"]).map(lambda text: Regex(re.compile(text))),
    KINDS,
    KINDS.map(Inside),
    st.sampled_from(["weight", "bias", "norm weight", "norm bias", "slope"]).map(Role),
    st.just(HasTorchDefault()),
)


@given(matcher=SPELLED)
def test_a_spelled_matcher_is_read_back_the_same(matcher: Matcher) -> None:
    assert read_key(matcher.spell()) == matcher


def test_classes_are_spelled_by_their_names() -> None:
    assert Type((nn.Linear, nn.Bilinear)).spell() == "type:Linear|Bilinear"


@pytest.mark.parametrize(
    ("matcher", "message"),
    [
        (Where(square), "a file cannot carry square"),
        (All((LINEAR, Name("a"))), "a file cannot carry Linear a"),
        (Inside(LINEAR, Name("a")), "a file carries in Linear: a as a table under 'in:Linear'"),
        (Regex(re.compile("a", re.IGNORECASE)), "a file cannot carry the flags of re.compile"),
    ],
)
def test_what_is_no_key_by_itself_is_not_spelled(matcher: Matcher, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        matcher.spell()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (3, "3 is no key of a rule table; keys are names or globs, compiled regular expressions"),
        (int, "<class 'int'> is no module class; a type key is a class such as nn.Linear"),
        ((), "() names no module class"),
        ("type:", "'type:' names no module class"),
        ("type:A||B", "'type:A||B' names no module class"),
        ("in:", "'' names no module class"),
        ("re:(", "cannot read the regular expression in 're:(': missing )"),
        ("torch:x", "behind 'torch:' stands '*', for all that torch starts, not 'x'"),
    ],
)
def test_a_key_that_cannot_be_read_is_refused(key: Any, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        read_key(key)


def test_a_name_with_a_colon_that_no_prefix_has_is_a_name() -> None:
    assert read_key("head:0.weight") == Name("head:0.weight")


# ---------------------------------------------------------------------- inside modules of a class


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)


def starts(model: nn.Module, rules: object) -> dict[str, str]:
    return {step.name: step.start for step in plan_init(model, rules)}


def test_names_are_relative_to_each_module_of_that_class() -> None:
    model = nn.Sequential(Block(), nn.BatchNorm2d(3))
    rules = [{"in:Block": {"bn.weight": 0, "type:Conv2d": {"weight": 2}}}, "torch_default"]
    found = starts(model, rules)
    assert found["0.bn.weight"] == "constant 0" and found["0.conv.weight"] == "constant 2"
    assert found["1.weight"] == "constant 1"


def test_a_scheme_under_it_takes_every_parameter_inside() -> None:
    found = starts(nn.Sequential(Block(), nn.Linear(2, 2)), {"in:Block": 3, "*": 1})
    assert {found[name] for name in ("0.conv.weight", "0.conv.bias", "0.bn.bias")} == {"constant 3"}
    assert found["1.weight"] == "constant 1"


def test_wrapper_segments_inside_do_not_count() -> None:
    block = Block()
    block.bn = nn.DataParallel(block.bn)
    assert starts(block, {"in:Block": {"bn.weight": 5}, "*": 1})["bn.module.weight"] == "constant 5"


def test_a_state_dict_has_no_classes() -> None:
    (problem, *_) = plan_init(Block().state_dict(), {"in:Block": {"bn.weight": 0}}).problems
    assert "matches module types, and a state_dict has none" in problem.sentence
