"""check_init: what passes, what fails and how it is told; no false alarms."""

from __future__ import annotations

import importlib.util
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from initkit import OptionError, PlanError, apply_init, plan_init
from initkit.check.check import check_init
from initkit.check.expectation import expectation
from initkit.check.measure import measure
from initkit.check.sample import TensorSample
from initkit.distributions import Normal, TruncatedNormal, Uniform, binomial

ROOT = Path(__file__).parents[2]
RULES = {"*.weight": "normal(std=0.02)", "*.bias": 0}


def net(*widths: int) -> nn.Sequential:
    torch.manual_seed(0)
    widths = widths or (60, 80, 60)
    return nn.Sequential(*[nn.Linear(a, b) for a, b in pairwise(widths)])


def started(model: nn.Module, rules: object = RULES, **options: object) -> nn.Module:
    apply_init(model, rules, seed=0, **options)
    return model


def only_failure(model: object, rules: object = RULES, **options: object):
    failures = check_init(model, rules, **options).failures
    assert len(failures) == 1, "\n".join(map(str, failures))
    return failures[0]


def false_alarms():
    path = ROOT / "benchmarks/false_alarms.py"
    spec = importlib.util.spec_from_file_location("false_alarms", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- no false alarms


def test_no_correct_model_of_a_sample_of_mixtures_raises_an_alarm() -> None:
    script = false_alarms()
    reports = [script.one(seed, largest=100_000)[2] for seed in range(60)]
    assert all(report.ok for report in reports), "\n".join(map(str, reports))
    odd = sum(report.p_value < 0.01 for report in reports)
    assert odd <= 5, "of 60 correct models 0.6 may look odder than 1 in 100"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "rule",
    ["normal(mean=1, std=0.001)", "uniform(0, 1)", "trunc_normal(std=1, cutoff=2)",
     "zero_mask_uniform", "normal(std=1e-6)", "normal(std=3)"],
)  # fmt: skip
def test_rounding_to_the_dtype_is_no_failure(dtype: torch.dtype, rule: str) -> None:
    model = nn.Linear(700, 700, dtype=dtype)
    rules = {"weight": rule, "bias": 0}
    report = check_init(started(model, rules), rules)
    assert report.ok, str(report)
    assert report.p_value > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_torchs_own_draws_are_no_failure(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({name: nn.Linear(1000, 1000, bias=False, dtype=dtype) for name in "abc"})
    nn.init.normal_(model["a"].weight, std=0.02)
    nn.init.uniform_(model["b"].weight, -0.05, 0.05)
    nn.init.trunc_normal_(model["c"].weight, std=1.0, a=-2.0, b=1.0)
    rules = {
        "a.*": "normal(std=0.02)",
        "b.*": "uniform(-0.05, 0.05)",
        "c.*": "trunc_normal(std=1, low=-2, high=1)",
    }
    report = check_init(model, rules)
    assert report.ok, str(report)


STRUCTURED = {
    "orthogonal(gain=2)": (30, 70),
    "orthogonal": (300, 40),
    "sparse(sparsity=0.3)": (40, 50),
    "eye": (9, 5),
    "blocks(0, 'normal(std=0.1)', 1, 'orthogonal')": (400, 100),
    "arange": (3, 7),
    "log_of(arange(start=1))": (5, 16),
    "sinusoids": (50, 32),
    "log_uniform(0.001, 0.1)": (100, 100),
}


@pytest.mark.parametrize("rule", STRUCTURED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_structure_as_planned_passes_and_a_plain_sample_fails(
    rule: str, dtype: torch.dtype
) -> None:
    rows, columns = STRUCTURED[rule]
    model = nn.Linear(columns, rows, bias=False, dtype=dtype)
    rules = {"weight": rule}
    assert check_init(started(model, rules), rules).ok, str(check_init(model, rules))
    with torch.no_grad():
        model.weight.normal_(0, float(model.weight.float().std()))
    assert not check_init(model, rules).ok


@pytest.mark.parametrize("rule", ["dirac", "dirac(groups=2)", "delta_orthogonal"])
def test_structured_convolutions_pass_and_one_wrong_element_fails(rule: str) -> None:
    model = nn.Conv2d(8, 8, 3, bias=False)
    rules = {"weight": rule}
    assert check_init(started(model, rules), rules).ok
    with torch.no_grad():
        model.weight[3, 3, 0, 0] = 0.5
    failure = only_failure(model, rules)
    assert failure.kind == "structure"


def test_an_identity_is_orthogonal_but_not_random() -> None:
    model = nn.Linear(64, 64, bias=False)
    nn.init.eye_(model.weight)
    failure = only_failure(model, {"weight": "orthogonal"})
    assert failure.text.startswith("it is orthogonal, but no random one: an entry is 1")


@given(st.integers(1, 400), st.integers(0, 2**32), st.sampled_from(["normal", "uniform"]))
@settings(max_examples=40, deadline=None)
def test_small_tensors_of_any_size_pass(n: int, seed: int, name: str) -> None:
    rules = {"weight": {"normal": "normal(std=0.1)", "uniform": "uniform(-1, 1)"}[name]}
    entries = {"weight": torch.empty(n)}
    apply_init(entries, rules, seed=seed)
    assert check_init(entries, rules).ok


# ---- what fails, and how it is told


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


def test_power_grows_with_the_number_of_elements() -> None:
    values = []
    for width in (30, 100, 300, 1000):
        model = started(net(width, width))
        with torch.no_grad():
            model[0].weight.mul_(1.05)
        values.append(check_init(model, RULES).p_value)
    assert values == sorted(values, reverse=True)
    assert values[0] > 1e-3
    assert values[-1] < 1e-300


def test_a_bound_that_is_slightly_off_is_found() -> None:
    model = nn.Linear(100, 100, bias=False)
    nn.init.uniform_(model.weight, -0.1, 0.1)
    assert check_init(model, {"weight": "uniform(-0.1, 0.1)"}).ok
    assert check_init(model, {"weight": "uniform(-0.101, 0.101)"}).failures[0].kind == "bounds"
    assert check_init(model, {"weight": "uniform(-0.0999, 0.0999)"}).failures[0].kind == "bounds"


def test_a_constant_is_compared_exactly() -> None:
    model = started(net())
    with torch.no_grad():
        model[0].bias[3] = 1e-30
    assert only_failure(model).text == "values reach from 0 to 1e-30 where constant 0 was planned"


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
    assert failure.text.startswith("in block 1 of 4, constant 1: every element is 0")


def test_one_weight_sits_in_for_another_of_one_model() -> None:
    model = started(net(50, 50, 50))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight * 0.5)
    kinds = {f.name: f.kind for f in check_init(model, RULES).failures}
    assert kinds == {"1.weight": "std"}
    also = check_init(model, RULES).failures[0].also
    assert "it holds 0.5 times the values of 0.weight" in also


def test_layers_copied_by_transformer_encoder_are_clones() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32), 2, enable_nested_tensor=False
    )
    found = {f.name: f.text for f in check_init(model).failures}
    assert found["layers.1.linear1.weight"] == (
        "it holds the same values as layers.0.linear1.weight"
    )


