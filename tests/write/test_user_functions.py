"""A user's function gets a scratch tensor and a keyed generator, and what it leaves is checked."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import FillError, apply_init, describe_scheme, register_scheme
from initkit.model import Slot
from initkit.schemes import unregister_scheme

GET = "functions here get a tensor, not a module; per_module(function) is for one of modules"
WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (
        lambda t: None,
        f"wrote nothing ({GET}), or read the old values, which are NaN here",
    ),
    "a part": (lambda t: t[:1].zero_(), "left 3 of 6 elements unwritten, or wrote NaN there"),
    "another tensor": (
        torch.zeros_like,
        "wrote nothing but returned a tensor; write in place, as in tensor.copy_(values)",
    ),
    "another shape": (
        lambda t: t.resize_(3).zero_(),
        "made the tensor [3], and it must stay [2, 3]",
    ),
    "an error": (lambda t: 1 / 0, "failed: ZeroDivisionError('division by zero')"),
    "a module": (
        lambda t: t.weight,
        f"failed: AttributeError(\"'Tensor' object has no attribute 'weight'\") ({GET})",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_is_said_before_anything_is_written(case: str) -> None:
    function, message = WRONG[case]
    model = nn.Linear(3, 2)
    before = model.bias.tolist()
    with pytest.raises(FillError) as caught:
        apply_init(model, {"bias": 0, "weight": function}, seed=0)
    text = str(caught.value)
    assert text.startswith("weight: ")
    assert text.endswith(f" {message}; nothing was written")
    assert caught.value.name == "weight"
    assert model.bias.tolist() == before


@pytest.mark.parametrize("fails", [False, True])
def test_the_global_generator_is_left_as_it_was(fails: bool) -> None:
    def draw(tensor: Tensor) -> None:
        tensor.normal_()
        assert not fails

    model, state = nn.Linear(3, 2), torch.get_rng_state()
    with pytest.raises(FillError) if fails else nullcontext():
        apply_init(model, {"*": draw}, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("dtype", "scratch"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_the_scratch_is_of_a_dtype_that_rounds_once(
    dtype: torch.dtype, scratch: torch.dtype
) -> None:
    seen = []

    def look(tensor: Tensor) -> None:
        seen.append(tensor.dtype)
        tensor.fill_(1 / 3)

    weight = torch.zeros(2, dtype=dtype)
    apply_init({"w": weight}, {"w": look}, seed=0)
    assert seen == [scratch]
    assert torch.equal(weight, torch.full((2,), 1 / 3, dtype=scratch).to(dtype))


class _Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h = nn.ModuleList(nn.Linear(2, 3) for _ in range(3))


def _told(weight: Tensor, slot: Slot) -> None:
    assert isinstance(slot.owner, nn.Linear)
    assert slot.name == f"h.{slot.layer}.weight"
    weight.fill_(slot.layer + slot.owner.out_features / 10)


def test_a_second_parameter_of_a_function_gets_the_slot() -> None:
    model = _Blocks()
    apply_init(model, {"*.bias": lambda t, place: t.fill_(place.layer), "*": _told}, seed=0)
    assert [layer.weight[0, 0].item() for layer in model.h] == pytest.approx([0.3, 1.3, 2.3])
    assert [layer.bias[0].item() for layer in model.h] == [0, 1, 2]


def test_a_registered_function_gets_the_slot_beside_its_options() -> None:
    @register_scheme("by_layer")
    def by_layer(weight: Tensor, slot: Slot, size: float = 1.0) -> None:
        weight.fill_(size * slot.layer)

    try:
        model = _Blocks()
        apply_init(model, {"*.weight": "by_layer(size=2)", "*": 0}, seed=0)
        assert [layer.weight[0, 0].item() for layer in model.h] == [0, 2, 4]
        assert "slot" not in describe_scheme("by_layer").signature
    finally:
        unregister_scheme("by_layer")


def test_a_copy_is_made_with_the_slot_of_its_source() -> None:
    model = _Blocks()
    rules = {"h.2.weight": "copy_of('h.1.weight')", "*.bias": 0, "*": _told}
    apply_init(model, rules, seed=0)
    assert torch.equal(model.h[2].weight, model.h[1].weight)


def test_options_with_defaults_are_no_slots() -> None:
    def fill(weight: Tensor, value: float = 3.0, slot: object = None) -> None:
        assert slot is None
        weight.fill_(value)

    model = nn.Linear(2, 2)
    apply_init(model, {"*": fill}, seed=0)
    assert model.weight.tolist() == [[3.0] * 2] * 2
