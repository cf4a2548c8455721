"""Schemes: one row each, checked against torch's own arithmetic and against what is written."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stats import assert_drawn_from
from torch import nn

from initkit import apply_init, distributions, plan_init, schemes
from initkit.errors import FormulaError, InitkitError, OptionError, SchemeMismatch
from initkit.numbers.fans import MODES, Fans, Layout
from initkit.schemes.base import Scheme
from initkit.schemes import registry
from initkit.schemes import list_schemes, read_scheme
from initkit.schemes.site import Site

LINEAR = Site((300, 200), layout=Layout.parse("out in"))

# name -> (text, distribution on a Linear(200, 300))
ROWS: dict[str, tuple[str, distributions.Distribution]] = {
    "constant": ("constant(3)", distributions.Constant(3.0)),
    "zeros": ("zeros", distributions.Constant(0.0)),
    "ones": ("ones", distributions.Constant(1.0)),
    "normal": ("normal(mean=1, std=0.02)", distributions.Normal(1.0, 0.02)),
    "uniform": ("uniform(-1, 2)", distributions.Uniform(-1.0, 2.0)),
    "trunc_normal": (
        "trunc_normal(std=0.02, cutoff=2)",
        distributions.TruncatedNormal(0.0, 0.02, -0.04, 0.04),
    ),
    "zero_mask_uniform": ("zero_mask_uniform", distributions.MaskedUniform(-10.0, 10.0, 5.0)),
    "prior_bias": ("prior_bias", distributions.Constant(-math.log(99))),
    "variance_scaling": (
        "variance_scaling(scale=2, mode='fan_avg', distribution='normal')",
        distributions.Normal(0.0, math.sqrt(2 / 250)),
    ),
    "xavier_uniform": (
        "xavier_uniform",
        distributions.Uniform(-math.sqrt(6 / 500), math.sqrt(6 / 500)),
    ),
    "xavier_normal": ("xavier_normal(gain=2)", distributions.Normal(0.0, 2 * math.sqrt(2 / 500))),
    "kaiming_uniform": (
        "kaiming_uniform(a=sqrt(5))",
        distributions.Uniform(-math.sqrt(1 / 200), math.sqrt(1 / 200)),
    ),
    "kaiming_normal": (
        "kaiming_normal(mode='fan_out')",
        distributions.Normal(0.0, math.sqrt(2 / 300)),
    ),
    "lecun_uniform": (
        "lecun_uniform",
        distributions.Uniform(-math.sqrt(3 / 200), math.sqrt(3 / 200)),
    ),
    "lecun_normal": ("lecun_normal", distributions.Normal(0.0, math.sqrt(1 / 200))),
    "orthogonal": ("orthogonal(gain=2)", distributions.Orthogonal((300, 200), 2.0, (1, 300, 200))),
    "eye": ("eye", distributions.Eye((300, 200), (1, 300, 200))),
    "sparse": (
        "sparse(sparsity=0.1, std=1)",
        distributions.Sparse((300, 200), 1.0, 30, (1, 300, 200)),
    ),
    "blocks": (
        "blocks(0, 1, xavier_normal)",
        distributions.Blocks(
            (
                distributions.Constant(0.0),
                distributions.Constant(1.0),
                distributions.Normal(0.0, math.sqrt(2 / 300)),
            ),
            60_000,
        ),
    ),
    "scaled": ("scaled(xavier_normal, 0.5)", distributions.Normal(0.0, 0.5 * math.sqrt(2 / 500))),
    "torch_default": (
        "torch_default",
        distributions.Uniform(-math.sqrt(1 / 200), math.sqrt(1 / 200)),
    ),
}
# Those that a matrix cannot show have tests of their own, here or beside the module they live in.
ELSEWHERE = {"keep", "dirac", "delta_orthogonal"}


def same(a: distributions.Distribution, b: distributions.Distribution) -> bool:
    """Whether two distributions are equal but for the last bits."""
    if isinstance(a, distributions.Blocks) and isinstance(b, distributions.Blocks):
        return all(same(x, y) for x, y in zip(a.parts, b.parts, strict=True))
    numbers = [a.mean, a.std, a.low, a.high], [b.mean, b.std, b.low, b.high]
    return type(a) is type(b) and numbers[0] == pytest.approx(numbers[1], rel=1e-12)


@pytest.mark.parametrize("name", ROWS)
def test_a_scheme_on_a_linear_layer_is_the_declared_distribution(name: str) -> None:
    text, wanted = ROWS[name]
    model = nn.Linear(200, 300, bias=False)
    step = plan_init(model, {"weight": text})["weight"]
    assert step.distribution is not None
    assert same(step.distribution, wanted)
    apply_init(model, {"weight": text}, seed=7)
    assert_drawn_from(model.weight, wanted, independent=name != "orthogonal")


def test_every_core_scheme_has_a_row_here() -> None:
    core = {scheme.name for scheme in CORE}
    assert core == set(ROWS) | ELSEWHERE
    assert core <= set(list_schemes())


@pytest.mark.parametrize("scheme", CORE, ids=lambda s: s.name)
def test_every_core_scheme_states_its_formula_and_source(scheme: type[Scheme]) -> None:
    assert scheme.formula
    assert scheme.source
    assert (scheme.__doc__ or "").split("\n")[0].endswith(".")


# ------------------------------------------------------------------- torch's own arithmetic

TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_uniform(gain=3)": lambda t: nn.init.xavier_uniform_(t, gain=3),
    "xavier_normal": nn.init.xavier_normal_,
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "kaiming_uniform(a=sqrt(5))": lambda t: nn.init.kaiming_uniform_(t, a=math.sqrt(5)),
    "kaiming_normal": nn.init.kaiming_normal_,
    "kaiming_normal(mode='fan_out')": lambda t: nn.init.kaiming_normal_(t, mode="fan_out"),
    "kaiming_normal(nonlinearity='relu', a=2)": lambda t: nn.init.kaiming_normal_(
        t, 2, nonlinearity="relu"
    ),
    "kaiming_normal(nonlinearity='tanh')": lambda t: nn.init.kaiming_normal_(
        t, nonlinearity="tanh"
    ),
}


def numbers_of_torch(
    function: Callable[[torch.Tensor], torch.Tensor],
    shape: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[float, float]:
    """Return the two numbers that torch hands to ``normal_`` or ``uniform_``."""
    seen: list[tuple[float, float]] = []

    def record(tensor: torch.Tensor, a: float, b: float, *_: object, **__: object) -> torch.Tensor:
        seen.append((a, b))
        return tensor

    monkeypatch.setattr(nn.init, "_no_grad_normal_", record)
    monkeypatch.setattr(nn.init, "_no_grad_uniform_", record)
    monkeypatch.setattr(torch.Tensor, "normal_", record)
    monkeypatch.setattr(torch.Tensor, "uniform_", record)
    function(torch.empty(shape))
    monkeypatch.undo()
    return seen[0]


@pytest.mark.parametrize("text", TORCH)
@pytest.mark.parametrize("shape", [(30, 20), (16, 8, 3), (16, 8, 3, 5), (4, 6, 2, 3, 2)])
def test_fans_of_the_tensor_give_the_numbers_of_torch(
    text: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = numbers_of_torch(TORCH[text], shape, monkeypatch)
    call = text[:-1] + ", fans='tensor')" if text.endswith(")") else text + "(fans='tensor')"
    got = read_scheme(call).resolve(Site(shape))
    pair = (got.mean, got.std) if isinstance(got, distributions.Normal) else (got.low, got.high)
    assert pair == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("text", TORCH)
@pytest.mark.parametrize(
    "module", [nn.Linear(20, 30), nn.Conv1d(8, 16, 3), nn.Conv2d(8, 16, 3), nn.Conv3d(4, 6, 2)]
)
def test_linear_and_convolution_have_the_numbers_of_torch(
    text: str, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = numbers_of_torch(TORCH[text], tuple(module.weight.shape), monkeypatch)
    got = plan_init(module, {"weight": text, "*": "keep"})["weight"].distribution
    pair = (got.mean, got.std) if isinstance(got, distributions.Normal) else (got.low, got.high)
    assert pair == pytest.approx(wanted, rel=1e-14)


@given(
    scale=st.floats(0.01, 10),
    mode=st.sampled_from(MODES),
    kind=st.sampled_from(["normal", "uniform", "truncated_normal"]),
    fan_in=st.integers(1, 5000),
    fan_out=st.integers(1, 5000),
)
def test_variance_scaling_has_the_variance_that_it_promises(
    scale: float, mode: str, kind: str, fan_in: int, fan_out: int
) -> None:
    site = Site((fan_out, fan_in), layout=Layout.parse("out in"))
    got = schemes.VarianceScaling(scale=scale, mode=mode, distribution=kind).resolve(site)
    assert got.std**2 == pytest.approx(scale / Fans(fan_in, fan_out).of(mode), rel=1e-9)


# -------------------------------------------------------------------------- truncated normals


def test_bare_trunc_normal_has_the_bounds_of_torch_and_says_that_they_cut_nothing() -> None:
    step = plan_init(nn.Linear(3, 3), {"*": "trunc_normal(std=0.02)"})["weight"]
    assert step.distribution == distributions.TruncatedNormal(0.0, 0.02, -2.0, 2.0)
    assert step.note == "the bounds cut nothing"


@given(std=st.floats(0.01, 5), cutoff=st.floats(0.5, 5), mean=st.floats(-3, 3))
def test_preserve_std_keeps_the_std_with_bounds_in_sigmas(
    std: float, cutoff: float, mean: float
) -> None:
    scheme = schemes.TruncNormal(mean=mean, std=std, cutoff=cutoff, preserve_std=True)
    got = scheme.resolve(LINEAR)
    assert got.std == pytest.approx(std, rel=1e-6)
    assert got.mean == pytest.approx(mean, abs=1e-9)


@given(std=st.floats(0.01, 0.5), low=st.floats(-2, -1), high=st.floats(1, 2))
def test_preserve_std_keeps_the_std_with_absolute_bounds(
    std: float, low: float, high: float
) -> None:
    got = schemes.TruncNormal(std=std, low=low, high=high, preserve_std=True).resolve(LINEAR)
    assert got.std == pytest.approx(std, rel=1e-6)
    assert (got.low, got.high) == (low, high)


def test_a_std_that_bounds_cannot_have_is_refused() -> None:
    scheme = schemes.TruncNormal(std=1, low=-1, high=1, preserve_std=True)
    with pytest.raises(OptionError, match=r"std of 1 cannot be preserved between -1 and 1"):
        scheme.resolve(LINEAR)


# ----------------------------------------------------------------------------- the module kinds


def start(model: nn.Module, name: str, text: str) -> distributions.Distribution:
    got = plan_init(model, {name: text, "*": "keep"})[name].distribution
    assert got is not None
    return got


def test_fans_are_those_of_the_module() -> None:
    """The shape alone would say otherwise for every one of these."""
    cases: list[tuple[nn.Module, str, int, int]] = [
        (nn.Conv2d(8, 16, 3, groups=4), "weight", 2 * 9, 4 * 9),
        (nn.Conv2d(16, 16, 3, groups=16), "weight", 9, 9),
        (nn.ConvTranspose2d(8, 4, 4), "weight", 8 * 16, 4 * 16),
        (nn.ConvTranspose2d(8, 4, 4, groups=2), "weight", 4 * 16, 2 * 16),
        (nn.MultiheadAttention(12, 3), "in_proj_weight", 12, 12),
        (nn.MultiheadAttention(12, 3, kdim=5, vdim=6), "k_proj_weight", 5, 12),
        (nn.LSTM(5, 7), "weight_ih_l0", 5, 7),
        (nn.GRU(5, 7), "weight_hh_l0", 7, 7),
        (nn.Bilinear(3, 4, 5), "weight", 12, 5),
        (nn.Embedding(10, 4), "weight", 4, 10),
    ]
    for model, name, fan_in, fan_out in cases:
        assert start(model, name, "lecun_normal").std == pytest.approx(fan_in**-0.5)
        fan_out_std = start(model, name, "kaiming_normal(mode='fan_out', nonlinearity='linear')")
        assert fan_out_std.std == pytest.approx(fan_out**-0.5)


def test_orthogonal_acts_per_gate_and_per_packed_projection() -> None:
    lstm = nn.LSTM(5, 7)
    apply_init(lstm, {"weight_*": "orthogonal", "*": 0}, seed=0)
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(7), atol=1e-6)
    attention = nn.MultiheadAttention(12, 3)
    apply_init(attention, {"in_proj_weight": "orthogonal(gain=2)", "*": "keep"}, seed=0)
    for projection in attention.in_proj_weight.detach().chunk(3):
        assert torch.allclose(projection @ projection.T, 4 * torch.eye(12), atol=1e-5)


def test_orthogonal_with_fans_of_the_tensor_takes_the_whole_stack_as_one_matrix() -> None:
    lstm = nn.LSTM(5, 7)
    rules = {"weight_hh_l0": "orthogonal(fans='tensor')", "*": "keep"}
    apply_init(lstm, rules, seed=0)
    w = lstm.weight_hh_l0.detach()
    assert torch.allclose(w.T @ w, torch.eye(7), atol=1e-6)


def test_eye_acts_per_gate() -> None:
    rnn = nn.GRU(4, 4)
    apply_init(rnn, {"weight_hh_l0": "eye", "*": 0}, seed=0)
    assert torch.equal(rnn.weight_hh_l0.detach(), torch.eye(4).repeat(3, 1))


def test_dirac_makes_a_convolution_the_identity() -> None:
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False)
    apply_init(conv, {"weight": "dirac(groups=2)"}, seed=0)
    x = torch.randn(2, 6, 5, 5)
    assert torch.equal(conv(x), x)


def test_delta_orthogonal_keeps_the_norm_through_a_convolution() -> None:
    conv = nn.Conv2d(6, 9, 3, padding=1, bias=False)
    apply_init(conv, {"weight": "delta_orthogonal"}, seed=0)
    x = torch.randn(2, 6, 5, 5)
    assert torch.allclose(conv(x).norm(dim=1), x.norm(dim=1), atol=1e-5)


def test_blocks_give_the_forget_gate_its_bias() -> None:
    lstm = nn.LSTM(5, 7)
    apply_init(lstm, {"bias_ih_l0": "blocks(0, 1, 0, 0)", "*": "keep"}, seed=0)
    assert lstm.bias_ih_l0.view(4, 7).mean(1).tolist() == [0, 1, 0, 0]


def test_fused_projections_start_in_parts_with_the_fans_of_each() -> None:
    fused = nn.Linear(8, 24, bias=False)
    got = start(fused, "weight", "blocks(xavier_uniform, xavier_uniform, 0)")
    assert isinstance(got, distributions.Blocks)
    assert got.parts[0].high == pytest.approx(math.sqrt(6 / 16))
    assert got.parts[2] == distributions.Constant(0.0)


# ------------------------------------------------------------------------------ formulas in use


def test_a_formula_takes_the_depth_of_its_layer() -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))
    plan = plan_init(model, {"*.weight": "normal(std=0.02/sqrt(2*(layer+1)))", "*.bias": 0})
    stds = [plan[f"{i}.weight"].distribution.std for i in range(4)]
    assert stds == pytest.approx([0.02 / math.sqrt(2 * (i + 1)) for i in range(4)])
    assert plan["1.weight"].note == "0.02/sqrt(2*(layer+1))"


def test_a_bias_takes_the_fan_in_of_its_weight() -> None:
    bias = start(nn.Linear(16, 4), "bias", "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))")
    assert (bias.low, bias.high) == (-0.25, 0.25)


def test_a_layer_outside_of_any_list_has_no_number() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": "normal(std=1/n_layers)"})
    assert "n_layers has no value for 'weight'" in str(plan.problems[0])


# --------------------------------------------------------------------------------- what is refused

REFUSED = {
    "normal(std=-1)": "normal: std must be at least 0, not -1",
    "normal(std=nan)": "normal: std must be a number, not NaN",
    "normal(mean=inf)": "normal: mean must be finite",
    "normal(std=1/0)": "the formula '1/0' has no value here: float division by zero",
    "normal(std=sqrt(0-1))": r"the formula 'sqrt\(0-1\)' has no value here",
    "normal(std=sqrt(1, 2))": r"'sqrt\(1, 2\)' gives sqrt 2 numbers, and it takes 1",
    "normal(std=min(fan_in))": "gives min 1 numbers, and it takes 2 or more",
    "xavier_normal(gain=-1)": "xavier_normal: gain must be at least 0, not -1",
    "normal(std=1-2)": "normal: std must be at least 0, not -1",
    "uniform(2, 1)": "uniform: low must not be above high, but 2 > 1",
    "trunc_normal(std=1, cutoff=-2)": "trunc_normal: cutoff must be at least 0, not -2",
    "trunc_normal(cutoff=2, low=-1)": "trunc_normal: cutoff goes without low and high",
    "sparse(sparsity=1.5)": "sparse: sparsity must be between 0 and 1, not 1.5",
    "sparse": r"sparse needs the option sparsity: sparse\(sparsity=...\)",
    "prior_bias(p=1)": "prior_bias: p must lie strictly between 0 and 1, not 1",
    "dirac(groups=0)": "dirac: groups must be at least 1, not 0",
    "dirac(groups=1.5)": "dirac: groups must be a whole number, not 1.5",
    "kaiming_normal(mode='fan_inn')": "mode must be one of .* did you mean 'fan_in'",
    "kaiming_normal(nonlinearity='rellu')": "'rellu'; did you mean 'relu'",
    "trunc_normal(preserve_std=1)": "preserve_std must be True or False, not 1",
    "normal(0.02)": r"normal takes its options by name: write normal\(std=...\), not normal\(0",
    "normal(sdt=1)": "normal has no option 'sdt'; did you mean 'std'",
    "uniform(0, 1, low=2)": "uniform: low is given twice",
    "uniform(low=0, a=1)": "uniform: low is given twice",
    "normal(generator=3)": r"give apply_init seed=g.initial_seed\(\) instead",
    "blocks()": "blocks: give a scheme or a number for each block",
    "blocks(keep, 0)": "blocks: keep stands for a whole tensor",
    "constant(True)": "value must be a number or a formula, not True",
    "normal(std=__import__('os'))": "which formulas do not know",
    "normal(std=0.02": "cannot read",
    "normal(*args)": r"\* and \*\* are not known here",
}


@pytest.mark.parametrize("text", REFUSED)
def test_bad_options_are_refused_when_they_are_read(text: str) -> None:
    with pytest.raises(InitkitError, match=REFUSED[text]):
        read_scheme(text)


def test_a_formula_that_turns_out_negative_is_a_problem_of_the_plan() -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    plan = plan_init(model, {"*": "normal(std=1-2*layer)"})
    assert "normal: std must be at least 0, not -1" in str(plan.problems[0])


SITES = {
    "a vector has no fans": ("xavier_uniform", (4,), r"needs fans, which a tensor of shape \[4\]"),
    "a vector is no matrix": ("orthogonal", (4,), r"needs matrices, which a tensor of shape \[4\]"),
    "three dimensions are not guessed": (
        "kaiming_normal",
        (4, 5, 6),
        r"layout='E in out' .* register_layout, .* fans='tensor'",
    ),
    "eye is for matrices": ("eye(fans='tensor')", (4, 5, 6), "needs 2 dimensions"),
    "dirac is for convolutions": ("dirac", (4, 5), "needs 3 to 5 dimensions"),
    "dirac's groups divide": ("dirac(groups=3)", (4, 5, 3), "3 do not divide the 4 entries"),
    "delta orthogonal widens": ("delta_orthogonal", (4, 5, 3), "as many outputs as inputs"),
    "a tail can be too far out": ("trunc_normal(low=6, high=9)", (4,), "too far in the tail"),
    "nothing is left out there": (
        "trunc_normal(low=40, high=45, preserve_std=True)",
        (4,),
        "too far in the tail",
    ),
    "blocks are equal": ("blocks(0, 1)", (5, 2), "5 entries, which are no 2 equal blocks"),
    "torch has no default here": ("torch_default", (4, 5), "does not know how the constructor"),
}


@pytest.mark.parametrize("case", SITES)
def test_a_scheme_that_does_not_fit_the_tensor_says_so(case: str) -> None:
    text, shape, message = SITES[case]
    with pytest.raises((SchemeMismatch, OptionError), match=message):
        read_scheme(text).resolve(Site(shape))


def test_a_function_of_the_shape_only_is_allowed_where_the_user_says_so() -> None:
    got = read_scheme("kaiming_normal(fans='tensor')").resolve(Site((4, 5, 6)))
    assert got.std == pytest.approx(math.sqrt(2 / 30))


@pytest.mark.parametrize("value", ["xavier_uniform(fans='tensor')", nn.init.xavier_uniform_])
def test_the_plan_shows_the_fans_that_the_scheme_took(value: object) -> None:
    conv = nn.Conv2d(8, 8, 3, groups=2)
    step = plan_init(conv, {"weight": value, "bias": 0})["weight"]
    assert (step.fans, step.fans_from) == (Fans(36, 72), "shape")
    assert step.note == "fans from the shape"
    step = plan_init(conv, {"weight": "xavier_uniform", "bias": 0})["weight"]
    assert (step.fans, step.fans_from, step.note) == (Fans(36, 36), "module", "")


def test_a_name_of_a_formula_without_a_model_is_an_error() -> None:
    with pytest.raises(FormulaError, match="layer has no value without a model"):
        read_scheme("normal(std=layer)").resolve(LINEAR)


# -------------------------------------------------------------------------------- frozen values


@pytest.mark.parametrize("name", ROWS)
def test_the_text_of_a_scheme_reads_back_as_an_equal_value(name: str) -> None:
    scheme = read_scheme(ROWS[name][0])
    assert read_scheme(str(scheme)) == scheme
    assert hash(scheme) == hash(read_scheme(str(scheme)))


def test_schemes_are_frozen() -> None:
    with pytest.raises(AttributeError):
        schemes.Normal(std=1).std = 2  # type: ignore[misc]


def test_scaled_multiplies_the_distribution() -> None:
    half = schemes.XavierNormal().scaled(0.5)
    assert str(half) == "scaled(xavier_normal, 0.5)"
    assert half.resolve(LINEAR).std == pytest.approx(0.5 * math.sqrt(2 / 500))


def test_an_activation_module_is_as_good_as_its_name() -> None:
    by_module = schemes.KaimingNormal(nonlinearity=nn.LeakyReLU(0.2)).resolve(LINEAR)
    by_name = schemes.KaimingNormal(nonlinearity="leaky_relu", a=0.2).resolve(LINEAR)
    assert by_module == by_name
    gelu = schemes.KaimingNormal(nonlinearity=nn.GELU()).resolve(LINEAR)
    assert gelu == schemes.KaimingNormal(nonlinearity="gelu").resolve(LINEAR)


def test_zero_spread_is_a_constant() -> None:
    for text in ("normal(std=0)", "trunc_normal(std=0)", "xavier_normal(gain=0)", "uniform(0, 0)"):
        assert read_scheme(text).resolve(LINEAR) == distributions.Constant(0.0)
