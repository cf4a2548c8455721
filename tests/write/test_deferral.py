"""Models constructed without values get memory once, in place, and never garbage."""

from __future__ import annotations

import copy
import math
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import torch
from models import ZOO, tied_lm
from torch import Tensor, nn

import initkit
from initkit import (
    DeferredError,
    PlanError,
    apply_init,
    deferred,
    initialized,
    materialize,
    model_digest,
    plan_init,
)

DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]


def test_parameters_are_on_meta_and_buffers_are_real() -> None:
    with deferred():
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert all(p.is_meta for p in model.parameters())
    assert model[1].running_var.tolist() == [1.0] * 4
    assert isinstance(model[0].weight, nn.Parameter)


def test_values_are_those_of_a_model_that_was_not_deferred() -> None:
    with deferred():
        model = tied_lm()
    apply_init(model, DEFAULT, seed=1)
    whole = tied_lm()
    apply_init(whole, DEFAULT, seed=1)
    assert model_digest(model) == model_digest(whole)
    assert model.head.weight is model.tokens.weight
    assert not model.tokens.weight[0].any(), "the padding row"


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("parametrized", "experts")])
def test_the_zoo_constructs_deferred_and_starts_as_always(name: str) -> None:
    with deferred():
        model = ZOO[name]()
    whole = ZOO[name]()
    rules = [{"foreign.weight": 1, "tokens.weight": "normal(std=0.02)"}, "torch_default"]
    report = apply_init(model, rules, seed=2, idle="ignore")
    assert report.digest == apply_init(whole, rules, seed=2, idle="ignore").digest
    assert model_digest(model) == model_digest(whole)
    assert not any(p.is_meta for p in model.parameters())


def test_the_global_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    with deferred():
        nn.Linear(100, 100)
        nn.Parameter(torch.randn(1000))
    assert torch.equal(torch.get_rng_state(), before)


