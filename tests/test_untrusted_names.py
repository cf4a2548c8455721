"""Names from files of any origin: whatever is shown of them acts on no terminal and no page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from initkit import (
    apply_init,
    check_init,
    find_tied_parameters,
    load_recipe,
    plan_init,
    tie_report,
    tie_status,
    verify_report,
)
from initkit.cli.main import main
from initkit.errors import InitkitError, visible, visible_lines
from initkit.rules import Recipe
from initkit.write.tracking import track_writes

EVIL = "a\x1b[2J\r\x00\x07\x7f\x9b31m\u202egpj\u2066\u200b\u2028\ud800\x0b\n!all-is-well"
SHOWN = r"a\x1b[2J\r\x00\x07\x7f\x9b31m\u202egpj\u2066\u200b\u2028\ud800\x0b\n!all-is-well"
ACTING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff]"
)


class Net(nn.Module):
    """Names of a module, of a parameter, of tied ones and of a buffer, all of them evil."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module(EVIL, nn.Linear(3, 3))
        weight = nn.Parameter(torch.zeros(4))
        self.register_parameter(EVIL + "w", weight)
        self.register_parameter(EVIL + "v", weight)
        self.register_buffer(EVIL + "b", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return x


def _entries() -> dict[str, Tensor]:
    return {EVIL: torch.zeros(3, 3), EVIL + "x": torch.zeros(2)}


def _recipe() -> Recipe:
    return Recipe(EVIL, rules={EVIL: 0, "re:" + re.escape(EVIL): 1}, summary=EVIL)


def _raised(what: Callable[[], object]) -> str:
    with pytest.raises(InitkitError) as caught:
        what()
    return str(caught.value)


def _folded(thing: Any) -> str:
    return f"{thing}{thing!r}{thing.text(40)}{thing.text()}{thing.to_html()}"


def _not_written() -> str:
    with track_writes(Net()) as writes:
        pass
    return str(writes) + _raised(writes.assert_complete)


def _from_file(tmp_path: Path) -> str:
    path = tmp_path / "evil.json"
    path.write_text('{"rules": {"\\u001b[2J": 0, "x\\u001b": "n\\u001brmal"}}')
    return _raised(lambda: load_recipe(path))


SHOWN_BY: dict[str, Callable[[Path], str]] = {
    "a plan": lambda _: _folded(plan_init(Net(), {"*": 0}, buffers=True)),
    "a plan with problems": lambda _: _folded(plan_init(Net(), {EVIL + "!": 0, "*": "eye"})),
    "a plan of entries": lambda _: _folded(plan_init(_entries(), {EVIL: 0}, only=[EVIL + "!"])),
    "a title": lambda _: _folded(plan_init(Net(), "zeros").replaced(title=EVIL)),
    "a report": lambda _: _folded(apply_init(Net(), {"*": 0}, prefix=EVIL, seed=0)),
    "a check": lambda _: _folded(check_init(Net(), {"*": 1})),
    "ties": lambda _: str(find_tied_parameters(Net())) + str(tie_report(Net())),
    "a page of ties": lambda _: tie_report(Net()).to_html(),
    "what became of ties": lambda _: str(tie_status(Net(), [[EVIL + "w", EVIL + "v"]])[0]),
    "a recipe": lambda _: f"{_recipe()}{_recipe()._repr_html_()}",
    "a recipe file": _from_file,
    "what was not written": lambda _: _not_written(),
    "a saved report": lambda tmp: str(
        verify_report(Net(), apply_init(Net(), {"*": 0}, seed=0).save(tmp / "r.json"))
    ),
    "rules that match nothing": lambda _: _raised(lambda: apply_init(Net(), {EVIL + "!": 0})),
    "options": lambda _: _raised(lambda: apply_init(Net(), {"*": 0}, only=[EVIL + "!"])),
    "rules that cannot be read": lambda _: _raised(lambda: plan_init(Net(), {EVIL: EVIL})),
    "a wrong name": lambda _: _raised(lambda: plan_init(Net(), {"*": 0})[EVIL + "?"]),
    "a plan for another": lambda _: _raised(
        lambda: plan_init(Net(), {"*": 0}).apply(_entries(), seed=0)
    ),
}


@pytest.mark.parametrize("door", SHOWN_BY)
def test_nothing_that_is_shown_of_a_name_acts(door: str, tmp_path: Path) -> None:
    text = SHOWN_BY[door](tmp_path)
    found = ACTING.search(text)
    assert found is None, text[max(0, found.start() - 60) : found.end() + 20]
    assert r"\x1b" in text
    assert not re.search(r"^\s*!all-is-well", text.partition("<")[0], re.MULTILINE)
    text.encode()  # as a page or a log is written


def test_the_command_line_shows_names_of_a_file_by_their_escapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a\x1b[2J": torch.zeros(2), "a\u202eb": torch.zeros(2)}, "w.pt")
    for words in (["check", "w.pt"], ["plan", "w.pt", "--rules", "x\x1b[31m"]):
        main(words)
        out, err = capsys.readouterr()
        assert r"\x1b[" in out + err
        assert not ACTING.search(out + err)


@given(st.text())
def test_what_is_visible_is_printable_and_shown_as_it_is(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
    assert visible_lines(text).count("\n") == text.count("\n")
    if text.isprintable():
        assert visible(text) == text


def test_names_in_any_script_are_shown_as_they_are() -> None:
    assert visible("élan.重み.🦊") == "élan.重み.🦊"
    assert visible(EVIL) == SHOWN
