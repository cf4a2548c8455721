"""``apply_init``: what it writes, what it leaves alone, and what its numbers depend on."""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import mlp, resnext, tied_lm
from torch import nn

import initkit
from initkit import apply_init, plan_init
from initkit.errors import FillError, InitkitError, OptionError, PlanError

RULES = {"*.weight": "normal(std=0.02)", "*.bias": "uniform(-1, 1)"}

# The contract's known answers: seed 0, name "fc.weight", these indices.
INDICES = [0, 1, 2, 3, 255, 256, 511, 512]
KNOWN = {
    "uniform(-0.05, 0.05)": "bd0eb97f bd086845 bc0b366d 3d2dcbdf "
    "3cdce8aa bd1e63df 3d204a4b bd1856e8",
    "uniform": "3e1b3044 3e2afb54 3ed47efe 3f6c9f6b 3f4508b5 3de80ca8 3f642e6f 3e0326bc",
    "normal(std=0.02)": "bbff454f bc0d6b02 bce0dad9 3b7a32a3 3c4923bb bbbcb50f 3bb4c724 bbd6262b",
    "normal(mean=1, std=0.5)": "3f4e2476 3f48c233 3ea0aa0c 3f8c3779 "
    "3fa748fa 3f5b24a3 3f91a772 3f562c8c",
    "trunc_normal(std=0.02, cutoff=2)": "bbf317fb bc069956 bcce6c0f 3b6eaf14 "
    "3c3ed84e bbb3e58a 3bac5af0 bbcc136b",
}


def named_fc() -> nn.Module:
    model = nn.Module()
    model.fc = nn.Linear(32, 32, bias=False)
    return model


@pytest.mark.parametrize("scheme", KNOWN)
def test_known_answers(scheme: str) -> None:
    model = named_fc()
    apply_init(model, {"fc.weight": scheme}, seed=0)
    bits = model.fc.weight.detach().flatten()[INDICES].view(torch.int32)
    assert " ".join(f"{b & 0xFFFFFFFF:08x}" for b in bits.tolist()) == KNOWN[scheme]


def test_known_answers_in_bfloat16() -> None:
    model = named_fc().bfloat16()
    apply_init(model, {"fc.weight": "normal(std=0.02)"}, seed=0)
    bits = model.fc.weight.detach().flatten()[INDICES].view(torch.int16)
    wanted = "bbff bc0d bce1 3b7a 3c49 bbbd 3bb5 bbd6"
    assert " ".join(f"{b & 0xFFFF:04x}" for b in bits.tolist()) == wanted


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    shared = a.keys() & b.keys()
    assert shared, "nothing to compare"
    return all(torch.equal(a[k], b[k]) for k in shared)


def test_a_seed_gives_the_same_numbers_again_and_another_seed_others() -> None:
    a, b = mlp(), mlp()
    apply_init(a, "xavier_normal", seed=1)
    apply_init(b, "xavier_normal", seed=1)
    assert same(state(a), state(b))
    apply_init(b, "xavier_normal", seed=2)
    assert not torch.equal(a[0].weight, b[0].weight)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(["a", "b", "c", "d"]), keep=st.integers(1, 4), seed=st.integers())
def test_numbers_depend_neither_on_the_order_nor_on_the_presence_of_others(
    order: list[str], keep: int, seed: int
) -> None:
    whole = nn.ModuleDict({k: nn.Linear(3, 5) for k in "abcd"})
    part = nn.ModuleDict({k: nn.Linear(3, 5) for k in order[:keep]})
    apply_init(whole, RULES, seed=seed)
    apply_init(part, RULES, seed=seed)
    assert same(state(part), state(whole))


def test_seeds_are_ints_modulo_2_to_the_64() -> None:
    a, b = mlp(), mlp()
    apply_init(a, "xavier_normal", seed=-1)
    apply_init(b, "xavier_normal", seed=2**64 - 1)
    assert same(state(a), state(b))


def test_with_a_seed_the_global_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    apply_init(mlp(), {"*.weight": lambda t: t.normal_(), "*": 0}, seed=0)
    apply_init(mlp(), "orthogonal", seed=0)
    # the modules' own constructors draw, so compare against building them alone
    after = torch.get_rng_state()
    torch.manual_seed(0)
    mlp(), mlp()
    assert torch.equal(after, torch.get_rng_state())
    assert not torch.equal(before, after)


def test_without_a_seed_manual_seed_governs_and_the_report_says_which() -> None:
    a, b = mlp(), mlp()
    torch.manual_seed(3)
    report = apply_init(a, "xavier_normal")
    torch.manual_seed(3)
    assert apply_init(b, "xavier_normal").seed == report.seed
    assert 0 <= report.seed < 2**63
    c = mlp()
    apply_init(c, "xavier_normal", seed=report.seed)
    assert same(state(a), state(c))


