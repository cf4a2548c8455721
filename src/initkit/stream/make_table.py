"""Make the 64 KiB table from which the stream reads the standard normal.

Run ``python -m initkit.stream.make_table [file]``; it needs mpmath (which torch brings along) and
some seconds. The contract is in docs/stream.md: for each of 31 octaves of ``f``, cut into
256 equal pieces, the straight line ``A + B f`` that follows ``z(f) = Q^-1(f / 2^32)``, where Q is
the upper tail of the standard normal.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from importlib import import_module
from typing import Any

from ..files import replacing
from .table import FILE, SHA256

SIZE = 8192
BITS = 160


def quantile(mp: Any, e: int, t: int) -> Any:
    """Return ``z(2^e (1 + t/512))`` to ``BITS`` bits, by Newton's method."""
    from statistics import NormalDist  # here: the table's reader imports this file for its checksum

    if e == 30 and t == 512:  # the median, exactly
        return mp.mpf(0)
    tail = mp.ldexp(mp.mpf(512 + t), e - 9 - 32)
    z = mp.mpf(-NormalDist().inv_cdf(float(tail)))
    for _ in range(4):
        density = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
        z += (mp.erfc(z / mp.sqrt(2)) / 2 - tail) / density
    return z


def rounded(mp: Any, x: Any) -> Any:
    """Round once to the 24 bits of a float32, ties to even."""
    with mp.workprec(24):
        return +x


def piece(mp: Any, e: int, s: int, z0: Any, zm: Any, z1: Any) -> tuple[Any, Any]:
    """Return the intercept and the slope for piece ``s`` of octave ``e``."""
    f0, f1 = (mp.ldexp(mp.mpf(256 + t), e - 8) for t in (s, s + 1))
    b = rounded(mp, (z1 - z0) / (f1 - f0))
    # Halfway between the lines through the ends and through the middle: the error is shared out.
    ends = ((z0 - b * f0) + (z1 - b * f1)) / 4
    return rounded(mp, ends + (zm - b * (f0 + f1) / 2) / 2), b


def make() -> bytes:
    """Return the table as it is shipped: A[8192], then B[8192], float32, little-endian."""
    mp = import_module("mpmath").mp.clone()  # not a dependency of initkit
    mp.prec = BITS
    a, b = [0.0] * SIZE, [0.0] * SIZE
    # f = 2^31, to which the 64 words next to the median are rounded: 32 from it on average.
    a[7680] = float(rounded(mp, mp.ldexp(mp.sqrt(2 * mp.pi), -27)))
    for e in range(31):
        knots = [quantile(mp, e, t) for t in range(513)]
        for s in range(256):
            index = ((e + 127) * 256 + s) % SIZE  # float32's biased exponent, then the mantissa
            a[index], b[index] = piece(mp, e, s, *knots[2 * s : 2 * s + 3])
    return struct.pack(f"<{2 * SIZE}f", *a, *b)


def main() -> None:
    """Write the table beside this file, or where the first argument says; refuse a wrong one."""
    table = make()
    found = hashlib.sha256(table).hexdigest()
    if found != SHA256:
        raise SystemExit(f"the table came out with sha256 {found}; it should be {SHA256}")
    target = sys.argv[1] if len(sys.argv) > 1 else FILE
    with replacing(target) as beside:
        beside.write_bytes(table)
    sys.stdout.write(f"wrote {len(table)} bytes to {target}\n")


if __name__ == "__main__":
    main()
