"""Globs match whole names, and a list of entries takes names, subtrees and globs."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.rules import Listing, compile_glob, paths_above
from initkit.rules.globs import glob_stars


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


@pytest.mark.parametrize(
    ("glob", "name", "stars"),
    [
        ("target.*", "target.0.weight", ("0.weight",)),
        ("*.weight", "weight", ("",)),
        ("*.w?", "a.b.w1", ("a.b",)),
        ("h[12].*.b", "h1.a.b", ("a",)),
        ("*.a.*", "x.y.a.z", ("x.y", "z")),
        ("*", "a.b", ("a.b",)),
        ("a.b", "a.b", ()),
        ("a.*", "b.c", ()),
    ],
)
def test_each_star_stands_for_what_it_took(glob: str, name: str, stars: tuple[str, ...]) -> None:
    assert glob_stars(glob, name) == stars


@given(glob=st.text("ab.*?", max_size=6), name=st.text("ab.", max_size=8))
def test_what_the_stars_took_makes_up_the_name_again(glob: str, name: str) -> None:
    stars = glob_stars(glob, name)
    if stars and "?" not in glob:
        filled = iter(stars)
        again = "".join(next(filled) if c == "*" else c for c in glob)
        assert again in (name, f".{name}")
