"""Whatever a block does to a model, it is put back bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from initkit.model import preserved, same_bits


def in_place(m: nn.Module) -> None:
    m[0].weight.mul_(float("nan"))


def through_data(m: nn.Module) -> None:
    m[0].weight.data[0] = 7.0


def through_a_view(m: nn.Module) -> None:
    m[0].weight.detach().view(-1).narrow(0, 1, 2).fill_(-0.0)


def by_operator(m: nn.Module) -> None:
    weight = m[0].weight
    weight += 1


def by_out(m: nn.Module) -> None:
    torch.neg(m[0].bias, out=m[0].bias)


def all_at_once(m: nn.Module) -> None:
    torch._foreach_add_([p.detach() for p in m.parameters()], 1.0)


def by_an_optimizer(m: nn.Module) -> None:
    for p in m.parameters():
        p.grad = torch.ones_like(p)
    torch.optim.Adam(m.parameters(), lr=1.0).step()


def other_memory(m: nn.Module) -> None:
    m[0].weight.data = torch.zeros(5)


def other_parameter(m: nn.Module) -> None:
    m[0].weight = nn.Parameter(torch.zeros(3, 3))
    m[0].extra = nn.Parameter(torch.zeros(1))
    del m[1].running_mean


def by_init(m: nn.Module) -> None:
    nn.init.normal_(m[0].weight)


@pytest.mark.parametrize(
    "change",
    [
        in_place,
        through_data,
        through_a_view,
        by_operator,
        by_out,
        all_at_once,
        by_an_optimizer,
        other_memory,
        other_parameter,
        by_init,
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_every_way_to_write_is_undone(change: Callable[[nn.Module], None], fails: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = copy.deepcopy(model.state_dict())
    objects = {name: (p, p.data_ptr()) for name, p in model.named_parameters()}

    def run() -> None:
        with preserved(model):
            with torch.no_grad():
                change(model)
            if fails:
                raise KeyError

    if fails:
        with pytest.raises(KeyError):
            run()
    else:
        run()
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(same_bits(after[name], before[name]) for name in before)
    assert {n: (p, p.data_ptr()) for n, p in model.named_parameters()} == objects
    assert all(p.grad is None for p in model.parameters())


def test_what_is_not_written_is_neither_copied_nor_touched() -> None:
    model = nn.Linear(3, 3)
    version = model.weight._version
    with preserved(model):
        model(torch.ones(1, 3)).sum().backward()
        with torch.no_grad():
            model.bias.add_(1)
    assert model.weight._version == version and model.weight.grad is None


def test_modes_hooks_and_what_trains_are_put_back() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    handle = model[0].register_forward_hook(lambda *_: None)
    with preserved(model):
        handle.remove()
        model[0].register_forward_pre_hook(lambda *_: None)
        model.eval()
        model.requires_grad_(False)
        torch.set_grad_enabled(False)
    assert torch.is_grad_enabled() and model.training and model[1].training
    assert len(model[0]._forward_hooks) == 1 and not model[0]._forward_pre_hooks
    assert all(p.requires_grad for p in model.parameters())
