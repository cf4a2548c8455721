"""Recipe files: a round trip that keeps meaning, and errors that name file, key and line."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import Recipe, Rule, load_recipe, plan_init, save_recipe
from initkit.errors import FileError, InitkitError
from initkit.rules import REST, describe_recipe, every_recipe, read_rules

RULES: dict[str, Any] = {
    "a table": {"*.weight": "normal(std=0.02)", "*.bias": 0, "x": 1.5, "y": "keep"},
    "types": {nn.Conv2d: {"weight": "dirac", "b*": 0}, (nn.Linear, nn.Bilinear): "orthogonal"},
    "regular expressions": {re.compile(r"h\.\d+\..*"): 0, "re:x\\.[a-z]+": 1},
    "scopes": {"head": {"weight": "normal(std=0.01)", "deep": {nn.Linear: 1}}, "*": "keep"},
    "recipes inside": [{"fc.*": 0}, "resnext", {"b*": "wide_resnet"}],
    "formulas": {"*": "normal(std=0.02/sqrt(2*n_layers))", "a": "1e-6"},
    "schemes": {"*": "blocks(0, xavier_normal(gain=2), scaled(eye, 0.5), 1)"},
    "rules": [
        Rule("normal(std=0.1)", name="*.experts.*", layout="E in out"),
        Rule(0, type=nn.Linear, optional=True),
        Rule(1, name=re.compile("a.*"), type=(nn.Conv1d, nn.Conv2d)),
        REST,
    ],
    "odd names": {'with "quotes" \\ and \t tab': 0, "élan.*": 1, "a = b": 2, "": 3},
    "a name": "resnext",
}


def meaning(rules: Any) -> list[tuple[Any, ...]]:
    """What rules mean: text, scheme, layout and optional, in order."""
    return [(c.text, str(c.scheme), c.layout, c.optional) for c in read_rules(rules)]


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@pytest.mark.parametrize("case", RULES)
def test_a_round_trip_keeps_the_meaning(case: str, suffix: str, tmp_path: Path) -> None:
    path = save_recipe(RULES[case], tmp_path / f"mine{suffix}")
    again = load_recipe(path)
    wanted = [(a, b, c, d) for a, b, c, d in meaning(RULES[case])]
    assert [row[:3] for row in meaning(again)] == [row[:3] for row in wanted]
    assert load_recipe(save_recipe(again, tmp_path / f"again{suffix}")).rows == again.rows


@pytest.mark.parametrize("first", [0, 1])
def test_every_recipe_that_ships_can_be_saved_and_read(first: int, tmp_path: Path) -> None:
    for place, recipe in enumerate(every_recipe()[first::2]):  # halves, for two processes
        suffix = (".toml", ".json")[place % 2]
        try:
            recipe.table  # noqa: B018  one that needs an option has none without it
        except InitkitError:
            continue
        again = load_recipe(save_recipe(recipe, tmp_path / f"it{suffix}"))
        assert again.rows == recipe.rows, recipe.name
        assert (again.name, again.source, again.fits) == (recipe.name, recipe.source, recipe.fits)


def test_a_file_initialises_as_the_rules_that_it_was_made_of(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    rules = [{"3.bias": 7}, "resnext"]
    path = save_recipe(rules, tmp_path / "mine.toml")
    assert plan_init(model, load_recipe(path)).digest() == plan_init(model, rules).digest()


BAD: dict[str, tuple[str, str]] = {
    "broken": ("[rules\n", r"bad.toml:1: Expected .*line 1"),
    "no rules": ("name = 'x'\n", "bad.toml: there are no rules: put them under"),
    "an unknown key": ("\nnmae = 'x'\n[rules]\n", r"bad.toml:2: unknown key 'nmae'"),
    "a bad text": ("name = 3\n[rules]\n", "bad.toml:1: name must be a text, not 3"),
    "bad fits": ("fits = 'timm'\n[rules]\n", "bad.toml:1: fits must be a list of texts"),
    "bad rules": ("rules = 3\n", "bad.toml:1: rules are a table or a list of tables, not 3"),
    "a number without end": (
        f"[rules]\n'*' = 'normal(std=1{'0' * 400})'\n",
        "bad.toml:2: .*std is larger than any float",
    ),
    "an unknown scheme": (
        "[rules]\n'*.bias' = 0\n'*.weight' = 'nromal'\n",
        r"bad.toml:3: .*no scheme .*'nromal'\n.*'nromal'\n  to paste: +'\*.weight' = 'normal'",
    ),
    "a bad option": (
        "[rules]\n\n\n'a.b' = 'normal(std=-1)'\n",
        "bad.toml:4: .*std must be at least",
    ),
    "a bad scope": (
        "[rules.head]\nweight = 'normal(sdt=1)'\n",
        "bad.toml:2: .*no option 'sdt'\n.*sdt.*\n  to paste:     weight = 'normal\\(std=1\\)'$",
    ),
    "a bad regex": ("[rules]\n're:(' = 0\n", "bad.toml:2: cannot read the regular expression"),
    "a bad rule": (
        "[[rules]]\nscheme = 0\nname = 'a'\nlayout = 'input out'\n",
        "bad.toml:4: .*'input' .*\n.*\n  to paste:     layout = 'in out'",
    ),
    "a bad padding": (
        "[[rules]]\nscheme = 0\npadding = 3\n",
        "bad.toml:3: padding must be",
    ),
    "a bad optional": ("[[rules]]\nscheme = 0\noptional = 3\n", "optional must be true or false"),
    "an unknown recipe": (
        "rules = 'resnxt'\n",
        "bad.toml:1: .*\n.*\n  to paste:     rules = 'resnext'$",
    ),
    "a date": ("[rules]\na = 2020-01-01\n", "bad.toml:2: "),
    "true": ("[rules]\na = true\n", "bad.toml:2: .*True is no way to start"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_named_with_file_key_and_line(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=message):
        load_recipe(path)


def test_a_file_that_is_not_there_or_has_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^there is no file .*none.toml$"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "a.yaml").write_text("")
    with pytest.raises(FileError, match=r"a recipe file ends in .toml or .json"):
        load_recipe(tmp_path / "a.yaml")
    with pytest.raises(FileError, match=r"a recipe file ends in .toml or .json"):
        save_recipe({"*": 0}, tmp_path / "a.yaml")


def test_what_a_file_cannot_carry_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(FileError, match=r"the function .*; register it with @register_scheme"):
        save_recipe({"*": lambda t: t.zero_()}, path)
    with pytest.raises(FileError, match="cannot carry the predicate"):
        save_recipe([Rule(0, where=lambda slot: True)], path)
    with pytest.raises(FileError, match="cannot carry the flags"):
        save_recipe({re.compile("a", re.IGNORECASE): 0}, path)
    assert not path.exists()


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_rule_that_draws_the_padding_row_keeps_that_in_a_file(
    suffix: str, tmp_path: Path
) -> None:
    rules = [Rule("normal", name="*.weight", padding=False)]
    loaded = load_recipe(save_recipe(rules, tmp_path / f"mine{suffix}"))
    assert loaded.rules == [Rule("normal", name="*.weight", padding=False)]


def test_two_classes_of_one_name_cannot_stand_under_one_key(tmp_path: Path) -> None:
    other = type("Linear", (nn.Module,), {})
    with pytest.raises(FileError, match="two rules would stand under one key 'type:Linear'"):
        save_recipe({nn.Linear: 0, other: 1}, tmp_path / "mine.toml")


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none.mine.toml: cannot be written: .*No such file"):
        save_recipe({"*": 0}, tmp_path / "none" / "mine.toml")


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_rule_in_a_file_that_matches_nothing_is_idle_unless_the_file_is_a_named_recipe(
    suffix: str, tmp_path: Path
) -> None:
    rules, model = {"*.wieght": 1, "*": 0}, nn.Linear(2, 2)
    idle = plan_init(model, load_recipe(save_recipe(rules, tmp_path / f"mine{suffix}"))).problems
    assert ["did you mean 'weight'" in problem.sentence for problem in idle] == [True]
    again = save_recipe(load_recipe(tmp_path / f"mine{suffix}"), tmp_path / f"again{suffix}")
    assert len(plan_init(model, load_recipe(again)).problems) == 1
    named = save_recipe(Recipe("mine/net", rules=rules), tmp_path / f"named{suffix}")
    assert not plan_init(model, load_recipe(named)).problems


def test_loading_imports_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_text(
        "[rules]\n'type:antigravity.Evil' = 0\n'*' = 'normal(std=__import__(\"antigravity\"))'\n"
    )
    before = set(sys.modules)
    with pytest.raises(FileError, match="which formulas do not know"):
        load_recipe(path)
    assert "antigravity" not in set(sys.modules) - before


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    import tempfile

    for suffix in (".toml", ".json"):
        path = Path(tempfile.gettempdir()) / f"initkit-fuzz{suffix}"
        path.write_text(text, encoding="utf-8", errors="replace")
        with contextlib.suppress(FileError):
            load_recipe(path)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(rules=PLAIN)
def test_any_json_is_read_or_refused_in_our_words(rules: Any) -> None:
    import tempfile

    path = Path(tempfile.gettempdir()) / "initkit-fuzz-rules.json"
    path.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    with contextlib.suppress(FileError):
        assert isinstance(load_recipe(path), Recipe)


def test_the_published_schema_accepts_what_is_written(tmp_path: Path) -> None:
    """The schema is data beside the code; check what it says by hand, without a library."""
    import initkit

    schema = json.loads(
        (Path(initkit.__file__).parent / "rules" / "recipe.schema.json").read_text()
    )
    assert set(schema["properties"]) == {
        "name", "summary", "source", "paper", "notes", "fits", "code", "marks", "padding", "rules",
        "$schema",
    }  # fmt: skip
    assert schema["required"] == ["rules"]


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_marks_and_code_come_back_from_a_file(tmp_path: Path, ending: str) -> None:
    recipe = Recipe("mine/net", rules={"*": 0}, marks=("*.gate", "type:LSTM"), code=("mine.net",))
    read = load_recipe(save_recipe(recipe, tmp_path / f"mine.{ending}"))
    assert (read.marks, read.code) == (recipe.marks, recipe.code)


def test_a_mark_that_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine/net"\nmarks = ["re:("]\n[rules]\n"*" = 0\n')
    with pytest.raises(FileError, match=r"mine\.toml:2: cannot read the regular expression"):
        load_recipe(path)


def test_figures_that_were_given_are_saved_with_the_name(tmp_path: Path) -> None:
    recipe = describe_recipe("gpt2/transformers(std=0.01)")
    path = save_recipe(recipe, tmp_path / "mine.json")
    assert [row for row in load_recipe(path).rows if row[0] == "Conv1D.weight"] == [
        ("Conv1D.weight", "normal(std=0.01)")
    ]


@pytest.mark.parametrize("option", ["name", "type"])
def test_a_rule_of_a_file_whose_name_or_type_is_a_list_is_refused(
    option: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [{"scheme": "zeros", option: [None]}]}))
    with pytest.raises(FileError):
        load_recipe(path)