def test_twins_differ_by_their_prefix_and_match_the_whole_that_they_are_part_of() -> None:
    twins = nn.ModuleDict({"q1": nn.Linear(3, 3), "q2": nn.Linear(3, 3)})
    apply_init(twins, RULES, seed=0)
    alone = nn.Linear(3, 3)
    apply_init(alone, RULES, seed=0, prefix="q1")
    assert torch.equal(alone.weight, twins["q1"].weight)
    assert not torch.equal(twins["q1"].weight, twins["q2"].weight)
    apply_init(alone, RULES, seed=0)
    assert not torch.equal(alone.weight, twins["q1"].weight)


def test_wrappers_change_no_number() -> None:
    plain, wrapped = mlp(), nn.DataParallel(mlp())
    apply_init(plain, RULES, seed=0)
    apply_init(wrapped, RULES, seed=0)
    assert same(state(plain), state(wrapped.module))
    prefixed = {f"module.{k}": v.clone() for k, v in plain.state_dict().items()}
    apply_init(prefixed, RULES, seed=0)
    assert all(torch.equal(prefixed[f"module.{k}"], v) for k, v in state(plain).items())


# -------------------------------------------------------------------------- what stays as it was


def test_objects_grads_hooks_flags_and_modes_are_kept_and_versions_move() -> None:
    model = mlp().eval()
    model[0].bias.requires_grad_(False)
    model(torch.randn(2, 8)).sum().backward()
    called: list[int] = []
    handle = model[0].weight.register_hook(lambda g: called.append(1))
    before = {n: (id(p), p.requires_grad, p.grad, p._version) for n, p in model.named_parameters()}
    report = apply_init(model, RULES, seed=0)
    for name, p in model.named_parameters():
        was, needs_grad, grad, version = before[name]
        assert id(p) == was
        assert p.requires_grad is needs_grad
        assert p.grad is grad
        assert p.is_leaf
        assert (p._version > version) is (name in report.written)
    assert not model.training
    model(torch.randn(2, 8)).sum().backward()
    assert called == [1]
    handle.remove()


