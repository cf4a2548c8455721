"""The first rule that matches decides, however rules are looked up, and asking changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit.model import ModelView
from initkit.plan.matching import RuleTable
from initkit.rules import read_rules

MODEL = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
SLOTS = ModelView(MODEL).slots
KEYS = ["0.weight", "1.0.bias", "1.*", "*.weight", "*.bias", "*running*", "nowhere", "re:1.+", "*"]
KEYS += ["[01].*", "1.?.weight", "*.0.*", "type:Linear", "0*t", "*1*s*"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KEYS), max_size=20))
def test_names_that_are_looked_up_decide_in_their_turn(keys: list[str]) -> None:
    clauses = [clause for key in keys for clause in read_rules({key: 0})]
    table = RuleTable(clauses)
    for slot in SLOTS:
        slowly = [p for p, c in enumerate(clauses) if c.matcher.matches(slot, slot.name)]
        assert table.first(slot, slot.name, slot.name) == min(slowly, default=None)
        assert list(table.every(slot, slot.name, slot.name)) == slowly


def test_a_rule_takes_a_wrapped_parameter_by_either_of_its_names() -> None:
    slot = ModelView(nn.DataParallel(nn.Linear(2, 2))).slots[0]
    assert (slot.name, slot.canonicals) == ("module.weight", ("weight",))
    for key in ("weight", "module.weight"):
        table = RuleTable(read_rules([{"other": 0}, {key: 0}]))
        assert table.first(slot, slot.name, slot.canonicals[0]) == 1
