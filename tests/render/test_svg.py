"""Pictures are well-formed, escaped, and leave gaps where there is no number."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest

from initkit.render import (
    Density,
    Ink,
    Picture,
    Series,
    Spot,
    densities,
    html_page,
    line_chart,
    scatter,
    strips,
    tie_pictures,
)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(re.sub(r"(\w+)=([\w.-]+)(?=[ />])", r'\1="\2"', svg))


@pytest.mark.parametrize(
    "values",
    [[1.0], [], [0.0, 0.0], [1e-300, 1e300], [3.0, 3.0, 3.0], [1.0, None, math.nan, math.inf, 2.0]],
)
@pytest.mark.parametrize("log", [True, False])
def test_a_chart_of_anything_is_well_formed(values: list[float | None], log: bool) -> None:
    root = parsed(line_chart([Series("a<b", values)], x="x & y", y="y", log=log))
    held = [v for v in values if v is not None and math.isfinite(v) and (v > 0 or not log)]
    assert len(root.findall("circle")) == len(held)
    texts = [node.text for node in root.findall("text")]
    assert "a<b" in texts and "x & y" in texts


def test_a_gap_is_left_where_there_is_no_number() -> None:
    svg = line_chart([Series("", [1.0, None, 2.0, 3.0])], x="", y="")
    line = next(p for p in parsed(svg).findall("path") if "line" in p.get("class"))
    assert line.get("d").count("M") == 2 and line.get("d").count("L") == 1


def test_ticks_are_round_numbers() -> None:
    def ticks(values: list[float]) -> list[str]:
        texts = parsed(line_chart([Series("", values)], x="", y="")).findall("text")
        return [n.text for n in texts if n.get("text-anchor") == "end"]

    assert ticks([0.12, 0.9]) == ["0.1", "0.2", "0.5", "1"]
    assert ticks([1e-9, 1.0])[:3] == ["1e-09", "1e-07", "1e-05"]


def test_marks_stand_in_place_of_numbers() -> None:
    svg = line_chart([Series("", [1.0, 2.0])], x="", y="", marks=["64", "128"])
    assert ">64<" in svg and ">128<" in svg


def test_strips_have_a_row_a_layer() -> None:
    root = parsed(strips([("fc", [0.0, 1.0]), ("x" * 40, [0.5, 0.5])], x="v", ends=("-1", "1")))
    assert len(root.findall("rect")) == 3
    assert {"fc", "v", "-1", "1"} <= {node.text for node in root.findall("text")}


def test_a_picture_is_a_section_of_a_page() -> None:
    page = html_page("", [Picture("<svg></svg>", "Depth & more")])
    assert "<h3>Depth &amp; more</h3><svg></svg></figure>" in page


def test_a_picture_is_hidden_where_a_notebook_drops_our_styles() -> None:
    # Its words alone, without the drawing, would be a heap of numbers.
    page = html_page("", [Picture("<svg><text>0.1</text></svg>", "Depth")])
    assert page.count("<figure hidden=hidden>") == 1
    assert ".initkit figure{display:inline-block" in page


def test_a_picture_alone_is_shown_in_a_notebook_and_its_repr_is_short() -> None:
    picture = Picture("<svg ><circle/></svg>", "Depth")
    assert picture._repr_svg_() == picture.document()
    assert repr(picture) == "Picture(title='Depth')"


def _scatter(spots: list[Spot], guide: dict[int, float]) -> ET.Element:
    groups = [("a<b", "one"), ("others", "dim")]
    return parsed(scatter(spots, groups, ("law", guide), x="x & y", y="y"))


def test_a_scatter_has_a_mark_for_each_spot_in_the_colour_of_its_group() -> None:
    root = _scatter([Spot(0, 0.02, 0, "fc<1>"), Spot(1, 0.5, 1)], {1: 0.1})
    assert [c.get("class") for c in root.findall("circle")] == ["ink-one", "ink-dim"]
    assert root.findtext("circle/title") == "fc<1>"
    assert {"a<b", "others", "law"} <= {node.text for node in root.findall("text")}


@pytest.mark.parametrize("height", [0.0, -1.0, math.nan, math.inf])
def test_a_spot_without_a_logarithm_is_left_out(height: float) -> None:
    assert len(_scatter([Spot(0, height, 0), Spot(1, 1.0, 0)], {0: height}).findall("circle")) == 1


def test_spots_that_lie_on_one_another_are_drawn_once() -> None:
    spots = [Spot(i, 0.02, 0, str(i)) for i in range(100_000)]
    circles = _scatter(spots, dict.fromkeys(range(100_000), 0.1)).findall("circle")
    assert len(circles) < 1_000
    assert circles[0].findtext("title") == "0"


def test_a_larger_height_stands_higher() -> None:
    low, high = _scatter([Spot(0, 0.01, 0), Spot(1, 0.1, 0)], {}).findall("circle")
    assert float(high.get("cy")) < float(low.get("cy"))
    assert float(low.get("cx")) < float(high.get("cx"))


def test_a_picture_is_a_file_of_its_own_in_light_and_dark() -> None:
    text = Picture(line_chart([Series("", [1.0])], x="", y=""), "A & B").document()
    root = ET.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg" and root.findtext(f"{svg}title") == "A & B"
    style = root.findtext(f"{svg}style")
    assert "prefers-color-scheme:dark" in style and "svg .ink-one" in style and "@@" not in style


def test_arcs_join_neighbours_of_a_group_and_lie_within_the_picture() -> None:
    names = ["a<b", "h.2", "h.10", "x" * 60]  # by number
    root = parsed(tie_pictures([[names[2], names[0]], [names[1], names[3]]])[0].svg)
    assert [path.get("class") for path in root.findall("path")] == ["line ink-one", "line ink-two"]
    assert [node.text for node in root.findall("text")][:3] == names[:3]
    wide = float(root.get("viewBox").split()[2])
    for path in root.findall("path"):
        assert max(map(float, re.findall(r"[\d.]+", path.get("d")))) <= wide


def test_names_of_arcs_that_end_alike_are_told_apart() -> None:
    names = [f"{side}.model.decoder.embed_tokens.weight" for side in ("student", "teacher")]
    root = parsed(tie_pictures([names])[0].svg)
    assert [node.text for node in root.findall("text")] == names


def test_what_has_no_room_in_a_picture_of_arcs_is_counted_below_it() -> None:
    words = [f"{a}{b}{c}" for a in "abcd" for b in "abcd" for c in "abcd"]
    svg = tie_pictures([[f"x.{word}", f"y.{word}"] for word in words])[0].svg
    assert svg.count("<path") == 30 and ">and 34 ties more<" in svg


def test_densities_of_any_names_and_spikes_are_well_formed() -> None:
    spike = Density("a<b\x1b", [0.0, 1.0, 1.001, 2.0], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0])
    root = parsed(densities([spike, spike, Density("none", [0.0, 1.0], [0.0], [0.0])]))
    areas = [p for p in root.findall("path") if "area" in p.get("class")]
    assert len(areas) == 3
    assert r"a<b\x1b" in [node.text for node in root.findall("text")]
    heights = [float(y) for y in re.findall(r"V([\d.]+)", areas[0].get("d"))]
    # Nearly equal densities, beside a spike that ends at the top.
    assert heights[0] == pytest.approx(heights[2], abs=0.2)
    assert min(heights) == heights[1] == 40


def test_a_legend_takes_as_many_lines_as_it_needs_and_none_is_cut() -> None:
    groups: list[tuple[str, Ink]] = [(f"QuiteLongNameOfAModule{i}", "one") for i in range(6)]
    svg = scatter([Spot(0, 0.1, 0), Spot(1, 0.2, 1)], groups, ("law", {}), x="x", y="y")
    root = parsed(svg)
    labels = [t for t in root.findall("text") if t.text in {name for name, _ in groups}]
    assert len(labels) == 6
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(float(t.get("x")) + 6.4 * len(t.text) <= width for t in labels)
    lines = {t.get("y") for t in labels}
    alone = float(parsed(scatter([], groups[:1], ("", {}), x="", y="")).get("height"))
    assert height == alone + 16 * (len(lines) - 1)
