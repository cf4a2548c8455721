"""One initialisation: raise all that is wrong, give memory, fill, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ..distributions import Distribution, Stored
from ..errors import FileError, FillError, PlanError, Problem, TensorProblem
from ..model import ModelView
from ..numbers import no_collecting
from ..plan import EMPTY, WRITE, InitOptions, Plan, Step, Target
from . import distributed
from .dealing import drawn_by_all
from .fill import fill, refresh_computed
from .held import draw_held
from .materializer import Materializer
from .progress import ProgressBar
from .recorded_rules import settle_recorded_rules
from .report import Report
from .running_stats import off_reset, reset_running_stats
from .seeds import draw_seed, read_prefix, read_seed, with_prefix
from .started import remember_rules
from .user_functions import run_functions


class Job:
    """One initialisation of one model under one set of options."""

    def __init__(self, view: ModelView, settings: InitOptions, began: float) -> None:
        self.view, self.settings, self.began = view, settings, began
        self.seed, self.prefix = read_seed(settings["seed"]), read_prefix(settings["prefix"])
        self.verify = settings["verify_ranks"]

    @no_collecting()
    def carry_out(self, plan: Plan, own: bool = False) -> Report:
        """Raise all that is wrong, then write and report; with ``own``, of this module alone."""
        written = [pair for pair in plan.pairs if pair[0].status in (WRITE, EMPTY)]
        slots = [slot for _, target in written for slot in target.slots]
        # Slots compare by identity, so `in` finds the very slot.
        slots += [t.writer for _, t in written if t.writer not in t.slots]  # made up over overlaps
        with distributed.raise_together(self.verify):
            memory = Materializer(self.view, self.settings["device"], slots, own)
            if problems := [*plan.problems, *memory.problems, *_without_values(written)]:
                raise PlanError(problems)
            distributed.require_seed(self.seed, plan)
        # After all problems were raised: a refused call leaves torch's generator alone.
        seed = draw_seed() if self.seed is None else self.seed
        if self.verify:
            distributed.compare_ranks(plan.digest(), seed, self.prefix, None, self.verify)
        self._write(plan, seed, memory)
        report = Report(
            plan,
            seed=seed,
            prefix=self.prefix,
            buffers=self._buffers(written),
            values=_digests(written),
            drawn_by_all=drawn_by_all(plan, self.settings["communicate"]),
        )
        report.seconds = time.perf_counter() - self.began
        remember_rules(self.view.root, plan)
        settle_recorded_rules(self.view, report, forget=not own)
        return report

    def _write(self, plan: Plan, seed: int, memory: Materializer) -> None:
        prefix = with_prefix(self.prefix, "")
        _require_files(plan)
        drawn = run_functions(plan, seed, prefix) | draw_held(plan, seed, prefix)
        memory.give()
        total = sum(step.elements for step in plan.with_status(WRITE))
        with ProgressBar(self.settings["progress"], total) as bar:
            fill(
                plan,
                seed,
                prefix,
                drawn=drawn,
                advance=bar.advance,
                communicate=self.settings["communicate"],
                fresh=bool(memory.slots),
            )
        refresh_computed(self.view.slots, plan)

    def _buffers(self, written: list[tuple[Step, Target]]) -> list[str]:
        """Reset running statistics, or return the names of those off their reset value."""
        if self.settings["reset_buffers"]:
            reset_running_stats(self.view.modules)
            return []
        owners = {id(slot.owner) for _, target in written for slot in target.slots}
        return off_reset(self.view.slots, owners)


def _without_values(written: Sequence[tuple[Step, Target]]) -> Iterator[Problem]:
    """Yield a problem for each tensor of which some rows are to stay, and which holds none."""
    for step, target in written:
        tensor = target.writer.tensor
        if step.rows is not None and tensor is not None and tensor.is_meta:
            text = f"{step.name}: {step.start}, and on the meta device the others hold no values"
            yield TensorProblem(f"{text}; load them first (rule {step.rule!r})", names=step.names)


def _require_files(plan: Plan) -> None:
    """Raise before anything is written where a file is gone, or not as it was planned."""
    # Like parameters share one distribution, which is asked once.
    named = {id(s.distribution): s for s in plan.with_status(WRITE) if s.distribution is not None}
    for step in named.values():
        for part in _parts(step.distribution):
            if isinstance(part, Stored):
                try:
                    part.require()
                except FileError as error:
                    message = f"{step.name}: {error}; nothing was written"
                    raise FillError(message, name=step.name) from None


def _parts(distribution: Distribution | None) -> Iterator[Distribution]:
    if distribution is not None:
        yield distribution
        for part in distribution.inner():
            yield from _parts(part)


def _digests(written: Sequence[tuple[Step, Target]]) -> dict[str, str]:
    """Return a digest of the values of each step that no report can draw again."""
    found = {id(step.distribution): step.distribution for step, _ in written}
    own = {
        key for key, d in found.items() if d is not None and not (d.serializable and d.repeatable)
    }
    if not own:
        return {}
    from .digests import values_digest  # few programs need it

    return {
        step.name: values_digest(target.writer.raw, contract=2)
        for step, target in written
        if id(step.distribution) in own
    }
