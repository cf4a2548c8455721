"""Tensors in files, found by their headers and read part by part where they are asked for."""

from __future__ import annotations

import hashlib
import math
import pickle
import re
from collections.abc import Mapping
from ctypes import c_char
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import FileError
from .reading import as_path, parse_json, read_text, unread

_HEADER = 100_000_000  # bytes that a header has at most, as the format says
_PIECE = 1 << 24  # bytes that are hashed at once
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: its shape and dtype, and where its bytes are."""

    path: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    offset: int = 0
    held: Tensor | None = None  # as torch.load maps it

    @cached_property
    def tensor(self) -> Tensor:
        """The values, mapped from the file: what is not looked at is not read."""
        if self.held is not None:
            return self.held
        if not math.prod(self.shape):
            return torch.empty(self.shape, dtype=self.dtype, device="cpu")
        size = math.prod(self.shape) * self.dtype.itemsize
        raw = _mapped(self.path, self.offset + size)[self.offset :]
        # A header of odd length leaves the values where no element of their dtype may begin.
        aligned = raw if self.offset % self.dtype.itemsize == 0 else raw.clone()
        return aligned.view(self.dtype).view(self.shape)

    @cached_property
    def digest(self) -> str:
        """A short text of shape, dtype and every bit; finding it reads all of the tensor."""
        hashed = hashlib.blake2b(f"{list(self.shape)} {self.dtype} ".encode(), digest_size=16)
        flat = self.tensor.contiguous().view(-1).view(torch.uint8)
        for start in range(0, flat.numel(), _PIECE):
            piece = flat[start : start + _PIECE]
            # The memory itself: torch's own way to its bytes goes through numpy, or copies.
            hashed.update((c_char * piece.numel()).from_address(piece.data_ptr()))
        return hashed.hexdigest()


def stored_tensors(path: str | Path) -> Mapping[str, StoredTensor]:
    """Return the tensors of a file by name; only its header is read.

    ``.safetensors`` is read here, and so is the ``.index.json`` beside a model in several files;
    ``.pt``, ``.pth``, ``.bin`` and ``.ckpt`` by ``torch.load``, weights only and mapped. A
    state_dict under the key ``state_dict`` or ``model`` is found.

    Raises :class:`FileError` for what cannot be read, or is none of these.
    """
    place = as_path(path)
    try:
        seen = place.stat()
    except (OSError, ValueError) as error:
        raise unread(place, error) from None
    return _found(str(place), seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=64)  # a file that was written again has another time or size
def _found(path: str, _time: int, size: int) -> Mapping[str, StoredTensor]:
    if path.endswith(".safetensors"):
        return _safetensors(path, size)
    if path.endswith(".json"):
        return _index(Path(path))
    if path.endswith((".pt", ".pth", ".bin", ".ckpt")):
        return _torch_file(path)
    known = ".safetensors, .safetensors.index.json, .pt, .pth, .bin and .ckpt"
    raise FileError(f"{path}: tensors are read from {known}", path=path)


def _mapped(path: str, size: int) -> Tensor:
    return torch.from_file(path, shared=False, size=size, dtype=torch.uint8)


# ------------------------------------------------------------------------------------ safetensors


def _safetensors(path: str, size: int) -> dict[str, StoredTensor]:
    """Read a header strictly: every byte behind it belongs to one tensor."""
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_HEADER, size - 8):
                raise FileError(f"its header would have {length} bytes", path=path)
            table = parse_json(file.read(length).decode("utf-8"))
        return _entries(path, table, 8 + length, size)
    except (FileError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileError(f"{path}: no safetensors file: {_why(error)}", path=path) from None


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, FileError | OSError) else repr(error)


def _entries(path: str, table: dict[str, Any], start: int, size: int) -> dict[str, StoredTensor]:
    found, ends = {}, []
    for name, entry in table.items():
        if name == "__metadata__":
            continue
        dtype = getattr(torch, _DTYPES.get(entry["dtype"], ""), None)
        if dtype is None:
            raise FileError(f"{name} is of dtype {entry['dtype']!r}, unknown here", path=path)
        shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
            raise FileError(f"{name} has the shape {shape} at {begin} to {end}", path=path)
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise FileError(f"{name} of shape {list(shape)} has {end - begin} bytes", path=path)
        ends.append((begin, end))
        found[name] = StoredTensor(path, shape, dtype, start + begin)
    behind = 0
    for begin, end in sorted(ends):
        if begin != behind:
            raise FileError(f"the bytes from {behind} on belong to none or several", path=path)
        behind = end
    if start + behind != size:
        raise FileError(f"it ends at {size}, and its tensors at {start + behind}", path=path)
    return found


def _index(path: Path) -> dict[str, StoredTensor]:
    """Read the index of a model in several files, which say of each tensor where it is."""
    try:
        table = parse_json(read_text(path))["weight_map"]
        files = {file: stored_tensors(path.parent / file) for file in sorted(set(table.values()))}
        return {name: files[file][name] for name, file in table.items()}
    except (LookupError, TypeError, AttributeError) as error:
        raise FileError(f"{path}: no index of safetensors: {error!r}", path=path) from None


# ------------------------------------------------------------------------------------ torch.save


def why_refused(error: Exception) -> str:
    """Say in a line why torch.load did not read a file.

    Not in torch's own words, which go on about loading it in an unsafe way.
    """
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}"
    # torch names what it refuses: the function or class that the file would have called. A file of
    # the format before 1.6 is asked by no other way, and releases differ in naming `builtins`.
    asked = re.search(r"GLOBAL (?:builtins\.)?(\S+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and asked is not None:
        return (
            f"it holds more than tensors and plain data ({asked[1]}), which could run any code; "
            "save the state_dict alone, as .safetensors or by torch.save, from a program that you "
            "trust"
        )
    if "_use_new_zipfile_serialization" in str(error):  # what torch.save wrote before 1.6, or not
        return "it is no file that torch.save writes since torch 1.6; load it and save it anew"
    return "it is no file that torch.save wrote, or a damaged one"


def _torch_file(path: str) -> dict[str, StoredTensor]:
    try:
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # pickles fail in many ways
        raise FileError(f"{path}: {why_refused(error)}", path=path) from None
    for key in ("state_dict", "model"):
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            data = data[key]
    data = {"": data} if isinstance(data, Tensor) else data
    if not isinstance(data, Mapping):
        raise FileError(f"{path}: it holds a {type(data).__name__}, no state_dict", path=path)
    return {
        str(name): StoredTensor(path, tuple(tensor.shape), tensor.dtype, held=tensor.detach())
        for name, tensor in data.items()
        if isinstance(tensor, Tensor)
    }
