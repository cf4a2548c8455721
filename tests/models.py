"""A zoo of models: each small, each with something that an initialiser can trip over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from resnext29 import ResNeXt29
from tied_lm import TiedLM
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from wide_resnet import WideResNet

Builder = Callable[[], nn.Module]


def resnext() -> nn.Module:
    """ResNeXt-29 with two groups of four: grouped convolutions without biases."""
    return ResNeXt29(groups=2, base_width=4)


def wide_resnet() -> nn.Module:
    """WRN-10-1: pre-activation blocks, a shortcut only where the width changes."""
    return WideResNet(depth=10, widen=1)


def tied_lm() -> nn.Module:
    """A language model whose head is its embedding, with a padding row."""
    return TiedLM(vocabulary=64, width=32, layers=2, heads=4, length=16)


def mlp() -> nn.Module:
    """Two linear layers and an activation with a parameter."""
    return nn.Sequential(nn.Linear(8, 16), nn.PReLU(), nn.Linear(16, 4))


class Convolutions(nn.Module):
    """Every kind of convolution: plain, grouped, depthwise, transposed, transposed in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(4, 8, 3)
        self.grouped = nn.Conv2d(8, 16, 3, groups=4)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16)
        self.line = nn.Conv1d(4, 8, 5, bias=False)
        self.volume = nn.Conv3d(2, 4, 3)
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=2)
        self.up_grouped = nn.ConvTranspose2d(8, 8, 4, stride=2, groups=2)
        self.bn = nn.BatchNorm2d(8)


class Recurrent(nn.Module):
    """LSTM, GRU and RNN, stacked, two-way, projected, without bias; cells too."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True)
        self.projected = nn.LSTM(8, 16, proj_size=4)
        self.gru = nn.GRU(8, 16, bias=False)
        self.rnn = nn.RNN(8, 16)
        self.lstm_cell = nn.LSTMCell(8, 16)
        self.gru_cell = nn.GRUCell(8, 16)


class Attention(nn.Module):
    """Packed attention, attention with separate projections, attention with added rows."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = nn.MultiheadAttention(16, 4)
        self.unpacked = nn.MultiheadAttention(16, 4, kdim=8, vdim=12)
        self.extra = nn.MultiheadAttention(16, 4, bias=False, add_bias_kv=True)


class Norms(nn.Module):
    """Every norm of torch, with and without its parameters, and a foreign one."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(8)
        self.bare = nn.BatchNorm2d(8, affine=False)
        self.group = nn.GroupNorm(2, 8)
        self.layer = nn.LayerNorm(8)
        self.biasless = nn.LayerNorm(8, bias=False)
        self.instance = nn.InstanceNorm2d(8, affine=True)
        self.rms = nn.RMSNorm(8)
        self.foreign = ForeignNorm(8)


class ForeignNorm(nn.Module):
    """A norm that torch does not know."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * x.pow(2).mean(-1, keepdim=True).add(1e-6).rsqrt() * self.weight


class Lookups(nn.Module):
    """Embeddings with padding rows from both ends, a bag, a bilinear form."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Embedding(10, 4, padding_idx=0)
        self.last = nn.Embedding(10, 4, padding_idx=-1)
        self.bag = nn.EmbeddingBag(10, 4)
        self.bilinear = nn.Bilinear(4, 6, 8)


class Experts(nn.Module):
    """Three-dimensional expert weights, whose fans no shape can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(4, 8, 16))
        self.down = nn.Parameter(torch.empty(4, 16, 8))
        self.router = nn.Linear(8, 4, bias=False)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))


def parametrized() -> nn.Module:
    """Weights that are computed from others: weight_norm, spectral_norm, orthogonal, pruned."""
    pruned = prune.l1_unstructured(nn.Linear(8, 8), "weight", amount=0.5)
    return nn.ModuleDict(
        {
            "weight_norm": parametrizations.weight_norm(nn.Linear(8, 8)),
            "spectral": parametrizations.spectral_norm(nn.Linear(8, 8)),
            "orthogonal": parametrizations.orthogonal(nn.Linear(8, 8)),
            "pruned": pruned,
            "one_way": parametrize.register_parametrization(nn.Linear(8, 8), "weight", _OneWay()),
        }
    )


