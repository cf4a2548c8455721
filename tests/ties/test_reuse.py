"""What one forward uses more than once is found, counted and placed; nothing is left changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from initkit.errors import TargetError
from initkit.ties.groups import find_tied_parameters
from initkit.ties.reuse import Reuse, Use, find_reused_parameters


class Weighted(nn.Module):
    """A module with one weight w (6, 6), and whatever forward it is given."""

    def __init__(self, forward: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 6))
        self._forward = forward

    def forward(self, x: Tensor) -> object:
        return self._forward(self.w, x)


def counts(model: nn.Module, *args: object, **kwargs: object) -> dict[str, int]:
    return {
        name: reuse.count for name, reuse in find_reused_parameters(model, *args, **kwargs).items()
    }


def uses(forward: Callable[[Tensor, Tensor], object]) -> int:
    """Return how often a forward uses w; 1 stands for at most once."""
    return counts(Weighted(forward), torch.randn(2, 6)).get("w", 1)


def three(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a, b, c = x.chunk(3, -1)
    return a, b, c


def add(terms: object) -> Tensor:
    return sum(term.float().sum() for term in terms)  # type: ignore[attr-defined]


class FancyMLP(nn.Module):
    """The textbook's: one linear layer, called twice, and no tie in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = torch.rand(20, 20)
        self.linear = nn.Linear(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        x = F.relu(torch.mm(x, self.constant) + 1)
        x = self.linear(x)
        while x.abs().sum() > 1:
            x = x / 2
        return x.sum()


def test_the_fancy_mlp_has_no_tie_and_reuses_its_layer() -> None:
    model = FancyMLP()
    assert find_tied_parameters(model) == []
    found = find_reused_parameters(model, torch.rand(2, 20))
    twice = (Use("linear", 1, "linear"), Use("linear", 2, "linear"))
    assert found == {"linear.weight": Reuse(2, twice), "linear.bias": Reuse(2, twice)}


def test_the_tutorials_shared_layer_adds_its_gradients() -> None:
    linear = nn.Linear(1, 1, bias=False)
    model = nn.Sequential(linear, linear)
    nn.init.constant_(linear.weight, 3)
    model(torch.ones(1, 1)).sum().backward()
    assert linear.weight.grad.item() == 6
    [group] = find_tied_parameters(model)
    assert group == ["0.weight", "1.weight"] and group.kind == "module"
    assert counts(model, torch.ones(1, 1)) == {"0.weight": 2}


TABLE: dict[str, tuple[int, Callable[[Tensor, Tensor], object]]] = {
    "once": (1, lambda w, x: x @ w),
    "w and its transpose": (2, lambda w, x: x @ w @ w.T),
    "F.linear twice": (2, lambda w, x: F.linear(F.linear(x, w), w)),
    "shape and dtype": (
        1,
        lambda w, x: F.linear(x, w) * w.shape[0] + w.size(0) + w.numel() * w.dim(),
    ),
    "likes": (
        1,
        lambda w, x: x @ w + torch.zeros_like(w)[0] + torch.rand_like(w)[0] + w.new_ones(6),
    ),
    "only views": (1, lambda w, x: [w.T, w[0], w.view(-1), w.expand(2, 6, 6), x @ w]),
    "in one operation": (2, lambda w, x: w @ w.T),
    "a sum with itself": (2, lambda w, x: w + w),
    "three chunks": (1, lambda w, x: add(F.linear(x, c) for c in w.chunk(3))),
    "three column chunks": (
        1,
        lambda w, x: add(a @ c.T for a, c in zip(three(x), three(w), strict=True)),
    ),
    "one chunk twice": (2, lambda w, x: add(F.linear(x, w.chunk(3)[i]) for i in (0, 0, 1))),
    "chunks that overlap": (2, lambda w, x: add(F.linear(x, c) for c in (w[:4], w[3:]))),
    "a chunk and the whole": (2, lambda w, x: add(F.linear(x, c) for c in (w[:2], w))),
    "two rows": (1, lambda w, x: x * w[0] + w[1]),
    "one row twice": (2, lambda w, x: x * w[0] + w[0]),
    "a cast used once": (1, lambda w, x: x.bfloat16() @ w.bfloat16()),
    "a cast used twice": (2, lambda w, x: [c := w.bfloat16()] and x.bfloat16() @ c @ c),
    "two casts": (2, lambda w, x: x.bfloat16() @ w.bfloat16() @ w.bfloat16()),
    "a cast to what it is": (1, lambda w, x: x @ w.to(torch.float32)),
    "chunks of a cast": (
        1,
        lambda w, x: add(F.linear(x.bfloat16(), c) for c in w.bfloat16().chunk(3)),
    ),
    "column chunks of a cast": (
        1,
        lambda w, x: add(
            a @ c.T for a, c in zip(three(x.double()), three(w.double()), strict=True)
        ),
    ),
    "chunks of a cast of a cast": (
        1,
        lambda w, x: add(F.linear(x, c) for c in w.bfloat16().float().chunk(3)),
    ),
    "a contiguous transpose": (1, lambda w, x: x @ w.T.contiguous()),
    "a contiguous transpose twice": (2, lambda w, x: [c := w.T.contiguous()] and x @ c @ c),
    "a clone and itself": (2, lambda w, x: x @ w.clone() + x @ w),
    "an index": (1, lambda w, x: w[torch.tensor([0, 1])] + x),
    "two lookups": (2, lambda w, x: add(F.embedding(torch.tensor([i]), w) for i in (0, 1))),
    "einsum": (1, lambda w, x: torch.einsum("ij,bj->bi", w, x)),
    "attention over itself": (
        1,
        lambda w, x: F.scaled_dot_product_attention(w[None], w[None], w[None]),
    ),
    "vmap": (2, lambda w, x: torch.vmap(lambda q: w @ q)(x) + torch.vmap(lambda q: q @ w)(x)),
    "checkpoint": (
        1,
        lambda w, x: torch.utils.checkpoint.checkpoint(lambda q: q @ w, x, use_reentrant=False),
    ),
    "a derived tensor is its own": (1, lambda w, x: [d := 2 * w] and x @ d @ d),
    "a penalty": (2, lambda w, x: (x @ w).sum() + w.pow(2).sum()),
    "a write": (1, lambda w, x: [w.data.zero_(), x @ w]),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_uses(name: str) -> None:
    expected, forward = TABLE[name]
    assert uses(forward) == expected


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "LSTM": (lambda: nn.LSTM(6, 6, 2, bidirectional=True), ((5, 2, 6),)),
    "GRU": (lambda: nn.GRU(6, 6), ((5, 2, 6),)),
    "attention": (lambda: nn.MultiheadAttention(6, 2), ((5, 2, 6),) * 3),
    "attention in parts": (
        lambda: nn.MultiheadAttention(6, 2, kdim=4, vdim=3),
        ((5, 2, 6), (5, 2, 4), (5, 2, 3)),
    ),
    "a transformer layer": (lambda: nn.TransformerEncoderLayer(6, 2, 8), ((5, 2, 6),)),
    "a convolution": (lambda: nn.Conv2d(3, 4, 3), ((1, 3, 8, 8),)),
    "batch norm": (lambda: nn.BatchNorm1d(6), ((4, 6),)),
    "bilinear": (lambda: nn.Bilinear(6, 6, 3), ((4, 6), (4, 6))),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MODULES)
def test_a_layer_counts_once_a_call(name: str, training: bool) -> None:
    build, shapes = MODULES[name]
    layer = build().train(training)
    inputs = [torch.randn(shape) for shape in shapes]

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, times: int) -> None:
            for _ in range(times):
                self.layer(*inputs)

    assert counts(Twice(), 1) == {}
    everything = {f"layer.{name}": 2 for name, _ in layer.named_parameters()}
    assert counts(Twice(), 2) == everything
    with torch.no_grad():
        assert counts(Twice(), 2) == everything


