"""Tell the errors that come of asking a deferred tensor for values from all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

# What answers with values, or needs some to know the shape of its result.
_READS = frozenset(
    "__array__ __bool__ __complex__ __contains__ __dlpack__ __dlpack_device__ __float__ __format__"
    " __index__ __int__ allclose item numpy repeat_interleave share_memory_ tolist".split()
)


class ValueReads(TorchFunctionMode):
    """Note the calls of torch that fail for want of the values of tensors on the meta device.

    What failed says so, and not the words of its error, which differ from release to release: an
    operation that has no kernel for meta, one that returns values, one whose other operands hold
    some, or a buffer that nothing is in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[BaseException] = []

    def caused(self, error: BaseException) -> bool:
        """Say whether this very error came of such a call."""
        return isinstance(error, BufferError) or any(error is noted for noted in self._errors)

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch as it is, and note why it fails."""
        try:
            return func(*args, **(kwargs or {}))
        except Exception as error:
            if _needs_values(func, error, (args, kwargs)):
                self._errors.append(error)
            raise


def _needs_values(func: Any, error: Exception, operands: object) -> bool:
    devices = {t.device.type for t in tree_leaves(operands) if isinstance(t, Tensor)}
    if "meta" not in devices:
        return False
    name = getattr(func, "__name__", "")
    return isinstance(error, NotImplementedError) or len(devices) > 1 or name in _READS