def test_objects_attributes_hooks_and_an_optimizer_stay_valid() -> None:
    with deferred():
        model = nn.Linear(3, 1)
    weight = model.weight
    weight.note = "mine"
    hook = weight.register_hook(lambda gradient: gradient * 2)
    seen = []
    weight.register_post_accumulate_grad_hook(seen.append)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    apply_init(model, {"weight": 1, "bias": 0}, seed=0)
    assert model.weight is weight
    assert weight.note == "mine"
    model(torch.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[2.0, 2.0, 2.0]]
    assert len(seen) == 1
    assert seen[0] is weight
    optimizer.step()
    assert model.weight.tolist() == [[-1.0, -1.0, -1.0]]
    hook.remove()
    weight.grad = None
    model(torch.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_modules_compute_with_their_new_weights(kind: type[nn.RNNBase]) -> None:
    with deferred():
        model = kind(4, 5, num_layers=2, bidirectional=True)
    apply_init(model, "torch_default", seed=0)
    whole = kind(4, 5, num_layers=2, bidirectional=True)
    apply_init(whole, "torch_default", seed=0)
    x = torch.randn(3, 2, 4)
    assert torch.equal(model(x)[0], whole(x)[0])
    assert all(a is b for a, b in zip(model._flat_weights, model.parameters(), strict=True))
    model(x)[0].sum().backward()
    assert model.weight_hh_l1.grad is not None
    assert torch.equal(copy.deepcopy(model)(x)[0], whole(x)[0])


def test_recurrent_modules_on_meta_may_share_weights() -> None:
    with torch.device("meta"):
        model = nn.ModuleList([nn.LSTM(4, 4), nn.LSTM(4, 4, num_layers=2)])
        model[1].weight_ih_l0 = model[1].weight_ih_l1 = model[0].weight_ih_l0
    apply_init(model, "xavier_uniform", seed=0, device="cpu")
    shared = model[0].weight_ih_l0
    assert [list(group) for group in initkit.find_tied_parameters(model)] == [
        ["0.weight_ih_l0", "1.weight_ih_l0", "1.weight_ih_l1"]
    ]
    assert model[1]._flat_weights[0] is model[1]._flat_weights[4] is shared
    model[1](model[0](torch.randn(3, 2, 4))[0])[0].sum().backward()


def test_overlaps_on_meta_of_which_none_holds_the_others_are_written_once() -> None:
    def build(device: str) -> nn.Module:
        base, model = torch.zeros(8, device=device), nn.Module()
        model.a, model.b = nn.Parameter(base[:5]), nn.Parameter(base[3:])
        return model

    model, whole = build("meta"), build("cpu")
    apply_init(model, {"*": "normal(std=1)"}, seed=0, device="cpu")
    apply_init(whole, {"*": "normal(std=1)"}, seed=0)
    assert [g.kind for g in initkit.find_tied_parameters(model)] == ["overlap"]
    assert torch.equal(model.a, whole.a) and torch.equal(model.b, whole.b)


def test_recurrent_modules_on_meta_keep_their_parameters() -> None:
    model = nn.LSTM(4, 5, device="meta")
    kept = list(model.parameters())
    apply_init(model, "torch_default", seed=0, device="cpu")
    assert all(a is b for a, b in zip(kept, model.parameters(), strict=True))
    model(torch.randn(3, 2, 4))[0].sum().backward()


class Ties(nn.Module):
    """Ties of every kind, made in a constructor."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4, bias=False)
        self.b = nn.Linear(4, 4, bias=False)
        self.b.weight = self.a.weight
        storage = torch.empty(32)
        self.c = nn.Parameter(storage[:16].view(4, 4))
        self.d = nn.Parameter(storage[:16].view(16))
        self.e = nn.Parameter(self.a.weight.data.t())
        self.again = self.a


def test_ties_made_in_constructors_are_kept() -> None:
    with deferred():
        model = Ties()
    groups = [list(group) for group in initkit.find_tied_parameters(model)]
    assert groups == [list(group) for group in initkit.find_tied_parameters(Ties())]
    apply_init(model, {"*": "normal(std=1)"}, seed=0)
    whole = Ties()
    apply_init(whole, {"*": "normal(std=1)"}, seed=0)
    assert [list(group) for group in initkit.find_tied_parameters(model)] == groups
    assert model.c.data_ptr() == model.d.data_ptr()
    assert model.e.data_ptr() == model.a.weight.data_ptr()
    assert torch.equal(model.e, whole.e)
    assert torch.equal(model.d, whole.d)


def test_a_freed_storage_whose_place_is_used_again_makes_no_tie() -> None:
    with deferred():
        model = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(20)])
    assert initkit.find_tied_parameters(model) == []


def test_strides_dtypes_and_frozenness_are_kept() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.t = nn.Parameter(torch.empty(3, 5).t(), requires_grad=False)
            self.short = nn.Parameter(torch.empty(4, dtype=torch.bfloat16))
            self.counts = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)

    with deferred():
        model = Odd()
    apply_init(model, {"counts": 7, "*": "uniform(0, 1)"}, seed=0)
    whole = Odd()
    apply_init(whole, {"counts": 7, "*": "uniform(0, 1)"}, seed=0)
    assert model.t.stride() == (1, 5)
    assert not model.t.requires_grad
    assert model_digest(model) == model_digest(whole)


def test_only_the_thread_that_entered_defers() -> None:
    made: list[nn.Module] = []
    with deferred():
        other = threading.Thread(target=lambda: made.append(nn.Linear(2, 2)))
        other.start()
        other.join()
        mine = nn.Linear(2, 2)
    assert mine.weight.is_meta
    assert not made[0].weight.is_meta
    assert not nn.Linear(2, 2).weight.is_meta, "the block has ended"


def test_buffers_that_constructors_compute_are_right() -> None:
    class Rotary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inverse = 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8)
            self.register_buffer("inverse", inverse, persistent=False)
            self.proj = nn.Linear(8, 8)

    with deferred():
        model = Rotary()
    apply_init(model, "torch_default", seed=0)
    assert torch.equal(model.inverse, Rotary().inverse)


def test_a_copy_and_a_pickle_of_a_deferred_model_are_deferred_too() -> None:
    with deferred():
        model = tied_lm()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        apply_init(twin, DEFAULT, seed=1)
        assert twin.head.weight is twin.tokens.weight
    assert model.head.weight.is_meta


# ------------------------------------------------------------------------------ errors, by name


class Reads(nn.Module):
    """A constructor that reads a value."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.scale = float(self.weight.sum())


def test_an_attribute_computed_from_deferred_parameters_is_told_by_name() -> None:
    class Derived(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.double = self.weight.detach() * 2
            self.alias = [self.weight]

    with deferred():
        model = nn.ModuleDict({"inner": Derived()})
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 1}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: inner.double; these "
        "attributes were computed from deferred parameters; compute them in forward"
    )


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weights_behind_doors_are_deferred_too() -> None:
    def build() -> nn.Module:
        return nn.ModuleDict(
            {
                "new": nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
                "old": nn.utils.weight_norm(nn.Linear(4, 3)),
            }
        )

    with deferred():
        model = build()
    rules = {"*.weight": "orthogonal", "*.bias": 0}
    apply_init(model, rules, seed=0)
    whole = build()
    apply_init(whole, rules, seed=0)
    assert torch.allclose(model["new"].weight, whole["new"].weight)
    assert torch.allclose(model["old"].weight, whole["old"].weight)
    x = torch.randn(2, 4)
    assert torch.allclose(model["old"](x), whole["old"](x))