def test_a_graph_that_saved_an_overwritten_weight_refuses_to_run_backward() -> None:
    model = nn.Linear(2, 2)
    loss = (model(torch.randn(3, 2)).requires_grad_() @ model.weight).sum()
    apply_init(model, {"*": "normal"}, seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_every_grad_mode_writes_the_same(mode: Any) -> None:
    a, b = mlp(), mlp()
    with mode():
        apply_init(a, RULES, seed=0)
    apply_init(b, RULES, seed=0)
    assert same(state(a), state(b))


@pytest.mark.parametrize("value", ["normal", 3, "orthogonal", "eye", lambda t: t.fill_(2)])
def test_parameters_made_under_inference_mode_can_be_written(value: Any) -> None:
    with torch.inference_mode():
        model = nn.Sequential(nn.Embedding(3, 3, padding_idx=1))
    model.append(nn.Linear(3, 3, bias=False))
    version = model[1].weight._version
    apply_init(model, {"*": value}, seed=0)
    other = nn.Sequential(nn.Embedding(3, 3, padding_idx=1), nn.Linear(3, 3, bias=False))
    apply_init(other, {"*": value}, seed=0)
    assert torch.equal(model[0].weight, other[0].weight)
    assert torch.equal(model[1].weight, other[1].weight)
    assert model[1].weight._version > version
    assert not model[1].weight.is_inference()


def test_frozen_parameters_are_initialised_and_listed_first() -> None:
    model = mlp()
    model[0].weight.requires_grad_(False)
    report = apply_init(model, RULES, seed=0)
    assert report.frozen == ["0.weight"]
    assert str(report).splitlines()[1] == "frozen, and written all the same: 0.weight"
    assert not model[0].weight.requires_grad


def test_memory_of_every_layout_holds_the_same_numbers() -> None:
    a, b = nn.Conv2d(8, 600, 3), nn.Conv2d(8, 600, 3).to(memory_format=torch.channels_last)
    c = nn.Conv2d(8, 600, 3)
    c.weight = nn.Parameter(torch.empty(3, 3, 8, 600).permute(3, 2, 1, 0))
    for model in (a, b, c):
        apply_init(model, {"weight": "normal", "bias": 0}, seed=0)
    assert torch.equal(a.weight, b.weight)
    assert torch.equal(a.weight, c.weight)
    assert b.weight.is_contiguous(memory_format=torch.channels_last)


def test_large_and_strided_tensors_are_written_in_pieces_without_a_seam() -> None:
    flat, strided = nn.Linear(1500, 700, bias=False), nn.Linear(1500, 700, bias=False)
    strided.weight = nn.Parameter(torch.empty(1500, 700).t())
    apply_init(flat, {"weight": "normal"}, seed=5)
    apply_init(strided, {"weight": "normal"}, seed=5)
    assert torch.equal(flat.weight, strided.weight)


def test_complex_parameters_hold_pairs_of_words() -> None:
    real, complex_ = named_fc(), named_fc()
    real.fc.weight = nn.Parameter(torch.empty(16, 16, 2))
    complex_.fc.weight = nn.Parameter(torch.empty(16, 16, dtype=torch.complex64))
    # As in torch a normal number of std 2 has parts of std sqrt(2), a uniform one uniform parts.
    for wanted, parts in (("normal(std=2)", "normal(std=sqrt(2))"), ("uniform", "uniform")):
        apply_init(complex_, {"fc.weight": wanted}, seed=0)
        apply_init(real, {"fc.weight": parts}, seed=0)
        assert torch.equal(torch.view_as_real(complex_.fc.weight.detach()), real.fc.weight)
    apply_init(complex_, {"fc.weight": 2}, seed=0)
    assert (complex_.fc.weight == 2).all()


def test_distributions_by_place_put_complex_numbers_where_they_put_real_ones() -> None:
    for rule, shape in (("eye", (4, 6)), ("dirac", (4, 4, 3)), ("sinusoids", (4, 6))):
        real = {"w": torch.empty(shape)}
        complex_ = {"w": torch.empty(shape, dtype=torch.complex64)}
        for entries in (real, complex_):
            apply_init(entries, {"w": rule}, seed=0)
        assert torch.equal(complex_["w"], real["w"].to(torch.complex64)), rule


def test_blocks_of_complex_numbers_are_those_of_the_whole() -> None:
    whole = torch.empty(4, 6, dtype=torch.complex64)
    blocks = torch.empty(4, 6, dtype=torch.complex64)
    apply_init({"w": whole}, {"w": "normal(std=1)"}, seed=0)
    apply_init({"w": blocks}, {"w": "blocks(0.5, 'normal(std=1)')"}, seed=0)
    assert (blocks[:2] == 0.5).all()
    assert torch.equal(blocks[2:], whole[2:])


def test_a_tied_parameter_is_written_once_whichever_name_matches() -> None:
    a, b = tied_lm(), tied_lm()
    names = [n for n, _ in a.named_parameters(remove_duplicate=False)]
    (tied,) = [s.names for s in plan_init(a, {"*": 0}) if len(s.names) > 1]
    assert set(tied) <= set(names)
    apply_init(a, [{tied[0]: "normal"}, {"*": 0}], seed=0, on_tie_conflict="first")
    apply_init(b, [{tied[-1]: "normal"}, {"*": 0}], seed=0, on_tie_conflict="first")
    assert same(state(a), state(b))


def test_padding_rows_end_zero_and_move_no_other_element() -> None:
    padded, plain = nn.Embedding(5, 4, padding_idx=-2), nn.Embedding(5, 4)
    apply_init(padded, {"weight": "normal"}, seed=0)
    apply_init(plain, {"weight": "normal"}, seed=0)
    assert not padded.weight[3].any()
    rest = [0, 1, 2, 4]
    assert torch.equal(padded.weight[rest], plain.weight[rest])
    before = padded.weight.detach().clone().fill_(3)
    padded.weight.data.copy_(before)
    apply_init(padded, {"weight": "keep"}, seed=0)
    assert torch.equal(padded.weight, before)


# ------------------------------------------------------------------------------ users' functions


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_collection_is_held_back_and_then_as_it_was(collects: bool) -> None:
    seen = []

    def look(tensor: torch.Tensor) -> None:
        seen.append(gc.isenabled())
        tensor.zero_()

    def fail(tensor: torch.Tensor) -> None:
        raise ValueError("broken")

    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        apply_init(nn.Linear(2, 2), {"*": look}, seed=0)
        with pytest.raises(FillError):
            apply_init(nn.Linear(2, 2), {"*": fail}, seed=0)
        plan_init(nn.Linear(2, 2), {"*": look}).apply(nn.Linear(2, 2), seed=0)
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False] * 4


def test_a_function_writes_into_a_scratch_under_a_keyed_generator() -> None:
    def draw(tensor: torch.Tensor) -> None:
        tensor.normal_()

    a, b = mlp(), mlp()
    apply_init(a, {"*.weight": draw, "*": 0}, seed=0)
    apply_init(b, {"0.*": 5, "*.weight": draw, "*": 0}, seed=0)
    assert torch.equal(a[2].weight, b[2].weight)
    assert not torch.equal(a[0].weight.flatten()[:8], a[2].weight.flatten()[:8])


