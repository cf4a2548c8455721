"""Look at what a model has, at what its parameter list misses, and start a tensor by itself."""

from .bare_tensor import init_
from .model_summary import Summary, summary
from .optimizer import Optimizers, optimizer_problems
from .row import Row

__all__ = [
    "Optimizers",
    "Row",
    "Summary",
    "init_",
    "optimizer_problems",
    "summary",
]
