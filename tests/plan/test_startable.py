"""A rule whose scheme cannot start a tensor is shown with what clearly would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import PlanError, apply_init, load_recipe, plan_init
from initkit.errors import TieConflict
from initkit.wording import Entry

CONV, LINEAR = "type:Conv2d", "type:Linear"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 8)
        self.norm2, self.act, self.lstm = nn.LayerNorm(8), nn.PReLU(), nn.LSTM(4, 4)
        self.experts, self.scale = nn.Parameter(torch.zeros(4, 3, 5)), nn.Parameter(torch.ones(()))


def mends(rules: Any) -> list[Any]:
    """Return the tables of the lines to paste, each once."""
    shown = [p.shown for p in plan_init(Net(), rules).problems]
    lines = [each.mended for each in shown if each is not None and each.mended is not None]
    return [line.table for i, line in enumerate(lines) if line not in lines[:i]]


@pytest.mark.parametrize(
    ("rules", "mended"),
    [
        ({"fc.bias": "orthogonal"}, {"fc.bias": 0}),
        ({"norm.weight": "kaiming_normal"}, {"norm.weight": 1}),
        ({"*.bias": "xavier_uniform"}, {"*.bias": 0}),
        ({"act.weight": "xavier_uniform"}, {"act.weight": "torch_default"}),
        ({"conv.weight": "identity"}, {"conv.weight": "dirac"}),
        ({nn.Linear: {"weight": "dirac(gain=2)"}}, {nn.Linear: {"weight": "eye(gain=2)"}}),
        ({"fc": {"*": "xavier_uniform"}}, {"fc": {"bias": 0, "*": "xavier_uniform"}}),
        ({nn.Linear: {"*": "orthogonal"}}, {nn.Linear: {"bias": 0, "*": "orthogonal"}}),
        (
            {"norm*.weight": "kaiming_normal", "*.weight": "kaiming_normal"},
            {"norm*.weight": 1},
        ),
        (
            {"act.weight": 0, "*.weight": "kaiming_normal"},
            {"role:norm weight": 1, "*.weight": "kaiming_normal"},
        ),
        (
            {"act.*": 0, "norm*": 1, "lstm*": 0, "*.weight": "eye"},
            {"conv.weight": "dirac", "*.weight": "eye"},
        ),
    ],
)
def test_a_scheme_that_cannot_start_is_shown_with_what_would(rules: Any, mended: Any) -> None:
    assert mended in mends(rules)


@pytest.mark.parametrize(
    "rules",
    [
        {"experts": "xavier_normal"},  # which axes are inputs nobody knows
        {"scale": "xavier_normal"},  # nor what an unknown parameter is for
        {"lstm.bias_ih_l0": "blocks(0, 1, 0)"},  # four gates are no three blocks
        {"fc.weight": "delta_orthogonal(gain=0.1)", "conv.weight": "sparse(sparsity=0.1)"},
        {"fc.weight": "normal(std=1/n_layers)"},
    ],
)
def test_where_nothing_clearly_would_no_line_is_pasted(rules: Any) -> None:
    assert not [
        line for line in mends(rules) if set(line) & {"experts", "scale", "lstm.bias_ih_l0"}
    ]


SCHEMES = ["xavier_uniform", "orthogonal", "eye", "dirac", "sparse(sparsity=0.5)", "normal"]
KEYS = ["*", "*.weight", "*.bias", "norm*", "fc.*", "conv.bias", CONV, LINEAR, "role:weight"]


@example(rules={"*": "dirac", "role:weight": "dirac"})  # whose keys are taken
@settings(max_examples=60, deadline=None)
@given(rules=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(SCHEMES), min_size=1))
def test_a_pasted_line_starts_what_it_names_and_touches_nothing_else(rules: dict[str, str]) -> None:
    before = plan_init(Net(), rules, idle="ignore")
    for problem in before.problems:
        assert problem.shown is not None and isinstance(problem.shown.written, Entry)
        if problem.shown.mended is None:
            continue
        (key,) = problem.shown.written.keys
        pasted: dict[Any, Any] = {}
        for old, value in rules.items():  # the line in the place of the one that it mends
            pasted |= problem.shown.mended.table if old == key else {old: value}
        after = plan_init(Net(), pasted, idle="ignore")
        failed = {name for p in after.problems for name in p.names}
        assert not failed & {*problem.names}
        for step in before:
            if step.status == "write" and step.distribution is not None:
                assert after[step.name].start == step.start
            if step.status == "uncovered":
                assert after[step.name].status == "uncovered"


def test_problems_that_one_line_mends_are_told_once() -> None:
    with pytest.raises(PlanError) as caught:
        apply_init(Net(), {"norm*.bias": "orthogonal", "*": 0})
    assert str(caught.value).splitlines()[-3:] == [
        "  as written:   'norm*.bias': 'orthogonal'",
        "  to paste:     'norm*.bias': 0",
        "  the same of norm2.bias",
    ]


def test_a_file_is_shown_its_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[rules]\n"act.weight" = 0\n"*.weight" = "kaiming_normal"\n"*" = 0\n')
    with pytest.raises(PlanError) as caught:
        apply_init(Net(), load_recipe(path))
    assert str(caught.value).splitlines()[-4:-1] == [
        '  as written:   "*.weight" = "kaiming_normal"',
        '  to paste:     "role:norm weight" = 1',
        '                "*.weight" = "kaiming_normal"',
    ]


def test_what_cannot_be_copied_is_not_told_to_copy_itself() -> None:
    (problem, *_) = plan_init(Net(), {"fc.weight": "copy_of('fc.wieght')"}).problems
    assert "; 'fc.weight' is the copy itself" in problem.sentence


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ({"head.*": 0, "tok.*": 1}, "'head.weight': 0"),  # in front it would leave head.* nothing
        (
            {nn.Linear: "normal(std=0.02)", nn.Embedding: "normal"},
            "[{'head.weight': 'normal(std=0.02)'}, rules]  with your rules as they are",
        ),
        (
            {"*": "normal"},
            "",  # one rule takes both names, and there is no conflict
        ),
    ],
)
def test_a_conflict_of_tied_names_shows_a_line_that_settles_it(rules: Any, line: str) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tok, self.mid = nn.Embedding(8, 4), nn.Linear(4, 4)
            self.head = nn.Linear(4, 8, bias=False)
            self.head.weight = self.tok.weight

    conflicts = [p for p in plan_init(Tied(), rules).problems if isinstance(p, TieConflict)]
    assert len(conflicts) == bool(line)
    for conflict in conflicts:
        assert conflict.told().splitlines()[-1] == f"  to paste:     {line}"
        assert conflict.shown is not None
        settled = getattr(conflict.shown.mended, "entry", conflict.shown.mended).table
        old = conflict.shown.written.table
        rest = {key: value for key, value in rules.items() if key not in old or "[" in line}
        assert not plan_init(Tied(), [settled, rest]).problems
