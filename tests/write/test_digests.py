"""Digests see every bit of a model, and nothing else."""

from __future__ import annotations

import pytest
import torch
from models import resnext
from torch import nn

from initkit import model_digest
from initkit.errors import TensorProblem
from initkit.write.digests import contract_of


def test_digests_are_frozen() -> None:
    values = torch.arange(6.0).view(2, 3)
    assert model_digest({"w": values}) == "e117bb322f3b563b"
    assert model_digest({"w": values.bfloat16()}) == "c118b1d0cdc74245"
    assert model_digest({"w": values.to(torch.complex64)}) == "5f8b8390d6108157"


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.int8, torch.bool]
)
def test_every_bit_counts_in_every_place(dtype: torch.dtype) -> None:
    tensor = torch.zeros(300_000, dtype=dtype)
    seen = {model_digest({"w": tensor})}
    for place in (0, 1, 262_143, 262_144, 299_999):
        changed = tensor.clone()
        changed[place] = 1
        seen.add(model_digest({"w": changed}))
    assert len(seen) == 6


def test_signs_of_zero_names_shapes_and_dtypes_count() -> None:
    zero = torch.zeros(4)
    others = [
        {"w": -zero},
        {"v": zero},
        {"w": zero.view(2, 2)},
        {"w": zero.double()},
        {"w": zero.int()},
        {"w": zero, "v": zero},
    ]
    assert len({model_digest(o) for o in [{"w": zero}, *others]}) == 7


def test_order_wrappers_strides_and_threads_do_not_count() -> None:
    model = resnext()
    digest = model_digest(model)
    assert model_digest(nn.DataParallel(model)) == digest
    assert model_digest(dict(reversed(list(model.state_dict().items())))) == digest
    entries = {
        k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in model.state_dict().items()
    }
    assert model_digest(entries) == digest
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert model_digest(model) == digest
    finally:
        torch.set_num_threads(threads)


def test_swapped_elements_change_a_digest() -> None:
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])
    assert model_digest({"w": one}) != model_digest({"w": two})


def test_a_tensor_without_values_has_no_digest() -> None:
    with pytest.raises(TensorProblem, match="^on the meta device, which holds no values: weight, "):
        model_digest(nn.Linear(2, 2, device="meta"))


def test_the_second_contract_has_128_bits_and_says_which_it_is() -> None:
    values = torch.arange(4.0)
    digest = model_digest({"w": values}, contract=2)
    assert digest == "2:cdf05b29c9319073b3266bb2e9854f30"
    assert contract_of(digest) == 2
    assert contract_of(model_digest({"w": values})) == 1


def test_the_second_contract_sees_bits_places_shapes_and_dtypes() -> None:
    x = torch.arange(600.0)
    others = [x.clone(), x.roll(1), x.view(20, 30), x.view(torch.int32), x[:-1], x[::2], -x]
    others[0][599] = -0.0
    others += [x.to(torch.complex64), torch.cat([x, torch.zeros(1)])]
    seen = {model_digest({"w": tensor}, contract=2) for tensor in (x, *others)}
    assert len(seen) == 1 + len(others)
    strided = torch.stack([x, x], 1)[:, 0]
    assert model_digest({"w": strided}, contract=2) == model_digest({"w": x}, contract=2)