@pytest.mark.parametrize("grad", [True, False])
def test_under_autocast_a_cached_cast_is_seen_through(grad: bool) -> None:
    model = FancyMLP()
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(grad):
        model(torch.rand(2, 20))  # the cast is in the cache now
        assert counts(model, torch.rand(2, 20)) == {"linear.weight": 2, "linear.bias": 2}


def test_in_inference_mode() -> None:
    with torch.inference_mode():
        assert uses(lambda w, x: x @ w @ w.T) == 2
        assert uses(lambda w, x: add(F.linear(x, c) for c in w.chunk(3))) == 1


def test_on_meta() -> None:
    model = FancyMLP().to("meta")
    model.forward = lambda x: model.linear(model.linear(x))  # type: ignore[method-assign]
    assert counts(model, torch.rand(2, 20, device="meta")) == {"linear.weight": 2, "linear.bias": 2}


def test_tied_names_count_together_under_the_first() -> None:
    model = nn.Sequential(nn.Embedding(5, 6), nn.Linear(6, 5, bias=False))
    model[1].weight = model[0].weight
    found = find_reused_parameters(model, torch.tensor([1]))
    assert found == {"0.weight": Reuse(2, (Use("0", 1, "embedding"), Use("1", 1, "linear")))}
    model[1].weight = nn.Parameter(model[0].weight.data)
    assert find_reused_parameters(model, torch.tensor([1])) == found


