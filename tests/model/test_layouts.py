"""Every parameter of every torch.nn module: its layout, its role, its constructor's draw."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from initkit import plan_init
from initkit.errors import LayoutError
from initkit.model import layouts
from initkit.model.layouts import ParameterInfo, fans, parameter_info, register_layout
from initkit.numbers.fans import DefaultDistribution, Fans, Layout, module_fans

Build = Callable[[], nn.Module]

# Every class of torch.nn that makes parameters, in the forms that differ.
BUILDS: dict[str, Build] = {
    "Linear": lambda: nn.Linear(12, 20),
    "LazyLinear": lambda: after(nn.LazyLinear(20), 4, 12),
    "Bilinear": lambda: nn.Bilinear(6, 5, 9),
    "Conv1d": lambda: nn.Conv1d(8, 12, 5, groups=2),
    "Conv2d": lambda: nn.Conv2d(8, 12, (3, 5), groups=4),
    "Conv2d depthwise": lambda: nn.Conv2d(24, 24, 3, groups=24),
    "Conv3d": lambda: nn.Conv3d(4, 6, 3),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(8, 12, 5, groups=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(8, 12, (3, 5), groups=4),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(4, 6, 3),
    "LazyConv1d": lambda: after(nn.LazyConv1d(12, 5), 1, 8, 9),
    "LazyConv2d": lambda: after(nn.LazyConv2d(12, 3, groups=4), 1, 8, 9, 9),
    "LazyConv3d": lambda: after(nn.LazyConv3d(6, 3), 1, 4, 5, 5, 5),
    "LazyConvTranspose1d": lambda: after(nn.LazyConvTranspose1d(12, 5), 1, 8, 9),
    "LazyConvTranspose2d": lambda: after(nn.LazyConvTranspose2d(12, 3, groups=4), 1, 8, 9, 9),
    "LazyConvTranspose3d": lambda: after(nn.LazyConvTranspose3d(6, 3), 1, 4, 5, 5, 5),
    "Embedding": lambda: nn.Embedding(20, 12),
    "Embedding padding": lambda: nn.Embedding(20, 12, padding_idx=-1),
    "EmbeddingBag": lambda: nn.EmbeddingBag(20, 12, padding_idx=3),
    "MultiheadAttention": lambda: nn.MultiheadAttention(16, 4, add_bias_kv=True),
    "MultiheadAttention unpacked": lambda: nn.MultiheadAttention(16, 4, kdim=6, vdim=10),
    "MultiheadAttention no bias": lambda: nn.MultiheadAttention(16, 4, bias=False),
    "RNN": lambda: nn.RNN(6, 8, 2, bidirectional=True),
    "GRU": lambda: nn.GRU(6, 8, 2),
    "LSTM": lambda: nn.LSTM(6, 8, 2, bidirectional=True, proj_size=3),
    "RNNCell": lambda: nn.RNNCell(6, 8),
    "GRUCell": lambda: nn.GRUCell(6, 8),
    "LSTMCell": lambda: nn.LSTMCell(6, 8, bias=False),
    "PReLU": lambda: nn.PReLU(8, init=0.1),
    "LayerNorm": lambda: nn.LayerNorm((4, 6)),
    "GroupNorm": lambda: nn.GroupNorm(2, 8),
    "RMSNorm": lambda: nn.RMSNorm(8),
    "BatchNorm1d": lambda: nn.BatchNorm1d(8),
    "BatchNorm2d": lambda: nn.BatchNorm2d(8),
    "BatchNorm3d": lambda: nn.BatchNorm3d(8),
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(8),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(8, affine=True),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
    "InstanceNorm3d": lambda: nn.InstanceNorm3d(8, affine=True),
    "LazyBatchNorm1d": lambda: after(nn.LazyBatchNorm1d(), 4, 8),
    "LazyBatchNorm2d": lambda: after(nn.LazyBatchNorm2d(), 2, 8, 3, 3),
    "LazyBatchNorm3d": lambda: after(nn.LazyBatchNorm3d(), 2, 8, 3, 3, 3),
    "LazyInstanceNorm1d": lambda: after(nn.LazyInstanceNorm1d(affine=True), 2, 8, 9),
    "LazyInstanceNorm2d": lambda: after(nn.LazyInstanceNorm2d(affine=True), 2, 8, 3, 3),
    "LazyInstanceNorm3d": lambda: after(nn.LazyInstanceNorm3d(affine=True), 2, 8, 3, 3, 3),
    "Transformer": lambda: nn.Transformer(8, 2, 1, 1, 12, batch_first=True),
    "TransformerEncoder": lambda: nn.TransformerEncoder(
        encoder_layer(), 2, enable_nested_tensor=False
    ),
    "TransformerDecoder": lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12), 2),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(8, 2, 12),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(8, 2, 12),
    "AdaptiveLogSoftmaxWithLoss": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 40, [10, 20]),
}
if hasattr(nn, "LinearCrossEntropyLoss"):  # younger than the oldest torch that is supported
    BUILDS["LinearCrossEntropyLoss"] = lambda: nn.LinearCrossEntropyLoss(16, 12)
# Classes whose constructor makes no parameter, or that users only derive from.
BASES = {"Module", "RNNBase", "RNNCellBase", "Container"}


def after(module: nn.Module, *shape: int) -> nn.Module:
    """Run a lazy module once, so that its parameters get their shapes."""
    module(torch.zeros(shape))
    return module


def encoder_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 12)


def known(model: nn.Module, name: str) -> ParameterInfo | None:
    """Ask for the info of a parameter or buffer, as a walk over the model does."""
    path, _, key = name.rpartition(".")
    parents = [
        model.get_submodule(".".join(path.split(".")[:i])) for i in range(path.count(".") + 1)
    ]
    owner = model.get_submodule(path)
    tensor = owner.get_parameter(key) if key in owner._parameters else owner.get_buffer(key)
    return parameter_info(owner, key, tensor.shape, parents if path else ())


def test_every_module_of_torch_that_has_parameters_is_tested() -> None:
    tested = {name.split()[0] for name in BUILDS}
    silent = set()
    for name, cls in inspect.getmembers(nn, inspect.isclass):
        if issubclass(cls, nn.Module) and name not in tested | BASES:
            source = "".join(
                inspect.getsource(c)
                for c in cls.__mro__
                if issubclass(c, nn.Module) and c is not nn.Module
            )
            if "Parameter(" in source and name not in ("ParameterList", "ParameterDict"):
                silent.add(name)
    assert not silent


@pytest.mark.parametrize("build", BUILDS)
def test_every_parameter_and_buffer_has_a_distribution(build: str) -> None:
    model = BUILDS[build]()
    names = [n for n, _ in (*model.named_parameters(), *model.named_buffers())]
    assert names
    for name in names:
        found = known(model, name)
        assert found is not None, name
        assert found.default is not None, name


# --- the distributions against torch's own constructors

SAMPLE = 6000
# A true sample exceeds this Kolmogorov-Smirnov distance once in 1e9 (Dvoretzky et al.).
ALPHA = 1e-9


def draws(build: Build) -> Iterator[tuple[str, torch.Tensor, ParameterInfo | None]]:
    """Construct anew until the smallest random parameter has SAMPLE values; pool per parameter."""
    first = build()
    least = min(p.numel() for p in first.parameters())
    rounds = max(20, min(80, SAMPLE // least))
    pools: dict[str, list[torch.Tensor]] = {}
    for seed in range(rounds):
        torch.manual_seed(seed)
        model = build()
        for name, p in model.named_parameters():
            pools.setdefault(name, []).append(p.detach())
    for name, pool in pools.items():
        yield name, torch.stack(pool), known(first, name)


def distance(sample: torch.Tensor, cdf: Callable[[torch.Tensor], torch.Tensor]) -> float:
    at = cdf(sample.double().sort().values)
    n = at.numel()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return max((steps[1:] - at).max().item(), (at - steps[:-1]).max().item())


def assert_drawn(name: str, values: torch.Tensor, distribution: DefaultDistribution) -> None:
    n, b = values.numel(), distribution.value
    allowed = math.sqrt(math.log(2 / ALPHA) / (2 * n))
    if distribution.kind == "constant":
        assert (values == torch.tensor(b)).all(), name
    elif distribution.kind == "uniform":
        assert values.abs().max() <= b * (1 + 1e-6), name
        # All n values stay below this with probability exp(-20).
        assert values.abs().max() >= b * (1 - 20 / n), name
        assert distance(values.flatten(), lambda x: (x / b + 1) / 2) < allowed, name
    else:
        normal = torch.distributions.Normal(0.0, b)
        assert distance(values.flatten(), normal.cdf) < allowed, name


@pytest.mark.parametrize("build", BUILDS)
def test_the_distribution_is_what_torchs_constructor_draws(build: str) -> None:
    for name, values, found in draws(BUILDS[build]):
        assert found is not None
        assert found.default is not None
        if found.padding is not None:
            assert (values[:, found.padding] == 0).all()
            rows = torch.arange(values.shape[1]) != found.padding
            values = values[:, rows]
        assert_drawn(name, values, found.default)


def test_a_wrong_distribution_would_be_caught() -> None:
    values = torch.rand(SAMPLE) * 2 - 1
    for distribution in (
        DefaultDistribution("uniform", 1.02),
        DefaultDistribution("uniform", 0.98),
        DefaultDistribution("normal", 3**-0.5),
        DefaultDistribution("constant", 0),
    ):
        with pytest.raises(AssertionError):
            assert_drawn("x", values, distribution)


def test_buffers_start_as_torch_registers_them() -> None:
    norm = nn.BatchNorm2d(4)
    for name, buffer in norm.named_buffers():
        found = known(norm, name)
        assert found.role == "buffer"
        assert (buffer == found.default.value).all()


# --- roles, layouts, siblings, padding


@pytest.mark.parametrize(
    ("build", "key", "role"),
    [
        ("Linear", "weight", "weight"),
        ("Linear", "bias", "bias"),
        ("MultiheadAttention", "in_proj_bias", "bias"),
        ("MultiheadAttention", "bias_k", "bias"),
        ("LSTM", "bias_hh_l1_reverse", "bias"),
        ("LayerNorm", "weight", "norm weight"),
        ("InstanceNorm2d", "bias", "norm bias"),
        ("PReLU", "weight", "slope"),
    ],
)
def test_roles(build: str, key: str, role: str) -> None:
    assert known(BUILDS[build](), key).role == role


@pytest.mark.parametrize(
    ("build", "key", "expected"),
    [
        ("Conv2d", "weight", Fans(30, 45)),
        ("Conv2d depthwise", "weight", Fans(9, 9)),
        ("ConvTranspose2d", "weight", Fans(30, 45)),
        ("LazyConvTranspose2d", "weight", Fans(18, 27)),
        ("Embedding", "weight", Fans(12, 20)),
        ("EmbeddingBag", "weight", Fans(12, 20)),
        ("Bilinear", "weight", Fans(30, 9)),
        ("MultiheadAttention", "in_proj_weight", Fans(16, 16)),
        ("MultiheadAttention unpacked", "q_proj_weight", Fans(16, 16)),
        ("MultiheadAttention unpacked", "k_proj_weight", Fans(6, 16)),
        ("MultiheadAttention unpacked", "v_proj_weight", Fans(10, 16)),
        ("RNN", "weight_ih_l1_reverse", Fans(16, 8)),
        ("GRU", "weight_hh_l0", Fans(8, 8)),
        ("LSTM", "weight_ih_l0", Fans(6, 8)),
        ("LSTM", "weight_hh_l0", Fans(3, 8)),
        ("LSTM", "weight_hr_l1_reverse", Fans(8, 3)),
        ("GRUCell", "weight_ih", Fans(6, 8)),
        ("LSTMCell", "weight_hh", Fans(8, 8)),
    ],
)
def test_true_fans(build: str, key: str, expected: Fans) -> None:
    module = BUILDS[build]()
    assert fans(module, key) == expected
    shape = tuple(getattr(module, key).shape)
    assert module_fans(shape, known(module, key).layout) == expected


@pytest.mark.parametrize(
    ("build", "key", "blocks"),
    [
        ("MultiheadAttention", "in_proj_weight", 3),
        ("MultiheadAttention unpacked", "q_proj_weight", 1),
        ("RNN", "weight_ih_l0", 1),
        ("GRU", "weight_ih_l0", 3),
        ("LSTM", "weight_hh_l0", 4),
        ("LSTM", "weight_hr_l0", 1),
        ("GRUCell", "weight_hh", 3),
        ("LSTMCell", "weight_ih", 4),
    ],
)
def test_gates_and_packed_projections_are_blocks(build: str, key: str, blocks: int) -> None:
    assert known(BUILDS[build](), key).layout.blocks == blocks


@pytest.mark.parametrize(
    ("build", "key", "weight"),
    [
        ("Linear", "bias", "weight"),
        ("Conv2d", "bias", "weight"),
        ("ConvTranspose2d", "bias", "weight"),
        ("Bilinear", "bias", "weight"),
        ("MultiheadAttention", "in_proj_bias", "in_proj_weight"),
        ("LSTM", "bias_ih_l1_reverse", "weight_ih_l1_reverse"),
        ("LSTM", "bias_hh_l0", "weight_hh_l0"),
        ("GRUCell", "bias_hh", "weight_hh"),
    ],
)
def test_a_bias_knows_the_fans_of_its_weight(build: str, key: str, weight: str) -> None:
    module = BUILDS[build]()
    assert known(module, key).sibling == fans(module, weight)


def test_norms_and_added_keys_have_no_sibling() -> None:
    assert known(nn.LayerNorm(4), "bias").sibling is None
    assert known(BUILDS["MultiheadAttention"](), "bias_k").sibling is None
    assert known(BUILDS["MultiheadAttention unpacked"](), "in_proj_bias").sibling is None


def test_padding_rows_count_from_zero() -> None:
    assert known(nn.Embedding(9, 2, padding_idx=-2), "weight").padding == 7
    assert known(nn.EmbeddingBag(9, 2, padding_idx=0), "weight").padding == 0
    assert known(nn.Embedding(9, 2), "weight").padding is None
    late = nn.Embedding(9, 2)
    late.padding_idx = -1
    assert known(late, "weight").padding == 8


def test_attributes_are_read_at_every_call() -> None:
    """A module may change after it was first seen."""
    prelu = nn.PReLU(init=0.5)
    assert known(prelu, "weight").default == DefaultDistribution("constant", 0.5)
    prelu.init = 0.75
    assert known(prelu, "weight").default == DefaultDistribution("constant", 0.75)


# --- subclasses and wrapped weights


def test_a_subclass_counts_as_its_nearest_base() -> None:
    class Mine(nn.Conv2d):
        pass

    class Yours(Mine):
        def __init__(self) -> None:
            super().__init__(8, 4, 3, groups=2)
            self.extra = nn.Parameter(torch.empty(3))

    assert fans(Yours()) == Fans(36, 18)
    assert known(Yours(), "extra") is None


def test_an_unknown_module_is_not_guessed() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 5))

    assert known(Scale(), "weight") is None


def test_a_known_module_whose_weight_has_another_shape_is_not_guessed() -> None:
    linear = nn.Linear(4, 5)
    linear.weight = nn.Parameter(torch.empty(2, 4, 5))
    assert known(linear, "weight") is None
    flat = nn.Conv2d(4, 5, 3)
    flat.weight = nn.Parameter(torch.empty(180))
    assert known(flat, "weight") is None


def test_the_output_projection_of_attention_starts_with_a_bias_of_zero() -> None:
    attention = nn.MultiheadAttention(8, 2)
    assert known(attention, "out_proj.bias").default == DefaultDistribution("constant", 0.0)
    assert known(attention, "out_proj.weight").default == DefaultDistribution(
        "uniform", 1 / math.sqrt(8)
    )


def test_transformer_draws_the_matrices_of_its_children_anew() -> None:
    model = nn.Transformer(8, 2, 1, 1, 12, batch_first=True)
    name = "encoder.layers.0.linear1.weight"
    assert known(model, name).default == DefaultDistribution("uniform", math.sqrt(6 / 20))
    alone = known(model.encoder, name.removeprefix("encoder."))
    assert alone.default == DefaultDistribution("uniform", 1 / math.sqrt(8))


WRAPS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "parametrize": lambda m: parametrize.register_parametrization(m, "weight", nn.Identity()) or m,
    "pruned": lambda m: prune.l1_unstructured(m, "weight", 0.5),
    "old spectral_norm": nn.utils.spectral_norm,
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_computed_weight_is_known_as_a_plain_one_is(wrap: str) -> None:
    torch.manual_seed(0)
    plain, wrapped = nn.Linear(6, 4), WRAPS[wrap](nn.Linear(6, 4))
    assert parameter_info(wrapped, "weight", (4, 6)) == parameter_info(plain, "weight", (4, 6))
    assert parameter_info(wrapped, "bias", (4,)) == parameter_info(plain, "bias", (4,))


@pytest.mark.parametrize("wrap", WRAPS)
def test_asking_changes_nothing(wrap: str) -> None:
    """spectral_norm moves its vectors at every look at the weight: info must not look."""
    wrapped = WRAPS[wrap](nn.Linear(6, 4))
    before = {name: tensor.clone() for name, tensor in wrapped.state_dict().items()}
    parameter_info(wrapped, "bias", (4,))
    fans(wrapped)
    assert all(torch.equal(t, before[n]) for n, t in wrapped.state_dict().items())


def test_a_lazy_bias_has_its_role_before_the_first_forward() -> None:
    lazy = nn.LazyLinear(4)
    assert parameter_info(lazy, "bias", (4,)) == ParameterInfo("bias", None, None, None, None)


def test_conv1d_is_known_by_its_name_and_its_nf() -> None:
    class Conv1D(nn.Module):
        def __init__(self, nf: int, nx: int) -> None:
            super().__init__()
            self.nf = nf
            self.weight = nn.Parameter(torch.empty(nx, nf))
            self.bias = nn.Parameter(torch.empty(nf))

    gpt = Conv1D(12, 4)
    assert fans(gpt) == Fans(4, 12)
    assert known(gpt, "weight").default == DefaultDistribution("normal", 0.02)
    assert known(gpt, "bias").sibling == Fans(4, 12)
    assert known(gpt, "bias").default == DefaultDistribution("constant", 0.0)


def test_a_convolution_that_is_merely_called_conv1d_is_a_convolution() -> None:
    Conv1D = type("Conv1D", (nn.Conv1d,), {})
    assert fans(Conv1D(4, 6, 3)) == Fans(12, 18)


@pytest.mark.models
def test_conv1d_of_transformers_starts_as_its_constructor_draws() -> None:
    conv = pytest.importorskip("transformers.pytorch_utils").Conv1D(60, 100)
    for name in ("weight", "bias"):
        assert_drawn(name, getattr(conv, name).detach(), known(conv, name).default)


# --- register_layout


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test registers."""
    monkeypatch.setattr(layouts, "_REGISTERED", {})
    layouts._row_of.clear()
    yield
    layouts._row_of.clear()


