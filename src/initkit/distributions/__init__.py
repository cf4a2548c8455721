"""What a scheme becomes for one tensor."""

from .base import WRITTEN, Distribution, Grid, Runs, Source, from_dict, short, spans
from .copied import Copy
from .elementwise import Constant, MaskedUniform, Normal, TruncatedNormal, Uniform
from .evidence import Sample, Test, binomial, exact_test
from .indexed import Arange, Indexed, Sinusoids, Sinusoids2d
from .mapped import Mapped
from .orthogonal import DeltaOrthogonal, Orthogonal
from .structured import Blocks, Dirac, Eye, Placed
from .table import INLINE, Table
from .whole import NonElementwise, Rotated, Sparse, UserFunction, function_name

__all__ = [
    "INLINE",
    "WRITTEN",
    "Arange",
    "Blocks",
    "Constant",
    "Copy",
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
    "Sample",
    "Sinusoids",
    "Sinusoids2d",
    "Source",
    "Sparse",
    "Table",
    "Test",
    "TruncatedNormal",
    "Uniform",
    "UserFunction",
    "binomial",
    "exact_test",
    "from_dict",
    "function_name",
    "short",
    "spans",
]
