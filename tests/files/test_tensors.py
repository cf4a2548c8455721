"""Tensors in files: strict headers, parts that are read alone, digests of their bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from initkit.errors import FileError
from initkit.files import stored_tensors

VALUES = torch.arange(6, dtype=torch.float32).view(2, 3)


def write(path: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(begin: int = 0, end: int = 24, **changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end], **changes}


def raw(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()


@pytest.mark.parametrize("pad", ["", " ", "   "])
def test_a_file_is_read_wherever_its_values_begin(tmp_path: Path, pad: str) -> None:
    header = (json.dumps({"__metadata__": {"format": "pt"}, "w": entry()}) + pad).encode()
    found = stored_tensors(write(tmp_path / "a.safetensors", header, raw(VALUES)))
    assert list(found) == ["w"]
    assert torch.equal(found["w"].tensor, VALUES)


def test_what_the_safetensors_package_writes_is_read(tmp_path: Path) -> None:
    written = pytest.importorskip("safetensors.torch")
    dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
    tensors = {str(dtype): (VALUES * 3).to(dtype) for dtype in dtypes}
    tensors |= {"scalar": torch.tensor(3.0), "none": torch.empty(0, 4)}
    written.save_file(tensors, tmp_path / "a.safetensors")
    found = stored_tensors(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].tensor, tensor), name


@pytest.mark.parametrize(
    ("header", "data", "text"),
    [
        ({"w": entry(0, 20)}, bytes(20), "w of shape [2, 3] has 20 bytes"),
        ({"w": entry(4, 28)}, bytes(28), "the bytes from 0 on belong to none or several"),
        ({"v": entry(), "w": entry()}, bytes(24), "the bytes from 24 on belong to none or several"),
        ({"w": entry()}, bytes(25), "it ends at"),
        ({"w": entry(shape=[-2, -3])}, bytes(24), "w has the shape (-2, -3)"),
        ({"w": entry(dtype="F7")}, bytes(24), "w is of dtype 'F7', unknown here"),
        (b'{"w": 1, "w": 2}', b"", "the key 'w' stands twice"),
        (b"[]", b"", "no safetensors file"),
        (b"{", b"", "its header would have 1 bytes"),
    ],
)
def test_a_header_that_does_not_fit_its_bytes_is_refused(
    tmp_path: Path, header: Any, data: bytes, text: str
) -> None:
    path = write(tmp_path / "a.safetensors", header, data)
    with pytest.raises(FileError) as caught:
        stored_tensors(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_header_longer_than_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes((2**40).to_bytes(8, "little"))
    with pytest.raises(FileError, match="its header would have 1099511627776 bytes"):
        stored_tensors(tmp_path / "a.safetensors")


def test_an_index_leads_to_the_files_of_a_model(tmp_path: Path) -> None:
    write(tmp_path / "1.safetensors", {"v": entry()}, raw(VALUES))
    write(tmp_path / "2.safetensors", {"w": entry()}, raw(VALUES + 1))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"v": "1.safetensors", "w": "2.safetensors"}}')
    assert torch.equal(stored_tensors(index)["w"].tensor, VALUES + 1)
    index.write_text('{"weight_map": {"w": "1.safetensors"}}')
    with pytest.raises(FileError, match="no index of safetensors: KeyError"):
        stored_tensors(index)


@pytest.mark.parametrize("around", [lambda d: d, lambda d: {"state_dict": d, "epoch": 3}])
def test_what_torch_saved_is_mapped(tmp_path: Path, around: Any) -> None:
    torch.save(around({"w": VALUES, "step": 3}), tmp_path / "a.pt")
    found = stored_tensors(tmp_path / "a.pt")
    assert list(found) == ["w"]
    assert torch.equal(found["w"].tensor, VALUES)


def test_a_pickle_of_anything_else_is_refused(tmp_path: Path) -> None:
    torch.save(Path("x"), tmp_path / "a.pt")
    with pytest.raises(
        FileError, match=r"it holds more than tensors and plain data \(pathlib\.|no state_dict"
    ):
        stored_tensors(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("name", "text"), [("none.pt", "there is no file "), ("a.npy", "tensors are read from")]
)
def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "a.npy").write_bytes(b"")
    with pytest.raises(FileError, match=text):
        stored_tensors(tmp_path / name)


def test_a_digest_is_of_shape_dtype_and_bits_whatever_the_file(tmp_path: Path) -> None:
    torch.save(
        {"w": VALUES, "t": VALUES.T.contiguous().T, "flat": VALUES.view(-1)}, tmp_path / "a.pt"
    )
    write(tmp_path / "a.safetensors", {"w": entry()}, raw(VALUES))
    found = stored_tensors(tmp_path / "a.pt")
    assert stored_tensors(tmp_path / "a.safetensors")["w"].digest == found["w"].digest
    assert found["t"].digest == found["w"].digest != found["flat"].digest
