"""One initialisation: raise all that is wrong, give memory, fill, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ..distributions import Distribution, Rows, Stored
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
        with distributed.raise_together(self.verify):
            memory = Materializer(self.view, self.settings["device"], written, own)
            if problems := [*plan.problems, *memory.problems, *_without_values(plan)]:
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
            values=_digests(plan, written),
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
        with ProgressBar(self.settings["progress"], plan) as bar:
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
        kept = [slot for slot in self.view.slots if slot.kind == "buffer"]
        owners = {id(slot.owner) for _, target in written for slot in target.slots} if kept else ()
        return off_reset(kept, owners)


def _without_values(plan: Plan) -> Iterator[Problem]:
    """Yield a problem for each tensor of which some rows are to stay, and which holds none."""
    if not any(isinstance(distribution, Rows) for distribution in plan.distributions):
        return
    for step, target in plan.pairs:
        tensor = target.writer.tensor
        if step.status not in (WRITE, EMPTY):
            continue
        if step.rows is not None and tensor is not None and tensor.is_meta:
            text = f"{step.name}: {step.start}, and on the meta device the others hold no values"
            yield TensorProblem(f"{text}; load them first (rule {step.rule!r})", names=step.names)


def _require_files(plan: Plan) -> None:
    """Raise before anything is written where a file is gone, or not as it was planned."""
    stored = {id(d): found for d in plan.distributions if (found := list(_files(d)))}
    if not stored:
        return
    # The last step of each, which many may share, is named.
    named = {id(step.distribution): step for step in plan.with_status(WRITE)}
    for key in filter(named.__contains__, stored):
        name = named[key].name
        for part in stored[key]:
            try:
                part.require()
            except FileError as error:
                raise FillError(f"{name}: {error}; nothing was written", name=name) from None


def _files(distribution: Distribution) -> Iterator[Stored]:
    """Yield what a distribution reads from files."""
    if isinstance(distribution, Stored):
        yield distribution
    for part in distribution.inner():
        yield from _files(part)


def _digests(plan: Plan, written: Sequence[tuple[Step, Target]]) -> dict[str, str]:
    """Return a digest of the values of each step that no report can draw again."""
    own = {id(d) for d in plan.distributions if not (d.serializable and d.repeatable)}
    if not own:
        return {}
    from .digests import values_digest  # few programs need it

    return {
        step.name: values_digest(target.writer.raw, contract=2)
        for step, target in written
        if id(step.distribution) in own
    }
