"""Starting values of single layers of published models as rules alone, compared with our loops.

The loops follow the papers and repositories that each names; see `test_published_architectures`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from published_inits import Bag, Published, named, several
from torch import Tensor, nn

from initkit import apply_init, check_init

init = nn.init

# ---- Mamba-2 by Dao & Gu 2024: mamba2.py of state-spaces/mamba

HEADS = 24


def mamba2() -> nn.Module:
    def block() -> nn.Module:
        mixer = Bag(dt_bias=(HEADS,), A_log=(HEADS,), D=(HEADS,))
        out = nn.Linear(48, 24, bias=False)
        return named(mixer=mixer, conv1d=nn.Conv1d(48, 48, 4, groups=48), out_proj=out)

    return named(layers=several(2, block))


def start_mamba2(model: Any) -> None:
    for layer in model["layers"]:
        low, high = math.log(0.001), math.log(0.1)
        dt = torch.exp(torch.rand(HEADS) * (high - low) + low).clamp(min=1e-4)
        layer["mixer"].dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        layer["mixer"].A_log.uniform_(1, 16).log_()
        layer["mixer"].D.fill_(1)
        layer["conv1d"].reset_parameters()
        init.kaiming_uniform_(layer["out_proj"].weight, a=math.sqrt(5)).div_(math.sqrt(2))


MAMBA2 = {
    "*.dt_bias": "inverse_softplus_of(log_uniform(0.001, 0.1, floor=1e-4))",
    "*.A_log": "log_of(uniform(1, 16))",
    "*.D": 1,
    "*.conv1d.*": "torch_default",
    "*.out_proj.weight": "scaled(kaiming_uniform(a=sqrt(5)), 1/sqrt(n_layers))",
}

# ---- Griffin by De et al. 2024: the RG-LRU of google-deepmind/recurrentgemma


def griffin() -> nn.Module:
    gate, conv = Bag(w=(4, 16, 16), b=(4, 16)), Bag(w=(4, 64), b=(64,))
    return named(rg_lru=Bag(a_param=(64,)), gate=gate, conv=conv, out=nn.Linear(64, 32))


def start_griffin(model: Any) -> None:
    a = model["rg_lru"].a_param.uniform_(0.9**2 + 1e-8, 0.999**2 + 1e-8)
    a.log_().mul_(0.5).neg_().exp_().sub_(1.0).log_()
    model["gate"].w.normal_(std=math.sqrt(1 / 16))
    model["conv"].w.normal_(std=math.sqrt(0.01 / 4))
    model["out"].weight.normal_(std=math.sqrt(2 / 64))
    for bias in (model["gate"].b, model["conv"].b, model["out"].bias):
        bias.zero_()


RING = "uniform(0.9**2 + 1e-8, 0.999**2 + 1e-8)"
GRIFFIN = {
    "*.a_param": f"inverse_softplus_of(scaled(log_of({RING}), -0.5))",
    "gate.w": "normal(std=1/sqrt(shape[1]))",
    "conv.w": "normal(std=sqrt(0.01/shape[0]))",
    "out.weight": "normal(std=sqrt(2/fan_in))",
    "*": 0,
}

# ---- MEGA by Ma et al. 2022: the moving average of facebookresearch/mega, a table with noise

DIMS = 16


def mega() -> nn.Module:
    wide = dict.fromkeys(("delta", "alpha", "beta"), (64, DIMS, 1))
    return named(move=Bag(**wide, gamma=(64, DIMS), omega=(64,)))


def start_mega(model: Any) -> None:
    move = model["move"]
    signs = torch.ones(DIMS, 1).index_fill_(0, torch.arange(1, DIMS, 2), -1.0)
    move.delta.normal_(std=0.2)
    move.alpha.normal_(std=0.2)
    move.beta.normal_(std=0.02).add_(signs)
    move.gamma.normal_()
    move.omega.normal_()


MEGA = {
    "*.{delta,alpha}": "normal(std=0.2)",
    "*.beta": "sum(indexed(1 - 2*(i % 2), axis=-2), normal(std=0.02))",
    "*": "normal",
}

# ---- the Legendre memory unit by Voelker et al. 2019: its matrices before they are discretised

ORDER = 24


class Memory(nn.Module):
    """A cell whose memory is a delay line in Legendre polynomials."""

    A: Tensor
    B: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("A", torch.zeros(ORDER, ORDER))
        self.register_buffer("B", torch.zeros(ORDER, 1))
        self.encoders = Bag(x=(1, 12), h=(1, 64), m=(1, ORDER))
        self.kernels = Bag(x=(64, 12), h=(64, 64), m=(64, ORDER))


def start_memory(model: Any) -> None:
    for row in range(ORDER):
        model.B[row] = (-1.0) ** row * (2 * row + 1)
        for column in range(ORDER):
            sign = -1.0 if row < column else (-1.0) ** (row - column + 1)
            model.A[row, column] = (2 * row + 1) * sign
    for encoder in (model.encoders.x, model.encoders.h):
        end = math.sqrt(3 / encoder.shape[1])
        encoder.uniform_(-end, end)
    model.encoders.m.zero_()
    for kernel in model.kernels.parameters():
        init.xavier_normal_(kernel)


MEMORY = {
    "A": "indexed((2*i + 1)*where(i < j, -1, (-1)**(i - j + 1)))",
    "B": "indexed((-1)**i*(2*i + 1), axis=0)",
    "encoders.m": 0,
    "encoders.*": "lecun_uniform",
    "kernels.*": "xavier_normal",
}

# ---- NoisyNet by Fortunato et al. 2018, as Rainbow has it


class Noisy(nn.Module):
    """A layer with a deviation for every weight."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        self.mu = Bag(weight=(outputs, inputs), bias=(outputs,))
        self.sigma = Bag(weight=(outputs, inputs), bias=(outputs,))


