"""Recipes of vision transformers, of image and text models, and of fields, against the code."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from published import published
from recipe_checks import Builder, check_model, check_recipe, need, recipe_rows
from torch import nn

import initkit

_TINY = {
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 64,
    "depth": 3,
    "num_heads": 4,
    "num_classes": 10,
}


def _timm(name: str, cls: str, **options: Any) -> Builder:
    return lambda: getattr(need(f"timm.models.{name}"), cls)(**options)


def _timm_vit(mlp: str = "", block: str = "", **options: Any) -> Builder:
    """Return a builder of a small VisionTransformer; ``mlp`` and ``block`` are names of classes."""

    def build() -> nn.Module:
        models = need("timm.models.vision_transformer")
        more = dict(options)
        if mlp:
            more["mlp_layer"] = getattr(need("timm.layers"), mlp)
        if block:
            more["block_fn"] = getattr(models, block)
        model: nn.Module = models.VisionTransformer(**(_TINY | more))
        return model

    return build


def _created(name: str, **options: Any) -> Builder:
    return lambda: need("timm").create_model(name, num_classes=7, **options)


def _mixer(num_blocks: int = 2, **options: Any) -> Builder:
    """Return a builder of timm's MlpMixer; ``block``, ``mlp`` and ``norm`` are names of classes."""

    def build() -> nn.Module:
        models, layers = need("timm.models.mlp_mixer"), need("timm.layers")
        more = dict(options)
        scale = {"init_values": more.pop("init_values")} if "init_values" in more else {}
        if "block" in options:
            more["block_layer"] = partial(getattr(models, more.pop("block")), **scale)
            more["mlp_ratio"] = 4
        if "mlp" in options:
            more["mlp_layer"] = getattr(layers, more.pop("mlp"))
        if "norm" in options:
            more["norm_layer"] = getattr(models, more.pop("norm"))
        size = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "num_classes": 10}
        model: nn.Module = models.MlpMixer(num_blocks=num_blocks, **size, **more)
        return model

    return build


def _torchvision_vit(**options: Any) -> Builder:
    size: dict[str, Any] = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 4}
    size |= {"hidden_dim": 64, "mlp_dim": 128, "num_classes": 10} | options

    def build() -> nn.Module:
        models = need("torchvision.models.vision_transformer")
        if stem := size.pop("stem", None):
            size["conv_stem_configs"] = [models.ConvStemConfig(*row) for row in stem]
        model: nn.Module = models.VisionTransformer(**size)
        return model

    return build


def _torchvision_swin(version: int, **options: Any) -> Builder:
    def build() -> nn.Module:
        models = need("torchvision.models.swin_transformer")
        if version == 2:
            options["block"] = models.SwinTransformerBlockV2
            options["downsample_layer"] = models.PatchMergingV2
        args = ([4, 4], 32, [2, 2], [2, 4], [4, 4])
        model: nn.Module = models.SwinTransformer(*args, num_classes=10, **options)
        return model

    return build


def _hf(model: str, config: str, **options: Any) -> Builder:
    def build() -> nn.Module:
        package = need("transformers")
        made: nn.Module = getattr(package, model)(getattr(package, config)(**options))
        return made

    return build


_HF: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": 7,
}
_MAE: dict[str, Any] = {
    "decoder_hidden_size": 48,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 96,
}
_SWIN: dict[str, Any] = {
    "embed_dim": 32,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "image_size": 32,
    "patch_size": 4,
}
_TIMM_SWIN: dict[str, Any] = {
    "img_size": 32,
    "embed_dim": 32,
    "depths": (2, 2),
    "num_heads": (2, 4),
    "window_size": 4,
    "num_classes": 10,
}
_TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 16,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_VISION: dict[str, Any] = {
    "hidden_size": 96,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "image_size": 32,
    "patch_size": 8,
}
_BOTH: dict[str, Any] = {"text_config": _TEXT, "vision_config": _VISION}