def test_buffers_of_spectral_norm_are_told_by_name() -> None:
    with deferred():
        model = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": "normal(std=1)"}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: "
        "parametrizations.weight.0._u, parametrizations.weight.0._v; these buffers were never "
        "computed, since they come from deferred parameters or from torch.device('meta'); give "
        "them a rule and buffers=True, or set them before"
    )


def test_a_constructor_that_reads_values_is_told() -> None:
    told = "needs the values of its parameters, which are deferred"
    with pytest.raises(DeferredError, match=told), deferred():
        Reads()
    assert not nn.Linear(2, 2).weight.is_meta


@pytest.mark.parametrize(
    "read",
    [
        lambda weight: weight.detach().numpy(),
        lambda weight: torch.equal(weight, torch.ones(3, 3)),
        lambda weight: torch.unique(weight),
        lambda weight: f"{weight.sum():.3f}",
        lambda weight: setattr(weight, "data", torch.eye(3)),
        lambda weight: torch.utils.dlpack.to_dlpack(weight.detach()),
        lambda weight: weight.share_memory_(),
        lambda weight: weight.to("cpu"),
        lambda weight: torch.cat([weight, torch.ones(3, 3)]),
    ],
    ids=["numpy", "equal", "unique", "format", "data", "dlpack", "share", "to", "cat"],
)
def test_every_way_to_need_values_is_told(read: Callable[[torch.Tensor], object]) -> None:
    told = "needs the values of its parameters, which are deferred"
    with pytest.raises(DeferredError, match=told), deferred():
        read(nn.Linear(3, 3).weight)


@pytest.mark.parametrize("text", ["mine", "missing metadata", "a metaclass conflict"])
@pytest.mark.parametrize("kind", [RuntimeError, TypeError])
def test_an_error_of_the_constructor_stays_its_own(kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$") as caught, deferred():
        raise kind(text)
    assert not isinstance(caught.value, DeferredError)


def test_no_rule_on_memory_that_holds_nothing_is_an_error_by_name() -> None:
    with deferred():
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"0.*": 0, "1.weight": "keep"}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: 1.weight, 1.bias; no rule "
        "writes these parameters, which would hold garbage"
    )
    assert model[0].weight.is_meta, "nothing was written"


def test_a_meta_model_needs_a_device_and_a_deferred_one_does_not() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 0}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: weight, bias; say where "
        "they should live, as in device='cpu'"
    )
    apply_init(model, {"*": 0}, seed=0, device="cpu")
    assert model.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert isinstance(model.weight, nn.Parameter)