class Experts(nn.Module):
    def __init__(self, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.up = nn.Parameter(torch.empty(3, 8, 32))
        self.down = nn.Parameter(torch.empty(3, 32, 8))
        self.qkv = nn.Parameter(torch.empty(6 * heads, 8))


@pytest.mark.usefixtures("registry")
def test_a_registered_module_is_known_with_its_subclasses() -> None:
    class More(Experts):
        pass

    assert known(More(), "up") is None
    register_layout(Experts, "E in out", key="up")
    assert known(More(), "up") == ParameterInfo(
        "weight", Layout.parse("E in out"), None, None, None
    )
    assert fans(More(), "up") == Fans(8, 32)
    assert known(More(), "down") is None


@pytest.mark.usefixtures("registry")
def test_a_key_may_be_a_glob_and_a_later_registration_wins() -> None:
    register_layout(Experts, "E in out", key="*")
    register_layout(Experts, "E out in", key="down")
    assert fans(Experts(), "up") == Fans(8, 32)
    assert fans(Experts(), "down") == Fans(8, 32)
    register_layout(Experts, "E in out", key="down")
    assert fans(Experts(), "down") == Fans(32, 8)


@pytest.mark.usefixtures("registry")
def test_a_class_may_be_registered_by_its_name() -> None:
    register_layout("Experts", "E in out", key="up")
    assert fans(Experts(), "up") == Fans(8, 32)


@pytest.mark.usefixtures("registry")
def test_groups_and_blocks_may_be_attributes() -> None:
    register_layout(Experts, "out in", key="qkv", blocks="heads")
    assert fans(Experts(2), "qkv") == Fans(8, 6)
    assert fans(Experts(3), "qkv") == Fans(8, 6)
    register_layout(Experts, "out in", key="qkv", groups="experts")
    with pytest.raises(LayoutError) as caught:
        known(Experts(), "qkv")
    assert str(caught.value) == (
        "the layout registered for Experts.qkv takes a count from 'experts', which must be "
        "an attribute with a positive int"
    )


@pytest.mark.usefixtures("registry")
def test_a_registered_subclass_of_linear_changes_its_biases_fans_too() -> None:
    class Transposed(nn.Linear):
        pass

    register_layout(Transposed, "in out")
    assert fans(Transposed(4, 6)) == Fans(6, 4)
    assert known(Transposed(4, 6), "weight").default is None
    assert known(Transposed(4, 6), "bias").sibling == Fans(6, 4)


@pytest.mark.usefixtures("registry")
def test_a_registered_layout_that_does_not_fit_is_refused_where_it_is_used() -> None:
    register_layout(Experts, "E in out", key="qkv")
    assert known(Experts(), "qkv").layout == Layout.parse("E in out")
    with pytest.raises(LayoutError) as caught:
        fans(Experts(), "qkv")
    assert str(caught.value) == "layout 'E in out' names 3 dimensions, but the shape is (12, 8)"


@pytest.mark.usefixtures("registry")
def test_a_plan_lists_a_layout_that_does_not_fit_among_its_problems() -> None:
    register_layout(Experts, "E in out", key="*")
    plan = plan_init(Experts(), "xavier_uniform")
    assert len(plan.problems) == 1
    text = str(plan.problems[0])
    assert "qkv" in text
    assert "layout 'E in out' names 3 dimensions, but the shape is (12, 8)" in text


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            (3, "E in out"),
            {},
            "register_layout takes a module class, or the bare name of one, not 3",
        ),
        ((int, "E in"), {}, "register_layout takes a module class, or the bare name of one, not "),
        (("my.Experts", "E in"), {}, "the bare name of one, not 'my.Experts'"),
        ((Experts, "E in out"), {"key": "up.weight"}, "name in its own module, not 'up.weight'"),
        (
            (Experts, "E in out"),
            {"blocks": 0},
            "blocks is a positive int or the name of an attribute, not 0",
        ),
        ((Experts, "E input out"), {}, "'input' is no axis word; did you mean 'in'?"),
        ((Experts, ("E", "in")), {}, "a layout is written like 'E in out', not ('E', 'in')"),
    ],
)
def test_registrations_that_cannot_be_read_are_refused(
    arguments: tuple[object, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(LayoutError) as caught:
        register_layout(*arguments, **options)
    assert message in str(caught.value)


# --- fans() itself


def test_fans_of_a_shape_or_a_tensor_are_torchs_unless_a_layout_is_given() -> None:
    assert fans((8, 4, 3)) == fans(torch.empty(8, 4, 3)) == Fans(12, 24)
    assert fans((8, 4, 3), layout="in out k") == Fans(24, 12)
    assert fans((2, 8, 4), layout=Layout.parse("E in out")) == Fans(8, 4)
    assert fans(nn.Linear(4, 8), layout="in out") == Fans(8, 4)


@pytest.mark.parametrize(
    ("module", "key", "message"),
    [
        (nn.Linear(2, 3), "wait", "this Linear has no parameter 'wait' with a shape; did you mean"),
        (nn.LSTM(2, 3), "w", "this LSTM has no parameter 'w' with a shape; it has weight_ih_l0, "),
        (nn.LazyLinear(3), "weight", "this LazyLinear has no parameter 'weight' with a shape"),
        (
            nn.LayerNorm(4),
            "weight",
            "fans need at least two dimensions, but LayerNorm.weight has the shape (4,)",
        ),
        (
            Experts(),
            "up",
            "initkit does not know the axes of Experts.up",
        ),
    ],
)
def test_fans_that_nobody_knows_are_refused(module: nn.Module, key: str, message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        fans(module, key)
    assert str(caught.value).startswith(message)


def test_the_fans_of_a_foreign_tensor_name_the_ways_out() -> None:
    with pytest.raises(LayoutError) as caught:
        fans(Experts(), "up")
    assert str(caught.value) == (
        "initkit does not know the axes of Experts.up, of shape (3, 8, 32); say them with "
        "register_layout(Experts, 'E in out', key='up') or with layout='E in out'"
    )


def test_fans_of_a_foreign_matrix_are_those_of_its_shape() -> None:
    assert fans(Experts(), "qkv") == Fans(8, 12)


# --- biases beside weights with a registered layout


class Mixture(nn.Module):
    """Four experts, whose biases are a table."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 64, 128))
        self.bias = nn.Parameter(torch.empty(4, 128))


BY_FAN_IN = "uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in))"


def registered(axes: str, shapes: dict[str, tuple[int, ...]], key: str) -> nn.Module:
    """A module of these parameters, the layout of its weights registered."""

    class Registered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, shape in shapes.items():
                self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    register_layout(Registered, axes, key=key)
    return Registered()


@pytest.mark.parametrize(
    ("axes", "shapes", "key", "bounds"),
    [
        ("E in out", {"weight": (4, 64, 128), "bias": (4, 128)}, "weight", {"bias": 64}),
        ("out in", {"weight": (128, 64), "bias": (128,)}, "weight", {"bias": 64}),
        ("in out", {"kernel": (64, 128), "bias": (128,)}, "kernel", {"bias": 64}),
        ("in out out", {"kernel": (64, 2, 9), "bias": (2, 9)}, "kernel", {"bias": 64}),
        (
            "in out",
            {"w1": (4, 9), "b1": (9,), "w2": (9, 3), "b2": (3,)},
            "w?",
            {"b1": 4, "b2": 9},
        ),
        (
            "out in",
            {"up": (8, 4), "up_bias": (8,), "down": (4, 8), "down_bias": (4,)},
            "[ud]*n",
            {"down_bias": 8},
        ),
    ],
)
def test_a_bias_takes_the_fans_of_the_weight_that_it_is_named_after(
    axes: str, shapes: dict[str, tuple[int, ...]], key: str, bounds: dict[str, int]
) -> None:
    model = registered(axes, shapes, key)
    plan = plan_init(model, {**dict.fromkeys(bounds, BY_FAN_IN), "*": "keep"})
    assert not plan.problems
    for name, fan_in in bounds.items():
        assert plan[name].distribution.high == pytest.approx(fan_in**-0.5)
        assert plan[name].fans is None


def test_what_has_not_the_shape_of_a_bias_is_none() -> None:
    model = registered("E in out", {"weight": (4, 64, 128), "bias": (128, 64)}, "weight")
    assert plan_init(model, {"bias": BY_FAN_IN, "*": "keep"})["bias"].fans == Fans(64, 128)


def test_a_registered_bias_says_whose_it_is() -> None:
    model = registered("E in out", {"mix": (4, 64, 128), "offset": (4, 128)}, "mix")
    register_layout(type(model), "E out", key="offset", bias_of="mix")
    plan = plan_init(model, {"offset": BY_FAN_IN, "*": "keep"})
    assert plan["offset"].distribution.high == 1 / 8
    assert parameter_info(model, "offset", (4, 128)).role == "bias"
    with pytest.raises(LayoutError, match=r"Registered\.offset is a bias, which has no fans"):
        fans(model, "offset")


def test_bias_of_names_another_parameter() -> None:
    with pytest.raises(LayoutError) as error:
        register_layout(Mixture, "E out", bias_of="weight")
    assert str(error.value) == (
        "bias_of is the name of the weight beside the bias 'weight', not 'weight'; "
        "key= names the bias"
    )


def test_no_bias_is_drawn_as_a_matrix_without_a_word() -> None:
    unknown = plan_init(Mixture(), {"bias": "xavier_uniform", "*": "keep"})
    note = "fans from the shape; taken for a matrix, though it is called a bias"
    assert unknown["bias"].note == note
    known = registered("E in out", {"weight": (4, 64, 128), "bias": (4, 128)}, "weight")
    problems = plan_init(known, {"*": "xavier_uniform"}).problems
    assert "".join(problem.sentence for problem in problems) == (
        "bias: xavier_uniform cannot start it (rule '*'): it needs fans, which a bias does not "
        "have, be it of shape [4, 128]; start it with a number, with normal(std=...), or by the "
        "fans of its weight, as in uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in)); "
        "fans='tensor' takes its shape"
    )
    by_shape = plan_init(known, {"bias": "xavier_uniform(fans='tensor')", "*": "keep"})
    assert by_shape["bias"].distribution.high == pytest.approx((6 / 132) ** 0.5)


def test_the_scheme_of_a_whole_model_starts_such_a_bias_at_zero() -> None:
    known = registered("E in out", {"weight": (4, 64, 128), "bias": (4, 128)}, "weight")
    assert plan_init(known, "lecun_normal")["bias"].distribution.constant == 0
