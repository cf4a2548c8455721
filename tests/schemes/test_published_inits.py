"""Starting values of published code, written again as rules, compared with that code's own loops.

The loops here are ours, after the papers and repositories that each names.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from published_inits import Bag, Published
from torch import Tensor, nn

from initkit import check_init

# ---- RWKV-4: src/model.py of BlinkDL/RWKV-LM

WIDE, DEEP = 48, 4
MIX = ("time_mix_k", "time_mix_v", "time_mix_r")


def rwkv() -> nn.Module:
    shapes = {"time_decay": (WIDE,), "time_first": (WIDE,), **dict.fromkeys(MIX, (1, 1, WIDE))}
    layers = [nn.ModuleDict({"att": Bag(**shapes), "key": nn.Linear(WIDE, WIDE, bias=False)})
              for _ in range(DEEP)]  # fmt: skip
    return nn.ModuleDict({"emb": nn.Embedding(60, WIDE), "blocks": nn.ModuleList(layers)})


def start_rwkv(model: Any) -> None:
    nn.init.uniform_(model["emb"].weight, -1e-4, 1e-4)
    for layer, block in enumerate(model["blocks"]):
        up, down = layer / (DEEP - 1), 1 - layer / DEEP
        att = block["att"]
        for h in range(WIDE):
            att.time_decay[h] = -5 + 8 * (h / (WIDE - 1)) ** (0.7 + 1.3 * up)
            att.time_first[h] = math.log(0.3) + ((h + 1) % 3 - 1) * 0.5
            share = h / WIDE
            att.time_mix_k[0, 0, h] = share**down
            att.time_mix_v[0, 0, h] = share**down + 0.3 * up
            att.time_mix_r[0, 0, h] = share ** (0.5 * down)
        block["key"].weight.zero_()


RWKV = {
    "emb.weight": "uniform(-1e-4, 1e-4)",
    "*.time_decay": "indexed(-5 + 8*(i/(n-1))**(0.7 + 1.3*layer/(n_layers-1)))",
    "*.time_first": "indexed(log(0.3) + ((i + 1) % 3 - 1)*0.5)",
    "*.time_mix_k": "indexed((i/n)**(1 - layer/n_layers))",
    "*.time_mix_v": "indexed((i/n)**(1 - layer/n_layers) + 0.3*layer/(n_layers-1))",
    "*.time_mix_r": "indexed((i/n)**(0.5*(1 - layer/n_layers)))",
    "*.key.weight": 0,
}

# ---- S4D-Lin by Gu et al. 2022: s4d.py of state-spaces/s4

CHANNELS, STATES = 64, 32


def s4d() -> nn.Module:
    half = (CHANNELS, STATES // 2)
    return Bag(log_A_real=half, A_imag=half, log_dt=(CHANNELS,), C=(*half, 2), D=(CHANNELS,))


def start_s4d(model: Any) -> None:
    model.log_A_real.copy_(torch.log(0.5 * torch.ones(CHANNELS, STATES // 2)))
    model.A_imag.copy_((math.pi * torch.arange(STATES // 2)).repeat(CHANNELS, 1))
    low, high = math.log(0.001), math.log(0.1)
    model.log_dt.copy_(torch.rand(CHANNELS) * (high - low) + low)
    model.C.copy_(torch.view_as_real(torch.randn(CHANNELS, STATES // 2, dtype=torch.cfloat)))
    model.D.copy_(torch.randn(CHANNELS))


S4D = {
    "log_A_real": "log(0.5)",
    "A_imag": "indexed(pi*i)",
    "log_dt": "uniform(log(0.001), log(0.1))",
    "C": "normal(std=sqrt(0.5))",
    "D": "normal",
}

# ---- LSTM by Jozefowicz et al. 2015


def start_lstm(model: Any) -> None:
    for name, weight in model.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):
                weight[model.hidden_size : 2 * model.hidden_size].fill_(1.0)
        else:
            for gate in weight.chunk(4):
                (nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_)(gate)


LSTM = {
    "weight_hh*": "orthogonal",
    "weight_ih*": "xavier_uniform",
    "bias_ih*": "gates(forget=1)",
    "bias_hh*": 0,
}

# ---- DLRM: dlrm_s_pytorch.py of facebookresearch/dlrm


def dlrm() -> nn.Module:
    tables = nn.ModuleList(nn.EmbeddingBag(n, 16, mode="sum") for n in (20, 300, 1000))
    mlp = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU())
    return nn.ModuleDict({"emb_l": tables, "bot_l": mlp})


def start_dlrm(model: Any) -> None:
    for table in model["emb_l"]:
        end = math.sqrt(1 / table.num_embeddings)
        table.weight.uniform_(-end, end)
    for layer in model["bot_l"]:
        if isinstance(layer, nn.Linear):
            m, n = layer.weight.shape
            layer.weight.normal_(0.0, math.sqrt(2 / (m + n)))
            layer.bias.normal_(0.0, math.sqrt(1 / m))


DLRM = {
    "emb_l.*": "uniform(-1/sqrt(shape[0]), 1/sqrt(shape[0]))",
    "bot_l.*.weight": "xavier_normal",
    "bot_l.*.bias": "normal(std=1/sqrt(shape[0]))",
}

# ---- the head of YOLOv5: models/yolo.py of ultralytics/yolov5

ANCHORS, CLASSES = 3, 80


def yolo() -> nn.Module:
    heads = (nn.Conv2d(32 * 2**i, ANCHORS * (5 + CLASSES), 1) for i in range(3))
    return nn.ModuleDict({"m": nn.ModuleList(heads)})


def start_yolo(model: Any) -> None:
    for layer, conv in enumerate(model["m"]):
        conv.reset_parameters()
        bias = conv.bias.view(ANCHORS, -1)
        bias[:, 4] += math.log(8 / (640 / (8 * 2**layer)) ** 2)
        bias[:, 5:] += math.log(0.6 / (CLASSES - 0.99999))


ANCHOR = (
    "blocks('torch_default', shifted('torch_default', 'log(8/(640/(8*2**layer))**2)'), "
    f"shifted('torch_default', 'log(0.6/({CLASSES} - 0.99999))'), sizes=(4, 1, {CLASSES}))"
)
YOLO = {"m.*.weight": "torch_default", "m.*.bias": f"blocks({ANCHOR}, {ANCHOR}, {ANCHOR})"}

# ---- GAT by Velickovic et al. 2018, and the grid of KAN by Liu et al. 2024

HEADS, SIZE = 8, 16


def gat() -> nn.Module:
    head = (1, HEADS, SIZE)
    return nn.ModuleDict({"lin": nn.Linear(40, HEADS * SIZE), "att": Bag(src=head, dst=head)})


def start_gat(model: Any) -> None:
    def glorot(weight: Tensor) -> None:
        end = math.sqrt(6 / (weight.shape[-2] + weight.shape[-1]))
        weight.uniform_(-end, end)

    glorot(model["lin"].weight)
    model["lin"].bias.zero_()
    glorot(model["att"].src)
    glorot(model["att"].dst)


GAT = {"lin.weight": "xavier_uniform", "lin.bias": 0,
       "att.*": "uniform(-sqrt(6/(shape[-2] + shape[-1])), sqrt(6/(shape[-2] + shape[-1])))"}  # fmt: skip  # noqa: E501


class Kan(nn.Module):
    """A layer of splines: efficient-kan's base weight and grid."""

    def __init__(self, grid_size: int = 5, order: int = 3) -> None:
        super().__init__()
        self.grid_size, self.order = grid_size, order
        self.base_weight = nn.Parameter(torch.zeros(30, 20))
        self.grid = nn.Parameter(torch.zeros(20, grid_size + 2 * order + 1))


