"""Name every way to initialise; each resolves to a distribution for one tensor."""

from .base import Scaled, Scheme
from .basic import (
    Constant,
    Function,
    Keep,
    Normal,
    Ones,
    PriorBias,
    TorchDefault,
    Uniform,
    ZeroMaskUniform,
    Zeros,
)
from .composite import Blocks
from .copied import CopyOf
from .describe import SchemeInfo, describe_scheme
from .fan_based import (
    KaimingNormal,
    KaimingUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    XavierNormal,
    XavierUniform,
)
from .matrices import DeltaOrthogonal, Dirac, Eye, Orthogonal, Sparse
from .positional import (
    Arange,
    ExpOf,
    InverseSoftplusOf,
    LogOf,
    LogUniform,
    RotatedFrequencies,
    Sincos2d,
    Sinusoids,
)
from .read import blocks, read_scheme, read_scheme_call
from .registry import (
    canonical_name,
    check_name,
    factory_of,
    list_schemes,
    refuse_taken,
    register_defined,
    register_scheme,
    scheme_names,
    unregister_scheme,
)
from .resolution import Needs, needs_of, resolve
from .site import FansOf, Site
from .table import Table
from .truncated import TruncNormal

__all__ = [
    "Arange",
    "Blocks",
    "Constant",
    "CopyOf",
    "DeltaOrthogonal",
    "Dirac",
    "ExpOf",
    "Eye",
    "FansOf",
    "Function",
    "InverseSoftplusOf",
    "KaimingNormal",
    "KaimingUniform",
    "Keep",
    "LecunNormal",
    "LecunUniform",
    "LogOf",
    "LogUniform",
    "Needs",
    "Normal",
    "Ones",
    "Orthogonal",
    "PriorBias",
    "RotatedFrequencies",
    "Scaled",
    "Scheme",
    "SchemeInfo",
    "Sincos2d",
    "Sinusoids",
    "Site",
    "Sparse",
    "Table",
    "TorchDefault",
    "TruncNormal",
    "Uniform",
    "VarianceScaling",
    "XavierNormal",
    "XavierUniform",
    "ZeroMaskUniform",
    "Zeros",
    "blocks",
    "canonical_name",
    "check_name",
    "describe_scheme",
    "factory_of",
    "list_schemes",
    "needs_of",
    "read_scheme",
    "read_scheme_call",
    "refuse_taken",
    "register_scheme",
    "resolve",
    "scheme_names",
    "unregister_scheme",
]

register_defined()
