"""A computed weight is written in the memory of its raw tensors, or refused."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from initkit.model.computed_weights import ComputedWeight, find_computed_weights
from initkit.model.slots import walk


def legacy(make: Callable[..., nn.Module], *args: object, **options: object) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args, **options)


def chained(*steps: nn.Module) -> nn.Module:
    layer = nn.Linear(3, 4)
    for step in steps:
        parametrize.register_parametrization(layer, "weight", step)
    return layer


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()

    def right_inverse(self, x: Tensor) -> Tensor:
        return x.log()


class OneWay(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Unwilling(OneWay):
    def right_inverse(self, x: Tensor) -> Tensor:
        raise NotImplementedError("no way back")


class Triangle(nn.Module):
    """A square matrix from the vector of its upper triangle, with memory of its last call."""

    def forward(self, x: Tensor) -> Tensor:
        self.last = x
        full = x.new_zeros(3, 3)
        full[tuple(torch.triu_indices(3, 3))] = x
        return full

    def right_inverse(self, x: Tensor) -> Tensor:
        return x[tuple(torch.triu_indices(3, 3))]


CASES: dict[str, Callable[[], nn.Module]] = {
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(3, 4)),
    "weight_norm over all": lambda: parametrizations.weight_norm(nn.Linear(3, 4), dim=None),
    "weight_norm of a convolution": lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 2), dim=1),
    "legacy weight_norm": lambda: legacy(nn.utils.weight_norm, nn.Linear(3, 4)),
    "legacy weight_norm over all": lambda: legacy(nn.utils.weight_norm, nn.Linear(3, 4), dim=None),
    "own parametrization": lambda: chained(OneWay2()),
    "a chain": lambda: chained(OneWay2(), OneWay2()),
    "householder": lambda: parametrizations.orthogonal(
        nn.Linear(3, 4), orthogonal_map="householder", use_trivialization=False
    ),
}


class OneWay2(OneWay):
    def right_inverse(self, x: Tensor) -> Tensor:
        return x / 2


def computed(module: nn.Module, key: str = "weight") -> ComputedWeight:
    return find_computed_weights(module)[key]


@pytest.mark.parametrize("name", CASES)
def test_reading_back_gives_what_was_written(name: str) -> None:
    module = CASES[name]()
    weight = computed(module)
    assert weight.refusal is None and weight.shape == module.weight.shape
    value = torch.randn(weight.shape)
    if name == "householder":
        value = torch.linalg.qr(value)[0]
    before = [raw.data_ptr() for raw in weight.raw]
    weight.write(value)
    assert torch.allclose(module.weight, value, atol=1e-6)
    module(torch.zeros(2, 3, 3, 3) if value.ndim == 4 else torch.zeros(2, 3))
    assert torch.allclose(module.weight, value, atol=1e-6)
    assert [raw.data_ptr() for raw in weight.raw] == before, "the memory is still the same"
    assert all(raw.requires_grad for raw in weight.raw)


def test_a_zero_weight_under_weight_norm_is_zero_and_not_nan() -> None:
    for name in list(CASES)[:5]:
        module = CASES[name]()
        value = torch.zeros_like(module.weight)
        computed(module).write(value)
        assert torch.equal(module.weight, value), name
        module.weight.sum().backward()


def test_spectral_norm_is_written_before_its_division_and_says_so() -> None:
    for make in (parametrizations.spectral_norm, nn.utils.spectral_norm):
        module = legacy(make, nn.Linear(3, 4))
        weight = computed(module)
        assert weight.note == "the distribution holds before spectral_norm"
        value = torch.randn(4, 3)
        buffers = copy.deepcopy(dict(module.named_buffers()))
        weight.write(value)
        assert torch.equal(weight.main, value)
        assert all(torch.equal(buffers[n], b) for n, b in module.named_buffers())
        assert (
            torch.linalg.matrix_rank(torch.stack([module.weight.flatten(), value.flatten()])) == 1
        )


def test_pruned_weights_keep_their_mask() -> None:
    module = prune.l1_unstructured(nn.Linear(3, 4), "weight", amount=5)
    weight = computed(module)
    assert weight.note == "the distribution holds before pruning" and weight.refusal is None
    weight.write(torch.ones(4, 3))
    assert torch.equal(module.weight_orig, torch.ones(4, 3))
    assert torch.equal(module.weight, module.weight_mask) and module.weight.sum() == 7


def test_pruning_in_steps_makes_one_computed_weight() -> None:
    module = prune.l1_unstructured(nn.Linear(3, 4), "weight", amount=5)
    prune.random_unstructured(module, "weight", amount=2)
    computed(module).write(torch.ones(4, 3))
    assert module.weight.sum() == 5
    assert [s.name for s in walk(module) if s.literal] == ["weight_orig"]


def test_orthogonal_makes_its_value_orthonormal_and_leaves_the_generator() -> None:
    module = parametrizations.orthogonal(nn.Linear(3, 5))
    value, state = torch.randn(5, 3), torch.get_rng_state()
    computed(module).write(value)
    first = module.weight.clone()
    assert torch.allclose(first.T @ first, torch.eye(3), atol=1e-5)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(1)
    computed(module).write(value)
    assert torch.equal(module.weight, first), "the completion is the same each time"


def test_parametrizations_without_a_way_back_are_refused_by_name() -> None:
    assert computed(chained(OneWay())).refusal == "OneWay has no right_inverse"
    assert computed(chained(Exp(), OneWay())).refusal == "OneWay has no right_inverse"
    assert computed(chained(Unwilling())).refusal == "right_inverse is not implemented: no way back"
    closed = parametrizations.orthogonal(
        nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False
    )
    assert "has no right_inverse (use_trivialization=False)" in str(computed(closed).refusal)
    with pytest.raises(ValueError, match="OneWay has no right_inverse"):
        computed(chained(OneWay())).write(torch.zeros(4, 3))


def test_the_public_shape_is_found_without_computing_the_weight() -> None:
    module = nn.Linear(3, 3)
    with torch.no_grad():
        module.weight.triu_()
    step = Triangle()
    parametrize.register_parametrization(module, "weight", step)
    last = step.last
    weight = computed(module)
    assert weight.raw[0].shape == (6,) and weight.shape == (3, 3) and weight.refusal is None
    assert step.last is last, "a rehearsal leaves no trace"
    weight.write(torch.ones(3, 3))
    assert torch.equal(module.weight, torch.ones(3, 3).triu())


def test_deciding_moves_no_buffer_and_no_generator() -> None:
    module = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(3, 4)),
        legacy(nn.utils.spectral_norm, nn.Linear(4, 3)),
        chained(OneWay2()),
    ).train()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    for slot in walk(module, buffers=True):
        if slot.computed is not None:
            assert slot.shape and slot.computed.refusal is None
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_on_meta_the_shape_is_known() -> None:
    module = parametrizations.weight_norm(nn.Linear(3, 4, device="meta"))
    assert computed(module).shape == (4, 3)
    assert computed(chained(OneWay2()).to("meta")).shape == (4, 3)


def test_tied_raw_tensors_stay_tied_when_written() -> None:
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    for layer in (a, b):
        parametrize.register_parametrization(layer, "weight", OneWay2())
    computed(a).write(torch.ones(2, 2))
    assert torch.equal(b.weight, torch.ones(2, 2))


def test_dtype_and_kind_are_those_of_the_raw_tensor() -> None:
    module = parametrizations.weight_norm(nn.Linear(3, 4).half())
    assert computed(module).dtype == torch.float16
    computed(module).write(torch.ones(4, 3))
    assert module.weight.dtype == torch.float16


def test_a_hook_whose_raw_tensors_are_gone_computes_no_weight_here() -> None:
    module = legacy(nn.utils.weight_norm, nn.Linear(3, 4))
    parametrizations.spectral_norm(module, "weight_v")
    assert "weight" not in find_computed_weights(module) and "weight_v" in find_computed_weights(
        module
    )
    assert find_computed_weights(nn.Linear(2, 2)) == {}
