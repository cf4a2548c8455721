"""One tensor against its step: padding, blocks, 16 bits, functions, computed weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checked import RULES, net, only_failure, started
from torch import nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

from initkit import apply_init, check_init


def test_a_std_that_is_off_names_parameter_rule_numbers_and_certainty() -> None:
    model = started(net(200, 300))
    with torch.no_grad():
        model[0].weight.mul_(1.1)
    failure = only_failure(model)
    assert (failure.name, failure.kind, failure.expected) == ("0.weight", "std", "std 0.02")
    assert failure.seen.startswith("std 0.02")
    assert 0 < failure.p_value < 1e-50
    assert failure.rule == "*.weight"
    assert str(failure).startswith("0.weight [300, 200]: the std is 0.02")
    assert "it looks like the planned distribution times 1.1" in str(failure)


def test_a_padding_row_must_be_zero() -> None:
    model = nn.Embedding(50, 8, padding_idx=4)
    rules = {"weight": "normal(std=0.02)"}
    assert check_init(started(model, rules), rules).ok
    with torch.no_grad():
        model.weight[4] = 1
    failure = only_failure(model, rules)
    assert failure.kind == "padding"
    assert failure.text == "the padding row 4 is not zero (it reaches 1)"


def test_a_gate_that_is_off_is_named_by_its_block() -> None:
    model = nn.LSTM(30, 30)
    rules = {"bias*": "blocks(0, 1, 0, 0)", "weight*": "orthogonal"}
    assert check_init(started(model, rules), rules).ok
    with torch.no_grad():
        model.bias_ih_l0[30:60] = 0
    failure = only_failure(model, rules)
    assert failure.text == "every element is 0 where constant 1 was planned, in block 1 of 4"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "rule",
    ["uniform(-0.05, 0.05)", "trunc_normal(std=0.02, cutoff=2)", "log_uniform(0.001, 0.1)",
     "zero_mask_uniform", "normal(mean=1, std=0.01)", "torch_default"],
)  # fmt: skip
def test_values_that_went_through_16_bits_are_compared_with_the_rounded_distribution(
    dtype: torch.dtype, rule: str
) -> None:
    model, rules = nn.Linear(700, 900, bias=False), {"weight": rule}
    apply_init(model, rules, seed=0)
    model.to(dtype).float()
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.weight.mul_(1.03125)
    assert not check_init(model, rules).ok


def test_values_that_went_through_bfloat16_are_remarked() -> None:
    model = started(net(60, 80)).bfloat16().float()
    report = check_init(model, RULES)
    assert report.ok
    assert report.rows[0][-1] == "ok, but its values have only the precision of bfloat16"


def test_values_that_begin_with_zeros_are_not_said_to_have_gone_through_16_bits() -> None:
    model, rules = nn.Linear(64, 128, bias=False), {"weight": "zero_mask_uniform"}
    apply_init(model, rules, seed=0)
    with torch.no_grad():
        model.weight[:64] = 0
    (row,) = check_init(model, rules).to_dict()["parameters"]
    assert row["remark"] == ""


def test_what_no_rule_writes_is_only_looked_at_for_garbage() -> None:
    model = net()
    rules = {"0.*": "keep", "1.weight": "normal(std=0.02)"}
    started(model, rules)
    report = check_init(model, rules)
    assert report.ok
    assert [row[-1] for row in report.rows] == ["keep", "keep", "ok", "keeps its value (no rule)"]
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    assert only_failure(model, rules).text == "1 of 4,800 elements are NaN"


def test_a_users_function_is_only_looked_at_for_garbage() -> None:
    def linspace(tensor: torch.Tensor) -> None:
        tensor.copy_(torch.linspace(0, 1, tensor.numel()).view(tensor.shape))

    model = net()
    report = check_init(started(model, {"*.weight": linspace, "*.bias": 0}), {
        "*.weight": linspace, "*.bias": 0,
    })  # fmt: skip
    assert report.ok
    assert report.rows[0][-1] == "a function's values: only looked for garbage"


def test_a_weight_norm_is_checked_by_what_the_module_shows() -> None:
    for wrap in (weight_norm, parametrizations.weight_norm):
        with pytest.warns(FutureWarning) if wrap is weight_norm else torch.no_grad():
            model = wrap(nn.Linear(60, 80))
        rules = {"weight": "normal(std=0.02)", "bias": 0}
        assert check_init(started(model, rules), rules).ok
        with torch.no_grad():
            next(p for name, p in model.named_parameters() if name.endswith(("_g", "0"))).mul_(2)
        assert only_failure(model, rules).name == "weight"


def test_a_spectral_norm_is_checked_before_it() -> None:
    for wrap in (spectral_norm, parametrizations.spectral_norm):
        model = wrap(nn.Linear(60, 80))
        rules = {"weight": "normal(std=0.02)", "bias": 0}
        started(model, rules)
        before = {name: b.clone() for name, b in model.named_buffers()}
        assert check_init(model, rules).ok
        assert all(torch.equal(b, before[name]) for name, b in model.named_buffers())


def test_complex_weights_are_checked_as_pairs() -> None:
    entries = {"w": torch.empty(100, 100, dtype=torch.complex64), "b": torch.ones(3) * 0j}
    rules = {"w": "normal(std=0.02)", "b": 0}
    assert check_init(started(entries, rules), rules).ok
    entries["w"].mul_(2)
    assert only_failure(entries, rules).kind == "std"


class Scale(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 3 + 1

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        return (x - 1) / 3


class Symmetric(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        return x.triu()


def behind(step: nn.Module) -> nn.Module:
    return parametrize.register_parametrization(nn.Linear(40, 40), "weight", step, unsafe=True)


@pytest.mark.parametrize("rule", ["normal(std=0.02)", "uniform(-1, 1)", "0.5", "orthogonal"])
def test_a_step_that_gives_back_what_was_written_is_looked_through(rule: str) -> None:
    model, rules = behind(Scale()), {"weight": rule, "bias": 0}
    started(model, rules)
    report = check_init(model, rules)
    assert report.ok and report.not_compared == ()
    with torch.no_grad():
        model.parametrizations.weight.original.mul_(5)
    assert only_failure(model, rules).name == "weight"


def test_what_was_not_compared_is_named_and_not_counted() -> None:
    rules = {"weight": "normal(std=0.02)", "bias": 0}
    for model in (behind(Symmetric()), parametrizations.orthogonal(nn.Linear(40, 40))):
        started(model, rules)
        report = check_init(model, rules)
        assert report.ok and report.not_compared == ("weight",)
        assert report.verdict == (
            "as planned: 1 parameters, 40 elements, 1 tests, false alarm rate 1e-06; "
            "not compared: weight"
        )
        assert report.to_dict()["not_compared"] == ["weight"]


def test_an_orthogonal_scheme_behind_an_orthogonal_map_is_compared() -> None:
    model, rules = parametrizations.orthogonal(nn.Linear(40, 40)), {"weight": "orthogonal", "*": 0}
    started(model, rules)
    assert check_init(model, rules).not_compared == ()


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize("where", ["original", "base", "kept", "complex buffer"])
def test_nan_is_found_everywhere(where: str, ruled: bool) -> None:
    model = nn.Sequential(parametrizations.orthogonal(nn.Linear(8, 8)), nn.Linear(8, 8))
    model.register_buffer("phases", torch.ones(3, dtype=torch.complex64))
    rules = {"0.*": "normal", "1.*": "keep"}
    started(model, rules)
    chain = model[0].parametrizations.weight
    place = {
        "original": chain.original,
        "base": chain[0].base,
        "kept": model[1].weight,
        "complex buffer": model.phases,
    }[where]
    assert check_init(model, rules if ruled else None).ok
    with torch.no_grad():
        place[(0,) * place.dim()] = torch.nan
    report = check_init(model, rules if ruled else None)
    assert not report.ok and "NaN" in str(report.failures[0])


@pytest.mark.parametrize("wrap", [weight_norm, parametrizations.weight_norm])
def test_a_weight_that_rules_start_from_behind_is_known(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = wrap(nn.Linear(3, 4))
    raw = next(n for n, _ in model.named_parameters() if n.endswith(("_g", "original0")))
    rules = {raw: 1, "bias": 0}
    started(model, rules)
    report = check_init(model, rules)
    assert report.ok and report.not_compared == ("weight",)


def test_a_lazy_parameter_that_is_kept_fails_nothing() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 3))
    rules = {"0.*": "keep", "1.*": 0}
    started(model, rules)
    report = check_init(model, rules)
    assert report.ok and report.not_compared == ("0.weight", "0.bias")


def test_each_embedding_over_one_memory_has_its_padding_row() -> None:
    model = nn.ModuleDict(
        {name: nn.Embedding(30, 20, padding_idx=i) for i, name in enumerate("ab")}
    )
    model["b"].weight = model["a"].weight
    started(model, {"*": "normal"})
    assert check_init(model, {"*": "normal"}).ok
    with torch.no_grad():
        model["a"].weight[1, 3] = 1
    assert only_failure(model, {"*": "normal"}).text.startswith("the padding row 1 is not zero")


BESIDE_PADDING = {
    "blocks(0, normal(std=0.02), uniform(-0.1, 0.1))": lambda w: w.roll(20, 0),
    "sum(indexed(i/10), normal(std=0.02))": lambda w: w.roll(1, 1),
    "product(normal, indexed(1/sqrt(i+1)))": lambda w: w.flip(1),
}


@pytest.mark.parametrize("padding", [0, 70, 119])
@pytest.mark.parametrize("scheme", BESIDE_PADDING)
def test_what_differs_by_place_is_compared_by_place_beside_a_padding_row(
    scheme: str, padding: int
) -> None:
    model = nn.Embedding(120, 32, padding_idx=padding)
    apply_init(model, {"weight": scheme}, seed=0)
    assert check_init(model, {"weight": scheme}).ok
    with torch.no_grad():
        model.weight.copy_(BESIDE_PADDING[scheme](model.weight))
        model.weight[padding] = 0
    assert not check_init(model, {"weight": scheme}).ok


@pytest.mark.parametrize("rest", ["mean_resizing", "copied_rows([3])", "normal(std=0.02)"])
def test_rows_beside_those_of_a_file_are_compared_beside_a_padding_row(
    rest: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    torch.save({"weight": torch.randn(100, 16)}, path := tmp_path / "old.pt")
    rules = {"weight": f"pretrained({str(path)!r}, rows='overlap', rest={rest!r})"}
    model = nn.Embedding(120, 16, padding_idx=0)
    apply_init(model, rules, seed=0)
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.weight[100:] = torch.randn(20, 16) * 3
    assert not check_init(model, rules).ok


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "scheme",
    [
        "he_orthogonal",
        "glorot_orthogonal",
        "random_features",
        "blocks('orthogonal', 'orthogonal')",
        "blocks('orthogonal', 0)",
        "blocks('normal', 'he_orthogonal')",
        "blocks('identity', 'orthogonal')",
        "shifted(orthogonal, 1)",
        "product(orthogonal, indexed(1 + j))",
    ],
)
@pytest.mark.parametrize("shape", [(200, 64), (64, 64), (64, 200)], ids=str)
def test_structure_shows_beside_a_padding_row(
    shape: tuple[int, int], scheme: str, dtype: torch.dtype
) -> None:
    model = nn.Embedding(*shape, padding_idx=3, dtype=dtype)
    rules = {"weight": scheme}
    for seed in range(4):
        apply_init(model, rules, seed=seed)
        report = check_init(model, rules, level=1e-4)
        assert report.ok and not report.not_compared, str(report)
    for spoilt in (model.weight * 1.2, torch.eye(*shape).to(dtype)):
        with torch.no_grad():
            model.weight.copy_(spoilt)
            model.weight[3] = 0
        assert not check_init(model, rules).ok
