"""Starting values of published architectures as rules alone, compared with loops of our own.

The loops follow the papers and repositories that each names; see `test_published_inits` for more.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from published_inits import Bag, Published, named, several, tensors
from torch import nn

from initkit import check_init

init = nn.init


# ---- xLSTM by Beck et al. 2024: the gates of sLSTM and mLSTM in NX-AI/xlstm

HEADS, WIDE = 4, 16


def xlstm() -> nn.Module:
    def block() -> nn.Module:
        cell = Bag(bias=(HEADS, 4, WIDE), recurrent_kernel=(HEADS, WIDE, 4, WIDE))
        gate = nn.Linear(3 * WIDE, HEADS)
        return named(slstm=cell, igate=gate, fgate=nn.Linear(3 * WIDE, HEADS))

    return named(blocks=several(3, block))


def start_xlstm(model: Any) -> None:
    for layer, block in enumerate(model["blocks"]):
        for parameter in block.parameters():
            parameter.zero_()
        power = 0.3 + 1.3 * layer / 2
        line = torch.arange(WIDE) / (WIDE - 1)
        block["slstm"].bias[:, 1] = 5 - 12 * line**power
        block["igate"].bias.normal_(0, 0.1)
        block["fgate"].bias.copy_(torch.linspace(3, 6, HEADS))


XLSTM = {
    "*.slstm.bias": "gates(forget=indexed(5 - 12*(i/(n-1))**(0.3 + 1.3*layer/(n_layers-1))), "
    "order=ifzo, dim=1)",
    "*.fgate.bias": "indexed(3 + 3*i/(n-1))",
    "*.igate.bias": "normal(std=0.1)",
    "*": 0,
}

# ---- RetNet by Sun et al. 2023: torchscale's multiscale retention


class Decays(nn.Module):
    """The logarithms of what each head forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("decay", torch.zeros(8))


def retnet() -> nn.Module:
    names = ("q_proj", "k_proj", "v_proj", "g_proj", "out_proj")
    layers = {name: nn.Linear(32, 32, bias=False) for name in names}
    return named(layers=several(2, lambda: named(decay=Decays(), **layers)))


def start_retnet(model: Any) -> None:
    for layer in model["layers"]:
        layer["decay"].decay.copy_(torch.log(1 - 2.0 ** (-5 - torch.arange(8.0))))
        for name in "qkvg":
            init.xavier_uniform_(layer[f"{name}_proj"].weight, gain=2**-2.5)
        init.xavier_uniform_(layer["out_proj"].weight, gain=2**-1)


RETNET = {
    "*.{q,k,v,g}_proj.weight": "xavier_uniform(gain=2**-2.5)",
    "*.out_proj.weight": "xavier_uniform(gain=0.5)",
    "*.decay": "indexed(log(1 - 2**(-5 - i)))",
}

# ---- Hyena by Poli et al. 2023: the implicit filters of HazyResearch/safari

LENGTH, BANDS, DEEP = 40, 4, 24


def hyena() -> nn.Module:
    table = {"z": (1, LENGTH, 1 + 2 * BANDS), "deltas": (1, 1, DEEP), "freq": (1, DEEP)}
    return named(filter=Bag(**table, bias=(DEEP,)), mlp=nn.Linear(1 + 2 * BANDS, DEEP))


def start_hyena(model: Any) -> None:
    weights = model["filter"]
    t = torch.linspace(0, 1, LENGTH)[:, None]
    w = 2 * math.pi * torch.arange(LENGTH)[:, None] / LENGTH
    wave = torch.exp(-1j * torch.linspace(1e-4, BANDS - 1, BANDS)[None] * w)
    weights.z.copy_(torch.cat([t, wave.real, wave.imag], 1)[None])
    fast, slow = math.log(0.01) / 0.3, math.log(0.01) / 1.5
    weights.deltas.copy_(torch.linspace(slow, fast, DEEP)[None, None])
    weights.freq.fill_(10)
    weights.bias.normal_()
    model["mlp"].reset_parameters()


