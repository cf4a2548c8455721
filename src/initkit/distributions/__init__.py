"""What a scheme becomes for one tensor."""

from ..numbers import Grid
from .arranged import Arranged
from .base import WRITTEN, Distribution
from .bases import Fourier, HadamardIdentity, Interpolation, Mel
from .blocks import Blocks
from .by_formula import ByFormula
from .copied import Copy
from .curves import Curve, curve
from .digits import short, shorts, told_apart
from .elementwise import Constant, MaskedUniform, Normal, TruncatedNormal, Uniform
from .evidence import Sample, Test, binomial, exact_test, passed
from .factored import GlowLU
from .indexed import Arange, Indexed, Sinusoids, Sinusoids2d
from .joint import FunctionOfSeveral, Joint
from .like_rows import CopiedRows, LikeRows, MeanResized
from .low_rank import Olora, Pissa
from .mapped import Mapped
from .mimetic import Mimetic
from .opposed import Opposed
from .orthogonal import MOST_HOLES, DeltaOrthogonal, Orthogonal
from .pairwise import Pairwise, Product, Sum, product_of, sum_of
from .plain import from_dict
from .quantile import Quantile
from .quaternion import Quaternion
from .repeated import Repeated
from .rescaled import RescaledOrthogonal
from .rows import Rows
from .skew_pairs import SkewPairs
from .source import Runs, Source, Spot, spans
from .spectral import RandomFeatures, Reservoir
from .standardized import Standardized
from .stored import Stored
from .structured import Dirac, Eye, Placed
from .table import INLINE, Table
from .whole import NonElementwise, Rotated, Sparse, UserFunction, function_name

__all__ = [
    "INLINE",
    "MOST_HOLES",
    "WRITTEN",
    "Arange",
    "Arranged",
    "Blocks",
    "ByFormula",
    "Constant",
    "CopiedRows",
    "Copy",
    "Curve",
    "DeltaOrthogonal",
    "Dirac",
    "Distribution",
    "Eye",
    "Fourier",
    "FunctionOfSeveral",
    "GlowLU",
    "Grid",
    "HadamardIdentity",
    "Indexed",
    "Interpolation",
    "Joint",
    "LikeRows",
    "Mapped",
    "MaskedUniform",
    "MeanResized",
    "Mel",
    "Mimetic",
    "NonElementwise",
    "Normal",
    "Olora",
    "Opposed",
    "Orthogonal",
    "Pairwise",
    "Pissa",
    "Placed",
    "Product",
    "Quantile",
    "Quaternion",
    "RandomFeatures",
    "Repeated",
    "RescaledOrthogonal",
    "Reservoir",
    "Rotated",
    "Rows",
    "Runs",
    "Sample",
    "Sinusoids",
    "Sinusoids2d",
    "SkewPairs",
    "Source",
    "Sparse",
    "Spot",
    "Standardized",
    "Stored",
    "Sum",
    "Table",
    "Test",
    "TruncatedNormal",
    "Uniform",
    "UserFunction",
    "binomial",
    "curve",
    "exact_test",
    "from_dict",
    "function_name",
    "passed",
    "product_of",
    "short",
    "shorts",
    "spans",
    "sum_of",
    "told_apart",
]
