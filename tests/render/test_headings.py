"""Long names stand below the module that several in a row are in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from initkit.render.columns import Column, column_table
from initkit.render.headings import INDENT, headed
from initkit.render.text import fold, lines_of_name

WORDS = ["encoder", "decoder", "{0..5}", "layers", "{q,k,v}_proj", "a", "weight", "*"]
NAMES = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(".".join), max_size=9)


@given(names=NAMES, width=st.integers(1, 60))
def test_names_come_back_whole_from_their_headings(names: list[str], width: int) -> None:
    shown, above = headed(names, width)
    module, whole = "", []
    for place, name in enumerate(shown):
        module = above.get(place, module)
        whole.append(f"{module}.{name[len(INDENT) :]}" if name.startswith(INDENT) else name)
    assert whole == names
    assert all(len(module) < width for module in above.values())


@given(names=NAMES, room=st.integers(8, 40))
def test_headings_never_cost_more_lines_than_they_save(names: list[str], room: int) -> None:
    shown, above = headed(names, 80, room)
    lines = sum(lines_of_name(name, room) for name in shown) + len(above)
    assert lines <= sum(lines_of_name(name, room) for name in names)


def test_headings_go_as_deep_as_their_names_need() -> None:
    names = [f"decoders.{part}.{w}" for part in ("attention", "feed") for w in ("up", "down")]
    assert headed(names, 80, 16)[1] == {0: "decoders"}
    assert headed(names, 80, 8)[1] == {0: "decoders.attention", 2: "decoders.feed"}


def test_a_module_that_holds_one_line_has_no_heading() -> None:
    names = ["encoder.layers.up.weight", "decoder.layers.up.weight"]
    assert headed(names, 80) == (names, {})


def test_a_narrow_table_says_once_what_its_names_have_in_common() -> None:
    names = [f"decoder.layers.{{0..5}}.{part}.weight" for part in ("query", "key", "value")]
    columns = [Column("name", str), Column("size", lambda _: "4096x4096")]
    assert column_table(columns, ["embedding", *names], 34).splitlines() == [
        "name            size",
        "--------------  ---------",
        "embedding       4096x4096",
        "decoder.layers.{0..5}",
        "  query.weight  4096x4096",
        "  key.weight    4096x4096",
        "  value.weight  4096x4096",
    ]
    wide = column_table(columns, ["embedding", *names], 80)
    assert all(name in wide for name in names)


def test_a_name_that_is_longer_than_a_line_of_prose_breaks_behind_a_dot() -> None:
    text = "frozen: model.backbone.encoder.stages.layer.convolution.weight, fc.bias"
    assert fold(text, 40).splitlines() == [
        "frozen:",
        "    model.backbone.encoder.stages.layer.",
        "    convolution.weight, fc.bias",
    ]
