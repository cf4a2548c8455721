"""Chains of parametrizations: rehearsed on a copy, written in place, their state made anew."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from initkit import apply_init, plan_init
from initkit.model import find_computed_weights


def legacy_quietly(wrap: Callable[[nn.Module], nn.Module], module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return wrap(module)


SPECTRAL: dict[str, Callable[[nn.Module], nn.Module]] = {
    "parametrization": parametrizations.spectral_norm,
    "legacy": lambda module: legacy_quietly(nn.utils.spectral_norm, module),
}


class Counting(nn.Module):
    """Count its calls, in a buffer and in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.plain = torch.zeros(())
        self.seen: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        self._count("forward")
        return x

    def right_inverse(self, x: Tensor) -> Tensor:
        self._count("right_inverse")
        return x

    def _count(self, what: str) -> None:
        self.calls.add_(1)
        self.plain.add_(1)
        self.seen.append(what)


def weights(model: nn.Module) -> Tensor:
    weight = model.weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def test_planning_leaves_what_a_step_changes_in_place() -> None:
    module, step = nn.Linear(3, 3), Counting()
    parametrize.register_parametrization(module, "weight", step)
    before = float(step.calls), float(step.plain), len(step.seen)
    plan = plan_init(module, {"*": "normal"})
    assert not plan.problems and plan["weight"].shape == (3, 3)
    assert (float(step.calls), float(step.plain), len(step.seen)) == before


@pytest.mark.parametrize("kind", SPECTRAL)
@pytest.mark.parametrize(
    "layer", [nn.Linear(30, 20), nn.Conv2d(3, 8, 3), nn.ConvTranspose1d(4, 6, 3)]
)
@pytest.mark.parametrize("rule", ["weight", "raw"])
def test_spectral_norms_are_of_the_new_weight(kind: str, layer: nn.Module, rule: str) -> None:
    model = SPECTRAL[kind](type(layer)(*SIZES[type(layer)])).eval()
    raw = "weight_orig" if kind == "legacy" else "parametrizations.weight.original"
    name = raw if rule == "raw" else "weight"
    apply_init(model, {name: "normal(std=20)"}, seed=0)
    dim = 1 if isinstance(layer, nn.ConvTranspose1d) else 0
    matrix = weights(model).movedim(dim, 0).flatten(1)
    assert float(torch.linalg.matrix_norm(matrix, 2)) == pytest.approx(1, abs=1e-3)


SIZES: dict[type[nn.Module], tuple[int, ...]] = {
    nn.Linear: (30, 20),
    nn.Conv2d: (3, 8, 3),
    nn.ConvTranspose1d: (4, 6, 3),
}


@pytest.mark.parametrize("kind", SPECTRAL)
def test_the_vectors_follow_from_the_weight_and_from_nothing_else(kind: str) -> None:
    found = []
    for start in range(2):
        torch.manual_seed(start)  # torch draws the first vectors
        model = SPECTRAL[kind](nn.Linear(30, 20))
        state = torch.get_rng_state()
        apply_init(model, {"*": "normal"}, seed=3)
        assert torch.equal(state, torch.get_rng_state())
        found.append(model.state_dict())
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_a_spectral_norm_over_another_step_is_of_what_that_makes() -> None:
    model = parametrizations.spectral_norm(parametrizations.weight_norm(nn.Linear(30, 20)))
    apply_init(model.eval(), {"*": "normal(std=3)"}, seed=0)
    norm = float(torch.linalg.matrix_norm(weights(model), 2))
    assert norm == pytest.approx(1, abs=1e-4)


def test_a_vector_that_a_rule_names_keeps_what_the_rule_wrote() -> None:
    model = parametrizations.spectral_norm(nn.Linear(30, 20))
    rules = {"parametrizations.weight.0._u": 1, "weight": "normal"}
    apply_init(model, rules, seed=0, buffers=True, idle="error")
    assert model.parametrizations.weight[0]._u.eq(1).all()


