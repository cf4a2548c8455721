"""Schemes: one row each, checked against what is declared and against what is written."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from stats import assert_drawn_from
from torch import nn

from initkit import apply_init, describe_scheme, distributions, init_, list_schemes, plan_init
from initkit.errors import PlanError
from initkit.model import parameter_info
from initkit.schemes import Site, factory_of, needs_of, read_scheme


class Table(nn.Module):
    """One bare parameter of a shape that no layer has."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))


LINEAR, CONV = nn.Linear(200, 300, bias=False), nn.Conv2d(20, 30, 3, bias=False)

# name -> (text, module, distribution of its weight)
ROWS: dict[str, tuple[str, nn.Module, distributions.Distribution]] = {
    "constant": ("constant(3)", LINEAR, distributions.Constant(3.0)),
    "zeros": ("zeros", LINEAR, distributions.Constant(0.0)),
    "ones": ("ones", LINEAR, distributions.Constant(1.0)),
    "normal": ("normal(mean=1, std=0.02)", LINEAR, distributions.Normal(1.0, 0.02)),
    "uniform": ("uniform(-1, 2)", LINEAR, distributions.Uniform(-1.0, 2.0)),
    "trunc_normal": (
        "trunc_normal(std=0.02, cutoff=2)",
        LINEAR,
        distributions.TruncatedNormal(0.0, 0.02, -0.04, 0.04),
    ),
    "zero_mask_uniform": (
        "zero_mask_uniform",
        LINEAR,
        distributions.MaskedUniform(-10.0, 10.0, 5.0),
    ),
    "quantile": ("quantile(-log(1 - u)/2)", LINEAR, distributions.Quantile("-log(1 - u)/2")),
    "prior_bias": ("prior_bias", LINEAR, distributions.Constant(-math.log(99))),
    "variance_scaling": (
        "variance_scaling(scale=2, mode='fan_avg', distribution='normal')",
        LINEAR,
        distributions.Normal(0.0, math.sqrt(2 / 250)),
    ),
    "xavier_uniform": (
        "xavier_uniform",
        LINEAR,
        distributions.Uniform(-math.sqrt(6 / 500), math.sqrt(6 / 500)),
    ),
    "xavier_normal": (
        "xavier_normal(gain=2)",
        LINEAR,
        distributions.Normal(0.0, 2 * math.sqrt(2 / 500)),
    ),
    "kaiming_uniform": (
        "kaiming_uniform(a=sqrt(5))",
        LINEAR,
        distributions.Uniform(-math.sqrt(1 / 200), math.sqrt(1 / 200)),
    ),
    "kaiming_normal": (
        "kaiming_normal(mode='fan_out')",
        LINEAR,
        distributions.Normal(0.0, math.sqrt(2 / 300)),
    ),
    "lecun_uniform": (
        "lecun_uniform",
        LINEAR,
        distributions.Uniform(-math.sqrt(3 / 200), math.sqrt(3 / 200)),
    ),
    "lecun_normal": ("lecun_normal", LINEAR, distributions.Normal(0.0, math.sqrt(1 / 200))),
    "orthogonal": (
        "orthogonal(gain=2)",
        LINEAR,
        distributions.Orthogonal((300, 200), 2.0, (1, 300, 200)),
    ),
    "he_orthogonal": (
        "he_orthogonal(gain=2)",
        LINEAR,
        distributions.Standardized((300, 200), 2.0, (1, 300, 200)),
    ),
    "eye": ("eye", LINEAR, distributions.Eye((300, 200), (1, 300, 200))),
    "sparse": (
        "sparse(sparsity=0.1, std=1)",
        LINEAR,
        distributions.Sparse((300, 200), 1.0, 30, (1, 300, 200)),
    ),
    "blocks": (
        "blocks(0, 1, xavier_normal)",
        LINEAR,
        distributions.Blocks(
            (
                distributions.Constant(0.0),
                distributions.Constant(1.0),
                distributions.Normal(0.0, math.sqrt(2 / 300)),
            ),
            60_000,
        ),
    ),
    "scaled": (
        "scaled(xavier_normal, 0.5)",
        LINEAR,
        distributions.Normal(0.0, 0.5 * math.sqrt(2 / 500)),
    ),
    "torch_default": (
        "torch_default",
        LINEAR,
        distributions.Uniform(-math.sqrt(1 / 200), math.sqrt(1 / 200)),
    ),
    "delta_orthogonal": (
        "delta_orthogonal(gain=2)",
        CONV,
        distributions.DeltaOrthogonal((30, 20, 3, 3), 2.0),
    ),
    "dirac": ("dirac(groups=2)", CONV, distributions.Dirac((30, 20, 3, 3), 2)),
    "arange": ("arange(start=1, axis=0)", LINEAR, distributions.Arange((300, 200), 1.0, 1.0, 0)),
    "log_uniform": (
        "log_uniform(0.001, 0.1)",
        LINEAR,
        distributions.Uniform(math.log(0.001), math.log(0.1)).mapped("exp"),
    ),
    "log_of": (
        "log_of('uniform(1, 16)')",
        LINEAR,
        distributions.Uniform(1.0, 16.0).mapped("log"),
    ),
    "exp_of": (
        "exp_of('normal(std=0.5)')",
        LINEAR,
        distributions.Normal(0.0, 0.5).mapped("exp"),
    ),
    "inverse_softplus_of": (
        "inverse_softplus_of('uniform(1, 2)')",
        LINEAR,
        distributions.Uniform(1.0, 2.0).mapped("inverse softplus"),
    ),
    "sinusoids": ("sinusoids(blank=1)", LINEAR, distributions.Sinusoids((300, 200), blank=1)),
    "sincos_2d": (
        "sincos_2d(columns=30)",
        LINEAR,
        distributions.Sinusoids2d((300, 200), columns=30),
    ),
    "table": (
        "table([[0, 0.5], [-1, 2]])",
        Table(2, 2),
        distributions.Table.of(torch.tensor([[0, 0.5], [-1, 2]], dtype=torch.float64)),
    ),
    "indexed": (
        "indexed(i - j/m)",
        LINEAR,
        distributions.ByFormula((300, 200), "i - j/m", (-2, -1)),
    ),
    "shifted": ("shifted(uniform, 2)", LINEAR, distributions.Uniform(2.0, 3.0)),
    "rounded": (
        "rounded('normal(std=2)', 0.5)",
        LINEAR,
        distributions.Normal(0.0, 2.0).mapped("rounded", 0.5),
    ),
    "product": (
        "product(normal, 'uniform(1, 2)')",
        LINEAR,
        distributions.Product(
            (300, 200), distributions.Normal(0.0, 1.0), distributions.Uniform(1.0, 2.0)
        ),
    ),
    "sum": (
        "sum(eye, 'uniform(-0.5, 1)')",
        LINEAR,
        distributions.Sum(
            (300, 200),
            distributions.Uniform(-0.5, 1.0),
            distributions.Eye((300, 200), (1, 300, 200)),
        ),
    ),
    "radial_offsets": (
        "radial_offsets(heads=1, points=2)",
        Table(8),
        distributions.Table.of(torch.tensor([1.0, 0, 2, 0, 1, 0, 2, 0])),
    ),
    "rotated_frequencies": (
        "rotated_frequencies",
        Table(2, 300, 100),
        distributions.Rotated((2, 300, 100), 10.0),
    ),
    "icnr": (
        "icnr('normal(std=0.1)')",
        nn.Conv2d(20, 240, 3, bias=False),
        distributions.Repeated((240, 20, 3, 3), distributions.Normal(0.0, 0.1), 4),
    ),
    "bilinear_upsampling": (
        "bilinear_upsampling",
        nn.ConvTranspose2d(8, 8, 4, bias=False),
        distributions.Interpolation((8, 8, 4, 4)),
    ),
    "stft": ("stft", nn.Conv1d(1, 66, 64, bias=False), distributions.Fourier((66, 1, 64))),
    "mel_bands": (
        "mel_bands(sample_rate=16000)",
        nn.Linear(257, 40, bias=False),
        distributions.Mel((40, 257), 16000.0, 0.0, 8000.0),
    ),
    "zero_init": (
        "zero_init",
        nn.Linear(16, 40, bias=False),
        distributions.HadamardIdentity((40, 16)),
    ),
    "random_features": (
        "random_features",
        nn.Linear(64, 300, bias=False),
        distributions.RandomFeatures((300, 64), 1.0),
    ),
}


