"""Add to checked tensors what they share with others, though their values should be their own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..distributions import Test
from .checked import Checked
from .duplicates import duplicates, shared_runs
from .followers import followers

_MEMBERS = 256  # slices of one tensor that are compared with each other
_FEW = 64  # elements that show whether a tensor counts or repeats


def compare_planned(checked: Sequence[Checked]) -> None:
    """Compare the tensors that a plan draws at random with each other."""
    drawn = [c for c in checked if is_drawn(c)]
    _add_duplicates(drawn)
    _add_followers(drawn)
    _add_shared_runs([c for c in drawn if c.distribution is not None and c.distribution.iid])


def compare_unplanned(checked: Sequence[Checked]) -> None:
    """Compare tensors that look drawn: tables repeat by design, and constants are alike."""
    _add_duplicates([c for c in checked if _varies(c) and not _is_table(c.pieces[0])])


def is_drawn(c: Checked) -> bool:
    """Whether the values are a sample, which no other tensor should share."""
    distribution = c.distribution
    return (
        distribution is not None
        and distribution.copy is None  # which another tensor shares by design
        and distribution.random
        and distribution.known
        and bool(c.pieces)
        and c.measured is not None
        and c.measured.finite
    )


def _varies(c: Checked) -> bool:
    measured = c.measured
    return (
        measured is not None
        and measured.finite
        and measured.n > 0
        and measured.low < measured.high
        and c.slot is not None
        and c.slot.kind != "buffer"
    )


def _is_table(tensor: Tensor) -> bool:
    """Whether values look counted rather than drawn: they rise steadily, or take few values."""
    head = tensor.detach().reshape(-1)[:_FEW] if tensor.numel() < 4096 else tensor.flatten()[:_FEW]
    steps = head.cpu().double().diff()
    steady = bool((steps >= 0).all()) or bool((steps <= 0).all())
    # Even in 16 bits more than half of 64 draws differ, and none rise 64 times in a row.
    return steady or len(set(head.tolist())) * 2 < len(head)


def _add_duplicates(checked: Sequence[Checked]) -> None:
    for found in duplicates([c.most for c in checked]):
        one, two = checked[found.first], checked[found.second]
        seen = f"{found.text} {one.name if one is not two else 'itself'}"
        two.tests.append(Test("clone", found.p, "values of its own", seen, f"it {seen}"))


def _add_followers(checked: Sequence[Checked]) -> None:
    """Add copies that were disturbed, and members of one stack that follow each other."""
    distributions = [c.distribution for c in checked if c.distribution is not None]
    for found in followers([c.most for c in checked], distributions):
        one, two = checked[found.first], checked[found.second]
        if all(test.kind != "clone" for test in two.tests):
            seen = f"{found.text} {one.name}"
            two.tests.append(Test("clone", found.p, "values of its own", seen, f"it {seen}"))
    for c, distribution in zip(checked, distributions, strict=True):
        stack = c.most
        if stack.dim() < 3 or len(stack) > _MEMBERS or not distribution.iid:
            continue
        if any(test.kind == "repeated" for test in c.tests):
            continue
        for found in followers(list(stack), [distribution] * len(stack))[:1]:
            seen = f"slice {found.second} along dimension 0 {found.text} slice {found.first}"
            c.tests.append(Test("repeated", found.p, "independent values", seen, seen))


def _add_shared_runs(checked: Sequence[Checked]) -> None:
    """Add repeats and copies of parts, where nothing else speaks of them."""
    distributions = [c.distribution for c in checked if c.distribution is not None]
    for run in shared_runs([c.most for c in checked], distributions):
        one, two = checked[run.first], checked[run.second]
        if one is two:
            kind, text = "repeated", f"its values come again {abs(run.gap):,} elements further on"
        else:
            kind, text = "clone", f"a part of it holds the same values as a part of {one.name}"
        # A whole copy is found above, and repeated slices were: their runs are no news.
        if all(test.kind != kind for test in two.tests):
            two.tests.append(Test(kind, run.p, "values of its own", text, text))