def test_a_transposed_copy_and_a_symmetric_matrix_are_found() -> None:
    model = started(net(70, 60, 70))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight.T)
    failure = only_failure(model)
    assert failure.text == "it holds the same values, transposed, as 0.weight"
    square = started(net(60, 60))
    with torch.no_grad():
        square[0].weight.copy_(square[0].weight.triu() + square[0].weight.triu(1).T)
    assert only_failure(square).text == "it holds the same values, transposed, as itself"


def test_a_nan_in_a_buffer_is_found_beside_planned_parameters() -> None:
    model = nn.BatchNorm1d(3)
    model.running_mean[0] = math.nan
    assert only_failure(model, {"weight": 1, "bias": 0}).name == "running_mean"


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


def test_a_broken_tie_and_a_new_one_are_found_against_a_plan() -> None:
    one = nn.Linear(4, 4)
    tied = nn.Sequential(one, one)
    plan = plan_init(tied, {"*.weight": 1, "*.bias": 0})
    apart = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    started(apart, {"*.weight": 1, "*.bias": 0})
    texts = {f.name: f.text for f in check_init(apart, plan).failures}
    assert texts["0.weight"] == "it should share memory with 1.weight and does not (not tied)"
    plan = plan_init(apart, {"*": 1})
    texts = {f.name: f.text for f in check_init(started(tied, {"*": 1}), plan).failures}
    assert texts["1.weight"] == "it shares memory with 0.weight, and the plan has them apart"


