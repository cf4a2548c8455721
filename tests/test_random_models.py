"""Random models, random rules, random options: whatever comes, what initkit promises holds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from models import ForeignNorm
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from initkit import InitkitError, apply_init, check_init, plan_init, verify_report
from initkit.plan import Plan

# The old weight_norm is what older checkpoints still use.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
LAWS = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Mirror(nn.Module):
    """A parametrization without a way back."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).T


class Loose(nn.Module):
    """Parameters of its own, in shapes that no layer of torch has."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.experts = nn.Parameter(torch.zeros(2, 6, 4))
        self.empty = nn.Parameter(torch.zeros(0, 4))
        self.phase = nn.Parameter(torch.zeros(4, 3, dtype=torch.complex64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("table", torch.ones(3, 4))


class Views(nn.Module):
    """Parameters over one memory: rows, the whole, and the same transposed."""

    def __init__(self) -> None:
        super().__init__()
        whole = torch.zeros(6, 6)
        self.whole = nn.Parameter(whole)
        self.turned = nn.Parameter(whole.T)


class Parts(nn.Module):
    """Two parameters that are halves of one memory."""

    def __init__(self) -> None:
        super().__init__()
        flat = torch.zeros(2, 8)
        self.upper, self.lower = nn.Parameter(flat[:1]), nn.Parameter(flat[1:])


LEAVES: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 8),
    "square": lambda: nn.Linear(6, 6, bias=False),
    "conv": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "up": lambda: nn.ConvTranspose1d(4, 6, 3),
    "embedding": lambda: nn.Embedding(7, 6, padding_idx=-1),
    "bag": lambda: nn.EmbeddingBag(5, 6),
    "norm": lambda: nn.LayerNorm(6),
    "batch": lambda: nn.BatchNorm1d(6),
    "foreign": lambda: ForeignNorm(5),
    "lstm": lambda: nn.LSTM(4, 5, bidirectional=True),
    "gru": lambda: nn.GRUCell(4, 5),
    "attention": lambda: nn.MultiheadAttention(8, 2),
    "bilinear": lambda: nn.Bilinear(3, 4, 5),
    "prelu": nn.PReLU,
    "loose": Loose,
    "views": Views,
    "parts": Parts,
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(6, 8)),
    "old_weight_norm": lambda: old_weight_norm(nn.Linear(6, 8)),
    "spectral": lambda: parametrizations.spectral_norm(nn.Linear(6, 8)),
    "old_spectral": lambda: old_spectral_norm(nn.Linear(6, 8)),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(6, 8)),
    "mirror": lambda: parametrize.register_parametrization(nn.Linear(6, 6), "weight", Mirror()),
    "pruned": lambda: prune.l1_unstructured(nn.Linear(6, 8), "weight", amount=0.5),
    "shell": nn.Identity,
}
DTYPES = (None, None, None, torch.float64, torch.bfloat16, torch.float16)
NAMES = ("fc", "weight", "0", "h[0]", "a*b", "in:", "Layer Norm", "ünï", "bias_")
KEYS = (
    "*",
    "*.weight",
    "*.bias",
    "weight",
    "*weight*",
    "type:Linear",
    "re:.*(weight|bias)",
    "in:Loose",
    "role:weight",
    "role:norm",
    "?c.*",
    "h[0].*",
    "**",
    "",
)
SCHEMES: tuple[Any, ...] = (
    0,
    1.5,
    "normal",
    "normal(std=0.02)",
    "normal(std=6e4)",
    "normal(std=1e-9)",
    "uniform(-0.1, 0.1)",
    "trunc_normal(std=0.02)",
    "xavier_uniform",
    "kaiming_normal",
    "orthogonal",
    "eye",
    "dirac",
    "sparse(sparsity=0.5)",
    "zero_mask_uniform",
    "torch_default",
    "keep",
    "log_uniform(0.001, 0.1)",
    "uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in))",
    "arange",
    "scaled('normal', 3)",
    nn.init.ones_,
    None,
)
RECIPES = ("torch_default", "gpt2", "resnet", "vit", "mamba")


@dataclass
class Case:
    """A model by what builds it, rules, and options; built anew as often as asked."""

    leaves: tuple[tuple[str, str], ...]
    ties: tuple[tuple[int, int], ...]
    frozen: int | None
    dtype: torch.dtype | None
    rules: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> nn.Module:
        """Build the model: every leaf under its name, ties made between fitting slots."""
        torch.manual_seed(0)
        model = nn.ModuleDict()
        for number, (name, leaf) in enumerate(self.leaves):
            model.add_module(f"{number}{name}" if name in model else name, LEAVES[leaf]())
        modules = list(model.children())
        for first, second in self.ties:
            _tie(modules[first % len(modules)], modules[second % len(modules)])
        if self.frozen is not None:
            modules[self.frozen % len(modules)].requires_grad_(False)
        dtype = self.dtype
        if dtype is not None:  # complex and whole numbers stay what they are
            model._apply(lambda held: held.to(dtype) if held.is_floating_point() else held)
        return model


def _tie(first: nn.Module, second: nn.Module) -> None:
    """Share the first parameter that both have under one name, in one shape."""
    theirs = dict(second.named_parameters(recurse=False))
    for name, parameter in first.named_parameters(recurse=False):
        if name in theirs and theirs[name].shape == parameter.shape:
            setattr(second, name, parameter)
            return


@st.composite
def cases(draw: st.DrawFn) -> Case:
    few = st.integers(0, 5)
    leaves = draw(
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(LEAVES))), max_size=5)
    )
    pairs = st.tuples(few, few)
    table = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(SCHEMES), max_size=4)
    # A rule for all the rest, as people write it, so that most plans can be carried out.
    closed = table.map(lambda rules: {**rules, "*": rules.get("*", "normal(std=0.02)")})
    options = st.fixed_dictionaries(
        {},
        optional={
            "strict": st.booleans(),
            "idle": st.sampled_from(("error", "ignore", "ignore")),
            "only": st.sampled_from((None, "*", "*.weight", "nothing")),
            "protect": st.sampled_from((None, "*.bias")),
            "on_tie_conflict": st.sampled_from(("error", "first")),
            "buffers": st.booleans(),
        },
    )
    return Case(
        leaves=tuple(leaves or [("fc", "linear")]),
        ties=tuple(draw(st.lists(pairs, max_size=2))) if leaves else (),
        frozen=draw(st.none() | few),
        dtype=draw(st.sampled_from(DTYPES)),
        rules=draw(closed | closed | table | st.sampled_from(RECIPES)),
        options={"idle": "ignore", **draw(options)},
    )


def state(model: nn.Module) -> dict[str, tuple[int, int, bool, bytes]]:
    """Return every tensor's identity, memory, flag and bytes, by its name."""
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
    return {
        name: (
            id(tensor),
            tensor.data_ptr(),
            tensor.requires_grad,
            tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
            if tensor.numel()
            else b"",
        )
        for name, tensor in tensors
    }