def test_both_of_two_norms_over_one_tensor_are_of_the_new_weight() -> None:
    a, b = nn.Linear(8, 8), nn.Linear(8, 8)
    b.weight = a.weight
    model = nn.Sequential(parametrizations.spectral_norm(a), parametrizations.spectral_norm(b))
    apply_init(model.eval(), {"*.weight": "normal(std=9)"}, seed=0, idle="ignore")
    for layer in model:
        assert float(torch.linalg.matrix_norm(weights(layer), 2)) == pytest.approx(1, abs=1e-4)


def test_buffers_that_an_inverse_replaces_stay_the_objects_that_they_are() -> None:
    model = parametrizations.orthogonal(nn.Linear(4, 6))
    base = model.parametrizations.weight[0].base
    before = base.clone()
    apply_init(model, {"*": "normal"}, seed=0)
    assert model.parametrizations.weight[0].base is base and not torch.equal(base, before)


def test_weights_that_draw_while_written_on_several_threads_leave_the_generator() -> None:
    model = nn.Sequential(*[parametrizations.orthogonal(nn.Linear(16, 40)) for _ in range(12)])
    state = torch.get_rng_state()
    values = [torch.randn(40, 16, generator=torch.Generator().manual_seed(i)) for i in range(12)]
    alone = [_written(layer, value) for layer, value in zip(model, values, strict=True)]
    threads = [
        threading.Thread(target=_written, args=pair) for pair in zip(model, values, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, weights(layer)) for a, layer in zip(alone, model, strict=True))


def _written(layer: nn.Module, value: Tensor) -> Tensor:
    find_computed_weights(layer)["weight"].write(value)
    return weights(layer).clone()


class Scale(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 3 + 1

    def right_inverse(self, x: Tensor) -> Tensor:
        return (x - 1) / 3


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x: Tensor) -> Tensor:
        return x.triu()


@pytest.mark.parametrize(("step", "gives_back"), [(Scale(), True), (Symmetric(), False)])
def test_whether_a_chain_gives_back_is_tried_on_a_copy(step: nn.Module, gives_back: bool) -> None:
    module = nn.Linear(5, 5)
    parametrize.register_parametrization(module, "weight", step, unsafe=True)
    weight, before = find_computed_weights(module)["weight"], weights(module).clone()
    value = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    assert weight.gives_back(value) is gives_back
    ((raw, held),) = weight.would_hold(value)
    assert raw is module.parametrizations.weight.original and not torch.equal(raw, held)
    assert torch.equal(weights(module), before)


@pytest.mark.parametrize("kind", ["spectral", "legacy", "orthogonal", "pruned"])
def test_wildcards_take_no_buffer_behind_a_computed_weight(kind: str) -> None:
    from torch.nn.utils import prune

    made = {
        "spectral": lambda: parametrizations.spectral_norm(nn.Linear(8, 8)),
        "legacy": lambda: SPECTRAL["legacy"](nn.Linear(8, 8)),
        "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(8, 8)),
        "pruned": lambda: prune.l1_unstructured(nn.Linear(8, 8), "weight", amount=5),
    }
    model = nn.Sequential(made[kind](), nn.BatchNorm1d(8))
    report = apply_init(model, {"*": 1}, seed=0, buffers=True, idle="ignore")
    assert [name for name in report.written if name.startswith("0.")] == ["0.bias", "0.weight"]
    assert "1.running_mean" in report.written


def test_a_chain_that_inverts_into_more_tensors_than_it_has_is_refused_by_the_plan() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    parametrizations.weight_norm(parametrizations.spectral_norm(model[1]))
    (problem,) = plan_init(model, {"*.weight": "normal", "*.bias": 0}).problems
    assert "its chain of right_inverse makes 2 tensors where it has 1" in str(problem)


def test_a_chain_of_torchs_own_steps_that_keeps_its_tensors_is_written() -> None:
    module = parametrizations.spectral_norm(parametrizations.weight_norm(nn.Linear(4, 3)))
    apply_init(module, {"weight": "normal", "bias": 0}, seed=0)
    module.eval()
    assert torch.linalg.matrix_norm(weights(module), 2) == pytest.approx(1, abs=1e-4)
