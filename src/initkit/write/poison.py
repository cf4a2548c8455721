"""Track writes by poison: where a value that was put there first still stands, nothing wrote."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model import Slot
from .coverage import Coverage, Writes, count_written, held_tensors


class PoisonedWrites(Writes):
    """Put a certain NaN into every float and a rare number into every wide integer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.kept: dict[str, Tensor] = {}
        with torch.no_grad():
            for slot, tensor in held_tensors(model):
                bits = _bits(tensor)
                if slot.kind == "buffer":
                    self.kept[slot.name] = tensor.detach().clone()
                if bits is not None:
                    bits.fill_(_POISON[bits.element_size()])

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:
        bits, total = _bits(tensor), tensor.numel()
        if bits is None:
            return Coverage(slot.name, slot.kind, 0, total, judged=not total)
        # Compared as integers: NaN equals nothing, and its payload is what counts.
        done = bits != _POISON[bits.element_size()]
        row = count_written(slot, done, tensor)
        # A buffer that the block left alone may hold state; parameters are there to be written.
        if slot.kind == "buffer" and not row.written:
            tensor.copy_(self.kept[slot.name])
        return row


# Quiet NaNs with a payload of their own: arithmetic makes others.
_POISON = {8: 0x7FFCE5C3A1E5C3A1, 4: 0x7FE5C3A1, 2: 0x7FE5}
_INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16}


def _bits(tensor: Tensor) -> Tensor | None:
    """Return a tensor's memory as integers; None where no bit pattern is to spare, or no memory."""
    if tensor.is_meta or tensor.layout is not torch.strided or tensor.is_conj() or tensor.is_neg():
        return None
    tensor = tensor.detach()
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    wide = _INTEGERS.get(real.element_size())
    return None if wide is None else real.view(wide)
