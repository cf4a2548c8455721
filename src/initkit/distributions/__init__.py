"""What a scheme becomes for one tensor: a value with moments, bounds, a CDF and its own writing."""

from .base import Distribution, Grid, Runs, Source, from_dict, short, spans
from .elementwise import Constant, MaskedUniform, Normal, TruncatedNormal, Uniform
from .indexed import Arange, Indexed, Mapped, Rotated, Sinusoids, Sinusoids2d, mapped
from .structured import Blocks, Dirac, Eye, Placed
from .whole import DeltaOrthogonal, NonElementwise, Orthogonal, Sparse, UserFunction, function_name

__all__ = [
    "Arange",
    "Blocks",
    "Constant",
    "DeltaOrthogonal",
    "Dirac",
    "Distribution",
    "Eye",
    "Grid",
    "Indexed",
    "Mapped",
    "MaskedUniform",
    "NonElementwise",
    "Normal",
    "Orthogonal",
    "Placed",
    "Rotated",
    "Runs",
    "Sinusoids",
    "Sinusoids2d",
    "Source",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
    "UserFunction",
    "from_dict",
    "function_name",
    "mapped",
    "short",
    "spans",
]
