"""A new matcher is one class: tables, files, hints and plans take it from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from initkit import load_recipe, plan_init, save_recipe
from initkit.errors import DuplicateNameError, RuleError
from initkit.model import Slot
from initkit.numbers import frozen
from initkit.rules import Landmark, Matcher, read_key, read_rules
from initkit.rules.base import BY_PREFIX


@pytest.fixture(autouse=True)
def own_prefixes() -> Iterator[None]:
    """What a test defines is forgotten after it."""
    known = dict(BY_PREFIX)
    yield
    BY_PREFIX.clear()
    BY_PREFIX.update(known)


@pytest.fixture
def dimensions() -> type[Matcher]:
    @frozen
    class Dimensions(Matcher, prefix="dim:"):
        """The parameter has so many dimensions."""

        n: int

        @classmethod
        def parse(cls, text: str) -> Matcher:
            return cls(int(text))

        def matches(self, slot: Slot, name: str) -> bool:
            return not slot.literal and slot.tensor is not None and len(slot.shape) == self.n

        def hint(self, slots: object, scope: str = "") -> str:
            return "; count again"

        def __str__(self) -> str:
            return str(self.n)

    return Dimensions


RULES = {"dim:4": "kaiming_normal", "dim:1": 0, "head": {"dim:2": 7}, "*": "keep"}


@pytest.mark.usefixtures("dimensions")
def test_a_new_matcher_is_a_key_of_rule_tables(net: nn.Module) -> None:
    plan = plan_init(net, RULES)
    assert not plan.problems
    assert [plan[name].start for name in ("head.weight", "head.bias", "body.0.weight")] == [
        "constant 7", "constant 0", "keep"
    ]  # fmt: skip
    assert plan["conv1.weight"].rule == "4"


@pytest.mark.usefixtures("dimensions")
@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_new_matcher_goes_into_files_and_comes_back(suffix: str, tmp_path: Path) -> None:
    again = load_recipe(save_recipe(RULES, tmp_path / f"mine{suffix}"))
    assert [c.matcher for c in read_rules(again)] == [c.matcher for c in read_rules(RULES)]


def test_a_new_matcher_is_spelled_by_its_prefix_and_text(dimensions: type[Matcher]) -> None:
    assert read_key("dim:3") == dimensions.parse("3")
    assert read_key("dim:3").spell() == "dim:3"


@pytest.mark.usefixtures("dimensions")
def test_a_new_matcher_brings_the_hint_of_its_idle_rule(net: nn.Module) -> None:
    (problem,) = plan_init(net, {"dim:9": 0, "*": "keep"}).problems
    assert problem.sentence == "the rule '9' matches no parameter; count again"


@pytest.mark.usefixtures("dimensions")
def test_a_table_under_a_matcher_that_is_no_scope_is_refused() -> None:
    with pytest.raises(RuleError, match="a table under 'dim:2': only a name or a glob can be"):
        read_rules({"dim:2": {}})


def test_a_matcher_with_little_more_than_matches_has_answers_for_the_rest(net: nn.Module) -> None:
    @frozen
    class Even(Matcher, prefix="even:"):
        typed = True

        def matches(self, slot: Slot, name: str) -> bool:
            return False

    even = Even()
    assert (even.literal, even.landmark, even.around(even)) == (False, Landmark(), None)
    assert even.hint([]) == "; the model has no parameters"
    with pytest.raises(RuleError, match="Even has no parse, so that 'even:x' is no key"):
        read_key("even:x")


@pytest.mark.parametrize("prefix", ["even", ":", "a b:", "even:*"])
def test_a_prefix_is_a_word_and_a_colon(prefix: str) -> None:
    with pytest.raises(RuleError, match="Even: the prefix '.*' must be a word and a colon"):
        type("Even", (Matcher,), {}, prefix=prefix)


def test_a_prefix_belongs_to_one_matcher() -> None:
    with pytest.raises(DuplicateNameError, match="the prefix 're:' belongs to Regex already"):
        type("Even", (Matcher,), {}, prefix="re:")


def test_a_class_that_is_defined_anew_takes_its_own_prefix_over() -> None:
    old, new = (type("Even", (Matcher,), {}, prefix="even:") for _ in range(2))
    assert old is not new and BY_PREFIX["even:"] is new