def same(a: distributions.Distribution, b: distributions.Distribution) -> bool:
    """Whether two distributions are equal but for the last bits."""
    if isinstance(a, distributions.Blocks) and isinstance(b, distributions.Blocks):
        return all(same(x, y) for x, y in zip(a.parts, b.parts, strict=True))
    numbers = [a.mean, a.std, a.low, a.high], [b.mean, b.std, b.low, b.high]
    return type(a) is type(b) and numbers[0] == pytest.approx(numbers[1], rel=1e-12)


@pytest.mark.parametrize("name", ROWS)
def test_a_scheme_writes_the_declared_distribution(name: str) -> None:
    text, module, wanted = ROWS[name]
    model = copy.deepcopy(module)
    step = plan_init(model, {"weight": text})["weight"]
    assert step.distribution is not None
    assert same(step.distribution, wanted)
    apply_init(model, {"weight": text}, seed=7)
    assert_drawn_from(model.weight, wanted, independent=wanted.elementwise)


BUILT_IN = [
    name
    for name in list_schemes()
    if isinstance(f := factory_of(name), type) and f.__module__.startswith("initkit.")
]


# No distribution of one tensor: they need other parameters, other rows, a file, a spectrum, gates.
ELSEWHERE = {
    "keep": "",
    "gates": "schemes/test_composite.py",
    "chrono": "schemes/test_chrono.py",
    "quaternion": "schemes/test_turns.py",
    "skew_pairs": "schemes/test_turns.py",
    "glorot_orthogonal": "schemes/test_turns.py",
    "copy_of": "plan/test_copies.py",
    "from_tensor": "schemes/test_stored.py",
    "pretrained": "schemes/test_stored.py",
    "mean_resizing": "schemes/test_rows.py",
    "copied_rows": "schemes/test_rows.py",
    "pissa": "plan/test_groups.py",
    "olora": "plan/test_groups.py",
    "mimetic": "plan/test_groups.py",
    "glow_lu": "plan/test_groups.py",
    "reservoir": "schemes/test_structured.py",
}


