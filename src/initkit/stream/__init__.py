"""Random values addressed by element: the same bits on every machine."""

from .bounds import trunc_bounds
from .byte_sums import sums
from .keys import Key, key
from .matrix import haar
from .pool import run
from .runs import Run, Runs, cut_runs
from .spec import CONSTANT, LARGEST_NORMAL, Spec
from .values import (
    bernoulli,
    choice,
    normal_,
    normal_spec,
    trunc_normal_,
    trunc_normal_spec,
    uniform_,
    uniform_spec,
    words,
)
from .write import Row, backend, paths, write_many

__all__ = [
    "CONSTANT",
    "LARGEST_NORMAL",
    "Key",
    "Row",
    "Run",
    "Runs",
    "Spec",
    "backend",
    "bernoulli",
    "choice",
    "cut_runs",
    "haar",
    "key",
    "normal_",
    "normal_spec",
    "paths",
    "run",
    "sums",
    "trunc_bounds",
    "trunc_normal_",
    "trunc_normal_spec",
    "uniform_",
    "uniform_spec",
    "words",
    "write_many",
]