FUNCTIONS: dict[str, tuple[Any, str]] = {
    "reads the old values": (lambda t: t.add_(1), r"wrote nothing \(functions here get a tensor"),
    "does nothing": (
        lambda t: None,
        r"wrote nothing \(functions here get a tensor, not a module; ",
    ),
    "returns": (lambda t: torch.zeros_like(t), "returned a tensor; write in place"),
    "writes half": (lambda t: t[:1].zero_(), "left 56 of 64 elements unwritten"),
    "fails": (lambda t: t.weight.zero_(), "failed: AttributeError"),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_that_goes_wrong_is_named_and_nothing_is_written(case: str) -> None:
    function, message = FUNCTIONS[case]
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    before = state(model)
    with pytest.raises(FillError, match=message) as caught:
        apply_init(model, {"0.*": 0, "1.weight": function, "*": 1}, seed=0)
    assert caught.value.name == "1.weight"
    assert "nothing was written" in str(caught.value)
    assert same(state(model), before)


def test_a_registered_function_takes_options() -> None:
    @initkit.register_scheme("test_ramp")
    def ramp(tensor: torch.Tensor, *, top: float = 1.0) -> None:
        """Grow from 0 to top."""
        tensor.copy_(torch.linspace(0, top, tensor.numel()).view_as(tensor))

    try:
        model = nn.Linear(1, 3)
        apply_init(model, {"*": "test_ramp(top=4)"}, seed=0)
        assert model.bias.tolist() == [0, 2, 4]
        with pytest.raises(
            InitkitError, match=r"no option 'topp'\n.*topp.*\n  to paste: .*test_ramp\(top=4\)"
        ):
            apply_init(model, {"*": "test_ramp(topp=4)"})
    finally:
        from initkit.schemes.registry import unregister_scheme

        unregister_scheme("test_ramp")


# ------------------------------------------------------------------------------- parametrized


def test_a_parametrized_weight_takes_the_values_of_the_plain_one() -> None:
    plain, normed = nn.Linear(6, 4), nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    apply_init(plain, RULES, seed=0)
    apply_init(normed, RULES, seed=0)
    assert torch.allclose(normed.weight, plain.weight, atol=1e-7)
    assert torch.equal(normed.bias, plain.bias)


def test_a_weight_norm_of_old_takes_the_values_too() -> None:
    with pytest.warns(FutureWarning):
        old = nn.utils.weight_norm(nn.Linear(6, 4))
    plain = nn.Linear(6, 4)
    apply_init(plain, RULES, seed=0)
    apply_init(old, RULES, seed=0)
    old(torch.randn(1, 6))
    assert torch.allclose(old.weight, plain.weight, atol=1e-7)


# ----------------------------------------------------------------------------------- the report


def test_a_report_is_text_dict_and_html() -> None:
    report = apply_init(resnext(), "resnext", seed=0)
    assert "seed 0; digest " in str(report)
    data = report.to_dict()
    assert data["seed"] == 0
    assert len(data["steps"]) == len(report.steps)
    assert "<table" in report._repr_html_()
    assert "<table" in report.plan._repr_html_()


def test_digests_are_equal_for_equal_plans_and_seeds_only() -> None:
    digest = apply_init(mlp(), RULES, seed=0).digest
    assert apply_init(mlp(), RULES, seed=0).digest == digest
    assert apply_init(mlp(), RULES, seed=1).digest != digest
    assert apply_init(mlp(), {"*": 0}, seed=0).digest != digest


def test_a_report_holds_on_to_no_tensor() -> None:
    report = apply_init(mlp(), RULES, seed=0)
    assert report.plan.targets == ()
    copy.deepcopy(report)


# --------------------------------------------------------------------------------- wrong options


def test_wrong_options_are_answered_with_the_right_ones() -> None:
    model = mlp()
    generator = torch.Generator()
    with pytest.raises(OptionError, match=r"write seed=generator.initial_seed\(\)"):
        apply_init(model, RULES, generator=generator)  # type: ignore[arg-type]
    with pytest.raises(
        OptionError, match=r"seed must be an int .* seed=generator.initial_seed\(\)"
    ):
        apply_init(model, RULES, seed=generator)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="seed must be an int or None, not 0.5"):
        apply_init(model, RULES, seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"no option 'sede'\n.*sede=1\n  to paste: +seed=1$"):
        apply_init(model, RULES, sede=1)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="prefix must be a text, not 3"):
        apply_init(model, RULES, prefix=3)  # type: ignore[arg-type]


def test_nothing_is_written_when_anything_is_wrong() -> None:
    model = mlp()
    before = state(model)
    with pytest.raises(PlanError, match="nothing was written"):
        apply_init(model, [RULES, {"typo": 0}], seed=0)
    assert same(state(model), before)