def start_noisy(model: Any) -> None:
    for layer in model:
        end = 1 / math.sqrt(layer.in_features)
        layer.mu.weight.uniform_(-end, end)
        layer.mu.bias.uniform_(-end, end)
        layer.sigma.weight.fill_(0.5 / math.sqrt(layer.in_features))
        layer.sigma.bias.fill_(0.5 / math.sqrt(layer.out_features))


NOISY = {
    "*.mu.*": "uniform(-1/sqrt(around.in_features), 1/sqrt(around.in_features))",
    "*.sigma.weight": "0.5/sqrt(around.in_features)",
    "*.sigma.bias": "0.5/sqrt(around.out_features)",
}

# ---- IndRNN by Li et al. 2018: the last layer alone remembers 784 steps


def indrnn() -> nn.Module:
    return named(cells=several(4, lambda: named(lin=nn.Linear(32, 128), rec=Bag(weight=(128,)))))


def start_indrnn(model: Any) -> None:
    for place, cell in enumerate(model["cells"]):
        cell["lin"].weight.normal_(std=0.001)
        cell["lin"].bias.zero_()
        cell["rec"].weight.uniform_(0.5 ** (1 / 784) if place == 3 else 0, 2 ** (1 / 784))


INDRNN = {
    "*.rec.weight": "uniform(where(layer == n_layers - 1, 2**(-1/784), 0), 2**(1/784))",
    "*.weight": "normal(std=0.001)",
    "*.bias": 0,
}

# ---- Swin V2 by Liu et al. 2022: the tables of a window, in log-spaced coordinates


