"""An index by fixed parts leaves out no matcher that takes a name, and asks few of the others."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from initkit.model import ModelView
from initkit.rules import Landmark, LandmarkIndex, compile_glob, read_rules
from initkit.rules.landmarks import glob_landmark

globs = st.text("ab.*?[]!", max_size=7)
names = st.text("ab.[]", max_size=7)


@given(st.lists(globs, max_size=30), names)
@example(["*a[b*a]"] * 9, "xaa")
def test_no_glob_that_takes_a_name_is_left_out(listed: list[str], name: str) -> None:
    index = LandmarkIndex([glob_landmark(glob) for glob in listed])
    found = list(index.candidates(name))
    assert found == sorted(set(found))
    assert {i for i, glob in enumerate(listed) if compile_glob(glob)(name)} <= set(found)
    # a name is taken to the letter, too, whatever it looks like as a glob
    assert {i for i, glob in enumerate(listed) if glob == name} <= set(found)


KEYS = ["0", "0.weight", "*", "*.weight", "*.0.*", "1.*", "w*t", "", "[01].*", "in:Sequential"]


@given(st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4), max_size=30))
def test_no_scope_that_takes_a_name_is_left_out(nested: list[list[str]]) -> None:
    rules = []
    for keys in nested:
        table: object = 0
        for key in keys:
            table = {key: table}
        rules += read_rules([table])
    index = LandmarkIndex([rule.matcher.landmark for rule in rules])
    for slot in ModelView(nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.PReLU())).slots:
        taking = [i for i, rule in enumerate(rules) if rule.matcher.matches(slot, slot.name)]
        assert set(taking) <= set(index.candidates(slot.name))


@pytest.mark.parametrize(
    ("glob", "landmark"),
    [
        ("a.b", Landmark(whole="a.b")),
        ("a.*.b?c", Landmark(head="a.", inside=(".b",), tail="c")),
        ("*.b", Landmark(inside=("",), tail="b")),  # which may stand at the root
        ("*a*", Landmark(inside=("a",))),
        ("a[b*c]d", Landmark(head="a", tail="d")),
        ("a[b", Landmark(head="a", tail="b")),
    ],
)
def test_the_fixed_parts_of_a_glob(glob: str, landmark: Landmark) -> None:
    assert glob_landmark(glob) == landmark


@pytest.mark.parametrize("form", ["layers.{}.*", "*.w{}", "*.{}.x*", "layers.*.{}.weight", "n{}"])
def test_of_many_rules_few_are_asked(form: str) -> None:
    index = LandmarkIndex([glob_landmark(form.format(i)) for i in range(1000, 5000)])
    name = form.format(2345).replace("*", "mid")
    assert list(index.candidates(name)) == [1345]


def test_the_first_of_many_equal_rules_is_found_without_the_others() -> None:
    index = LandmarkIndex([glob_landmark("*.weight")] * 10**6)
    assert next(iter(index.candidates("a.weight"))) == 0