def test_every_scheme_has_a_row_here() -> None:
    assert set(BUILT_IN) == {*ROWS, *ELSEWHERE}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_scheme_states_its_formula_and_source(name: str) -> None:
    info = describe_scheme(name)
    assert info.formula
    assert info.source
    assert info.summary.endswith(".")


@pytest.mark.parametrize("name", ROWS)
def test_the_text_of_a_scheme_reads_back_as_an_equal_value(name: str) -> None:
    scheme = read_scheme(ROWS[name][0])
    assert read_scheme(str(scheme)) == scheme
    assert hash(scheme) == hash(read_scheme(str(scheme)))


@pytest.mark.parametrize("name", ROWS)
def test_rules_of_a_plan_say_a_distribution_without_knowing_its_scheme(name: str) -> None:
    """As of a plan that was recorded: the distribution alone says how to write it."""
    text, module, _ = ROWS[name]
    plan = plan_init(module, {"weight": text})
    assert not plan.problems
    nameless = plan.replaced(steps=[replace(step, scheme="", rule="") for step in plan])
    again = plan_init(module, nameless.to_recipe("my/net"))
    assert again["weight"].distribution == plan["weight"].distribution


# What a site may be asked for, by what a scheme says that it reads.
OF_SHAPE = {"shape", "numel", "need", "part", "gates", "check_blocks", "default"}
ALLOWED = {
    "options": set(),
    "shape": OF_SHAPE,
    "axes": OF_SHAPE | {"layout", "fans", "grid", "matrices"},
}


class Guarded:
    """A site that fails the test where a scheme reads more than it says."""

    def __init__(self, site: Site, allowed: set[str]) -> None:
        self._site, self._allowed = site, allowed

    def __getattr__(self, name: str) -> Any:
        assert name in self._allowed, f"read {name}, and may read {sorted(self._allowed)}"
        value = getattr(self._site, name)
        return value if name != "part" else lambda *cut: Guarded(value(*cut), self._allowed)

    def lookup(self, name: str) -> float:
        raise AssertionError(f"a formula asked for {name}")


@pytest.mark.parametrize("name", ROWS)
def test_a_scheme_reads_no_more_of_a_site_than_it_says(name: str) -> None:
    """So that tensors that agree in this may share what was resolved for one of them."""
    text, module, wanted = ROWS[name]
    info = parameter_info(module, "weight", module.weight.shape)
    layout, default = (info.layout, info.default) if info else (None, None)
    site = Site(tuple(module.weight.shape), layout=layout, default=default)
    scheme = read_scheme(text)
    guarded: Any = Guarded(site, ALLOWED[needs_of(scheme).reads])
    assert same(scheme.resolve(guarded), wanted)


def test_radial_offsets_repeat_their_rays_for_every_level() -> None:
    bias = nn.Linear(1, 2 * 3 * 2 * 2).bias
    init_(bias, "radial_offsets(heads=2, points=2)")
    grid = bias.detach().reshape(2, 3, 2, 2)
    assert torch.equal(grid[0], torch.tensor([[1.0, 0], [2, 0]]).expand(3, 2, 2))
    assert torch.allclose(grid[1, 2], torch.tensor([[-1.0, 0], [-2, 0]]), atol=1e-6)


def test_radial_offsets_say_which_sizes_do_not_go_together() -> None:
    message = r"radial_offsets: \[10\] holds no x and y of 2 heads times 2 points"
    with pytest.raises(PlanError, match=message):
        init_(torch.empty(10), "radial_offsets(heads=2, points=2)")