ANGLE = "2*pi*i/n*(1e-4 + j*(m - 1 - 1e-4)/(m - 1))"
HYENA = {
    "filter.z": f"blocks(indexed(i/(n-1) + 0*j), indexed(cos({ANGLE})), indexed(-sin({ANGLE})), "
    f"dim=-1, sizes=(1, {BANDS}, {BANDS}))",
    "filter.deltas": "indexed(log(0.01)*(1/1.5 + i/(n-1)*(1/0.3 - 1/1.5)))",
    "filter.freq": 10,
    "filter.bias": "normal",
    "mlp.*": "torch_default",
}

# ---- Performer by Choromanski et al. 2020: orthogonal random features


class Features(nn.Module):
    """The directions of the kernel's features."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection_matrix", torch.zeros(80, 32))


def start_performer(model: Any) -> None:
    blocks = [torch.linalg.qr(torch.randn(32, 32)).Q.T for _ in range(3)]
    lengths = torch.randn(80, 32).norm(dim=1)
    model.projection_matrix.copy_(lengths[:, None] * torch.cat(blocks)[:80])


# ---- Glow by Kingma & Dhariwal 2018: the LU form of its invertible convolution


def start_glow(model: Any) -> None:
    p, low, up = torch.linalg.lu(torch.linalg.qr(torch.randn(12, 12)).Q)
    diagonal = up.diagonal()
    model.p.copy_(p)
    model.l.copy_(low)
    model.u.copy_(up.triu(1))
    model.sign_s.copy_(diagonal.sign())
    model.log_s.copy_(diagonal.abs().log())


def glow() -> nn.Module:
    square = (12, 12)
    return Bag(p=square, l=square, u=square, sign_s=(12,), log_s=(12,))


# ---- SDF geometry by Atzmon & Lipman 2020, with positional encoding and a skip, as in NeuS

INPUTS, HIDDEN = 39, 64


def sdf() -> nn.Module:
    sizes = [(INPUTS, HIDDEN), (HIDDEN, HIDDEN - INPUTS), (HIDDEN, HIDDEN), (HIDDEN, 1)]
    return named(lin=nn.ModuleList(nn.Linear(*size) for size in sizes))


def start_sdf(model: Any) -> None:
    *hidden, last = model["lin"]
    for place, layer in enumerate(hidden):
        init.zeros_(layer.bias)
        std = math.sqrt(2) / math.sqrt(layer.out_features)
        init.normal_(layer.weight, 0.0, std)
        if place == 0:
            layer.weight[:, 3:] = 0
        elif place == 2:  # the inputs come again, behind what is hidden
            layer.weight[:, -(INPUTS - 3) :] = 0
    init.normal_(last.weight, math.sqrt(math.pi) / math.sqrt(last.in_features), 1e-4)
    init.constant_(last.bias, -0.5)


SDF = {
    "lin.0.weight": "blocks(normal(std=sqrt(2/fan_out)), 0, dim=1, sizes=(3, shape[1] - 3))",
    "lin.2.weight": "blocks(normal(std=sqrt(2/fan_out)), 0, dim=1, "
    f"sizes=(shape[1] - {INPUTS - 3}, {INPUTS - 3}))",
    "lin.3.weight": "normal(mean=sqrt(pi/fan_in), std=1e-4)",
    "lin.3.bias": -0.5,
    "*.weight": "normal(std=sqrt(2/fan_out))",
    "*.bias": 0,
}

# ---- twin critics with targets: TD3 by Fujimoto et al. 2018, weights as in MBPO's code


def critics() -> nn.Module:
    def critic() -> nn.Module:
        return nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 1))

    return named(q1=critic(), q2=critic(), target=named(q1=critic(), q2=critic()))


def start_critics(model: Any) -> None:
    for name in ("q1", "q2"):
        for layer in model[name]:
            if isinstance(layer, nn.Linear):
                std = 1 / (2 * math.sqrt(layer.in_features))
                init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
                layer.bias.zero_()
        model["target"][name].load_state_dict(model[name].state_dict())


CRITICS = {
    "target.*": "copy_of('*')",
    "*.weight": "trunc_normal(std=1/(2*sqrt(fan_in)), cutoff=2)",
    "*.bias": 0,
}

# ---- SIREN by Sitzmann et al. 2020, and the layers of NeRF by Mildenhall et al. 2020


def fields() -> nn.Module:
    siren = nn.Sequential(*(nn.Linear(*size) for size in ((2, 64), (64, 64), (64, 3))))
    return named(siren=siren, nerf=nn.Sequential(nn.Linear(63, 64), nn.Linear(64, 4)))


def start_fields(model: Any) -> None:
    for place, layer in enumerate(model["siren"]):
        layer.reset_parameters()
        n = layer.in_features
        end = 1 / n if place == 0 else math.sqrt(6 / n) / 30
        layer.weight.uniform_(-end, end)
    for layer in model["nerf"]:
        init.xavier_uniform_(layer.weight)
        init.zeros_(layer.bias)


FIELDS = {
    "siren.0.weight": "uniform(-1/fan_in, 1/fan_in)",
    "siren.*.weight": "uniform(-sqrt(6/fan_in)/30, sqrt(6/fan_in)/30)",
    "siren.*.bias": "torch_default",
    "nerf.*.weight": "xavier_uniform",
    "nerf.*.bias": 0,
}

# ---- Mamba by Gu & Dao 2023: mamba_simple.py of state-spaces/mamba

INNER, STATE, RANK, LAYERS = 64, 16, 6, 3


def mamba() -> nn.Module:
    def block() -> nn.Module:
        return named(
            ssm=Bag(A_log=(INNER, STATE), D=(INNER,)),
            dt_proj=nn.Linear(RANK, INNER),
            out_proj=nn.Linear(INNER, 32, bias=False),
        )

    return named(layers=several(LAYERS, block))


def start_mamba(model: Any) -> None:
    for layer in model["layers"]:
        layer["ssm"].A_log.copy_(torch.log(torch.arange(1.0, STATE + 1)).expand(INNER, -1))
        layer["ssm"].D.fill_(1)
        end = RANK**-0.5
        init.uniform_(layer["dt_proj"].weight, -end, end)
        low, high = math.log(0.001), math.log(0.1)
        dt = torch.exp(torch.rand(INNER) * (high - low) + low).clamp(min=1e-4)
        layer["dt_proj"].bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        init.kaiming_uniform_(layer["out_proj"].weight, a=math.sqrt(5))
        layer["out_proj"].weight.div_(math.sqrt(LAYERS))


MAMBA = {
    "*.A_log": "indexed(log(i + 1))",
    "*.D": 1,
    "*.dt_proj.weight": "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))",
    "*.dt_proj.bias": "inverse_softplus_of(log_uniform(0.001, 0.1, floor=1e-4))",
    "*.out_proj.weight": "scaled(kaiming_uniform(a=sqrt(5)), 1/sqrt(n_layers))",
}

# ---- DiT by Peebles & Xie 2023: adaLN-Zero


class Block(nn.Module):
    """A block whose modulation starts at nothing, so that it is the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.mlp = nn.Linear(32, 96), nn.Linear(32, 32)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(32, 192))