def test_missing_new_and_reshaped_parameters_are_found_against_a_plan() -> None:
    plan = plan_init(net(3, 4, 5), {"*": 0})
    other = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 5))
    started(other, {"*": 0})
    kinds = {f.name: f.kind for f in check_init(other, plan).failures}
    assert kinds == {
        "1.weight": "missing", "1.bias": "missing", "2.weight": "unplanned", "2.bias": "unplanned",
    }  # fmt: skip
    kinds = {f.name: f.text for f in check_init(started(net(3, 4, 6), {"*": 0}), plan).failures}
    assert kinds["1.weight"] == "its shape is [6, 4] where [5, 4] was planned"


def test_a_report_stands_for_its_plan() -> None:
    model = net()
    report = apply_init(model, RULES, seed=0)
    assert check_init(model, report).ok
    with torch.no_grad():
        model[1].weight.zero_()
    assert only_failure(model, report).kind == "zeros"


def test_a_state_dict_is_checked_by_its_names() -> None:
    entries = started(net(60, 80).state_dict())
    assert check_init(entries, RULES).ok
    entries["0.weight"].clamp_(-0.04, 0.04)
    assert only_failure(entries).name == "0.weight"


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


def test_rules_that_do_not_fit_the_model_are_an_error() -> None:
    with pytest.raises(PlanError, match="matches no parameter"):
        check_init(net(), {"*": 0, "fc.weight": 1})
    assert not check_init(net(), {"*": 0, "fc.weight": 1}, idle="ignore").ok


@pytest.mark.parametrize("level", [0, 1, -1, 2])
def test_the_level_is_a_probability(level: float) -> None:
    with pytest.raises(OptionError, match=r"level is a probability between 0 and 1, not"):
        check_init(net(), RULES, level=level)


def test_a_higher_level_finds_more() -> None:
    model = started(net(60, 60))
    with torch.no_grad():
        model[0].weight.mul_(1.04)
    assert check_init(model, RULES).ok
    assert not check_init(model, RULES, level=0.05).ok


# ---- computed weights, odd memory


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
        before = {name: b.clone() for name, b in model.named_buffers()}
        started(model, rules)
        assert check_init(model, rules).ok
        assert all(torch.equal(b, before[name]) for name, b in model.named_buffers())


def test_checking_changes_nothing_and_draws_nothing() -> None:
    model = started(net())
    before = [p.clone() for p in model.parameters()]
    versions = [p._version for p in model.parameters()]
    state = torch.random.get_rng_state()
    check_init(model, RULES)
    check_init(model)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    assert [p._version for p in model.parameters()] == versions
    assert torch.equal(torch.random.get_rng_state(), state)


def test_transposed_and_channels_last_memory_is_checked() -> None:
    model = nn.Conv2d(40, 40, 3, bias=False).to(memory_format=torch.channels_last)
    assert check_init(started(model, {"*": "kaiming_normal"}), {"*": "kaiming_normal"}).ok
    linear = nn.Linear(300, 200, bias=False)
    linear.weight = nn.Parameter(torch.empty(300, 200).T)
    assert check_init(started(linear, {"*": "uniform(0, 1)"}), {"*": "uniform(0, 1)"}).ok


def test_complex_weights_are_checked_as_pairs() -> None:
    entries = {"w": torch.empty(100, 100, dtype=torch.complex64), "b": torch.ones(3) * 0j}
    rules = {"w": "normal(std=0.02)", "b": 0}
    assert check_init(started(entries, rules), rules).ok
    entries["w"].mul_(2)
    assert only_failure(entries, rules).kind == "std"


