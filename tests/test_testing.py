"""The assertions for users' own tests: what passes, what fails, and in which words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import initkit
from initkit.errors import CheckError, TargetError
from initkit.testing import (
    assert_covered,
    assert_initialized,
    assert_not_tied,
    assert_optimized,
    assert_plan,
    assert_reproducible,
    assert_signal,
    assert_tied,
    assert_untouched,
    plan_text,
)

RULES = {"*.weight": "xavier_uniform", "*.bias": 0}


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(60, 80), nn.ReLU(), nn.Linear(80, 60))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight


def message(call, *args, error=CheckError, **options) -> str:
    """Return what a failing assertion says."""
    with pytest.raises(error) as caught:
        call(*args, **options)
    return str(caught.value)


def test_a_failed_assertion_is_an_assertion_error() -> None:
    assert issubclass(CheckError, AssertionError)


# ---- assert_initialized


def test_a_model_as_planned_passes_and_returns_the_report() -> None:
    model = net()
    initkit.apply_init(model, RULES, seed=0)
    report = assert_initialized(model, RULES)
    assert report.ok
    assert len(report.rows) == 4


def test_a_model_left_at_torchs_default_fails_and_is_told_so() -> None:
    text = message(assert_initialized, net(), RULES)
    assert "Sequential: 4 of 4 parameters are not as planned" in text
    assert "0.weight [80, 60]: the std is" in text
    assert "it looks like torch's own default, U(-0.1291, 0.1291)" in text


# ---- ties


def test_tied_names_pass_and_give_their_group() -> None:
    assert assert_tied(Tied(), "embed.weight", "head.weight").kind == "parameter"


def test_equal_values_are_no_tie_and_the_message_says_what_to_do() -> None:
    model = Tied()
    model.head.weight = nn.Parameter(model.embed.weight.detach().clone())
    text = message(assert_tied, model, "embed.weight", "head.weight")
    assert text == (
        "embed.weight and head.weight should share memory, but head.weight is not tied to "
        "embed.weight.\nhead.weight holds the same values in a memory of its own.\n"
        "Tie them after both modules exist, as in `model.head.weight = model.embed.weight`; "
        "copying values ties nothing."
    )


def test_untied_names_pass() -> None:
    assert_not_tied(net(), "0.weight", "2.weight")
    assert_not_tied(net())


def test_names_that_share_memory_fail_with_the_kind_and_the_way_out() -> None:
    text = message(assert_not_tied, Tied(), "embed.weight", "head.weight")
    assert text == (
        "embed.weight and head.weight share memory (parameter): writing one writes the others.\n"
        "Give each a tensor of its own, as in `b.weight = nn.Parameter(a.weight.clone())`, or "
        "copy.deepcopy the module."
    )
    assert "share memory (parameter)" in message(assert_not_tied, Tied())


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    text = message(assert_tied, Tied(), "embed.weight", "heat.weight", error=TargetError)
    assert text.startswith("the model has no parameter 'heat.weight'; did you mean 'head.weight'")


def test_one_name_cannot_be_compared() -> None:
    text = message(assert_tied, Tied(), "embed.weight", error=TargetError)
    assert text == "assert_tied compares at least two names, and got embed.weight"


def test_ties_of_a_state_dict_are_seen() -> None:
    assert_tied(Tied().state_dict(), "embed.weight", "head.weight")


# ---- assert_covered


def test_a_parameter_without_a_rule_is_listed_with_a_rule_to_add() -> None:
    text = message(assert_covered, net(), {"*.weight": "xavier_uniform"})
    assert text == (
        "no rule covers 2 parameters:\n  0.bias [80]\n  2.bias [60]\n"
        "Add a rule for each, such as {'0.bias': 'keep'}, or allow=[...]."
    )


@pytest.mark.parametrize("allow", ["*.bias", ["0.*", "2.bias"], ["0", "2"]])
def test_allowed_names_may_be_left(allow) -> None:
    assert len(assert_covered(net(), {"*.weight": "xavier_uniform"}, allow=allow)) == 4


def test_covered_raises_what_is_wrong_with_the_rules_themselves() -> None:
    with pytest.raises(initkit.PlanError, match="matches no parameter"):
        assert_covered(net(), {"*": 0, "fc.weight": 1})


# ---- assert_reproducible


def test_rules_under_a_seed_are_reproducible() -> None:
    assert_reproducible(net, RULES)


def test_a_builder_that_changes_is_found() -> None:
    widths = iter((3, 4, 3))
    text = message(assert_reproducible, lambda: nn.Linear(2, next(widths)), {"*": 1})
    assert text.startswith("two models under seed 0 differ in 2 parameters: weight, bias.")


def test_a_builder_that_grows_is_found() -> None:
    depths = iter((1, 2, 2))
    rules = {"*.weight": 1, "*.bias": 0}
    text = message(
        assert_reproducible,
        lambda: nn.Sequential(*(nn.Linear(2, 2) for _ in range(next(depths)))),
        rules,
    )
    assert text.startswith("two models under seed 0 differ in 2 parameters: 1.weight, 1.bias.")


def test_a_function_with_a_generator_of_its_own_is_found() -> None:
    generator = torch.Generator().manual_seed(0)

    def own(tensor: torch.Tensor) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=generator))

    text = message(assert_reproducible, net, {"*.weight": own, "*.bias": 0})
    assert "does a rule's own function draw from a generator of its own?" in text


# ---- assert_untouched


def test_a_block_that_changes_nothing_passes() -> None:
    model = net()
    with assert_untouched(model):
        model(torch.zeros(1, 60))


def test_a_change_is_counted_and_the_way_out_told() -> None:
    model = net()

    def block() -> None:
        with assert_untouched(model, "0.*"), torch.no_grad():
            model[0].weight[0, 0] += 1
            model[2].weight.zero_()

    assert message(block) == (
        "1 tensor changed that should not have:\n  0.weight [80, 60]: 1 of 4,800 elements\n"
        "Keep it out of the rules: protect=['0.weight'], or {'0.weight': 'keep'}."
    )


def test_nan_is_no_change_and_buffers_are_watched() -> None:
    model = nn.BatchNorm1d(2)
    nn.init.constant_(model.weight, float("nan"))
    with assert_untouched(model, ["weight", "bias"]):
        model(torch.randn(4, 2))

    def block() -> None:
        with assert_untouched(model, "running_*"):
            model(torch.randn(4, 2))

    assert "running_mean [2]: 2 of 2 elements" in message(block)


def test_a_model_whose_modules_hold_each_other_is_watched_all_the_same() -> None:
    model = net()
    model[0].back = model  # named_parameters(remove_duplicate=False) would never end here
    with assert_untouched(model):
        model(torch.zeros(1, 60))


def test_nothing_to_watch_is_an_error() -> None:
    def block() -> None:
        with assert_untouched(net(), "1.weight"):
            pass

    text = message(block, error=TargetError)
    assert text.startswith("the model has nothing called '1.weight'; did you mean")


def test_every_name_to_watch_must_be_there() -> None:
    def block(names: list[str]) -> None:
        with assert_untouched(net(), names):
            pass

    text = message(block, ["0.weight", "2.wieght"], error=TargetError)
    assert text.startswith("the model has nothing called '2.wieght'; did you mean '2.weight'")
    text = message(block, [], error=TargetError)
    assert text == "assert_untouched guards at least one name, and got none"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64, torch.int8])
def test_a_bit_that_turns_is_a_change_and_so_is_another_memory(dtype: torch.dtype) -> None:
    model = nn.Module()
    model.w = nn.Parameter(torch.zeros(4, dtype=dtype), requires_grad=False)
    model.scalar = nn.Parameter(torch.zeros((), dtype=dtype), requires_grad=False)

    def turn() -> None:
        with assert_untouched(model):
            model.w[1] = 1 if dtype is torch.int8 else -0.0
            model.scalar = nn.Parameter(model.scalar.clone(), requires_grad=False)

    text = message(turn)
    assert "\n  w [4]: 1 of 4 elements\n" in text
    assert "\n  scalar []: the same values in another memory\n" in text


def test_an_error_inside_the_block_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), assert_untouched(net()):
        1 / 0  # noqa: B018


# ---- assert_plan


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CI", raising=False)
    return tmp_path / "plans" / "net.txt"


def test_a_snapshot_is_written_once_and_compared_after(snapshot: Path) -> None:
    assert_plan(net(), RULES, snapshot)
    assert_plan(net(), RULES, str(snapshot))
    assert snapshot.read_bytes().count(b"\r") == 0


def test_a_changed_plan_fails_with_the_lines_that_differ(snapshot: Path) -> None:
    assert_plan(net(), RULES, snapshot)
    text = message(assert_plan, net(), RULES | {"*.bias": 1}, snapshot)
    assert "--- snapshot\n+++ now\n" in text
    assert "-0.bias    80     constant 0\n" in text
    assert "+2.bias    60     constant 1\n" in text
    assert "0.weight" not in text
    assert "pytest --initkit-update, or assert_plan(..., update=True)" in text


def test_update_writes_the_snapshot_anew(snapshot: Path) -> None:
    assert_plan(net(), RULES, snapshot)
    changed = RULES | {"*.bias": 1}
    assert_plan(net(), changed, snapshot, update=True)
    assert_plan(net(), changed, snapshot)


def test_line_ends_of_another_system_are_no_change(snapshot: Path) -> None:
    assert_plan(net(), RULES, snapshot)
    snapshot.write_bytes(snapshot.read_bytes().replace(b"\n", b"\r\n"))
    assert_plan(net(), RULES, snapshot)


def test_ties_and_padding_stand_in_a_snapshot() -> None:
    model = Tied()
    model.embed.padding_idx = 3
    text = plan_text(initkit.plan_init(model, {"embed.weight": "normal(std=0.02)", "*": 0}))
    assert text.endswith("embed.weight  10x4  N(0, 0.02); row 3 zero; = head.weight\n")


def test_a_broken_plan_makes_no_snapshot(snapshot: Path) -> None:
    with pytest.raises(initkit.PlanError):
        assert_plan(net(), {"nothing": 0}, snapshot)
    assert not snapshot.exists()


BIG = """
import sys
from torch import nn
from initkit.testing import plan_text
from initkit import plan_init
model = nn.ModuleDict({
    f"block{i}": nn.TransformerEncoderLayer(16, 2, 32) for i in range(42)
})
rules = {"*norm*.weight": 1, "*.in_proj_weight": "normal(std=0.02/sqrt(2*12))",
         "*.weight": "trunc_normal(std=0.02, cutoff=2)", "*": 0}