def start_kan(model: Any) -> None:
    nn.init.kaiming_uniform_(model.base_weight, a=math.sqrt(5))
    step = 2 / model.grid_size
    knots = torch.arange(-model.order, model.grid_size + model.order + 1) * step - 1
    model.grid.copy_(knots.expand(20, -1))


KAN = {
    "base_weight": "kaiming_uniform(a=sqrt(5))",
    "grid": "indexed((i - owner.order)*2/owner.grid_size - 1)",
}

CASES = {
    "rwkv": Published(rwkv, start_rwkv, RWKV, ("time_", "key")),
    "s4d": Published(s4d, start_s4d, S4D, ("log_A_real", "A_imag")),
    "lstm": Published(lambda: nn.LSTM(20, 24, num_layers=2), start_lstm, LSTM, ("bias",)),
    "dlrm": Published(dlrm, start_dlrm, DLRM, ()),
    "yolo": Published(yolo, start_yolo, YOLO, ()),
    "gat": Published(gat, start_gat, GAT, ("bias",)),
    "kan": Published(Kan, start_kan, KAN, ("grid",)),
}


@pytest.mark.parametrize("case", CASES)
def test_rules_expect_what_published_code_writes(case: str) -> None:
    CASES[case].holds_for_theirs()


@pytest.mark.parametrize("case", CASES)
def test_rules_write_what_has_no_chance_in_it_as_published_code_does(case: str) -> None:
    CASES[case].writes_the_same()


@pytest.mark.parametrize("case", CASES)
def test_such_rules_go_through_files(case: str, tmp_path: Path) -> None:
    CASES[case].goes_through_files(tmp_path)


@pytest.mark.parametrize("name", ["time_decay", "time_mix_r"])
def test_another_exponent_is_found(name: str) -> None:
    model = rwkv()
    with torch.no_grad():
        start_rwkv(model)
        model["blocks"][1]["att"].get_parameter(name).pow_(1.0).mul_(1.001)
    assert not check_init(model, RWKV).ok