def values(model: nn.Module) -> dict[str, bytes]:
    """Return every tensor's bytes by its name."""
    return {name: bits for name, (*_, bits) in state(model).items()}


def same_objects(before: nn.Module, seen: dict[str, tuple[int, int, bool, bytes]]) -> bool:
    """Return whether every name still means the tensor, the memory and the flag that it did."""
    return {name: row[:3] for name, row in state(before).items()} == {
        name: row[:3] for name, row in seen.items()
    }


def applied(model: nn.Module, case: Case, **more: Any) -> Any:
    """Apply a case's rules, or return the error that refused them."""
    try:
        return apply_init(model, case.rules, seed=0, **case.options, **more)
    except InitkitError as error:
        return error


@LAWS
@given(cases())
def test_an_error_comes_before_anything_is_written_and_a_seed_leaves_the_generator(
    case: Case,
) -> None:
    model = case.model()
    before, generator = state(model), torch.random.get_rng_state()
    outcome = applied(model, case)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert same_objects(model, before)
    if isinstance(outcome, InitkitError):
        assert state(model) == before
        assert str(outcome).strip()


@LAWS
@given(cases())
def test_the_same_seed_gives_the_same_bits_again_and_in_a_new_model(case: Case) -> None:
    model, other = case.model(), case.model()
    first = applied(model, case)
    if isinstance(first, InitkitError):
        return
    once = values(model)
    second = applied(model, case)
    assert values(model) == once
    assert first.digest == second.digest
    assert applied(other, case).digest == first.digest
    assert values(other) == once


@LAWS
@given(cases())
def test_what_changed_was_reported_and_what_was_not_reported_did_not_change(case: Case) -> None:
    model = case.model()
    before = values(model)
    report = applied(model, case)
    if isinstance(report, InitkitError):
        return
    after = values(model)
    changed = {name for name in after if after[name] != before[name]}
    told = set(report.written)
    for step in report.steps:
        told |= set(step.names) if told.intersection(step.names) else set()
    # What stands behind a computed weight changes with the weight that the report names.
    told |= {name for name in changed if any(_behind(name, weight) for weight in told)}
    assert changed <= told


def _behind(name: str, weight: str) -> bool:
    owner, _, leaf = weight.rpartition(".")
    start = f"{owner}." if owner else ""
    return name.startswith((f"{start}parametrizations.{leaf}.", f"{start}{leaf}_"))


@LAWS
@given(cases())
def test_a_model_is_as_planned_right_after_it_was_written(case: Case) -> None:
    model = case.model()
    report = applied(model, case)
    if isinstance(report, InitkitError):
        return
    options = {name: case.options[name] for name in case.options if name != "strict"}
    judged = check_init(model, case.rules, **options)
    assert judged.ok, f"{judged}"


@LAWS
@given(cases())
def test_a_saved_report_is_never_contradicted_by_the_model_it_describes(case: Case) -> None:
    model = case.model()
    report = applied(model, case)
    if isinstance(report, InitkitError):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = report.save(Path(folder) / "report.json")
        verified = verify_report(model, path)
    assert "changed since" not in {outcome for _, outcome in verified.rows}, f"{verified}"


@LAWS
@given(cases())
def test_a_plan_survives_json_and_says_everything_in_words(case: Case) -> None:
    model = case.model()
    try:
        plan = plan_init(model, case.rules, **case.options)
    except InitkitError:
        return
    assert str(plan)
    assert plan.to_html()
    try:
        data = plan.to_json()
    except InitkitError:
        return  # a function of the user's cannot be saved, and says so
    assert Plan.from_json(data).to_json() == data
