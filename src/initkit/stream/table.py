"""The shipped table behind the standard normal."""

from __future__ import annotations

import sys
from array import array
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InitkitError

SHA256 = "68234bb2c2eb287b22bc4c3f341d00443c20b8ca1229cfe05ab4587151009019"
FILE = Path(__file__).with_name("table.bin")


@cache
def table_bytes() -> bytes:
    """Return the table as it lies on disk, refusing a damaged one."""
    raw = FILE.read_bytes()
    if sha256(raw).hexdigest() != SHA256:
        raise InitkitError("initkit/stream/table.bin is damaged; install initkit again")
    return raw


@cache
def native_bytes() -> bytes:
    """Return the table in this machine's byte order."""
    values = array("f", table_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


@cache
def table(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return A, as int32 bits, and B, as float32, on ``device``."""
    # A copy, since torch warns of memory that can't be written; it keeps the bytearray alive.
    both = torch.frombuffer(bytearray(native_bytes()), dtype=torch.float32).to(device)
    return both[:8192].view(torch.int32), both[8192:]