def test_a_device_for_memory_that_is_elsewhere_already_is_an_error() -> None:
    with deferred():
        model = nn.ModuleDict({"a": nn.Linear(2, 2)})
    model["b"] = nn.Linear(2, 2)
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 0}, seed=0, device="xpu")
    assert str(caught.value) == (
        "nothing was written: device='xpu' is where parameters on the meta device get their "
        "memory, and these have theirs elsewhere: b.weight, b.bias; move the model with .to()"
    )
    apply_init(model, {"*": 0}, seed=0, device="cpu")


def test_buffers_that_were_never_computed_are_errors_by_name() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.register_buffer("table", torch.arange(3.0))

    with torch.device("meta"):
        model = Table()
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"fc.*": 0}, seed=0, device="cpu")
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: table; these buffers were "
        "never computed; construct under initkit.deferred(), which computes buffers, or give them "
        "a rule and buffers=True"
    )
    apply_init(model, {"*": 2}, seed=0, device="cpu", buffers=True)
    assert model.table.tolist() == [2.0, 2.0, 2.0]
    with deferred(), torch.device("meta"):
        model = Table()
    with pytest.raises(PlanError, match="table; these buffers were never computed"):
        apply_init(model, {"fc.*": 0}, seed=0)


def test_running_statistics_of_a_meta_model_are_reset() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    apply_init(model, "torch_default", seed=0, device="cpu")
    assert model[1].running_mean.tolist() == [0.0] * 3
    assert model[1].running_var.tolist() == [1.0] * 3
    assert int(model[1].num_batches_tracked) == 0


def test_a_state_dict_on_meta_is_refused() -> None:
    with torch.device("meta"):
        entries = nn.Linear(2, 2).state_dict()
    with pytest.raises(PlanError, match="a state_dict cannot be given memory in place; apply to"):
        apply_init(entries, {"*": 0}, seed=0, device="cpu")


def test_memory_that_a_view_holds_on_to_is_told_by_name() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    view = model.weight.view(-1)
    with pytest.raises(PlanError, match="weight cannot be given memory in place: a view or a gra"):
        apply_init(model, {"*": 0}, seed=0, device="cpu")
    assert view.is_meta


def test_a_weak_reference_is_told_by_name_before_anything_happens() -> None:
    import weakref

    with deferred():
        model = nn.Linear(2, 2)
    reference = weakref.ref(model.weight)
    with pytest.raises(PlanError, match="weight; a weak reference holds on to it"):
        apply_init(model, {"*": 0}, seed=0)
    assert reference() is model.weight
    assert model.weight.is_meta
    assert model.bias.is_meta


def test_a_function_of_the_users_fails_before_any_memory_is_given() -> None:
    def broken(tensor: Tensor) -> None:
        raise ValueError("no")

    with deferred():
        model = nn.Linear(2, 2)
    with pytest.raises(initkit.FillError):
        apply_init(model, {"weight": broken, "bias": 0}, seed=0)
    assert model.weight.is_meta
    apply_init(model, {"*": 0}, seed=0)


# ------------------------------------------------------------------------------- recorded rules


@initialized({"fc.weight": "normal(std=1)", "fc.bias": 1})
class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)


@initialized({"head.weight": "xavier_uniform", "head.bias": 0, "body.fc.bias": 5})
class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = Inner()
        self.twin = Inner()
        self.head = nn.Linear(3, 2)


def test_materialize_carries_out_recorded_rules_of_outer_and_inner_modules() -> None:
    with deferred():
        model = Outer()
    report = materialize(model, seed=1)
    assert model.body.fc.bias.tolist() == [5.0] * 3, "the outer module's rules come last"
    assert model.twin.fc.bias.tolist() == [1.0] * 3
    assert not torch.equal(model.body.fc.weight, model.twin.fc.weight), "their names differ"
    assert len(report.written) == 6
    assert model.init_report is report
    assert model.body.init_report is report
    plan = plan_init(model, {"*.fc.weight": "normal(std=1)", "head.weight": "xavier_uniform",
                             "head.bias": 0, "body.fc.bias": 5, "twin.fc.bias": 1})  # fmt: skip
    before = model_digest(model)
    plan.apply(model, seed=1)
    assert model_digest(model) == before, "canonical names of the whole model decide"


