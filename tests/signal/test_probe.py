"""A probe leaves a model as it was, sees what models do, and refuses what it cannot run."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from signal_models import Language, kinds, mlp, residual
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

import initkit
from initkit import PlanError, TargetError, plan_init, probe_init
from initkit.errors import OptionError
from initkit.model import same_bits
from initkit.signal.report import Probe


class Simple(nn.Module):
    """A module whose forward is a function of its layers and of x."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.w = nn.Parameter(torch.randn(8, 8))
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


X = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))


def stochastic(m: Any, x: Tensor) -> Tensor:
    random.random()
    np.random.rand()  # noqa: NPY002  the generator that models draw from
    return F.dropout(m.norm(m.layer(x)), 0.5)


def writes(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.w.mul_(2)
        m.layer.weight.data.clamp_(-0.01, 0.01)
        m.layer.bias.data = torch.ones(8)
        torch.add(m.norm.weight, 1, out=m.norm.weight)
    m.layer.register_forward_hook(lambda *_: None)
    m.norm.weight.requires_grad_(False)
    torch.set_grad_enabled(False)
    m.eval()
    m.w.grad = torch.zeros(8, 8)
    return m.norm(m.layer(x))


def raises(m: Any, x: Tensor) -> Tensor:
    writes(m, x)
    raise RuntimeError("in the middle")


def generators() -> object:
    legacy = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), random.getstate(), legacy[1].tolist(), legacy[2]


@pytest.mark.parametrize("forward", [stochastic, writes, raises])
@pytest.mark.parametrize("rules", [None, {"*": "normal(std=0.1)"}])
def test_everything_is_left_as_it_was_bit_for_bit(forward, rules) -> None:
    model = Simple(forward, layer=nn.Linear(8, 8), norm=nn.BatchNorm1d(8))
    model(X) if forward is stochastic else None
    model.w.grad = torch.ones(8, 8)
    state, parameters = copy.deepcopy(model.state_dict()), dict(model.named_parameters())
    gradient, x = model.w.grad, X.clone().requires_grad_()
    drawn = generators()
    hooks = [dict(m._forward_hooks) for m in model.modules()]
    fails = (
        pytest.raises(RuntimeError, match="in the middle") if forward is raises else nullcontext()
    )
    with fails:
        probe_init(model, x, rules=rules)
    assert all(same_bits(value, state[name]) for name, value in model.state_dict().items())
    assert all(p is parameters[n] and p.requires_grad for n, p in model.named_parameters())
    assert model.w.grad is gradient and gradient.eq(1).all() and x.grad is None
    assert model.layer.weight.grad is None
    assert generators() == drawn
    assert model.training and torch.is_grad_enabled()
    assert [dict(m._forward_hooks) for m in model.modules()] == hooks
    hooked = torch.nn.modules.module._global_forward_hooks
    assert not hooked and not torch.nn.modules.module._global_forward_pre_hooks
    assert torch.overrides._get_current_function_mode_stack() == []


def test_a_model_is_probed_in_the_mode_of_its_caller_and_says_which() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5)).eval()
    probe = probe_init(model, X)
    assert probe.mode == "eval" and "eval mode" in str(probe)
    with torch.no_grad():
        assert probe_init(model, X)["0"].gradient is not None
    with torch.inference_mode():
        assert probe_init(model, X.clone()).points


def test_a_probe_of_the_same_seed_is_the_same() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 8))
    one, two = (probe_init(model, X, rules="xavier_normal", seed=3).to_dict() for _ in "ab")
    assert one == two
    assert one != probe_init(model, X, rules="xavier_normal", seed=4).to_dict()


# ---- what is seen


def names(probe: Probe) -> list[tuple[str, str]]:
    return [(p.name, p.kind) for p in probe.points]


def test_the_product_with_a_parameter_is_a_point_of_a_functional_model() -> None:
    probe = probe_init(Simple(lambda m, x: torch.relu(x @ m.w) @ m.w.T), X)
    assert names(probe)[:2] == [("w", "matmul"), ("w", "matmul")]
    assert [p.call for p in probe.points[:2]] == [1, 2]
    assert probe.points[0].gradient and probe.parameters[0].uses == 2
    assert probe.activations[0].source == "w"


