"""A recording changes nothing: values, generators, errors and functions are what they were."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn

from initkit import TargetError, check_init, model_digest, record_init, recording

FUNCTIONS = [f for n, f in vars(nn.init).items() if n.endswith("_") and callable(f)]


class Net(nn.Module):
    """A little of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.PReLU())
        self.rnn = nn.LSTM(8, 8)
        self.attention = nn.MultiheadAttention(8, 2)
        self.token = nn.Parameter(torch.randn(1, 8) * 0.02)
        nn.init.trunc_normal_(self.token, std=0.02)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)


def test_values_and_generator_are_those_without_recording() -> None:
    torch.manual_seed(5)
    plain = Net()
    state = torch.get_rng_state()
    torch.manual_seed(5)
    plan = record_init(Net)
    assert torch.equal(state, torch.get_rng_state())
    assert model_digest(plan.model) == model_digest(plain)
    assert not plan.with_status("unexplained")
    assert check_init(Net(), plan).ok


def test_functions_of_torch_are_as_before_after_a_recording() -> None:
    codes = [f.__code__ for f in FUNCTIONS]
    record_init(Net)
    with pytest.raises(ValueError), recording():
        raise ValueError
    assert [f.__code__ for f in FUNCTIONS] == codes
    assert codes


def test_an_error_of_the_constructor_passes_unchanged() -> None:
    error = RuntimeError("mine")

    def build() -> nn.Module:
        nn.Linear(2, 2)
        raise error

    with pytest.raises(RuntimeError) as caught:
        record_init(build)
    assert caught.value is error
    with pytest.raises(TypeError, match="normal_\\(\\) got an unexpected keyword"):
        record_init(lambda: nn.init.normal_(torch.empty(2), sdt=1))


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(TargetError, match="^dict returned dict, not a module$"):
        record_init(dict)
    with recording() as record:
        pass
    with pytest.raises(TargetError, match="^a recording has plans of modules, not of dict$"):
        record.plan({})


def test_one_recording_has_plans_of_several_models() -> None:
    with recording() as record:
        one, two = nn.Linear(2, 2), nn.LayerNorm(2)
    assert [record.plan(m).steps[0].start for m in (one, two)] == [
        "U(-0.7071, 0.7071)",
        "constant 1",
    ]
    assert record.plan(one).model is one


def test_a_plan_may_be_asked_for_inside_the_block() -> None:
    with recording() as record:
        model = nn.Linear(2, 2)
        before = record.plan(model)["bias"].start
        nn.init.zeros_(model.bias)
        assert (before, record.plan(model)["bias"].start) == ("U(-0.7071, 0.7071)", "constant 0")


def test_recordings_inside_each_other_see_the_same() -> None:
    with recording() as outer, recording() as inner:
        model = Net()
    plans = outer.plan(model), inner.plan(model)
    assert not plans[0].diff(plans[1])
    assert plans[0]["token"].start == "TN(0, 0.02; -2, 2)"


def test_other_threads_go_unseen() -> None:
    found: dict[str, nn.Module] = {}
    ready, done = threading.Event(), threading.Event()

    def build() -> None:
        ready.wait()
        found["other"] = Net()
        done.set()

    thread = threading.Thread(target=build)
    thread.start()
    with recording() as record:
        ready.set()
        done.wait()
        model = Net()
    thread.join()
    assert not record.plan(model).with_status("unexplained")
    assert len(record.plan(found["other"]).with_status("unexplained")) == len(
        list(found["other"].parameters())
    )


def test_threads_may_record_at_once() -> None:
    plans = {}

    def build(std: float) -> None:
        def model() -> nn.Module:
            layer = nn.Linear(3, 3)
            nn.init.normal_(layer.weight, std=std)
            return layer

        plans[std] = record_init(model)

    threads = [threading.Thread(target=build, args=(std,)) for std in (0.25, 0.5, 0.75)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {std: plan["weight"].start for std, plan in plans.items()} == {
        0.25: "N(0, 0.25)",
        0.5: "N(0, 0.5)",
        0.75: "N(0, 0.75)",
    }


def test_buffers_come_when_they_are_asked_for() -> None:
    plan = record_init(nn.BatchNorm1d, 4, buffers=True)
    starts = {step.name: step.start for step in plan}
    assert starts["running_mean"] == "constant 0"
    assert starts["num_batches_tracked"] == "constant 0"
    assert "running_mean" not in [step.name for step in record_init(nn.BatchNorm1d, 4)]


def test_default_dtypes_and_devices_are_followed() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert record_init(nn.Linear, 4, 4)["weight"].dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        plan = record_init(Net)
    assert plan["token"].start == "TN(0, 0.02; -2, 2)"
    assert plan["rnn.weight_hh_l0"].start == "orthogonal"
    assert not plan.with_status("unexplained")
    model = Net()
    plan.apply(model, seed=0)
    assert check_init(model, plan).ok


def test_ties_and_copies_are_named() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q = nn.Linear(8, 8)
            self.target = nn.Linear(8, 8)
            self.target.load_state_dict(self.q.state_dict())
            self.head = nn.Linear(8, 8)
            self.head.weight = self.q.weight

    plan = record_init(Pair)
    assert plan["head.weight"].names == ("q.weight", "head.weight")
    assert plan["target.weight"].start == "copy of q.weight"
    model = Pair()
    plan.apply(model, seed=0)
    assert torch.equal(model.target.weight, model.q.weight)


def test_parameters_that_share_a_draw_are_named_and_parts_of_one_are_not() -> None:
    class Shares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            drawn = torch.randn(16, 4)
            self.all = nn.Parameter(drawn.clone())
            self.some = nn.Parameter(drawn[:8].clone())
            self.a, self.b = map(nn.Parameter, torch.randn(32, 4).chunk(2))

    plan = record_init(Shares)
    assert plan["some"].note == "shares its draw with all"
    assert plan["a"].note == plan["b"].note == ""


def test_a_named_function_of_torch_is_seen_under_any_name() -> None:
    from torch.nn.init import trunc_normal_ as cut

    def build() -> nn.Module:
        layer = nn.Linear(4, 4)
        cut(layer.weight, std=0.5)
        return layer

    assert record_init(build)["weight"].start == "TN(0, 0.5; -2, 2)"


def test_many_parameters_are_recorded_in_few_seconds() -> None:
    def build() -> nn.Module:
        return nn.ModuleList(nn.Linear(1, 1) for _ in range(1500))

    plan = record_init(build)
    assert len(plan) == 3000
    assert not plan.with_status("unexplained")


def test_a_tensor_subclass_without_memory_of_its_own_is_let_through() -> None:
    def build() -> nn.Module:
        layer = nn.Linear(2, 2)
        layer.scale = torch.sparse_coo_tensor(
            torch.tensor([[0]]), torch.ones(1), (2,), check_invariants=True
        )
        return layer

    assert record_init(build)["weight"].start == "U(-0.7071, 0.7071)"


def test_the_signature_of_a_call_is_that_of_torch() -> None:
    def build() -> nn.Module:
        layer = nn.Linear(4, 4)
        assert isinstance(nn.init.normal_(layer.weight, 1, 2), Tensor)
        return layer

    assert record_init(build)["weight"].history[-1].call == "normal_(mean=1, std=2)"


def test_what_builds_no_model_is_told_so() -> None:
    with pytest.raises(TargetError, match="'net.py:Net' builds none; give a class or a function"):
        record_init("net.py:Net")