def dit() -> nn.Module:
    steps = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 32))
    model = named(x=nn.Conv2d(4, 32, 2, 2), y=nn.Embedding(11, 32), t=steps)
    model["blocks"], model["final"] = several(2, Block), nn.Linear(32, 16)
    return model


def start_dit(model: Any) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            init.xavier_uniform_(layer.weight)
            init.zeros_(layer.bias)
    patch = model["x"]
    init.xavier_uniform_(patch.weight.view(32, -1))
    init.zeros_(patch.bias)
    init.normal_(model["y"].weight, std=0.02)
    for place in (0, 2):
        init.normal_(model["t"][place].weight, std=0.02)
    for layer in (*(block.adaLN_modulation[-1] for block in model["blocks"]), model["final"]):
        init.zeros_(layer.weight)
        init.zeros_(layer.bias)


DIT = {
    "last:*.adaLN_modulation": 0,
    "final.*": 0,
    # Of the patches as rows of a matrix, so that the window counts for the inputs alone.
    "x.weight": "uniform(-sqrt(6/(fan_in + shape[0])), sqrt(6/(fan_in + shape[0])))",
    "t.*.weight": "normal(std=0.02)",
    "y.weight": "normal(std=0.02)",
    "*.weight": "xavier_uniform",
    "*.bias": 0,
}

