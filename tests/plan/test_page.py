"""A page of a plan opens, filters, and hands out rules that match what they say."""

from __future__ import annotations

import ast
import base64
import html
import json
import re
import zlib
from itertools import pairwise
from typing import Any

import pytest
from torch import nn

from initkit import plan_init
from initkit.render import html as pages

RULES = {"*.bias": 0, "*": "normal(std=0.02)"}


def net(depth: int = 14) -> nn.Module:
    return nn.ModuleDict(
        {"h": nn.ModuleList(nn.Linear(4, 4) for _ in range(depth)), "hat": nn.PReLU()}
    )


def rules_of(page: str) -> dict[str, object]:
    """Return the rules that a page would copy, as one table."""
    found = []
    for row in re.findall(r"<tr data-.*?</tr>", page, re.DOTALL):
        told = {key: html.unescape(text) for key, text in re.findall(r'data-(.)="([^"]*)"', row)}
        name = html.unescape(re.sub("<[^>]*>", "", row.partition("</td>")[0]))
        if "r" in told:
            found.append(f"{told.get('q') or repr(name)}: {told['r']},")
    return ast.literal_eval("{" + "".join(found) + "}")


def test_the_rules_of_all_rows_plan_the_same() -> None:
    plan = plan_init(net(), [{"h.3.weight": 1, "h.12.bias": 2}, RULES])
    table = rules_of(plan.to_html())
    assert not plan.diff(plan_init(net(), table))


def test_a_rule_matches_its_rows_alone_where_a_glob_would_match_more() -> None:
    table = rules_of(plan_init(net(), [{"h.3.weight": 1}, RULES]).to_html())
    assert table["h.3.weight"] == 1
    key = next(key for key in table if key.startswith("re:"))
    assert re.fullmatch(key.removeprefix("re:"), "h.13.weight")
    assert not re.fullmatch(key.removeprefix("re:"), "h.3.weight")


def test_parameters_that_start_as_one_copy_the_rule_over_all_of_them() -> None:
    model = nn.ModuleList(
        nn.ModuleDict({name: nn.Linear(4, 4, bias=False) for name in ("base", "down", "up")})
        for _ in range(2)
    )
    plan = plan_init(model, {"*.{base,down,up}.weight": "pissa"})
    assert rules_of(plan.to_html()) == {"*.{base,down,up}.weight": "pissa"}


def test_a_line_opens_to_its_names_without_a_script() -> None:
    page = plan_init(net(), RULES).to_html()
    inside = re.findall(
        r"<details><summary>h\.\{0\.\.13\}\.weight</summary>(.*?)</details>",
        page,
        re.DOTALL,
    )
    assert inside == ["\n".join(f"h.{i}.weight" for i in range(14))]


def test_filters_know_kinds_and_states() -> None:
    model = net()
    model["h"][2].weight.requires_grad_(False)
    model["tail"] = model["hat"]
    page = plan_init(model, {"*.weight": 0}).to_html()
    assert {"Linear", "PReLU"} == set(re.findall(r'data-k="(\w+)"', page))
    assert {"uncovered", "frozen", "tied"} == set(re.findall(r'data-s="(\w+)"', page))


def words(count: int) -> list[str]:
    """Return names without numbers."""
    letters = "abcdefghij"
    return ["x" + "".join(letters[int(digit)] for digit in str(i)) for i in range(count)]


def unlike(count: int) -> nn.ModuleDict:
    """Return layers of which no two fold: each has another width and another name."""
    widths = ((1 + i % 61, 1 + i // 61) for i in range(count))
    layers = (nn.Linear(*width) for width in widths)
    return nn.ModuleDict(dict(zip(words(count), layers, strict=True)))


@pytest.mark.parametrize("alike", [True, False])
def test_a_hundred_thousand_rows_make_a_small_page(alike: bool) -> None:
    # Fewer here, at the same number of letters a row: the budget of a row is 50.
    model = nn.ModuleList(nn.Linear(1, 1) for _ in range(4000)) if alike else unlike(4000)
    page = plan_init(model, {"*.bias": 0, "*": "kaiming_normal"}).to_html()
    begin = page.index("<tbody>") if alike else page.index("</table>")  # 500 rows are HTML
    assert len(page) - begin < 8000 * 50


def test_the_rows_of_a_long_page_are_all_there_as_they_are_on_a_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = unlike(1200)
    model["xb"].weight.requires_grad_(False)
    plan = plan_init(model, [{"xc.weight": 1, "x*d.bias": 0}, {"*.weight": "kaiming_normal"}])
    page = plan.to_html()
    assert page.count("<tr data-") == 500
    assert (
        "1,900 of 2,400 rows are drawn by this page&#x27;s script, which did not run here; "
        ".table(fold=False), printed, has all of them</p>"
    ) in page
    rows = rows_packed(page)
    monkeypatch.setattr(pages, "_MOST_ROWS", 10**6)
    assert rows == re.findall("<tr data-.*?</tr>", plan.to_html())
    assert len(rows) == 2400


def rows_packed(page: str) -> list[str]:
    """Return the rows that a page's script draws, as HTML."""
    (text,) = re.findall("<script type=text/plain>(.*?)</script>", page)
    data = json.loads(zlib.decompress(base64.b64decode(text)))

    def column(of: dict[str, list[Any]]) -> list[str]:
        return [of["texts"][i] for i in of["at"]] if "at" in of else of["texts"]

    cells = map("".join, zip(*map(column, data["cells"]), strict=True))
    marks = {key: column(of) for key, of in data["marks"].items()}
    return [
        "<tr"
        + "".join(
            f' data-{key}="{html.escape(texts[i])}"' for key, texts in marks.items() if texts[i]
        )
        + f">{row}</tr>"
        for i, row in enumerate(cells)
    ]


def test_very_many_notes_are_packed_too() -> None:
    page = plan_init(unlike(2400), {"*.bias": 0}).to_html()
    assert "<details><summary>2,400 of them</summary><section>" in page
    assert page.count("no rule covers x") == 500  # the others are in what is packed
    assert page.count("<script type=text/plain>") == 2


def test_what_comes_first_is_how_a_parameter_starts() -> None:
    heads = re.findall(r"<th scope[^>]*>(.*?)</th>", plan_init(net(), RULES).to_html())
    assert [heads.index(name) for name in ("name", "starts as", "shape", "rule")] == [0, 2, 3, 4]
    assert all(a != b for a, b in pairwise(heads))


def test_a_line_opens_to_its_names_as_one_counts_them() -> None:
    stages = nn.ModuleList(nn.ModuleList(nn.PReLU() for _ in range(n)) for n in (3, 4, 6, 3))
    page = plan_init(stages, {"*": 0.25}).to_html()
    names = re.findall(r"^(?:.*</summary>)?(\d\.\d\.weight)", page, re.MULTILINE)
    assert names == sorted(names) and len(names) == 16