@recipe_rows(
    ("vit/timm", _timm_vit(reg_tokens=2)),
    ("vit/timm", _timm_vit(global_pool="map", class_token=False, init_values=1e-4)),
    ("vit/timm", _timm_vit(qk_norm=True, pre_norm=True, global_pool="avg", num_classes=0)),
    ("vit/timm", _timm_vit(mlp="SwiGLUPacked")),
    ("vit/timm", _timm_vit(mlp="SwiGLU")),
    ("vit/timm", _timm_vit(block="ResPostBlock", init_values=1e-3)),
    ("vit/timm", _timm_vit(block="ParallelScalingBlock", init_values=1e-3)),
    ("vit/timm", _timm_vit(block="DiffParallelScalingBlock")),
    ("vit/timm", _created("vit_tiny_patch16_224", depth=1)),
    ("vit/timm-fix_init", _timm_vit(fix_init=True, depth=4)),
    ("vit/timm-jax", _timm_vit(weight_init="jax")),
    ("vit/timm-jax", _timm_vit(weight_init="jax", mlp="SwiGLUPacked")),
    ("vit/timm-jax_nlhb", _timm_vit(weight_init="jax_nlhb", num_classes=13)),
    ("vit/timm-moco", _timm_vit(weight_init="moco")),
    ("vit/torchvision", _torchvision_vit()),
    ("vit/torchvision", _torchvision_vit(representation_size=32, num_layers=3)),
    ("vit/torchvision", _torchvision_vit(stem=[(16, 3, 2), (32, 3, 2), (48, 3, 2)])),
    ("vit", "vit google-research JAX"),
    ("vit/transformers", _hf("ViTForImageClassification", "ViTConfig", **_HF)),
    ("vit/transformers", _hf("ViTModel", "ViTConfig", **_HF, initializer_range=0.05)),
    ("vit/transformers", _hf("ViTForMaskedImageModeling", "ViTConfig", **_HF, encoder_stride=8)),
)
def test_vision_transformers_start_as_their_code_starts_them(
    recipe: str, builder: Builder | str
) -> None:
    check_recipe(recipe, builder)


@recipe_rows(
    ("deit", "deit original v2 (DeiT III)"),
    ("deit/timm", _created("deit_tiny_distilled_patch16_224", depth=2)),
    ("deit/timm", _created("deit3_small_patch16_224", depth=2)),
    ("deit/timm-deit3", _created("deit3_medium_patch16_224", depth=1)),
    (
        "deit/transformers",
        _hf("DeiTForImageClassificationWithTeacher", "DeiTConfig", **_HF),
    ),
    ("vit/timm-jax", _created("deit_tiny_distilled_patch16_224", depth=1, weight_init="jax")),
    ("vit/timm-moco", _created("deit_tiny_distilled_patch16_224", depth=1, weight_init="moco")),
    ("deit/transformers", _hf("DeiTForMaskedImageModeling", "DeiTConfig", **_HF, encoder_stride=8)),
    ("eva/timm", _created("eva02_tiny_patch14_224", depth=3)),
    ("eva/timm", _timm("eva", "Eva", **_TINY, use_post_norm=True, qkv_fused=False)),
    ("eva/timm", _timm("eva", "Eva", **_TINY, init_values=0.1, global_pool="map")),
    ("eva/timm", _timm("eva", "Eva", **_TINY, swiglu_mlp=True, head_init_scale=0.0)),
    ("beit/timm", _timm("beit", "Beit", **_TINY, init_values=0.1, use_rel_pos_bias=True)),
    (
        "beit/timm",
        _timm("beit", "Beit", **_TINY, use_shared_rel_pos_bias=True, head_init_scale=0.5),
    ),
    ("beit/transformers", _hf("BeitForImageClassification", "BeitConfig", **_HF)),
    (
        "beit/transformers",
        _hf("BeitModel", "BeitConfig", **_HF, use_relative_position_bias=True, use_mask_token=True),
    ),
    ("mae", "mae original"),
    ("mae/transformers", _hf("ViTMAEForPreTraining", "ViTMAEConfig", **_HF, **_MAE)),
    ("mae/transformers", _hf("ViTMAEModel", "ViTMAEConfig", **_HF, **_MAE)),
    ("dinov2", "dinov2 original"),
    ("dinov2/head", "dinov2 original DINOHead"),
    ("dinov2/transformers", _hf("Dinov2ForImageClassification", "Dinov2Config", **_HF)),
    (
        "dinov2/transformers",
        _hf("Dinov2Model", "Dinov2Config", **_HF, use_swiglu_ffn=True, layerscale_value=0.3),
    ),
    (
        "dinov2/transformers",
        _hf("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", **_HF),
    ),
    ("moco_v3_vit", "moco_v3_vit original"),
    ("dit", "dit original"),
    ("cait", _timm("cait", "Cait", **_TINY, init_values=1e-5)),
    ("layerscale", _created("cait_xxs24_224", depth=2)),
    ("layerscale_cait/timm(init_values=0.1)", _timm("cait", "Cait", **_TINY, init_values=0.1)),
)
def test_their_descendants_start_as_their_code_starts_them(
    recipe: str, builder: Builder | str
) -> None:
    check_recipe(recipe, builder)