@pytest.mark.parametrize(
    "call",
    [
        lambda w, x: F.linear(x, w),
        lambda w, x: torch.addmm(torch.zeros(8), x, w),
        lambda w, x: torch.einsum("bi,io->bo", x, w),
        lambda w, x: F.conv1d(x[..., None], w[..., None])[..., 0],
        lambda w, x: torch.bmm(x[None], w[None])[0],
    ],
)
def test_an_operation_that_is_linear_in_a_parameter_is_seen(call) -> None:
    model = Simple(lambda m, x: call(m.w, x))
    point = probe_init(model, X).points[0]
    assert point.parameters == ("w",) and point.name == "w"
    expected = call(model.w, X).detach()
    assert point.rms == pytest.approx(float(expected.square().mean().sqrt()), rel=1e-5)
    assert point.entering == pytest.approx(float(X.square().mean().sqrt()), rel=1e-5)


def test_a_layer_is_one_point_and_knows_its_parameter() -> None:
    probe = probe_init(nn.Sequential(nn.Linear(8, 4), nn.ReLU(inplace=True)), X)
    assert names(probe) == [("0", "Linear"), ("1", "ReLU"), ("", "Sequential")]
    assert probe["0"].parameters == ("0.weight",) and not probe["1"].parameters


def test_gradients_are_those_of_autograd_also_before_what_changes_in_place() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))
    probe = probe_init(model, X, loss=lambda y: y.square().sum())
    first = model[0](X).detach().requires_grad_()
    model[2](first.relu()).square().sum().backward()
    assert probe["0"].gradient == pytest.approx(float(first.grad.square().mean().sqrt()), rel=1e-5)
    model.zero_grad()
    model(X).square().sum().backward()
    weight = model[0].weight.grad.square().mean().sqrt()
    assert probe.parameters[0].gradient == pytest.approx(float(weight), rel=1e-5)


def test_white_noise_makes_the_rms_of_a_gradient_a_gain() -> None:
    probe = probe_init(
        nn.Linear(200, 300, bias=False), torch.randn(50, 200), rules={"*": "orthogonal"}
    )
    assert probe.points[-1].gradient == pytest.approx(1.0, rel=1e-5)


def test_a_shared_layer_is_seen_at_every_call() -> None:
    layer = nn.Linear(8, 8)
    probe = probe_init(nn.Sequential(layer, nn.Tanh(), layer), X)
    assert [(p.name, p.call) for p in probe.points if p.kind == "Linear"] == [("0", 1), ("0", 2)]
    assert probe.parameters[0].uses == 2


@pytest.mark.parametrize("wrap", [lambda y: {"a": y}, lambda y: (y, 1), lambda y: [None, y]])
def test_outputs_may_be_nested(wrap) -> None:
    probe = probe_init(Simple(lambda m, x: wrap(x @ m.w)), X)
    assert probe.points[-1].shape == (16, 8) and probe.points[0].gradient


def test_inputs_may_come_by_name_and_nested() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, batch: dict[str, Tensor], *, scale: float) -> Tensor:
            return self.layer(batch["x"]) * scale

    assert probe_init(Named(), {"x": X}, scale=2.0)["layer"].entering


def test_a_tied_embedding_is_one_parameter_of_two_names() -> None:
    probe = probe_init(Language(), torch.randint(64, (4, 16)))
    tied = next(p for p in probe.parameters if p.name == "embed.weight")
    assert tied.names == ("embed.weight", "head.weight") and tied.uses == 2
    assert probe["head"].parameters == ("embed.weight",)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_packed_attention_weights_are_seen(weights: bool, training: bool) -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attn(x, x, x, need_weights=weights)[0]

    model, x = Packed().train(training), torch.randn(3, 5, 8)
    expected = model(x).detach()
    probe = probe_init(model, x)
    seen = [p.name for p in probe.points]
    assert {"attn.in_proj_weight", "attn.out_proj.weight", "attn"} <= set(seen)
    assert probe["attn"].rms == pytest.approx(float(expected.square().mean().sqrt()), rel=1e-4)
    assert [a.name for a in probe.attention] == ["attn"] and probe.attention[0].places == 5


