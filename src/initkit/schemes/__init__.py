"""Name every way to initialise; each resolves to a distribution for one tensor."""

from typing import TYPE_CHECKING

from .base import Scaled, Scheme, Shifted
from .basic import (
    Constant,
    Function,
    Keep,
    Normal,
    Ones,
    PerModule,
    PriorBias,
    TorchDefault,
    Uniform,
    ZeroMaskUniform,
    Zeros,
)
from .chrono import Chrono
from .composite import Blocks, Gates
from .copied import CopyOf
from .describe import SchemeInfo, describe_scheme, list_schemes
from .elsewhere import has_options, meant_by, plain_name, scheme_with, unknown_scheme
from .fan_based import (
    KaimingNormal,
    KaimingUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    XavierNormal,
    XavierUniform,
)
from .indexed import Indexed, Quantile
from .joint import (
    FunctionOfSeveral,
    GlowLU,
    Joint,
    Mimetic,
    Olora,
    Pissa,
    Quaternion,
    read_scheme_of,
)
from .matrices import (
    DeltaOrthogonal,
    Dirac,
    Eye,
    GlorotOrthogonal,
    HeOrthogonal,
    Orthogonal,
    Sparse,
)
from .positional import (
    Arange,
    ExpOf,
    InverseSoftplusOf,
    LogOf,
    LogUniform,
    RadialOffsets,
    RotatedFrequencies,
    Sincos2d,
    Sinusoids,
)
from .products import Product, Rounded, Sum
from .read import blocks, is_scheme_table, per_module, read_scheme, read_scheme_call
from .registry import (
    canonical_name,
    check_name,
    factory_of,
    refuse_taken,
    register_defined,
    register_scheme,
    scheme_names,
    unregister_scheme,
)
from .renaming import renamed
from .resolution import Needs, needs_of, resolve
from .rows import CopiedRows, MeanResizing
from .site import FansOf, Site
from .stored import FromTensor, Pretrained
from .structured import (
    BilinearUpsampling,
    Icnr,
    MelBands,
    RandomFeatures,
    Reservoir,
    SkewPairs,
    Stft,
    ZerO,
)
from .table import Table
from .truncated import TruncNormal

__all__ = [
    "Arange",
    "BilinearUpsampling",
    "Blocks",
    "Chrono",
    "Constant",
    "CopiedRows",
    "CopyOf",
    "DeltaOrthogonal",
    "Dirac",
    "ExpOf",
    "Eye",
    "FansOf",
    "FromTensor",
    "Function",
    "FunctionOfSeveral",
    "Gates",
    "GlorotOrthogonal",
    "GlowLU",
    "HeOrthogonal",
    "Icnr",
    "Indexed",
    "InverseSoftplusOf",
    "Joint",
    "KaimingNormal",
    "KaimingUniform",
    "Keep",
    "LecunNormal",
    "LecunUniform",
    "LogOf",
    "LogUniform",
    "MeanResizing",
    "MelBands",
    "Mimetic",
    "Needs",
    "Normal",
    "Olora",
    "Ones",
    "Orthogonal",
    "PerModule",
    "Pissa",
    "Pretrained",
    "PriorBias",
    "Product",
    "Quantile",
    "Quaternion",
    "RadialOffsets",
    "RandomFeatures",
    "Reservoir",
    "RotatedFrequencies",
    "Rounded",
    "Scaled",
    "Scheme",
    "SchemeInfo",
    "Shifted",
    "Sincos2d",
    "Sinusoids",
    "Site",
    "SkewPairs",
    "Sparse",
    "Stft",
    "Sum",
    "Table",
    "TorchDefault",
    "TruncNormal",
    "Uniform",
    "VarianceScaling",
    "XavierNormal",
    "XavierUniform",
    "ZerO",
    "ZeroMaskUniform",
    "Zeros",
    "blocks",
    "canonical_name",
    "check_name",
    "describe_scheme",
    "factory_of",
    "has_options",
    "is_scheme_table",
    "list_schemes",
    "meant_by",
    "needs_of",
    "per_module",
    "plain_name",
    "read_scheme",
    "read_scheme_call",
    "read_scheme_of",
    "refuse_taken",
    "register_scheme",
    "renamed",
    "resolve",
    "scheme_names",
    "scheme_with",
    "unknown_scheme",
    "unregister_scheme",
]

register_defined()


if not TYPE_CHECKING:

    def __getattr__(name):
        """Say how a scheme is called that stands here by the name that rules have for it."""
        known = canonical_name(name)
        kind = next((one for one in __all__ if known and plain_name(one) == plain_name(known)), "")
        meant = f"; the scheme is schemes.{kind}(...), or the text {known!r}" if kind else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant}")