class _OneWay(nn.Module):
    """A parametrization without a way back."""

    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


def frozen() -> nn.Module:
    """A model whose first layer does not train."""
    model = mlp()
    model[0].requires_grad_(False)
    return model


class Shared(nn.Module):
    """One module under two names, one parameter in two modules, one layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.again = self.first
        self.other = nn.Linear(8, 8)
        self.other.bias = self.first.bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.other(self.first(self.first(x))))


@dataclass(eq=False)
class DataModule(nn.Module):
    """A module that is a dataclass."""

    width: int = 8

    def __post_init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(self.width, self.width)


ZOO: dict[str, Builder] = {
    "resnext": resnext,
    "wide_resnet": wide_resnet,
    "tied_lm": tied_lm,
    "mlp": mlp,
    "convolutions": Convolutions,
    "recurrent": Recurrent,
    "attention": Attention,
    "norms": Norms,
    "lookups": Lookups,
    "experts": Experts,
    "parametrized": parametrized,
    "frozen": frozen,
    "shared": Shared,
    "dataclass": DataModule,
}


def gpt2() -> nn.Module:
    """GPT-2 of transformers: Conv1D layers, the head tied to the embedding."""
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=2,
        n_head=2,
        n_embd=32,
        vocab_size=96,
        n_positions=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config)


def bert() -> nn.Module:
    """BERT of transformers: a padding row, a tied decoder with its bias."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=96,
    )
    return transformers.BertForMaskedLM(config)


def llama() -> nn.Module:
    """Llama of transformers: a foreign RMSNorm, no biases, an untied head."""
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=96,
    )
    return transformers.LlamaForCausalLM(config)


def mixtral() -> nn.Module:
    """Mixtral of transformers: stacked experts."""
    transformers = pytest.importorskip("transformers")
    config = transformers.MixtralConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=64,
        vocab_size=96,
        num_local_experts=4,
    )
    return transformers.MixtralForCausalLM(config)


def t5() -> nn.Module:
    """T5 of transformers: one embedding under four names."""
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=96
    )
    return transformers.T5ForConditionalGeneration(config)


def timm_vit() -> nn.Module:
    """A vision transformer of timm: class token, packed attention."""
    timm = pytest.importorskip("timm")
    sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 8}
    return timm.models.vision_transformer.VisionTransformer(num_classes=5, **sizes)


def timm_efficientnet() -> nn.Module:
    """An EfficientNet of timm: depthwise convolutions, squeeze-and-excite biases."""
    return pytest.importorskip("timm").create_model("efficientnet_b0", num_classes=5)


def timm_convnext() -> nn.Module:
    """A ConvNeXt of timm: LayerScale, norms over channels."""
    timm = pytest.importorskip("timm")
    return timm.create_model(
        "convnext_tiny", num_classes=5, depths=(1, 1, 2, 1), dims=(8, 16, 32, 64)
    )


def torchvision_resnet() -> nn.Module:
    """A ResNet of torchvision."""
    return pytest.importorskip("torchvision").models.resnet18(num_classes=5)


def torchvision_densenet() -> nn.Module:
    """A DenseNet of torchvision."""
    models = pytest.importorskip("torchvision").models
    return models.DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=5)


FOREIGN: dict[str, Builder] = {
    "transformers/gpt2": gpt2,
    "transformers/bert": bert,
    "transformers/llama": llama,
    "transformers/mixtral": mixtral,
    "transformers/t5": t5,
    "timm/vit": timm_vit,
    "timm/efficientnet": timm_efficientnet,
    "timm/convnext": timm_convnext,
    "torchvision/resnet": torchvision_resnet,
    "torchvision/densenet": torchvision_densenet,
}