# ---- sub-pixel convolution by Aitken et al. 2017 (ICNR)


def start_icnr(model: Any) -> None:
    pixels = torch.empty(8, 16, 3, 3)
    init.kaiming_normal_(pixels)
    model[0].weight.copy_(pixels.repeat_interleave(4, 0))
    model[0].bias.zero_()


# ---- ControlNet by Zhang et al. 2023: a copy of the encoder, and convolutions of zeros


def controlnet() -> nn.Module:
    def encoder() -> nn.Module:
        return nn.Sequential(nn.Conv2d(4, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3))

    return named(unet=named(encoder=encoder()), control=encoder(),
                 zero_convs=several(3, lambda: nn.Conv2d(8, 8, 1)))  # fmt: skip


def start_controlnet(model: Any) -> None:
    model["control"].load_state_dict(model["unet"]["encoder"].state_dict())
    for conv in model["zero_convs"]:
        init.zeros_(conv.weight)
        init.zeros_(conv.bias)


CONTROLNET = {
    "control.*": "copy_of('unet.encoder.*')",
    "zero_convs.*": 0,
    "unet.*": "torch_default",
}

# ---- the LRU by Orvieto et al. 2023: eigenvalues uniform on a ring


def start_lru(model: Any) -> None:
    low, high = 0.9, 0.999
    u = torch.rand(model.nu_log.shape)
    model.nu_log.copy_(torch.log(-0.5 * torch.log(u * (high**2 - low**2) + low**2)))
    model.theta_log.copy_(torch.log(6.28 * torch.rand(model.theta_log.shape)))
    model.B.normal_().div_(math.sqrt(2 * model.B.shape[1]))


LRU = {
    "nu_log": "log_of(scaled(log_of(uniform(0.9**2, 0.999**2)), -0.5))",
    "theta_log": "log_of(uniform(0, 6.28))",
    "B": "normal(std=1/sqrt(2*shape[1]))",
}

CASES = {
    "xlstm": Published(xlstm, start_xlstm, XLSTM, ("slstm", "fgate", "igate.weight")),
    "retnet": Published(retnet, start_retnet, RETNET, ("decay",), buffers=True),
    "hyena": Published(hyena, start_hyena, HYENA, ("z", "deltas", "freq")),
    "performer": Published(Features, start_performer, {"*": "random_features"}, buffers=True),
    "glow": Published(glow, start_glow, {"{p,l,u,sign_s,log_s}": "glow_lu"}),
    "sdf": Published(sdf, start_sdf, SDF, ("bias",)),
    "critics": Published(critics, start_critics, CRITICS, ("bias",)),
    "siren and nerf": Published(fields, start_fields, FIELDS, ("nerf.0.bias",)),
    "mamba": Published(mamba, start_mamba, MAMBA, ("A_log", "D")),
    "dit": Published(dit, start_dit, DIT, ("adaLN", "final", "bias")),
    "icnr": Published(
        lambda: nn.Sequential(nn.Conv2d(16, 32, 3), nn.PixelShuffle(2)),
        start_icnr,
        {"*.weight": "icnr(kaiming_normal)", "*.bias": 0},
        ("bias",),
    ),
    "lru": Published(lambda: Bag(nu_log=(64,), theta_log=(64,), B=(64, 32)), start_lru, LRU),
    "controlnet": Published(controlnet, start_controlnet, CONTROLNET, ("zero",)),
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


@pytest.mark.parametrize("case", ["xlstm", "hyena", "mamba", "sdf", "glow", "icnr", "performer"])
def test_published_values_a_little_off_are_found(case: str) -> None:
    model = CASES[case].started(0)
    with torch.no_grad():
        max(tensors(model).values(), key=torch.Tensor.numel).add_(0.3)
    assert not check_init(model, CASES[case].rules, buffers=CASES[case].buffers).ok
