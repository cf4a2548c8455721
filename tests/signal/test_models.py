"""Published models, built small, have no problem; a fault that is planted in one is found."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from initkit import apply_init, probe_init

pytestmark = pytest.mark.models
IDS = torch.randint(96, (4, 16), generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 96,
}
TEXT = {
    "GPT2": {"n_layer": 4, "n_head": 4, "n_embd": 64, "vocab_size": 96, "n_positions": 32},
    "Bert": SMALL,
    "Llama": SMALL,
    "Mixtral": SMALL | {"num_key_value_heads": 2, "num_local_experts": 4},
    "GPTNeoX": SMALL,
    "OPT": SMALL | {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "Qwen2": SMALL | {"num_key_value_heads": 2},
    "Gemma": SMALL | {"num_key_value_heads": 2, "head_dim": 16},
    "Mamba": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 96},
    "Electra": SMALL | {"embedding_size": 32},
}
IMAGE = (
    "resnet18 efficientnet_b0 mobilenetv3_small_100 convnext_atto vit_tiny_patch16_224 "
    "regnety_002 mixer_s32_224 nf_resnet26 eva02_tiny_patch14_224 xcit_nano_12_p16_224"
).split()


def text_model(name: str) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**TEXT[name])
    ends = ("LMHeadModel", "ForCausalLM", "ForMaskedLM")
    cls = next(c for end in ends if (c := getattr(transformers, f"{name}{end}", None)))
    return cls(config)


def judge(output: Tensor) -> Tensor:
    return F.cross_entropy(output, torch.arange(len(output)))


@pytest.mark.parametrize("name", TEXT)
def test_a_published_language_model_has_no_problem(name: str) -> None:
    probe = probe_init(text_model(name), input_ids=IDS, labels=IDS)
    assert probe.problems == ()
    assert len(probe.trunk.names) == TEXT[name].get("n_layer", 3) and probe.sums
    assert all(p.uses for p in probe.parameters) or name in ("Bert", "Electra", "Mixtral")


@pytest.mark.parametrize("name", IMAGE)
def test_a_published_image_model_has_no_problem(name: str) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    fixed = {"eva02_tiny_patch14_224": 56, "mixer_s32_224": 224}.get(name, 64)
    sized = {"img_size": fixed} if name.startswith(("vit", "eva")) else {}
    model = timm.create_model(name, num_classes=10, **sized)
    images = torch.randn(4, 3, fixed, fixed)
    assert probe_init(model, images, loss=judge).problems == ()


@pytest.mark.slow
def test_a_resnet_of_zeroed_norms_starts_as_identity() -> None:
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.resnet50(zero_init_residual=True, num_classes=10)
    probe = probe_init(model, IMAGES)
    assert [s.branch for s in probe.sums] == [0.0] * 12
    # A ReLU of a unit normal has a mean square of 1/2, and a norm whose scale is 1 stands before.
    first = [s.after for s in probe.sums if s.name.endswith(".1")]
    assert first == pytest.approx([0.707] * 4, abs=0.03)
    assert sum(f.kind == "identity" for f in probe.findings) == 1


@pytest.mark.parametrize("blocks", [12, pytest.param(48, marks=pytest.mark.slow)])
def test_a_gpt2_without_scaled_projections_grows_additively(blocks: int) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_layer=blocks, n_head=4, n_embd=128, vocab_size=96, n_positions=32
    )
    model = transformers.GPT2LMHeadModel(config)
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=0.02)
    law = probe_init(model, input_ids=IDS).trunk.forward
    assert law.kind == "additive" or (law.kind == "power" and abs(law.rate - 0.5) < 0.1)


@pytest.mark.parametrize(
    ("layer", "factor"),
    [
        ("transformer.h.2.attn.c_attn", 30),
        ("transformer.h.1.mlp.c_fc", 30),
        ("transformer.h.2.attn.c_proj", 8**0.5),
    ],
)
def test_a_fault_in_gpt2_is_named_first_and_cleared(layer: str, factor: float) -> None:
    model = text_model("GPT2")
    model.get_parameter(f"{layer}.weight").data.mul_(factor)
    probe = probe_init(model, input_ids=IDS, labels=IDS)
    assert probe.findings[0].name == layer
    apply_init(model, probe.suggest(), seed=0)
    assert probe_init(model, input_ids=IDS, labels=IDS).problems == ()