sys.stdout.write(plan_text(plan_init(model, rules)))
"""


def test_a_snapshot_of_500_parameters_is_readable_and_the_same_for_every_hash_seed() -> None:
    texts = []
    for seed in ("0", "1", "4242"):
        command = [sys.executable, "-c", BIG]
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
        texts.append(done.stdout)
    assert texts[0] == texts[1] == texts[2]
    lines = texts[0].splitlines()
    assert lines[0] == "# initkit plan: 504 parameters, 93,408 elements"
    assert len(lines) == 505
    assert max(map(len, lines)) <= 80
    assert all(re.fullmatch(r"\S+ +[\dx]+ +\S.*", line) for line in lines[1:])


def test_an_optimizer_that_steps_each_parameter_once_passes() -> None:
    model = nn.Linear(2, 2)
    assert_optimized(model, torch.optim.AdamW(model.parameters()))


def test_an_optimizer_that_misses_a_parameter_fails_and_says_which() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(CheckError) as caught:
        assert_optimized(model, torch.optim.SGD([model.weight], lr=0.1))
    assert str(caught.value) == (
        "model and optimizer do not fit:\n"
        "  bias is in no group of the optimizer, which won't train it; add it to a group, or "
        "freeze it with requires_grad_(False)"
    )


def test_the_module_imports_no_test_framework() -> None:
    code = "import initkit.testing, sys; print({'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    by_torch = subprocess.run(
        [
            sys.executable,
            "-c",
            "import torch, sys; print({'pytest'} & set(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == by_torch.stdout


# ---- assert_signal


def test_a_sound_signal_passes_and_returns_the_probe() -> None:
    model, x = nn.Sequential(nn.Linear(16, 16), nn.ReLU()), torch.randn(8, 16)
    assert assert_signal(model, x, rules={"*": "torch_default"}).ok


def test_a_spoiled_signal_fails_with_its_findings() -> None:
    layers = [layer for _ in range(12) for layer in (nn.Linear(16, 16), nn.Tanh())]
    model, x = nn.Sequential(*layers), torch.randn(8, 16)
    text = message(assert_signal, model, x, rules={"*.weight": "normal(std=0.01)", "*.bias": 0})
    assert text.startswith("Sequential: 2 problems\n  vanishing: 0: the signal falls by a factor")
    rules = {"*.weight": "normal(std=0.01)", "*.bias": 0}
    assert not assert_signal(model, x, rules=rules, allow="vanishing").ok


def test_a_kind_that_does_not_exist_cannot_be_allowed() -> None:
    model, x = nn.Linear(4, 4), torch.ones(2, 4)
    text = message(assert_signal, model, x, allow=["vanish"], error=TargetError)
    assert text == "there is no kind of finding 'vanish'; did you mean 'vanishing'?"
