"""What a page's script does, in a browser where one is installed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from initkit.render.html import Cell, Mark, Table, html_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), "")
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium or Chrome on the path")

# Steps run one after the other once the tools are there; the last says what is reported.
DRIVE = """
<output id=found></output><script>
var copied = "", steps = [%s], waited = 0;
Object.defineProperty(navigator, "clipboard", {value: {writeText: function (text) {
  copied = text;
  return Promise.resolve();
}}});
function rows() { return Array.from(document.querySelectorAll("tbody tr")); }
function names() { return rows().map(function (row) { return row.cells[0].textContent; }); }
function type(text) {
  var box = document.querySelector(".tools input");
  box.value = text;
  box.oninput();
}
function copy() { document.querySelector(".tools button").click(); return copied; }
function label() { return document.querySelector(".tools button").textContent; }
function rest() { var line = document.querySelector(".rest"); return line && line.textContent; }
(function wait() {
  if (!document.querySelector(".tools") && waited++ < 2000) return setTimeout(wait, 20);
  var found = steps.map(function (step) { return step(); });
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>
"""


def browsed(tmp_path: Path, rows: int, *steps: str) -> list[Any]:
    """Return what steps find on a page of so many rows: names, a kind each, a rule each."""
    numbers = range(rows)
    cells = [[f"layer{i:05}.weight", Cell(f"{i}x1", order=-i)] for i in numbers]
    marks = [Mark("Linear" if i % 2 else "Conv2d", ["tied"] * (i == 7), str(i)) for i in numbers]
    page = html_page("T", [Table(["name", "shape"], cells, marks=marks)], whole=True)
    calls = ", ".join(f"function () {{ {step} }}" for step in steps)
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", DRIVE % calls + "</body>"))
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=60000",
    ]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    dom = subprocess.run(
        [*command, profile, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    (found,) = re.findall("<output id=.found.>(.*?)</output>", dom)
    told: list[Any] = json.loads(html.unescape(found))
    return told


@pytest.mark.parametrize("rows", [30, 3000])
def test_search_filters_and_sorting_know_every_row(tmp_path: Path, rows: int) -> None:
    last = f"layer{rows - 1:05}.weight"
    found = browsed(
        tmp_path,
        rows,
        "return document.querySelector('.tools input').placeholder",
        f"type('{last[:10].upper()}'); return names()",
        "type('no such name'); return names()",
        "type(''); document.querySelectorAll('th')[1].click(); return names()[0]",
        "document.querySelectorAll('th')[1].click(); return names()[0]",
        "var ticks = document.querySelectorAll('.tools [type=checkbox]'); ticks[0].checked = true;"
        "ticks[0].onchange(); return names()",
        "var kinds = document.querySelector('select'); kinds.value = 'Conv2d'; kinds.onchange();"
        "return names()",
    )
    told = f"{rows:,}"
    assert found == [
        f"search {told} rows",
        [last],
        [],
        last,
        "layer00000.weight",
        ["layer00007.weight"],
        [],
    ]


@pytest.mark.parametrize("rows", [30, 3000])
def test_rules_are_copied_of_clicked_rows_or_of_all_that_filters_leave(
    tmp_path: Path, rows: int
) -> None:
    every, search, none, picked = browsed(
        tmp_path,
        rows,
        "return copy().split('\\n').length - 3",
        "type('r00012'); return copy()",
        "type('no such name'); copied = ''; return [copy(), label()]",
        "type(''); rows()[3].cells[1].click(); rows()[5].cells[1].click(); return copy()",
    )
    assert every == rows
    assert search == "{\n    'layer00012.weight': 12,\n}\n"
    assert none == ["", "no rule in sight"]
    assert picked == "{\n    'layer00003.weight': 3,\n    'layer00005.weight': 5,\n}\n"


def test_of_a_long_table_as_much_is_drawn_as_one_scrolls_to(tmp_path: Path) -> None:
    found = browsed(
        tmp_path,
        3000,
        "return [rows().length, rest()]",
        "var scroller = document.querySelector('.scroll'); scroller.scrollTop = 10 ** 6;"
        "scroller.dispatchEvent(new Event('scroll')); return [rows().length, rest()]",
        "type('layer0001'); return [rows().length, rest()]",
    )
    assert found == [
        [500, "500 of 3,000 rows are drawn; scroll down for more"],
        [1000, "1,000 of 3,000 rows are drawn; scroll down for more"],
        [10, ""],
    ]
    assert browsed(tmp_path, 2000, "return [rows().length, rest()]") == [[2000, None]]
