"""Gates whose biases remember for as long as sequences are."""

from __future__ import annotations

from dataclasses import field

from .. import distributions
from ..numbers import Number, frozen
from .base import Scheme, option_text
from .basic import Uniform
from .composite import Gates
from .options import option_error
from .positional import LogOf
from .site import Site


@frozen
class Chrono(
    Scheme,
    name="chrono",
    formula="forget log U(1, steps - 1), input minus the same, others 0",
    source="Tallec & Ollivier 2018, Can recurrent neural networks warp time?",
    moments="of the gates that forget, those of log U(1, steps - 1)",
    positional=("steps",),
    reads="shape",
):
    """Start the biases of gates so that units remember for up to ``steps`` steps (chrono).

    For the bias of an LSTM, whose forget gate opens as far as its input gate closes; ``order`` says
    how the gates of your own cell are stacked, as in ``gates``. torch adds two biases: one of them
    starts so, the other at 0, as in ``{"*.bias_ih*": "chrono(784)", "*.bias_hh*": 0}``.
    """

    steps: Number
    order: tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "order", self._gates(3.0).order)
        if self.order is not None and not {"forget", "input"} <= set(self.order):
            what = f"is {', '.join(self.order)}, without a forget or an input gate"
            raise option_error(self.name, "order", what)
        if isinstance(self.steps, float):
            self._check(self.steps)

    def resolve(self, site: Site) -> distributions.Distribution:
        steps = self.number(site, "steps")
        self._check(steps)
        if len(site.shape) > 1 and site.gates:
            raise site.mismatch("it is for the biases of gates, which have one dimension")
        order = self.order or site.gates
        blocks = self._gates(steps).resolve(site)
        assert isinstance(blocks, distributions.Blocks)
        return distributions.Opposed(blocks, order.index("forget"), order.index("input"))

    def _check(self, steps: float) -> None:
        if not steps > 2:
            raise option_error(self.name, "steps", f"must be more than 2, not {steps:g}")

    def _gates(self, steps: float) -> Gates:
        log = LogOf(Uniform(1.0, steps - 1))
        return Gates(forget=log, input=log.scaled(-1.0), order=self.order)

    def __str__(self) -> str:
        order = f", order={self.order!r}" if self.order is not None else ""
        return f"{self.name}({option_text(self.steps)}{order})"