class Window(nn.Module):
    """Attention in windows of 8 x 8, whose places are buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.window = 8
        self.logit_scale = nn.Parameter(torch.zeros(4, 1, 1))
        self.qkv = nn.Linear(64, 192, bias=False)
        self.register_buffer("coords", torch.zeros(1, 15, 15, 2))
        self.register_buffer("index", torch.zeros(64, 64, dtype=torch.long))


def start_window(model: Any) -> None:
    line = torch.arange(-7.0, 8)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)[None] / 7 * 8
    model.coords.copy_(grid.sign() * torch.log2(grid.abs() + 1) / math.log2(8))
    places = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij"), -1)
    apart = places.view(-1, 1, 2) - places.view(1, -1, 2) + 7
    model.index.copy_(apart[..., 0] * 15 + apart[..., 1])
    model.logit_scale.fill_(math.log(10))
    init.trunc_normal_(model.qkv.weight, std=0.02)


FROM_MIDDLE = "(i - owner.window + 1)"
COORDS = f"where(i < n/2 - 1, -1, 1)*log(8*abs({FROM_MIDDLE})/(owner.window - 1) + 1)/log(8)"
WINDOW = {
    "coords": f"blocks(indexed({COORDS}, axis=1), indexed({COORDS}, axis=2), dim=-1)",
    "index": "indexed((i//8 - j//8 + 7)*15 + i % 8 - j % 8 + 7)",
    "logit_scale": "log(10)",
    "qkv.weight": "trunc_normal(std=0.02)",
}

# ---- EDM by Karras et al. 2022: the network of NVlabs/edm


def edm() -> nn.Module:
    layers = {"conv0": nn.Conv2d(32, 64, 3), "conv1": nn.Conv2d(64, 64, 3)}
    return named(affine=nn.Linear(64, 128), **layers, qkv=nn.Conv2d(64, 192, 1))


def start_edm(model: Any) -> None:
    scales = {"conv1": 1e-5, "qkv": math.sqrt(0.2)}
    for name, layer in model.items():
        fan_in = layer.weight[0].numel()
        values = torch.randn(layer.weight.shape) * math.sqrt(1 / fan_in)
        layer.weight.copy_(values * scales.get(name, 1))
        layer.bias.zero_()


EDM = {
    "conv1.weight": "scaled(lecun_normal, 1e-5)",
    "qkv.weight": "scaled(lecun_normal, sqrt(0.2))",
    "*.weight": "lecun_normal",
    "*.bias": 0,
}

# ---- complex-valued networks by Trabelsi et al. 2018: Rayleigh lengths and uniform angles


def start_complex(model: Any) -> None:
    def drawn() -> Tensor:
        sigma = 1 / math.sqrt(32 + 64)
        length = sigma * torch.sqrt(-2 * torch.log(1 - torch.rand(64, 32)))
        return torch.polar(length, 2 * math.pi * torch.rand(64, 32))

    parts = drawn()
    model["parts"].re.copy_(parts.real)
    model["parts"].im.copy_(parts.imag)
    model["whole"].weight.copy_(drawn())
    model["whole"].bias.zero_()


COMPLEX = {
    "parts.*": "normal(std=1/sqrt(shape[0] + shape[1]))",
    "whole.weight": "xavier_normal",
    "*.bias": 0,
}

# ---- AlphaFold 2 by Jumper et al. 2021: primitives.py of aqlaboratory/openfold


def openfold() -> nn.Module:
    attention = named(q=nn.Linear(32, 64, bias=False), g=nn.Linear(32, 64), o=nn.Linear(64, 32))
    transition = named(first=nn.Linear(32, 128), second=nn.Linear(128, 32))
    return named(attention=attention, transition=transition, ipa=Bag(head_weights=(12,)))


def start_openfold(model: Any) -> None:
    attention, transition = model["attention"], model["transition"]
    for layer in (*attention.values(), *transition.values()):
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    init.xavier_uniform_(attention["q"].weight)
    attention["g"].bias.fill_(1)
    std = math.sqrt(2 / 32) / 0.87962566103423978
    init.trunc_normal_(transition["first"].weight, std=std, a=-2 * std, b=2 * std)
    model["ipa"].head_weights.fill_(0.541324854612918)


OPENFOLD = {
    "*.q.weight": "xavier_uniform",
    "*.g": {"weight": 0, "bias": 1},
    "*.first.weight": "variance_scaling(scale=2)",
    "*.head_weights": "log(exp(1) - 1)",
    "*": 0,
}

# ---- GemNet by Gasteiger et al. 2021: TUM-DAML/gemnet_pytorch


def gemnet() -> nn.Module:
    layers = several(2, lambda: nn.Linear(64, 64, bias=False))
    basis = Bag(frequencies=(16,))
    return named(
        dense=nn.Linear(64, 128, bias=False), res=layers, emb=nn.Embedding(93, 64), rbf=basis
    )


def start_gemnet(model: Any) -> None:
    for weight in (model["dense"].weight, *(layer.weight for layer in model["res"])):
        init.orthogonal_(weight)
        var, mean = torch.var_mean(weight, dim=1, unbiased=True, keepdim=True)
        weight.copy_((weight - mean) / (var + 1e-6) ** 0.5 * (1 / weight.shape[1]) ** 0.5)
    model["emb"].weight.uniform_(-math.sqrt(3), math.sqrt(3))
    model["rbf"].frequencies.copy_(math.pi * torch.arange(1, 17))


GEMNET = {
    "*.frequencies": "indexed(pi*(i + 1))",
    "emb.weight": "uniform(-sqrt(3), sqrt(3))",
    "*.weight": "he_orthogonal",
}

# ---- HiFi-GAN by Kong et al. 2020: convolutions under weight norm, a discriminator's under another


def hifigan() -> nn.Module:
    weight_norm = nn.utils.parametrizations.weight_norm
    up = weight_norm(nn.ConvTranspose1d(32, 16, 4, 2))
    spectral = nn.utils.parametrizations.spectral_norm(nn.Conv1d(16, 8, 5))
    return nn.Sequential(weight_norm(nn.Conv1d(16, 32, 7)), nn.LeakyReLU(), up, spectral)


def start_hifigan(model: Any) -> None:
    for layer in (model[0], model[2], model[3]):
        values = torch.randn(layer.weight.shape) * 0.01
        if hasattr(layer.parametrizations.weight, "original0"):
            layer.weight = values
        else:
            layer.parametrizations.weight.original.copy_(values)
        layer.bias.zero_()


HIFIGAN = {"*.weight": "normal(std=0.01)", "*.bias": 0}

CASES = {
    "mamba2": Published(mamba2, start_mamba2, MAMBA2, (".D",)),
    "griffin": Published(griffin, start_griffin, GRIFFIN, (".b",)),
    "mega": Published(mega, start_mega, MEGA),
    "lmu": Published(Memory, start_memory, MEMORY, ("A", "B", "encoders.m"), buffers=True),
    "noisynet": Published(
        lambda: nn.Sequential(Noisy(64, 128), Noisy(128, 6)), start_noisy, NOISY, ("sigma",)
    ),
    "indrnn": Published(indrnn, start_indrnn, INDRNN, ("bias",)),
    "swin v2": Published(Window, start_window, WINDOW, ("coords", "index", "logit"), buffers=True),
    "edm": Published(edm, start_edm, EDM, ("bias",)),
    "complex": Published(
        lambda: named(
            parts=Bag(re=(64, 32), im=(64, 32)), whole=nn.Linear(32, 64, dtype=torch.complex64)
        ),
        start_complex,
        COMPLEX,
        ("bias",),
    ),
    "openfold": Published(
        openfold, start_openfold, OPENFOLD, (".g.", ".o.", "second", "head_weights", "bias")
    ),
    "gemnet": Published(gemnet, start_gemnet, GEMNET, ("frequencies",)),
    "hifigan": Published(hifigan, start_hifigan, HIFIGAN, ("bias",)),
}


@pytest.mark.parametrize("case", CASES)
def test_rules_expect_what_published_code_writes(case: str) -> None:
    CASES[case].holds_for_theirs()


@pytest.mark.parametrize("case", CASES)
def test_rules_write_as_published_code_does(case: str) -> None:
    CASES[case].writes_the_same()


@pytest.mark.parametrize("case", CASES)
def test_such_rules_go_through_files(case: str, tmp_path: Path) -> None:
    CASES[case].goes_through_files(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_published_values_a_little_off_are_found(case: str) -> None:
    CASES[case].tells_what_is_off()


def test_a_checkpoint_shrunk_and_perturbed_is_checked_by_its_noise(tmp_path: Path) -> None:
    """As Ash & Adams 2020 start again from trained weights."""
    trained, again = nn.Linear(64, 48), nn.Linear(64, 48)
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    path = str(tmp_path / "trained.pt")
    rules = {"*": f"sum(scaled(pretrained({path!r}), 0.4), normal(std=0.1*0.02))"}
    apply_init(again, rules, seed=0)
    noise = (again.weight - 0.4 * trained.weight).detach()
    assert float(noise.std()) == pytest.approx(0.002, rel=0.05)
    assert check_init(again, rules).ok
    with torch.no_grad():
        for ours, theirs in zip(again.parameters(), trained.parameters(), strict=True):
            ours.copy_(0.4 * theirs + 0.002 * torch.randn(theirs.shape))
        assert check_init(again, rules).ok
        again.weight.mul_(1.1)
    assert not check_init(again, rules).ok
