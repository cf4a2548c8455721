"""Globs match whole names, and a list of entries takes names, subtrees and globs."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.rules import Listing, compile_glob, paths_above


@pytest.mark.parametrize(
    ("glob", "taken", "left"),
    [
        ("a.b", "a.b", "a.B x.a.b a.b.c"),
        ("a.*", "a.b a.b.c", "a x.a.b"),
        ("*.weight", "weight a.weight a.b.weight", "a.weight_g my_weight"),
        ("*.w?", "w1 a.w2", "w a.w12"),
        ("h[12].*", "h1.a h2.a", "h3.a"),
        ("*", "a a.b", ""),
    ],
)
def test_a_glob_is_matched_whole_and_its_star_crosses_dots(
    glob: str, taken: str, left: str
) -> None:
    matches = compile_glob(glob)
    assert all(map(matches, taken.split())) and not any(map(matches, left.split()))


@given(glob=st.text("ab.*?[]", max_size=6), name=st.text("ab.", max_size=6))
def test_but_for_its_first_segment_a_glob_is_that_of_fnmatch(glob: str, name: str) -> None:
    at_the_root = glob.startswith("*.") and fnmatch.fnmatchcase(name, glob[2:])
    assert compile_glob(glob)(name) == (fnmatch.fnmatchcase(name, glob) or at_the_root)


@pytest.mark.parametrize(
    ("name", "matches"),
    [("a.b", True), ("a.b.weight", True), ("a.bc", False), ("c.bias", True), ("d[0]", True)],
)
def test_a_listing_takes_names_the_subtrees_of_paths_and_globs(name: str, matches: bool) -> None:
    assert Listing(["a.b", "c.*", "d[0]"]).matches(name) is matches


@pytest.mark.parametrize(("name", "paths"), [("w", []), ("a.w", ["a"]), ("a.b.w", ["a.b", "a"])])
def test_the_paths_above_a_name_come_nearest_first(name: str, paths: list[str]) -> None:
    assert paths_above(name) == paths