def test_recorded_rules_start_what_explicit_rules_leave() -> None:
    with deferred():
        model = Outer()
    apply_init(model, {"head.*": 3}, seed=1)
    assert model.head.bias.tolist() == [3.0, 3.0]
    assert model.body.fc.bias.tolist() == [5.0] * 3


def test_recorded_rules_under_the_meta_device_need_a_device() -> None:
    with torch.device("meta"):
        model = Inner()
    with pytest.raises(PlanError, match="say where they should live"):
        materialize(model, seed=0)
    materialize(model, "cpu", seed=0)
    assert model.fc.bias.tolist() == [1.0] * 3


def test_materialize_without_any_rules_is_an_error_by_name() -> None:
    with deferred():
        model = nn.Linear(2, 2)
    with pytest.raises(PlanError, match="weight, bias; no rule writes these parameters"):
        materialize(model)


def test_the_seed_of_materialize_comes_from_torchs_generator_by_default() -> None:
    digests = []
    for _ in range(2):
        with deferred():
            model = Inner()
        torch.manual_seed(3)
        digests.append(materialize(model).digest)
    assert digests[0] == digests[1]


# ------------------------------------------------------------------------------------- buffers


def trained() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False))
    model(torch.randn(8, 3))
    return model


def test_a_trained_models_statistics_are_listed_and_reset_on_request() -> None:
    model = trained()
    report = apply_init(model, "torch_default", seed=0)
    off = [f"{i}.{key}" for i in (1, 2) for key in model[1]._buffers]
    assert report.buffers_off_reset == off
    assert f"running statistics not reset (reset_buffers=True does it): {', '.join(off)}" in str(
        report
    )
    report = apply_init(model, "torch_default", seed=0, reset_buffers=True)
    assert report.buffers_off_reset == []
    assert model[1].running_var.tolist() == [1.0] * 4
    assert int(model[2].num_batches_tracked) == 0


def test_statistics_of_modules_that_were_not_written_are_not_listed() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))
    model(torch.randn(8, 3))
    assert apply_init(model, "torch_default", seed=0, only="1").buffers_off_reset == []


# -------------------------------------------------------------------------------- peak memory

PEAK = """
import sys
import torch
from torch import nn
from initkit import apply_init, deferred
MB = 1 << 20

def status(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024

rule, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
apply_init(nn.Linear(600, 600), {{"weight": rule, "bias": 0}}, seed=0)
before = status("VmRSS")
with deferred():
    model = nn.Sequential(*[nn.Linear({width}, {width}) for _ in range({count})])
built = status("VmHWM") - before
size = sum(p.nbytes for p in model.parameters())
rules = {{"*.bias": 0, "*.weight": rule}}
apply_init(model, rules, seed=0)
peak = status("VmHWM") - before
print(built / MB, size / MB, peak / MB)
assert not any(p.is_meta for p in model.parameters())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rule", ["normal(std=1)", "trunc_normal(std=1, cutoff=2)", "uniform"])
def test_peak_memory_is_the_model_and_at_most_64_mib(rule: str, threads: int) -> None:
    built, size, peak = measured(rule, threads, width=2048, count=12)
    assert size == pytest.approx(12 * (2048 * 2048 + 2048) * 4 / 2**20)
    assert built < 40, "constructing holds one parameter at a time"
    assert peak < size + 64


def test_peak_memory_of_a_matrix_distribution_is_the_model_and_its_scratch() -> None:
    built, size, peak = measured("orthogonal", 1, width=512, count=40)
    scratch = 3 * 512 * 512 * 8 / 2**20
    assert peak < size + 64 + scratch
    assert built < 40


def measured(rule: str, threads: int, width: int, count: int) -> tuple[float, float, float]:
    script = PEAK.format(width=width, count=count)
    done = subprocess.run(
        [sys.executable, "-c", script, rule, str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built, size, peak = map(float, done.stdout.split())
    assert math.isfinite(peak)
    return built, size, peak