def test_complex_values_by_place_are_compared_as_they_are() -> None:
    entries = {"w": torch.empty(8, 8, dtype=torch.complex64)}
    assert check_init(started(entries, {"w": "eye"}), {"w": "eye"}).ok
    entries["w"][2, 1] = 1j
    text = "1 elements differ, the first at [2, 1]: 1j for 0"
    assert text in only_failure(entries, {"w": "eye"}).text


def test_memory_without_values_is_told() -> None:
    with torch.device("meta"):
        model = net()
    text = "it is on the meta device and holds no values; materialize the model first"
    assert check_init(model, RULES).failures[0].text == text
    lazy = nn.Sequential(nn.LazyLinear(3))
    assert check_init(lazy).failures[0].text.startswith("it is lazy and has no shape yet")


# ---- without rules


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "1 of 4,800 elements are NaN"),
        (-math.inf, "1 of 4,800 elements are infinite"),
        (1e37, "values reach 1e+37; memory that was never written holds such"),
    ],
)
def test_garbage_is_found_without_rules(value: float, text: str) -> None:
    model = net()
    with torch.no_grad():
        model[0].weight[2, 3] = value
    report = check_init(model)
    assert [failure.text for failure in report.failures] == [text]
    assert report.verdict == "1 of 4 parameters are wrong by themselves"


def test_denormals_and_zero_matrices_are_found_without_rules() -> None:
    model = net()
    with torch.no_grad():
        model[0].weight.view(torch.int32).random_(1, 1000)
        model[1].weight.zero_()
    texts = [failure.text for failure in check_init(model).failures]
    assert texts[0].startswith("100 % of the elements are below 1e-30 without being 0; ")
    assert texts[0].endswith("this memory was probably never written")
    assert texts[1:] == ["all 4,800 elements are 0"]


def test_a_sound_model_without_rules_shows_names_shapes_and_moments() -> None:
    report = check_init(nn.Sequential(nn.Linear(60, 80), nn.BatchNorm1d(80), nn.PReLU()))
    assert report.ok
    assert report.verdict == "nothing is wrong by itself: 5 parameters, 5,041 elements"
    assert report.rows[0][:2] == ("0.weight", "80x60")
    assert report.rows[0][3].startswith("mean ")
    assert report.rows[2][3] == "all 1"


def test_a_nan_in_a_buffer_is_found_and_a_mask_of_infinities_is_not() -> None:
    model = nn.BatchNorm1d(3)
    model.register_buffer("mask", torch.full((3, 3), -math.inf))
    assert check_init(model).ok
    model.running_var[1] = math.nan
    assert check_init(model).failures[0].name == "running_var"


def test_a_std_that_makes_activations_explode_is_remarked() -> None:
    torch.manual_seed(0)
    model = nn.Linear(400, 400)
    nn.init.normal_(model.weight)
    assert check_init(model).rows[0][-1].startswith("large: its std is 20")


# ---- trained weights