@recipe_rows(
    ("swin", "swin original"),
    ("swin/timm", _timm("swin_transformer", "SwinTransformer", patch_size=4, **_TIMM_SWIN)),
    ("swin/torchvision", _torchvision_swin(1)),
    ("swin/transformers", _hf("SwinForImageClassification", "SwinConfig", **_SWIN, num_labels=7)),
    (
        "swin/transformers",
        _hf("SwinForMaskedImageModeling", "SwinConfig", **_SWIN, use_absolute_embeddings=True),
    ),
    ("swin_v2", "swin_v2 original"),
    ("swin_v2/timm", _timm("swin_transformer_v2", "SwinTransformerV2", **_TIMM_SWIN)),
    ("swin_v2/torchvision", _torchvision_swin(2)),
    ("swin_v2/transformers", _hf("Swinv2ForImageClassification", "Swinv2Config", **_SWIN)),
    (
        "swin_v2/transformers",
        _hf("Swinv2ForMaskedImageModeling", "Swinv2Config", **_SWIN, encoder_stride=8),
    ),
    ("mixer", "mixer google-research JAX"),
    ("mixer/timm", _mixer()),
    ("mixer/timm(nlhb=True)", _mixer(nlhb=True)),
    ("mixer/timm", _mixer(block="SpatialGatingBlock", mlp="GatedMlp")),
    ("mixer/timm", _mixer(mlp="GluMlp", act_layer=nn.SiLU)),
    ("mixer/timm", _mixer(block="ResBlock", norm="Affine")),
    ("mixer/timm(init_values=1e-5)", _mixer(block="ResBlock", norm="Affine", init_values=1e-5)),
    ("mixer/timm", _mixer(24, block="ResBlock", norm="Affine", init_values=1e-5)),
    ("mixer/timm", _mixer(36, block="ResBlock", norm="Affine", init_values=1e-6)),
)
def test_swin_and_mixers_start_as_their_code_starts_them(
    recipe: str, builder: Builder | str
) -> None:
    check_recipe(recipe, builder)


@recipe_rows(
    ("clip", "clip original ViT"),
    ("clip", "clip original RN"),
    ("clip/transformers", _hf("CLIPModel", "CLIPConfig", **_BOTH, projection_dim=48)),
    ("clip/transformers", _hf("CLIPTextModel", "CLIPTextConfig", **_TEXT, initializer_factor=2.0)),
    (
        "clip/transformers",
        _hf("CLIPTextModelWithProjection", "CLIPTextConfig", **_TEXT, projection_dim=48),
    ),
    (
        "clip/transformers",
        _hf("CLIPVisionModelWithProjection", "CLIPVisionConfig", **_VISION, projection_dim=48),
    ),
    ("clip/transformers", _hf("CLIPForImageClassification", "CLIPConfig", **_BOTH, num_labels=7)),
    ("siglip", _hf("SiglipModel", "SiglipConfig", **_BOTH)),
    ("siglip", _hf("SiglipForImageClassification", "SiglipConfig", **_BOTH, num_labels=7)),
    ("siglip/transformers", _hf("SiglipVisionModel", "SiglipVisionConfig", **_VISION)),
    (
        "siglip2",
        _hf(
            "Siglip2Model",
            "Siglip2Config",
            text_config=_TEXT,
            vision_config={k: v for k, v in _VISION.items() if k != "image_size"},
        ),
    ),
)
def test_models_of_images_and_text_start_as_their_code_starts_them(
    recipe: str, builder: Builder | str
) -> None:
    check_recipe(recipe, builder)