def test_a_causal_mask_leaves_out_what_it_hides() -> None:
    q = torch.zeros(1, 2, 6, 4)
    model = Simple(lambda m, x: F.scaled_dot_product_attention(q, q, q, is_causal=True).sum() * m.w)
    [found] = probe_init(model, X).attention
    assert found.entropy == pytest.approx(1.0) and found.places == 4  # rows of 2 to 6


def test_a_fused_recurrent_network_is_seen_layer_by_layer() -> None:
    probe = probe_init(nn.LSTM(8, 4, num_layers=2, bidirectional=True), torch.randn(5, 3, 8))
    assert names(probe)[1:] == [
        ("[layer 0]", "state"),
        ("[layer 0, reverse]", "state"),
        ("[layer 1]", "state"),
        ("[layer 1, reverse]", "state"),
    ]


def test_a_computed_weight_is_seen_by_its_public_name() -> None:
    for wrap in (parametrizations.weight_norm, nn.utils.spectral_norm):
        probe = probe_init(nn.Sequential(wrap(nn.Linear(8, 8))), X)
        assert names(probe) == [("0", "Linear"), ("", "Sequential")]
        assert probe["0"].parameters == ("0.weight",)


def test_only_sums_of_trunk_and_branch_are_residual() -> None:
    class NewGELU(nn.Module):  # adds its input to a function of it, and is no residual block
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.044715 * x.pow(3))))

    def scan(m: Any, x: Tensor) -> Tensor:  # adds states, and carries no trunk
        h = m.up(x)
        state = torch.zeros_like(h)
        for _ in range(5):
            state = state * 0.9 + m.act(h) * 0.1
        return x + m.down(state)

    model = Simple(scan, up=nn.Linear(8, 8), act=NewGELU(), down=nn.Linear(8, 8))
    [found] = probe_init(model, X).sums
    assert found.trunk == pytest.approx(float(X.square().mean().sqrt()), rel=1e-5)


def test_branches_that_are_zero_are_one_note() -> None:
    model = residual(4, 8)
    for block in model[:4]:
        nn.init.zeros_(block.down.weight)
        nn.init.zeros_(block.down.bias)
    probe = probe_init(model, X)
    notes = [f for f in probe.findings if f.kind == "identity"]
    assert len(notes) == 1 and probe.ok and len(probe.sums) == 4
    assert notes[0].what == "starts as identity: 4 of 4 residual branches are zero"


def test_recomputation_is_not_counted_twice_and_reentrant_is_unseen() -> None:
    def forward(reentrant: bool) -> Callable[[Any, Tensor], Tensor]:
        return lambda m, x: m.head(checkpoint(m.block, x, use_reentrant=reentrant))

    parts = {"block": nn.Sequential(nn.Linear(8, 8), nn.Tanh()), "head": nn.Linear(8, 2)}
    plain = probe_init(Simple(lambda m, x: m.head(m.block(x)), **parts), X)
    saved = probe_init(Simple(forward(False), **parts), X)
    assert [(p.name, p.rms, p.gradient) for p in saved.points] == [
        (p.name, p.rms, p.gradient) for p in plain.points
    ]
    dark = probe_init(Simple(forward(True), **parts), X.clone().requires_grad_())
    assert dark["block.0"].gradient is None and dark["head"].gradient
    assert "unseen" in {f.kind for f in dark.findings}


@pytest.mark.slow  # for what torch.compile imports
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_runs_as_it_is_written_under_its_own_names() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    probe = probe_init(torch.compile(model), X)
    assert names(probe) == names(probe_init(model, X))
    assert probe.parameters[0].name == "0.weight"


