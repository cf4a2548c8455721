"""Random values addressed by element: the same bits on every machine."""

from .bounds import trunc_bounds
from .keys import Key, key
from .matrix import haar
from .pool import run
from .runs import Run, Runs, cut_runs
from .spec import LARGEST_NORMAL
from .values import bernoulli, choice, normal_, trunc_normal_, uniform_, words
from .write import backend, paths

__all__ = [
    "LARGEST_NORMAL",
    "Key",
    "Run",
    "Runs",
    "backend",
    "bernoulli",
    "choice",
    "cut_runs",
    "haar",
    "key",
    "normal_",
    "paths",
    "run",
    "trunc_bounds",
    "trunc_normal_",
    "uniform_",
    "words",
]