def test_a_weight_of_another_module_is_placed_where_it_is_used() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(5, 6)
            self.body = nn.Linear(6, 6)

        def forward(self, ids: Tensor) -> Tensor:
            return F.linear(self.body(self.emb(ids)), self.emb.weight)

    [reuse] = find_reused_parameters(Head(), torch.tensor([1])).values()
    assert reuse.uses == (Use("emb", 1, "embedding"), Use("", 1, "linear"))
    assert str(reuse) == "2 times: embedding in emb, call 1; linear in the model itself, call 1"


def test_a_parametrized_weight_is_used_as_often_as_it_is_computed() -> None:
    linear = parametrizations.weight_norm(nn.Linear(6, 6, bias=False))
    model = nn.Sequential(linear, linear)
    raw = "0.parametrizations.weight.original"
    assert counts(model, torch.ones(1, 6)) == {f"{raw}0": 2, f"{raw}1": 2}
    with parametrize.cached():
        assert counts(model, torch.ones(1, 6)) == {}


def test_own_autograd_functions_and_scripts_are_seen_into() -> None:
    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor, w: Tensor) -> Tensor:
            return x @ w

        @staticmethod
        def backward(ctx: object, g: Tensor) -> tuple[None, None]:
            return None, None

    assert uses(lambda w, x: Times.apply(Times.apply(x, w), w)) == 2


def test_uses_of_bytes_that_nobody_else_uses_are_left_out() -> None:
    found = find_reused_parameters(
        Weighted(lambda w, x: [x * w[0], x + w[0], x - w[1]]), torch.ones(2, 6)
    )
    assert [use.operation for use in found["w"].uses] == ["mul", "add"]


class Restless(nn.Module):
    """A forward that moves everything it can, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.spectral = parametrizations.spectral_norm(nn.Linear(4, 4))
        self.dropout = nn.Dropout()
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("nan", torch.full((2,), torch.nan))
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        self.steps = self.steps + 1
        self.nan.add_(1)
        random.random()
        np.random.rand()  # noqa: NPY002  (the legacy generator is the global one)
        self.eval()
        out = self.dropout(self.spectral(self.norm(x)))
        out.sum().backward()
        if self.fails:
            raise RuntimeError("on purpose")
        return out


def numpy_state() -> np.ndarray:
    return np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_changed(fails: bool) -> None:
    model = Restless().train()
    model.fails = fails
    before = copy.deepcopy(model.state_dict())
    buffers = dict(model.named_buffers())
    inputs = torch.randn(3, 4)
    states = torch.get_rng_state(), random.getstate(), numpy_state()
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            find_reused_parameters(model, inputs)
    else:
        find_reused_parameters(model, inputs)
    for name, value in model.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name
    assert all(buffers[name] is buffer for name, buffer in model.named_buffers())
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (numpy_state() == states[2]).all()
    assert all(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks
    assert torch.overrides._get_current_function_mode_stack() == []


def test_gradients_that_were_there_stay() -> None:
    model = Restless()
    model.norm.weight.grad = held = torch.ones(4)
    find_reused_parameters(model, torch.randn(3, 4))
    assert model.norm.weight.grad is held and torch.equal(held, torch.ones(4))


def test_sparse_buffers_are_left_as_they_were() -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)
            self.register_buffer("adjacency", torch.eye(3).to_sparse())

        def forward(self, x: Tensor) -> Tensor:
            self.adjacency._values().add_(1)
            return self.linear(self.linear(self.adjacency @ x))

    model = Graph()
    held = model.adjacency
    assert counts(model, torch.ones(3, 3)) == {"linear.weight": 2, "linear.bias": 2}
    assert model.adjacency is held
    assert torch.equal(model.adjacency.to_dense(), torch.eye(3))


def test_a_backward_inside_the_forward_uses_nothing_again() -> None:
    class Penalty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x).sin().sum()
            [slope] = torch.autograd.grad(y, x, create_graph=True)
            (y + slope.square().sum()).backward()
            return y

    assert counts(Penalty(), torch.ones(2, 4, requires_grad=True)) == {}


def test_what_is_no_module_or_lazy_is_refused() -> None:
    with pytest.raises(TargetError, match="a model is an nn.Module; this is a function"):
        find_reused_parameters(lambda x: x)
    with pytest.raises(TargetError, match="weight is lazy and would take its shape"):
        find_reused_parameters(nn.LazyLinear(3), torch.ones(1, 2))
