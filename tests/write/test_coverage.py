"""What was left out is named, with counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import CheckError, track_writes


def matrix() -> nn.Module:
    return nn.ParameterDict({"w": torch.zeros(4, 6)})


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.scale = nn.Parameter(torch.ones(()))

    def init_weights(self, forget: bool = False) -> None:
        nn.init.normal_(self.fc.weight)
        with torch.no_grad():
            self.fc.bias[:1] = 0
        if not forget:
            nn.init.zeros_(self.fc.bias)
            nn.init.ones_(self.scale)
            self.norm.reset_parameters()


@pytest.mark.parametrize("poison", [False, True])
def test_what_was_forgotten_is_named_with_counts(poison: bool) -> None:
    model = Model()
    with track_writes(model, poison=poison) as writes:
        model.init_weights()
    writes.assert_complete()
    with track_writes(model, poison=poison) as writes:
        model.init_weights(forget=True)
    with pytest.raises(CheckError) as caught:
        writes.assert_complete(buffers=False)
    assert str(caught.value) == (
        "4 tensors were not wholly written:\n"
        "  scale (parameter): 0 of 1 elements written; element 0 is the first left out\n"
        "  fc.bias (parameter): 1 of 2 elements written; element 1 is the first left out\n"
        "  norm.weight (parameter): 0 of 2 elements written; element 0 is the first left out\n"
        "  norm.bias (parameter): 0 of 2 elements written; element 0 is the first left out"
    )


def test_buffers_alone_can_be_left_out() -> None:
    model = nn.BatchNorm1d(2)
    with track_writes(model) as writes:
        nn.init.ones_(model.weight)
        nn.init.zeros_(model.bias)
    writes.assert_complete(buffers=False)
    message = (
        r"^3 tensors were not wholly written \(buffers=False leaves these out\):\n  running_mean "
    )
    with pytest.raises(CheckError, match=message):
        writes.assert_complete()


@pytest.mark.parametrize("poison", [False, True])
def test_what_holds_no_memory_at_the_end_was_not_written(poison: bool) -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.LazyLinear(2, bias=False), nn.Linear(2, 2, bias=False))
    with track_writes(model, poison=poison) as writes:
        nn.init.zeros_(model[1].weight)
    assert [str(row) for row in writes.missing] == [
        "0.weight (parameter): it is lazy and has no elements yet",
        "1.weight (parameter): 0 of 4 elements written; element 0 is the first left out",
    ]


def test_a_table_shows_every_tensor() -> None:
    model = matrix()
    with track_writes(model) as writes:
        nn.init.zeros_(model["w"][:2])
    assert str(writes).splitlines()[-1].split() == ["w", "parameter", "12", "24"]
