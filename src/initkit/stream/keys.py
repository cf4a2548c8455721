"""The key of a tensor: a seed and a name, hashed."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import NamedTuple

_HEAD = struct.Struct("<QII").pack
_WORDS = struct.Struct("<II").unpack_from
# A copy of an empty hash is cheaper than a new one, and its state is nobody else's.
_EMPTY = blake2b(digest_size=16, person=b"initkit-v1").copy
_MASK = (1 << 64) - 1


class Key(NamedTuple):
    """The two 32-bit words that tell one tensor's stream from every other."""

    k0: int
    k1: int


def key(seed: int, name: str, stream: int = 0) -> Key:
    """Return the key of ``name`` under ``seed``.

    ``seed`` is any int, taken modulo 2^64; ``stream`` (0 for values, 1 for masks and choices)
    gives a second, independent word for every element.

    >>> key(0, "fc.weight") == (0x8efecf31, 0x62474e74)
    True
    """
    # Half a surrogate pair, which no UTF-8 has, stands as its three bytes all the same.
    text = name.encode(errors="surrogatepass")
    digest = _EMPTY()
    digest.update(_HEAD(seed & _MASK, stream, len(text)) + text)
    return tuple.__new__(Key, _WORDS(digest.digest()))  # half the time of Key(...)