def test_frozen_parameters_have_a_signal_and_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh()).requires_grad_(False)
    probe = probe_init(model, X)
    assert probe["0"].gradient is None and probe.parameters[0].frozen and probe.ok


def test_a_batch_of_one_is_like_nothing() -> None:
    assert probe_init(nn.Linear(8, 8), X[:1]).points[0].alike is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_activations_are_measured_in_float32(dtype: torch.dtype) -> None:
    model = nn.Linear(8, 8, bias=False).to(dtype)
    nn.init.constant_(model.weight, 100.0)
    probe = probe_init(model, torch.full((4, 8), 0.5, dtype=dtype))
    assert probe.points[0].rms == pytest.approx(400.0, rel=1e-6)
    assert probe.points[0].dtype == str(dtype)[6:]


def test_autocast_is_seen_as_it_runs() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        probe = probe_init(nn.Linear(8, 8), X)
    assert probe.points[0].dtype == "bfloat16" and probe.points[0].parameters == ("weight",)


def test_a_number_close_to_the_end_of_float16_is_an_overflow() -> None:
    model = nn.Linear(8, 8, bias=False).half()
    nn.init.constant_(model.weight, 5000.0)
    probe = probe_init(model, torch.ones(4, 8).half())
    assert "overflow" in kinds(probe)


def test_without_a_backward_no_gradient_is_seen_nor_missed() -> None:
    probe = probe_init(nn.Linear(8, 8), X, backward=False)
    assert probe.points[0].gradient is None and probe.findings == ()


def test_unused_parameters_are_a_note() -> None:
    probe = probe_init(Simple(lambda m, x: m.layer(x), layer=nn.Linear(8, 8)), X)
    [found] = probe.findings
    assert str(found) == "w: it was not used in this forward" and probe.ok


def test_the_trunk_may_be_chosen() -> None:
    model = mlp(4, 8, nn.Tanh)
    assert probe_init(model, X, trunk=["1", "3", "5"]).trunk.names == ("1", "3", "5")
    with pytest.raises(OptionError, match=r"^trunk='9' matches no point$"):
        probe_init(model, X, trunk="9")


def test_the_trunk_is_the_repeated_block() -> None:
    assert probe_init(residual(5, 8), X).trunk.names == tuple("01234")
    language = probe_init(Language(), torch.randint(64, (2, 8)))
    assert language.trunk.names == tuple(f"blocks.{i}" for i in range(4))


# ---- what is refused


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"w": torch.ones(2)}, "a probe needs a module to run, not dict"),
        (
            nn.Linear(2, 2, device="meta"),
            "weight is on the meta device and has no values; materialize the model first",
        ),
        (nn.LazyLinear(2), "weight is lazy and has no values yet; run a forward first"),
    ],
)
def test_what_holds_no_values_is_refused_by_name(model, text: str) -> None:
    with pytest.raises(TargetError) as caught:
        probe_init(model, X)
    assert str(caught.value) == text


def test_rules_that_do_not_fit_are_refused_before_anything_runs() -> None:
    with pytest.raises(PlanError, match="matches no parameter"):
        probe_init(Simple(raises), X, rules={"nothing": 0})


def test_a_loss_must_be_one_number() -> None:
    with pytest.raises(OptionError) as caught:
        probe_init(nn.Linear(8, 8), X, loss=lambda y: y)
    assert str(caught.value) == "loss must return one number, not a tensor of 128"


def test_an_unknown_point_is_answered_with_the_nearest() -> None:
    probe = probe_init(Simple(lambda m, x: m.layer(x), layer=nn.Linear(8, 8)), X)
    with pytest.raises(TargetError, match=r"no point 'layr'; did you mean 'layer'\?"):
        probe["layr"]


def test_a_plan_may_be_probed() -> None:
    model = mlp(3, 8)
    plan = plan_init(model, {"*": "orthogonal"})
    assert probe_init(model, X, rules=plan).trunk.forward.ratio == pytest.approx(1.0, rel=1e-3)
    assert initkit.probe_init is probe_init