class _Sine(nn.Module):
    """A layer of the notebook's SIREN, which knows its omega_0."""

    def __init__(self, inner: int, out: int, first: bool, omega_0: float = 30.0) -> None:
        super().__init__()
        self.omega_0, self.linear = omega_0, nn.Linear(inner, out)
        bound = 1 / inner if first else math.sqrt(6 / inner) / omega_0
        nn.init.uniform_(self.linear.weight, -bound, bound)


def _siren() -> nn.Module:
    last = nn.Linear(64, 1)
    nn.init.uniform_(last.weight, -math.sqrt(6 / 64) / 30, math.sqrt(6 / 64) / 30)
    return nn.Sequential(_Sine(2, 64, True), _Sine(64, 64, False, 10.0), _Sine(64, 64, False), last)


def _stax() -> nn.Module:
    sizes = [(512, 256), (256, 256), (256, 3)]
    layers = [part for size in sizes for part in (nn.Linear(*size), nn.ReLU())]
    return nn.Sequential(*layers)


class _Fourier(nn.Module):
    """Random frequencies, and the network that takes their sines and cosines."""

    def __init__(self) -> None:
        super().__init__()
        self.B = nn.Parameter(torch.empty(64, 2), requires_grad=False)
        self.mlp = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3))


@recipe_rows(
    ("siren", "siren original"),
    ("siren", _siren),
    ("nerf", "nerf bmild/nerf (TF/Keras)"),
    ("fourier_features", "fourier_features tancik (JAX stax)"),
)
def test_fields_start_as_their_code_starts_them(recipe: str, builder: Builder | str) -> None:
    check_recipe(recipe, builder)


def test_the_scale_of_fourier_features_is_an_option() -> None:
    plan = initkit.plan_init(_Fourier(), "fourier_features(scale=3)")
    distribution = plan["B"].distribution
    assert distribution is not None and distribution.std == 3


_BLOCK = "Transformer/encoderblock_1/"
_ATTENTION = f"{_BLOCK}MultiHeadDotProductAttention_0/"
_FLAX = {
    "vit google-research JAX": {
        "patch_embed.proj.weight": "embedding/kernel",
        "cls_token": "cls",
        "pos_embed": "Transformer/posembed_input/pos_embedding",
        "blocks.1.attn.qkv.weight": f"{_ATTENTION}query/kernel",
        "blocks.1.attn.proj.weight": f"{_ATTENTION}out/kernel",
        "blocks.1.mlp.fc1.weight": f"{_BLOCK}MlpBlock_0/Dense_0/kernel",
        "blocks.1.mlp.fc2.weight": f"{_BLOCK}MlpBlock_0/Dense_1/kernel",
        "blocks.1.mlp.fc1.bias": f"{_BLOCK}MlpBlock_0/Dense_0/bias",
        "head.weight": "head/kernel",
    },
    "mixer google-research JAX": {
        "stem.proj.weight": "stem/kernel",
        "blocks.1.mlp_tokens.fc1.weight": "MixerBlock_1/token_mixing/Dense_0/kernel",
        "blocks.1.mlp_channels.fc1.weight": "MixerBlock_1/channel_mixing/Dense_0/kernel",
        "blocks.1.mlp_channels.fc2.bias": "MixerBlock_1/channel_mixing/Dense_1/bias",
        "head.weight": "head/kernel",
    },
    "fourier_features stax.Dense": {"0.weight": "0.W", "0.bias": "0.b", "4.weight": "4.W"},
}


