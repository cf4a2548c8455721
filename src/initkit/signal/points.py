"""What a probe saw: points, activations, attention, residual sums, losses, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..numbers import Value, frozen
from .moments import NOTHING, Moments


@dataclass(eq=False, slots=True)  # not frozen: the gradient comes later
class Point:
    """The output of one call of a module, or of an operation that is linear in a parameter.

    ``name`` is the module's path, or the parameter's name for an operation; ``call`` counts the
    calls, from 1; ``kind`` is the class of the module, or the operation. ``moments`` are those of
    the output, ``entering`` is the rms of what a layer with weights was given, and ``gradient`` the
    rms of the gradient, None where none was seen. ``parameters`` are those that the output is
    linear in, ``leaf`` marks a module without modules inside, ``chained`` one that was given the
    output of another module of its class. ``histogram`` has the shares of values from -4 to 4 rms.
    """

    name: str
    call: int
    kind: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    moments: Moments = NOTHING
    parameters: tuple[str, ...] = ()
    entering: float | None = None
    gradient: float | None = None
    leaf: bool = True
    chained: bool = False
    histogram: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        """The mean of the output's elements."""
        return self.moments.mean

    @property
    def std(self) -> float:
        """Their standard deviation."""
        return self.moments.std

    @property
    def rms(self) -> float:
        """Their root mean square."""
        return self.moments.rms

    @property
    def peak(self) -> float:
        """The largest magnitude among them."""
        return self.moments.peak

    @property
    def channel_square(self) -> float:
        """The mean over channels of the square of a channel's mean."""
        return self.moments.channel_square

    @property
    def alike(self) -> float | None:
        """The mean cosine between two samples."""
        return self.moments.alike

    @property
    def nonfinite(self) -> float:
        """The share of NaN and infinity."""
        return self.moments.nonfinite

    @property
    def factor(self) -> float | None:
        """The rms of the output over that of the input, of a layer with weights."""
        return self.rms / self.entering if self.entering else None


@frozen
class Activation(Value):
    """Shares of dead and of saturated units of one activation.

    ``source`` is the point that the activation was applied to, where it is one.
    """

    name: str
    call: int
    kind: str
    source: str
    seen: int  # values of each unit
    dead: float
    saturated: float


@frozen
class Attention(Value):
    """The entropy of a softmax, over the logarithm of how many places were not masked."""

    name: str
    call: int
    kind: str
    entropy: float
    places: float


@frozen
class ResidualSum(Value):
    """A sum of trunk and branch inside a module: the rms of both, and of the sum."""

    name: str
    call: int
    trunk: float
    branch: float
    after: float


@frozen
class LossValue(Value):
    """A loss beside that of knowing nothing: ln C for C classes, the variance of targets."""

    name: str
    kind: str
    value: float
    nothing: float
    classes: int


@frozen
class ParameterSignal(Value):
    """A parameter: its rms, the rms of its gradient (None where none came), and its uses."""

    name: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    rms: float
    gradient: float | None
    uses: int
    frozen: bool

    @property
    def ratio(self) -> float | None:
        """The rms of the gradient over that of the values."""
        return self.gradient / self.rms if self.gradient is not None and self.rms else None


@dataclass(slots=True)
class Seen:
    """All that one forward and backward showed, each in order of execution."""

    points: list[Point] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    attention: list[Attention] = field(default_factory=list)
    sums: list[ResidualSum] = field(default_factory=list)
    losses: list[LossValue] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)  # gradient by time step
