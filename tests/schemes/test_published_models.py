"""Starting values of more published models as rules alone: sets, tables, operators, world models.

The loops follow the papers and repositories that each names; see `test_published_architectures`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from published_inits import Bag, Published, named, several
from torch import nn

init = nn.init

# ---- TabNet by Arik & Pfister 2021: tab_network.py of dreamquark-ai/tabnet


def tabnet() -> nn.Module:
    glu = several(2, lambda: named(fc=nn.Linear(24, 48, bias=False), bn=nn.BatchNorm1d(48)))
    return named(glu=glu, initial=nn.Linear(16, 64, bias=False), final=nn.Linear(24, 40))


def start_tabnet(model: Any) -> None:
    for layer in (*(block["fc"] for block in model["glu"]), model["initial"], model["final"]):
        inner, out = layer.in_features, layer.out_features
        least = inner if out == 2 * inner else 4 * inner
        init.xavier_normal_(layer.weight, gain=math.sqrt((inner + out) / math.sqrt(least)))


TABNET = {
    "*.bn.*": "torch_default",
    "glu.*.fc.weight": "xavier_normal(gain=sqrt((fan_in + fan_out)/sqrt(fan_in)))",
    "*.weight": "xavier_normal(gain=sqrt((fan_in + fan_out)/sqrt(4*fan_in)))",
    "*.bias": "torch_default",
}

# ---- Slot attention by Locatello et al. 2020 (lucidrains/slot-attention), and inducing points of
# ---- the Set Transformer by Lee et al. 2019 (juho-lee/set_transformer)


def sets() -> nn.Module:
    slots = Bag(slots_mu=(1, 1, 256), slots_logsigma=(1, 1, 256))
    return named(slots=slots, isab=Bag(I=(1, 32, 64)), to_q=nn.Linear(64, 64))


def start_sets(model: Any) -> None:
    model["slots"].slots_mu.normal_()
    init.xavier_uniform_(model["slots"].slots_logsigma)
    init.xavier_uniform_(model["isab"].I)


SETS = {
    "*.slots_mu": "normal",
    "{slots.slots_logsigma,isab.I}": "xavier_uniform(fans='tensor')",
    "*": "torch_default",
}

# ---- Fourier neural operator by Li et al. 2021: neuraloperator/neuraloperator, the first one


class Spectral(nn.Module):
    """Complex weights for some modes."""

    def __init__(self) -> None:
        super().__init__()
        shape = (16, 20, 6, 6)
        self.weights1 = nn.Parameter(torch.zeros(shape, dtype=torch.cfloat))
        self.weights2 = nn.Parameter(torch.zeros(shape, dtype=torch.cfloat))


def start_operator(model: Any) -> None:
    for layer in model["layers"]:
        for weight in layer.parameters():
            weight.copy_(torch.rand(weight.shape, dtype=torch.cfloat) / (16 * 20))


OPERATOR = {"*.weights?": "uniform(0, 1/(shape[0]*shape[1]))", "*": "torch_default"}

# ---- TD-MPC2 by Hansen et al. 2024: common/init.py of nicklashansen/tdmpc2


def world_model() -> nn.Module:
    ensemble = nn.ParameterList([torch.zeros(5, 32, 48), torch.zeros(5, 1, 48)])
    parts = {"encoder": nn.Linear(32, 48), "reward": nn.Linear(48, 101), "qs": ensemble}
    return named(**parts, tasks=nn.Embedding(40, 96), target=nn.Linear(32, 48))


def start_world_model(model: Any) -> None:
    for name in ("encoder", "reward"):
        init.trunc_normal_(model[name].weight, std=0.02)
        model[name].bias.zero_()
    init.trunc_normal_(model["qs"][0], std=0.02)
    model["reward"].weight.zero_()
    model["tasks"].weight.uniform_(-0.02, 0.02)
    model["target"].load_state_dict(model["encoder"].state_dict())


WORLD_MODEL = {
    "target.*": "copy_of('encoder.*')",
    "reward.weight": 0,
    "{qs.0,encoder.weight}": "trunc_normal(std=0.02)",
    nn.Embedding: {"weight": "uniform(-0.02, 0.02)"},
    "*": 0,
}

# ---- DreamerV3 by Hafner et al. 2023: tools.py of NM512/dreamerv3-torch


def dreamer() -> nn.Module:
    convs = nn.Sequential(nn.Conv2d(3, 32, 4, bias=False), nn.Conv2d(32, 48, 4, bias=False))
    return named(convs=convs, actor=nn.Linear(64, 48), reward=nn.Linear(64, 255))


def start_dreamer(model: Any) -> None:
    for layer in (*model["convs"], model["actor"], model["reward"]):
        weight = layer.weight
        mean = math.prod(weight.shape[2:]) * (weight.shape[0] + weight.shape[1]) / 2
        std = math.sqrt(1 / mean) / 0.87962566103423978
        init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
        if layer.bias is not None:
            layer.bias.zero_()
    model["actor"].weight.uniform_(-math.sqrt(3 / 56), math.sqrt(3 / 56))
    model["reward"].weight.zero_()


DREAMER = {
    "actor.weight": "variance_scaling(scale=1, mode='fan_avg', distribution='uniform')",
    "reward.weight": 0,
    "*.weight": "trunc_normal(std=sqrt(1/fan_avg)/0.87962566103423978, cutoff=2)",
    "*.bias": 0,
}

# ---- N-BEATS by Oreshkin et al. 2020: models/nbeats.py of ServiceNow/N-BEATS, and the codebook of
# ---- VQ-VAE by van den Oord et al. 2017: zalandoresearch/pytorch-vq-vae


def bases() -> nn.Module:
    basis = Bag(trend=(4, 30), cosine=(10, 30), sine=(10, 30))
    return named(basis=basis, codes=nn.Embedding(128, 16))


def start_bases(model: Any) -> None:
    time = torch.arange(30) / 30
    model["basis"].trend.copy_(torch.stack([time**i for i in range(4)]))
    waves = 2 * math.pi * torch.arange(10)[:, None] * time
    model["basis"].cosine.copy_(waves.cos())
    model["basis"].sine.copy_(waves.sin())
    model["codes"].weight.uniform_(-1 / 128, 1 / 128)


BASES = {
    "basis.trend": "indexed((j/m)**i)",
    "basis.cosine": "indexed(cos(2*pi*i*j/m))",
    "basis.sine": "indexed(sin(2*pi*i*j/m))",
    "codes.weight": "uniform(-1/shape[0], 1/shape[0])",
}

# ---- DimeNet by Gasteiger et al. 2020: nn/models/dimenet.py of pyg-team/pytorch_geometric


def dimenet() -> nn.Module:
    layer = nn.Linear(64, 64)
    down, up = nn.Linear(64, 32, bias=False), nn.Linear(32, 64, bias=False)
    rbf, out = Bag(freq=(6,)), nn.Linear(64, 12, bias=False)
    return named(rbf=rbf, emb=nn.Embedding(95, 64), lin=layer, down=down, up=up, out=out)


def start_dimenet(model: Any) -> None:
    model["rbf"].freq.copy_(torch.arange(1, 7) * math.pi)
    model["emb"].weight.uniform_(-math.sqrt(3), math.sqrt(3))
    for name in ("lin", "down", "up"):
        weight = model[name].weight
        init.orthogonal_(weight)
        weight.mul_((2.0 / (sum(weight.shape) * weight.var())).sqrt())
    model["lin"].bias.zero_()
    model["out"].weight.zero_()


DIMENET = {
    "rbf.freq": "indexed((i + 1)*pi)",
    "emb.weight": "uniform(-sqrt(3), sqrt(3))",
    "out.weight": 0,
    "*.weight": "glorot_orthogonal",
    "*.bias": 0,
}

# ---- VICReg-like twins, one of which starts from the other with noise; Gumbel-softmax logits


def twins() -> nn.Module:
    return named(one=nn.Linear(64, 48), two=nn.Linear(64, 48), gates=Bag(logits=(40, 16)))


def start_twins(model: Any) -> None:
    for one, two in zip(model["one"].parameters(), model["two"].parameters(), strict=True):
        two.copy_(one + 0.01 * torch.randn(one.shape))
    model["gates"].logits.copy_(-torch.rand(40, 16).clamp(1e-9).log().neg().log())


TWINS = {
    "two.*": "sum(copy_of('one.*'), normal(std=0.01))",
    "gates.logits": "quantile(-log(-log(u)))",
    "one.*": "torch_default",
}

CASES = {
    "tabnet": Published(tabnet, start_tabnet, TABNET, ("bn",)),
    "sets": Published(sets, start_sets, SETS),
    "fourier operator": Published(
        lambda: named(layers=several(2, Spectral), out=nn.Linear(16, 8)), start_operator, OPERATOR
    ),
    "td-mpc2": Published(world_model, start_world_model, WORLD_MODEL, ("reward", "bias", "qs.1")),
    "dreamer": Published(dreamer, start_dreamer, DREAMER, ("reward", "bias")),
    "bases": Published(bases, start_bases, BASES, ("trend",)),  # their angles are of float32
    "dimenet": Published(dimenet, start_dimenet, DIMENET, ("rbf", "out", "bias")),
    "twins": Published(twins, start_twins, TWINS),
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
