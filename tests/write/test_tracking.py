"""Which elements a block writes is known exactly, operation by operation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from models import Recurrent, resnext, tied_lm
from torch import Tensor, nn

from initkit import apply_init, deferred, track_writes

DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]


def matrix() -> nn.Module:
    return nn.ParameterDict({"w": torch.zeros(4, 6)})


def written(write: Callable[[Tensor], object], poison: bool = False) -> int:
    model = matrix()
    with track_writes(model, poison=poison) as writes, torch.no_grad():
        write(model["w"])
    return writes.rows[0].written


OVERWRITES: dict[str, Callable[[Tensor], object]] = {
    "zero": lambda w: w.zero_(),
    "fill": lambda w: w.fill_(2),
    "assign": lambda w: w.__setitem__(slice(None), 3.0),
    "copy": lambda w: w.copy_(torch.ones(4, 6)),
    "data": lambda w: w.data.normal_(),
    "transposed": lambda w: w.t().uniform_(),
    "out": lambda w: torch.add(torch.ones(4, 6), 1, out=w),
    "normal": nn.init.normal_,
    "uniform": nn.init.uniform_,
    "trunc": nn.init.trunc_normal_,
    "constant": lambda w: nn.init.constant_(w, 0.1),
    "kaiming": nn.init.kaiming_uniform_,
    "xavier": nn.init.xavier_normal_,
    "orthogonal": nn.init.orthogonal_,
    "eye": nn.init.eye_,
    "sparse": lambda w: nn.init.sparse_(w, 0.5),
    "bernoulli": lambda w: w.bernoulli_(0.5),
    "exponential": lambda w: w.exponential_(),
    "foreach": lambda w: torch._foreach_zero_([w]),
    "two halves": lambda w: (w[:2].fill_(1), w[2:].fill_(2)),
    "columns": lambda w: [w[:, i].fill_(i) for i in range(6)],
    "bytes": lambda w: w.view(torch.uint8).fill_(7),
    "diagonal by diagonal": lambda w: [w.diagonal(i).fill_(1) for i in range(-3, 6)],
    "new memory": lambda w: setattr(w, "data", torch.ones(4, 6)),
    "filled new memory": lambda w: (setattr(w, "data", torch.empty(4, 6)), w.fill_(1)),
}


PARTLY: dict[str, tuple[Callable[[Tensor], object], int]] = {
    "nothing": (lambda w: None, 0),
    "reading": (lambda w: w.sum(), 0),
    "a row": (lambda w: w[1].zero_(), 6),
    "a column": (lambda w: w[:, 1].zero_(), 4),
    "an element": (lambda w: w.__setitem__((2, 3), 1.0), 1),
    "steps": (lambda w: w[::2, ::3].fill_(1), 4),
    "twice the same": (lambda w: (w[0].fill_(1), w[0].fill_(2)), 6),
    "a mask": (lambda w: w.masked_fill_(torch.eye(4, 6).bool(), 1), 4),
    "a boolean index": (lambda w: w.__setitem__(torch.eye(4, 6).bool(), 1.0), 4),
    "an index": (lambda w: w.__setitem__(torch.tensor([0, 2]), 1.0), 12),
    "two indices": (lambda w: w.__setitem__((torch.tensor([0, 2]), torch.tensor([1, 1])), 1.0), 2),
    "an index behind a slice": (lambda w: w.__setitem__((slice(None), torch.tensor([1, 2])), 1), 8),
    "index_fill": (lambda w: w.index_fill_(1, torch.tensor([0, 5]), 1), 8),
    "index_copy": (lambda w: w.index_copy_(0, torch.tensor([3]), torch.ones(1, 6)), 6),
    "scatter": (lambda w: w.scatter_(1, torch.tensor([[0], [1], [2], [3]]), 1.0), 4),
    "put": (lambda w: w.put_(torch.tensor([0, 23]), torch.ones(2)), 2),
    "the diagonal": (lambda w: w.fill_diagonal_(1), 4),
    "below the diagonal": (lambda w: w.triu_(), 6),
    "changing": (lambda w: w.mul_(2).add_(1).clamp_(min=0), 0),
    "accumulating": (lambda w: w.index_put_((torch.tensor([0]),), torch.ones(6), True), 0),
    "some bytes": (lambda w: w.view(torch.uint8)[:, :5].fill_(1), 4),
    "empty memory": (lambda w: setattr(w, "data", torch.empty(4, 6)), 0),
}


@pytest.mark.parametrize("name", OVERWRITES)
def test_whole_writes_are_whole(name: str) -> None:
    assert written(OVERWRITES[name]) == 24


@pytest.mark.parametrize("name", PARTLY)
def test_partial_writes_count_the_elements_they_write(name: str) -> None:
    write, count = PARTLY[name]
    assert written(write) == count


UNPOISONED = {"sparse", "bytes", "new memory", "empty memory", "some bytes", "below the diagonal"}


@pytest.mark.parametrize("name", [n for n in OVERWRITES if n not in UNPOISONED])
def test_poison_finds_whole_writes(name: str) -> None:
    assert written(OVERWRITES[name], poison=True) == 24


@pytest.mark.parametrize("name", [n for n in PARTLY if n not in UNPOISONED])
def test_poison_finds_partial_writes(name: str) -> None:
    write, count = PARTLY[name]
    assert written(write, poison=True) == count


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
@pytest.mark.parametrize("build", [tied_lm, resnext, Recurrent])
def test_initkit_itself_writes_every_element(build: Callable[[], nn.Module], poison: bool) -> None:
    model = build()
    with track_writes(model, poison=poison) as writes:
        apply_init(model, DEFAULT, seed=0, idle="ignore")
    writes.assert_complete(buffers=False)


def test_initkit_on_a_part_leaves_the_rest_uncovered() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with track_writes(model) as writes:
        apply_init(model, {"*": 1}, seed=0, only="0")
    assert [row.name for row in writes.missing] == ["1.weight", "1.bias"]


def test_a_deferred_model_is_covered_when_it_has_its_memory() -> None:
    with deferred():
        model = tied_lm()
    with track_writes(model) as writes:
        apply_init(model, DEFAULT, seed=0)
    writes.assert_complete()


def test_to_empty_then_a_complete_init_is_complete() -> None:
    with torch.device("meta"):
        model = Model()
    with track_writes(model) as writes:
        model.to_empty(device="cpu")
        model.init_weights()
    writes.assert_complete()
    with track_writes(model) as writes:
        model.to_empty(device="cpu")
    assert len(writes.missing) == 8