def trained(steps: int) -> tuple[nn.Module, dict[str, object]]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip
    rules: dict[str, object] = {
        nn.LayerNorm: {"weight": 1, "bias": 0}, "*.weight": "xavier_uniform", "*.bias": 0,
    }  # fmt: skip
    started(model, rules)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        x = torch.randn(64, 32)
        loss = nn.functional.cross_entropy(model(x), x[:, :10].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, rules


@pytest.mark.parametrize("steps", [5, 300])
def test_trained_weights_are_said_to_have_left_not_to_be_broken(steps: int) -> None:
    report = check_init(*trained(steps))
    assert not report.ok
    assert report.trained
    assert report.verdict.startswith("these weights have left initialisation: ")
    assert "no sign that they are broken" in report.verdict


def test_an_untrained_model_and_a_wrong_rule_are_not_called_trained() -> None:
    model, rules = trained(0)
    assert check_init(model, rules).ok
    doubled = rules | {"*.weight": "xavier_uniform(gain=2)", "*.bias": 1}
    assert not check_init(model, doubled).trained
    torch.manual_seed(1)
    assert not check_init(net(300, 300, 300), {"*.weight": "normal(std=0.03)", "*.bias": 0}).trained


def test_trained_weights_with_nan_are_broken() -> None:
    model, rules = trained(5)
    with torch.no_grad():
        model[0].weight[0] = math.nan
    report = check_init(model, rules)
    assert not report.trained
    assert report.failures[0].kind == "garbage"


# ---- the report


def test_a_report_prints_failures_first_and_every_parameter() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    text = str(check_init(model, RULES))
    lines = text.splitlines()
    assert lines[0] == "Sequential: 1 of 4 parameters are not as planned"
    assert lines[1].startswith("  ! 1.bias [60]: every element is 1 where constant 0 was planned")
    assert lines[-1].endswith("FAILS: constant")
    assert sum(" ok" in line for line in lines) == 3


def test_a_report_is_plain_data() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    report = check_init(model, RULES)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False
    assert data["failures"][0]["name"] == "1.bias"
    assert data["parameters"][0]["planned"] == "N(0, 0.02)"
    assert not report
    assert repr(report) == "<CheckReport: 4 parameters, 1 failures>"


def test_a_report_renders_as_html_with_failures_first() -> None:
    model = started(net())
    with torch.no_grad():
        model[1].bias.fill_(1)
    page = check_init(model, RULES)._repr_html_()
    assert page.index("Failures") < page.index("<table>")
    assert "constant 0 was planned" in page


def test_a_report_holds_no_tensor() -> None:
    report = check_init(started(net()), RULES)
    assert all(not c.pieces and c.slot is None for c in report._checked)


# ---- the numbers behind it


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.data())
@settings(max_examples=60, deadline=None)
def test_the_binomial_bound_is_never_below_the_exact_tail(n: int, p: float, data) -> None:
    hits = data.draw(st.integers(0, n))
    ways = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    tail = sum(ways[hits:]) if hits / n >= p else sum(ways[: hits + 1])
    assert binomial(hits, n, (p, p)) >= tail * (1 - 1e-9)


@pytest.mark.parametrize(
    "distribution",
    [Normal(0.0, 1.0), Uniform(-1.0, 2.0), TruncatedNormal(0.0, 1.0, -1.0, 3.0)],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 3, 20, 200])
def test_p_values_are_never_too_small(distribution, n: int) -> None:
    torch.manual_seed(n)
    draws = 2000
    grid = torch.linspace(
        distribution.mean - 7 * distribution.std, distribution.mean + 7 * distribution.std, 20001
    ).double()
    values = grid[
        torch.searchsorted(distribution.cdf(grid), torch.rand(draws, n).double()).clamp(max=20000)
    ]
    low: dict[str, int] = {}
    ends = ("bounds", "extremes")
    for row in values.clamp(distribution.low, distribution.high).float():
        for test in TensorSample(distribution, [row]).tests():
            low[test.kind] = low.get(test.kind, 0) + (test.p < 0.01)
    # 20 are expected at most (both ends count as one kind: 40); 2,000 draws vary by 5 sigma = 32
    assert all(count <= 20 + 25 for kind, count in low.items() if kind not in ends), low
    assert all(low.get(kind, 0) <= 40 + 32 for kind in ends)


def test_moments_are_exact_on_awkward_numbers() -> None:
    torch.manual_seed(0)
    x = torch.randn(1_000_003) * 1e-3 + 100
    seen = measure([x], centre=100.0)
    exact = x.double()
    assert seen.mean == pytest.approx(float(exact.mean()), rel=1e-9)
    assert seen.std == pytest.approx(float(exact.std(correction=0)), rel=1e-4)


def test_an_expectation_of_16_bits_is_that_of_the_rounded_distribution() -> None:
    torch.manual_seed(0)
    distribution = Normal(1.0, 0.001)
    mean, std, _ = expectation(distribution, torch.bfloat16).moments
    x = (torch.randn(4_000_000, dtype=torch.float64) * 0.001 + 1).to(torch.bfloat16).double()
    assert float(x.mean()) == pytest.approx(mean, abs=6 * std / 2000)
    assert float(x.std()) == pytest.approx(std, rel=0.01)
    assert std != pytest.approx(distribution.std, rel=0.01)
