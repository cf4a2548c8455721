"""What is reckoned before any model: fans, gains, formulas."""

from .call_syntax import Call, read_call
from .fans import (
    MODES,
    DefaultDistribution,
    FanMode,
    Fans,
    Layout,
    is_count,
    module_fans,
    tensor_fans,
)
from .formula import Formula, Lookup, Number, SizeFormula, read_number
from .gains import gain, gain_formula, gain_names, is_leaky
from .gc_pause import no_collecting
from .index_formula import IndexFormula, ShareFormula
from .loaded_modules import loaded
from .matrices import Grid, Matrices, matrices_of
from .signatures import SLOT, slot_parameter
from .typed import check_fields
from .value import Value, frozen

__all__ = [
    "MODES",
    "SLOT",
    "Call",
    "DefaultDistribution",
    "FanMode",
    "Fans",
    "Formula",
    "Grid",
    "IndexFormula",
    "Layout",
    "Lookup",
    "Matrices",
    "Number",
    "ShareFormula",
    "SizeFormula",
    "Value",
    "check_fields",
    "frozen",
    "gain",
    "gain_formula",
    "gain_names",
    "is_count",
    "is_leaky",
    "loaded",
    "matrices_of",
    "module_fans",
    "no_collecting",
    "read_call",
    "read_number",
    "slot_parameter",
    "tensor_fans",
]
