"""What an initialisation does to a model: signal and gradient, layer by layer."""

from .calibrate import calibrate_init
from .calibration import Calibration
from .comparison import Comparison, compare
from .coordinates import Coordinates, Slope, coordinate_check
from .findings import KINDS, Finding, Thresholds
from .laws import Law
from .points import (
    Activation,
    Attention,
    LossValue,
    ParameterSignal,
    Point,
    ResidualSum,
)
from .probe import probe_init
from .report import Probe
from .trunk import Trunk

__all__ = [
    "KINDS",
    "Activation",
    "Attention",
    "Calibration",
    "Comparison",
    "Coordinates",
    "Finding",
    "Law",
    "LossValue",
    "ParameterSignal",
    "Point",
    "Probe",
    "ResidualSum",
    "Slope",
    "Thresholds",
    "Trunk",
    "calibrate_init",
    "compare",
    "coordinate_check",
    "probe_init",
]
