"""A user's function gets a scratch tensor and a keyed generator, and what it leaves is checked."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import FillError, apply_init

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
