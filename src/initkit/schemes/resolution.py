"""What a scheme becomes for one tensor, and what of the tensor decides that."""

from __future__ import annotations

from ..distributions import Distribution
from ..errors import SchemeMismatch
from ..numbers import Value, frozen
from .base import Reads, Scheme
from .narrow import is_of_axes, narrowed
from .site import FansOf, Site

# Each reads what those before it do, and more: the most that any part reads is what all do.
_FROM_LEAST: tuple[Reads, ...] = ("options", "shape", "axes", "site")
_FAN_NAMES = frozenset(("fan_in", "fan_out", "fan_avg"))


@frozen
class Needs(Value):
    """Hold what a scheme goes by: ``reads``, and whose fans or axes it takes, if it does.

    ``names`` are those in its formulas that only the model knows. Tensors that agree in what it
    reads, and in the values of the names, have one distribution.
    """

    reads: Reads
    fans: FansOf | None
    names: tuple[str, ...] = ()


def needs_of(scheme: Scheme) -> Needs:
    """Return what of a tensor decides the distribution of a scheme, its inner schemes included.

    A class that does not say what it reads is taken to read all, fans and axes too.

    >>> needs_of(read_scheme("blocks(0, 'xavier_normal')"))
    Needs(reads='axes', fans='module', names=())
    >>> needs_of(read_scheme("normal(std=1/n_layers)"))
    Needs(reads='options', fans=None, names=('n_layers',))
    """
    # `scaled` and `blocks` read little themselves, and all that the schemes in them read.
    schemes = list(scheme.walk())
    reads = max((each.reads for each in schemes), key=_FROM_LEAST.index)
    names = dict.fromkeys(name for formula in scheme.formulas for name in formula.names)
    fans: FansOf | None = None
    # A formula may ask for fans in a scheme that has none itself: normal(std=1/fan_in).
    if reads in ("axes", "site") or names.keys() & _FAN_NAMES:
        of_shape = any(getattr(each, "fans", None) == "tensor" for each in schemes)
        fans = "tensor" if of_shape else "module"
    if any(map(is_of_axes, names)):
        reads = max(reads, "axes", key=_FROM_LEAST.index)
    return Needs(reads, fans, tuple(name for name in names if not is_of_axes(name)))


def resolve(scheme: Scheme, site: Site) -> Distribution:
    """Return the distribution of the tensor that ``site`` describes.

    Where the scheme says that it reads less than all of the site, it is shown no more, so that
    tensors that agree in that have one distribution. Raises
    :class:`~initkit.errors.SchemeMismatch` where a user's scheme reads more, or returned something
    else.

    >>> print(resolve(read_scheme("lecun_normal"), Site((64, 4))))
    N(0, 0.5)
    """
    needs = needs_of(scheme)
    distribution = scheme.resolve(narrowed(site, needs.reads, needs.names))
    if not isinstance(distribution, Distribution):
        raise SchemeMismatch(f"its resolve returned {distribution!r}, which is no distribution")
    return distribution