@pytest.mark.parametrize(
    ("recipe", "build", "key"),
    [
        ("vit", _timm_vit(depth=2), "vit google-research JAX"),
        ("mixer", _mixer(), "mixer google-research JAX"),
        ("fourier_features", _stax, "fourier_features stax.Dense"),
    ],
)
def test_recipes_of_jax_say_what_was_measured_in_jax(recipe: str, build: Builder, key: str) -> None:
    """Moments and bounds that a plan for the torch model declares are those of the JAX model.

    Where a shape differs, the fans are the same.
    """
    plan = initkit.plan_init(build(), recipe, strict=True)
    measured = published(f"jax: {key}")
    for ours, theirs in _FLAX[key].items():
        distribution, (_, shape, *figures) = plan[ours].distribution, measured["params"][theirs]
        assert distribution is not None, ours
        if len(figures) == 1:
            assert (distribution.mean, distribution.std) == (figures[0], 0), ours
            continue
        mean, std, low, high, _ = figures
        n = math.prod(shape) * measured["seeds"]
        assert abs(std / distribution.std - 1) < 5 / math.sqrt(n), ours
        assert abs(mean - distribution.mean) < 5 * distribution.std / math.sqrt(n), ours
        assert distribution.low <= low * (1 - 1e-6), ours
        assert distribution.high >= high * (1 - 1e-6), ours


@recipe_rows(
    ("vit/jax", _timm_vit()),
    ("vit/jax", _timm_vit(global_pool="map", class_token=False)),
    (
        "vit/jax",
        _created("deit_tiny_distilled_patch16_224", depth=1, embed_dim=64, num_heads=4),
    ),
    ("vit/jax", _torchvision_vit(representation_size=32)),
    ("vit/jax", _hf("ViTForImageClassification", "ViTConfig", **_HF)),
)
def test_jax_takes_query_key_and_value_each_on_its_own(recipe: str, builder: Builder) -> None:
    plan = initkit.plan_init(builder(), recipe, strict=True)
    assert not plan.problems
    attention = [
        s for s in plan if "norm" not in s.name and s.distribution and s.distribution.mean == 0
    ]
    width = 64
    found = [
        s.distribution.std
        for s in attention
        if s.distribution
        and len(s.shape) == 2
        and s.shape[1] == width
        and s.shape[0] in (width, 3 * width)
    ]
    assert found and all(abs(std / math.sqrt(1 / width) - 1) < 1e-9 for std in found if std)


def test_a_deep_and_wide_cait_starts_its_layerscale_smaller() -> None:
    """36 blocks of width 384 start at 1e-6, as CaiT-S36 does, and its shallow ones at 1e-5."""
    cait = need("timm.models.cait").Cait
    with torch.device("meta"):
        deep = cait(img_size=32, patch_size=8, embed_dim=384, depth=36, num_heads=4)
        shallow = cait(img_size=32, patch_size=8, embed_dim=384, depth=24, num_heads=4)
    for model, value in ((deep, 1e-6), (shallow, 1e-5)):
        steps = [s for s in initkit.plan_init(model, "cait") if "gamma" in s.name]
        assert {s.distribution.mean for s in steps if s.distribution} == {value}


def test_mixed_rotary_frequencies_have_timm_s_lengths_and_angles_of_their_own() -> None:
    """x^2 + y^2 is timm's for every frequency, and no two heads are turned alike."""
    eva = need("timm.models.eva").Eva
    options = {"use_rot_pos_emb": True, "rope_type": "mixed", "rope_temperature": 7.0}
    model = eva(**_TINY, **options)
    theirs = model.rope.freqs.detach().clone()
    initkit.apply_init(model, "eva", seed=0, strict=True)
    ours = model.rope.freqs.detach()
    assert torch.allclose(ours.square().sum(0), theirs.square().sum(0), rtol=1e-5)
    half = ours.shape[-1] // 2
    assert torch.allclose(ours[0, ..., :half], ours[1, ..., half:])
    angles = torch.atan2(ours[1, ..., 0], ours[0, ..., 0]).flatten()
    assert len(set(angles.tolist())) == angles.numel() == 12
    distribution = initkit.plan_init(model, "eva")["rope.freqs"].distribution
    assert distribution is not None
    assert abs(distribution.std / ours.square().mean().sqrt().item() - 1) < 1e-5


def test_recipes_of_vision_fill_models_that_hold_nothing() -> None:
    """A model on meta is covered whole, and filled with finite values."""
    with torch.device("meta"):
        model = _timm_vit(init_values=1e-5)()
    model.to_empty(device="cpu")
    check_model("vit/timm", _timm_vit(init_values=1e-5), seeds=2)
    initkit.apply_init(model, "vit/timm", seed=0, strict=True)
    assert all(torch.isfinite(p).all() for p in model.parameters())
