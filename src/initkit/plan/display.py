"""Steps of a plan -> a table that folds, totals, and a page of HTML that shows problems first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from ..distributions import short
from ..errors import Problem, told_together, visible
from ..numbers import no_collecting
from ..render import (
    Column,
    Fold,
    Line,
    Notes,
    Picture,
    Section,
    Tone,
    brief_names,
    column_html,
    column_lines,
    format_shape,
    html_page,
    lines_of,
    spanned,
    template,
    tie_pictures,
)
from .folding import (
    brief_rules,
    brief_shape,
    brief_shapes,
    brief_starts,
    fold_steps,
    labels,
    remarks,
    rule,
    rule_told,
    rule_word,
    shapes,
    starts,
    tie_labels,
    usual_dtype,
    why_apart,
)
from .page import mark, opener
from .step import EMPTY, KEEP, LEFT_OUT, PROTECTED, UNCOVERED, UNEXPLAINED, WRITE, Step

_TOTALS = (
    (WRITE, "to write"),
    (KEEP, "kept by rule"),
    (UNCOVERED, "kept, no rule"),
    (UNEXPLAINED, "kept, not explained"),
    (PROTECTED, "protected"),
    (LEFT_OUT, "not in only"),
    (EMPTY, "without elements"),
)


def _fans(step: Step) -> str:
    return f"{step.fans.fan_in}/{step.fans.fan_out}" if step.fans else ""


def std_of(step: Step) -> float | None:
    """Return the std of what is written, or None where nothing is."""
    written = step.distribution is not None and step.status == WRITE
    return step.distribution.std if written and step.distribution is not None else None


def _largest_std(fold: Fold[Step]) -> float | None:
    return max((std for step in fold.rows if (std := std_of(step)) is not None), default=None)


def _stds(fold: Fold[Step]) -> str:
    return spanned([short(std) for step in fold.rows if (std := std_of(step)) is not None] or [""])


def _tone(step: Step) -> Tone:
    return "warning" if step.status in (UNCOVERED, UNEXPLAINED) else ""


def _history(step: Step) -> str:
    return "; ".join(f"{number}. {write}" for number, write in enumerate(step.history, 1))


def _count(fold: Fold[Step]) -> str:
    return f"x{len(fold)}" if len(fold) > 1 else ""


_ONE_EACH: tuple[Column[Step], ...] = (
    Column("name", lambda step: step.name),
    Column("starts as", lambda step: step.start, tone=_tone),
    Column("shape", lambda step: format_shape(step.shape)),
    Column("fan_in/out", _fans),
    Column("rule", lambda step: step.rule),
    Column("remarks", lambda step: step.remarks),
)
"""What a plan says of each parameter in a line of its own."""

COLUMNS: tuple[Column[Fold[Step]], ...] = (
    Column("name", lambda fold: fold.label, brief=brief_names),
    Column("", _count, "r", only="text"),
    Column("count", _count, "r", order=lambda fold: float(len(fold)), only="html"),
    Column(
        "starts as",
        starts,
        tone=lambda fold: _tone(fold.first),
        brief=brief_starts,
        under=remarks,
    ),
    Column("shape", shapes, brief=brief_shapes, only="text"),
    Column(
        "shape",
        brief_shape,
        "r",
        order=lambda fold: float(fold.first.numel),
        hover=lambda fold: whole if (whole := shapes(fold)) != brief_shape(fold) else "",
        only="html",
    ),
    Column(
        "rule",
        rule_told,
        hover=rule,
        brief=brief_rules,
        loose="whole",
        only="text",
    ),
    Column("rule", rule_word, hover=rule, only="html"),
    Column("std", _stds, "r", order=_largest_std, bar=True, only="html"),
    Column(
        "fan_in/out", lambda f: spanned([_fans(s) for s in f.rows]), html_align="r", only="html"
    ),
    Column("remarks", remarks, loose="note", only="text"),
    Column("history", lambda fold: _history(fold.first), tone=lambda _: "muted", only="html"),
)
"""What a plan says of each line, the most important first; a new column is a row here."""


def plan_lines(steps: Sequence[Step], width: int | None = None, *, fold: bool = True) -> list[Line]:
    """Return the table: like steps in one line, or without ``fold`` each in its own."""
    if not fold:
        usual = usual_dtype(steps)
        apart = any(step.dtype != usual for step in steps)
        return column_lines(_each_with_dtypes(usual) if apart else _ONE_EACH, steps, width)
    with no_collecting():
        folds = fold_steps(steps)
        return column_lines(with_reasons(COLUMNS, folds), folds, width)


def _each_with_dtypes(usual: torch.dtype | None) -> list[Column[Step]]:
    """Return the columns, in which remarks open with a dtype that most parameters have not."""

    def told(step: Step) -> str:
        return ", ".join(filter(None, [why_apart(step, usual), step.remarks]))

    return [*_ONE_EACH[:-1], replace(_ONE_EACH[-1], text=told)]


def with_reasons(
    columns: Sequence[Column[Fold[Step]]], folds: Sequence[Fold[Step]]
) -> list[Column[Fold[Step]]]:
    """Return the columns, in which remarks open with why a line is none with others.

    Parameters of another dtype than most have lines of their own, and so have tied ones: which are
    tied stands above the table, and here where others of like names are not.
    """
    usual = usual_dtype([step for fold in folds for step in fold.rows])
    tied = {template(fold.first.name) for fold in folds if fold.first.tie_kind}
    untied = Counter(
        found
        for fold in (folds if tied else ())
        if not fold.first.tie_kind and (found := template(fold.first.name)) in tied
    )
    why = {
        id(fold): why_apart(
            fold.first, usual, among=untied[template(fold.first.name)] if tied else 0
        )
        for fold in folds
    }
    if not any(why.values()):
        return list(columns)

    def told(fold: Fold[Step]) -> str:
        return ", ".join(filter(None, (why[id(fold)], remarks(fold))))

    return [
        replace(column, text=told)
        if column.text is remarks
        else replace(column, under=told)
        if column.under is remarks
        else column
        for column in columns
    ]


def first_to_know(
    steps: Sequence[Step], width: int | None = None, *, fold: bool = True
) -> list[Line]:
    """Return what is to be known before the table: uncovered, frozen and tied parameters.

    Of what does not fold into few lines it is the first, unless ``fold`` is False.
    """
    most = _MANY if fold else len(steps)
    said: list[tuple[str, Tone]] = [
        (text, "warning") for text in _few("no rule covers", uncovered_lines(steps), most)
    ]
    frozen = labels(step for step in steps if step.frozen and step.status == WRITE)
    if frozen:
        said.append((f"frozen, and written all the same: {', '.join(frozen)}", "warning"))
    ties = [f"tied: {text}" for text in tie_labels(steps)]
    said += [(text, "title") for text in _few("tied:", ties, most)]
    return [line for text, tone in said for line in lines_of(visible(text), tone, width)]


_MANY = 12  # lines that may push the table down


def _few(what: str, lines: Sequence[str], most: int) -> list[str]:
    """Return the first of many lines, and how many there are beside them."""
    if len(lines) <= most:
        return list(lines)
    shown = most - most // 3
    more = f"{what} {len(lines) - shown} lines more, which .text(fold=False) has"
    return [*lines[:shown], more]


def tied_pictures(steps: Sequence[Step]) -> list[Picture]:
    """Return the picture of what is tied, if anything is."""
    return tie_pictures([step.names for step in steps if len(step.names) > 1])


def uncovered_lines(steps: Sequence[Step]) -> list[str]:
    """Return a line for what no rule covers, like parameters in one."""
    bare = [step for step in steps if step.status == UNCOVERED]
    return [
        visible(f"no rule covers {fold.label} [{shapes(fold).replace('x', ', ')}]")
        for fold in fold_steps(bare)
    ]


def totals(steps: Sequence[Step], *, done: bool = False) -> list[str]:
    """Return a line for each status that steps have; ``done`` says that they are carried out."""
    lines = []
    for status, what in _TOTALS:
        found = [step for step in steps if step.status == status]
        if found:
            count = sum(step.elements if status == WRITE else step.numel for step in found)
            tensors = "tensor" if len(found) == 1 else "tensors"
            verb = "written" if done and status == WRITE else what
            lines.append(f"{verb}: {len(found):,} {tensors}, {count:,} elements")
    return lines


@no_collecting()
def plan_page(
    title: str,
    steps: Sequence[Step],
    problems: Sequence[Problem],
    lines: Sequence[Section],
    *,
    remarks: Sequence[str] = (),
    whole: bool = False,
    kinds: Mapping[str, str] | None = None,
) -> str:
    """Return a page of steps: a piece for a notebook, or with ``whole`` a document of its own.

    ``kinds`` are the classes of the modules by the names of their parameters.
    """
    folds = fold_steps(steps)
    named, *others = with_reasons(COLUMNS, folds)
    columns = [replace(named, inside=opener(folds)), *others]
    frozen = labels(step for step in steps if step.frozen and step.status == WRITE)
    sections: list[Section] = [
        # Notes without lines leave no trace.
        Notes(told_together(problems), "Problems", "error"),
        Notes(list(remarks), "Remarks", "warning"),
        Notes(uncovered_lines(steps), "No rule covers", "warning"),
        Notes(frozen, "Frozen, and written all the same", "warning"),
        *lines,
        Notes(tie_labels(steps), "Tied: one memory under several names"),
        # Under the notes' own heading.
        *(replace(picture, title="") for picture in tied_pictures(steps)),
        column_html(columns, folds, "Parameters", mark(folds, kinds or {}), ".table(fold=False)"),
    ]
    return html_page(title, sections, whole=whole)
