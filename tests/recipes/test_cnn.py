"""Recipes of convolutional networks, against the published code and its measured figures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from published import published
from recipe_checks import (
    check_facts,
    check_recipe,
    measured,
    need,
    recipe_rows,
    sample_differs,
)
from torch import nn

import initkit


def tv(name: str, **options: Any) -> nn.Module:
    """Build a model of torchvision by its function's name."""
    return need("torchvision.models").get_model(
        name, weights=None, **({"num_classes": 10} | options)
    )


def resnet(block: str, *layers: int, **options: Any) -> nn.Module:
    """Build a small ResNet of torchvision."""
    code = need("torchvision.models.resnet")
    return code.ResNet(getattr(code, block), list(layers), num_classes=10, **options)


def timm(name: str, **options: Any) -> nn.Module:
    """Build a model of timm by name."""
    return need("timm").create_model(name, **({"num_classes": 10} | options))


def hf(model: str, config: str, **options: Any) -> nn.Module:
    """Build a model of transformers from a configuration."""
    code = need("transformers")
    return getattr(code, model)(getattr(code, config)(**options))


def tv_convnext(*stages: tuple[int, int | None, int]) -> nn.Module:
    code = need("torchvision.models.convnext")
    return code.ConvNeXt([code.CNBlockConfig(*stage) for stage in stages], num_classes=10)


def tv_densenet(**options: Any) -> nn.Module:
    small = {"growth_rate": 16, "block_config": (2, 2), "num_init_features": 32}
    return need("torchvision.models").DenseNet(**small, num_classes=10, **options)


def timm_vgg(*plan: object, norm: bool) -> nn.Module:
    code = need("timm.models.vgg")
    layer = nn.BatchNorm2d if norm else None
    return code.VGG(list(plan), num_classes=10, mlp_ratio=0.02, norm_layer=layer)


def retina_head(width: int, anchors: int, classes: int, **options: Any) -> nn.Module:
    return need("torchvision.models.detection.retinanet").RetinaNetHead(
        width, anchors, classes, **options
    )


def fcos_head() -> nn.Module:
    return need("torchvision.models.detection.fcos").FCOSHead(32, 1, 7, 2)


def fpn(*channels: int, extra: bool = False) -> nn.Module:
    code = need("torchvision.ops.feature_pyramid_network")
    last = code.LastLevelP6P7(32, 32) if extra else None
    return code.FeaturePyramidNetwork(list(channels), 32, extra_blocks=last)


@recipe_rows(
    ("resnet/torchvision", lambda: resnet("BasicBlock", 1, 1, 1, 1)),
    ("resnet/torchvision", lambda: resnet("Bottleneck", 1, 2, 1, 1)),
    (
        "resnet/torchvision(zero_init_residual=True)",
        lambda: resnet("Bottleneck", 2, 1, 1, 1, zero_init_residual=True),
    ),
    (
        "resnet/torchvision(zero_init_residual=True)",
        lambda: resnet("BasicBlock", 1, 2, 1, 1, zero_init_residual=True),
    ),
    ("resnet", lambda: tv("resnet18", num_classes=3)),
    ("resnet/timm", lambda: timm("resnet50", layers=(1, 2, 1, 1))),
    ("resnet/timm", lambda: timm("resnet18d", num_classes=0)),
    ("resnet/timm", lambda: timm("seresnet18")),
    ("resnet/timm", lambda: timm("ecaresnet50t", layers=(1, 1, 1, 1))),
    ("resnet/timm", lambda: timm("skresnet18")),
    ("resnet/timm", lambda: timm("res2net50_26w_4s", layers=(1, 1, 1, 1))),
    ("resnet/timm", lambda: timm("resnest14d", layers=(1, 1, 1, 1))),
    ("resnet/timm", lambda: timm("resnet50_gn", layers=(1, 1, 1, 1))),
    (
        "resnet/timm(zero_init_last=False)",
        lambda: timm("resnet18", zero_init_last=False),
    ),
    (
        "resnet/transformers",
        lambda: hf(
            "ResNetForImageClassification",
            "ResNetConfig",
            embedding_size=32,
            hidden_sizes=[32, 64],
            depths=[2, 2],
            num_labels=10,
        ),
    ),
    (
        "resnet/transformers",
        lambda: hf(
            "ResNetModel",
            "ResNetConfig",
            embedding_size=16,
            hidden_sizes=[16, 32, 48],
            depths=[1, 2, 1],
            layer_type="basic",
        ),
    ),
    ("resnet/torch7", "resnet fb.resnet.torch (Torch7)"),
    ("resnext/torch7", "resnext facebookresearch/ResNeXt (Torch7)"),
    (
        "resnext/torchvision",
        lambda: resnet("Bottleneck", 1, 1, 1, 1, groups=32, width_per_group=4),
    ),
    ("resnext/timm", lambda: timm("resnext50_32x4d", layers=(1, 1, 1, 1))),
    (
        "wide_resnet_imagenet/torchvision",
        lambda: resnet("Bottleneck", 1, 1, 1, 1, width_per_group=128),
    ),
    ("wide_resnet/torch7", "wide_resnet szagoruyko Lua"),
    ("wide_resnet/original", "wide_resnet original PyTorch"),
    ("densenet/torchvision", tv_densenet),
    ("densenet/timm", lambda: timm("densenet121", growth_rate=16, block_config=(2, 2))),
    ("densenet/timm", lambda: timm("densenetblur121d", growth_rate=8, block_config=(2, 2))),
    ("densenet", "densenet liuzhuang13/DenseNet (Torch7)"),
    ("vgg/timm", lambda: timm_vgg(8, "M", 16, 32, "M", norm=True)),
    ("vgg/timm", lambda: timm_vgg(16, "M", 32, norm=False)),
    ("vgg/paper", "vgg paper"),
)
def test_residual_networks(recipe: str, builder: Any) -> None:
    """ResNet and its kin, DenseNet and VGG start as their recipes say."""
    check_recipe(recipe, builder)


@recipe_rows(
    ("mobilenet_v2/torchvision", lambda: tv("mobilenet_v2", width_mult=0.5)),
    ("mobilenet_v2/timm", lambda: timm("mobilenetv2_050")),
    (
        "mobilenet_v2/transformers",
        lambda: hf(
            "MobileNetV2ForImageClassification",
            "MobileNetV2Config",
            depth_multiplier=0.35,
            initializer_range=0.03,
        ),
    ),
    (
        "mobilenet_v2/transformers",
        lambda: hf(
            "MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", depth_multiplier=0.35
        ),
    ),
    ("mobilenet_v2/tf-slim", "mobilenet_v2 TF-slim"),
    ("mobilenet_v3/torchvision", lambda: tv("mobilenet_v3_small", width_mult=0.5)),
    ("mobilenet_v3/torchvision", lambda: tv("mobilenet_v3_large", width_mult=0.35)),
    ("mobilenet_v3/timm", lambda: timm("mobilenetv3_small_050")),
    ("mobilenet_v3/timm", lambda: timm("lcnet_035")),
    ("mobilenet_v3/timm", lambda: timm("mobilenetv4_hybrid_medium_075")),
    ("mobilenet_v3/tf-slim", "mobilenet_v3 TF-slim"),
    ("efficientnet/torchvision", lambda: tv("efficientnet_b0")),
    ("efficientnet/timm", lambda: timm("efficientnet_b0")),
    ("efficientnet/timm", lambda: timm("efficientnet_cc_b0_4e")),
    ("efficientnet/timm", lambda: timm("tinynet_e")),
    ("efficientnet/timm", lambda: timm("mixnet_s")),
    ("efficientnet/tensorflow", "efficientnet TensorFlow TPU"),
    ("efficientnet/keras", "efficientnet keras.applications"),
    (
        "efficientnet/transformers",
        lambda: hf(
            "EfficientNetForImageClassification",
            "EfficientNetConfig",
            width_coefficient=0.5,
            depth_coefficient=0.4,
            hidden_dim=640,
            num_labels=10,
        ),
    ),
    ("mnasnet/torchvision", lambda: tv("mnasnet0_5")),
    ("mnasnet/timm", lambda: timm("mnasnet_small")),
    ("mnasnet/tensorflow", "efficientnet TensorFlow TPU"),
    ("regnet/torchvision", lambda: tv("regnet_y_400mf")),
    ("regnet/original", lambda: tv("regnet_x_400mf")),
    ("regnet/timm", lambda: timm("regnety_002")),
    ("regnet/timm", lambda: timm("regnetx_002")),
    ("regnet/timm", lambda: timm("regnetz_005")),
    ("regnet/timm(zero_init_last=False)", lambda: timm("regnetx_002", zero_init_last=False)),
    (
        "regnet/transformers",
        lambda: hf(
            "RegNetForImageClassification",
            "RegNetConfig",
            hidden_sizes=[32, 64, 64, 128],
            depths=[1, 2, 1, 1],
            groups_width=16,
            embedding_size=16,
        ),
    ),
    ("squeezenet/torchvision", lambda: tv("squeezenet1_0")),
    ("squeezenet", lambda: tv("squeezenet1_1")),
    ("nfnet/timm", lambda: timm("nf_resnet26")),
    ("nfnet/timm", lambda: timm("nf_regnet_b0")),
    ("nfnet/timm", lambda: timm("test_nfnet")),
)
def test_mobile_networks(recipe: str, builder: Any) -> None:
    """The networks that were found by search start as their recipes say."""
    check_recipe(recipe, builder)


@recipe_rows(
    ("convnext/torchvision", lambda: tv_convnext((32, 64, 2), (64, 96, 1), (96, None, 2))),
    ("convnext/timm", lambda: timm("convnext_tiny", depths=(1, 1, 2, 1), dims=(16, 32, 32, 64))),
    ("convnext/timm", lambda: timm("convnext_zepto_rms")),
    ("convnext/timm", lambda: timm("convnextv2_atto", depths=(1, 1, 1, 1), dims=(16, 32, 32, 64))),
    (
        "convnext/timm(head_init_scale=0.25)",
        lambda: timm(
            "convnext_tiny",
            depths=(1, 1, 1, 1),
            dims=(16, 16, 32, 64),
            head_init_scale=0.25,
            num_classes=100,
        ),
    ),
    (
        "convnext/transformers",
        lambda: hf(
            "ConvNextForImageClassification",
            "ConvNextConfig",
            hidden_sizes=[16, 32, 48],
            depths=[1, 2, 1],
            num_stages=3,
            layer_scale_init_value=1e-4,
            initializer_range=0.05,
        ),
    ),
    (
        "convnext/transformers",
        lambda: hf(
            "ConvNextV2ForImageClassification",
            "ConvNextV2Config",
            hidden_sizes=[16, 32],
            depths=[1, 1],
            num_stages=2,
        ),
    ),
    ("convnext/original", "convnext original"),
    ("retinanet_head/torchvision", lambda: retina_head(32, 9, 20)),
    ("retinanet_head", lambda: retina_head(16, 3, 4, norm_layer=lambda n: nn.GroupNorm(4, n))),
    ("retinanet_head", fcos_head),
    ("fpn/torchvision", lambda: fpn(32, 64, 128)),
    ("fpn", lambda: fpn(16, 32, extra=True)),
    ("dcgan/pytorch", "dcgan pytorch/examples"),
    ("dcgan/original", "dcgan pytorch/examples"),
    ("unet/paper", "unet paper"),
    ("he2015_msr/paper", "he2015_msr paper"),
    ("fixup/original", "fixup original ImageNet BasicBlock"),
    ("fixup", "fixup original ImageNet Bottleneck"),
    ("stylegan2/original", "stylegan2 original G"),
    ("stylegan2", "stylegan2 original D"),
    ("ddpm_unet/original", "ddpm_unet hojonathanho/diffusion (TF)"),
    ("guided_diffusion_unet/original", "guided_diffusion_unet original"),
)
def test_other_convolutional_networks(recipe: str, builder: Any) -> None:
    """ConvNeXt, detection heads and generative networks start as their recipes say."""
    check_recipe(recipe, builder)


def test_tensorflow_s_resnet_has_the_figures_of_its_text() -> None:
    """Which norm is the last of a block is told by the block's class, which figures do not hold."""
    model = resnet("Bottleneck", 1, 1, 1, 1)
    check_facts("resnet/tensorflow", "resnet TensorFlow TPU", model=model)


def test_vgg_has_the_figures_of_torchvision() -> None:
    check_facts("vgg/torchvision", "vgg torchvision vgg11_bn", write=False)


def keras_layer(name: str, shape: list[int]) -> nn.Module | None:
    """Build the torch layer of a Keras kernel: (k, k, in, out), or (k, k, channels, 1)."""
    if len(shape) == 2:
        return nn.Linear(shape[0], shape[1])
    if len(shape) != 4:
        return None
    depthwise = "depthwise" in name or "dwconv" in name
    channels = max(shape[2:])
    groups, inner = (channels, 1) if depthwise else (1, shape[2])
    return nn.Conv2d(inner * groups, channels if depthwise else shape[3], shape[0], groups=groups)


@pytest.mark.parametrize(
    ("recipe", "model"),
    [
        ("resnet/keras", "ResNet50"),
        ("mobilenet_v2/keras", "MobileNetV2"),
        ("efficientnet/keras", "EfficientNetB0"),
        ("convnext/keras(insist=True)", "ConvNeXtTiny"),  # a layer alone has no layer scale
    ],
)
def test_keras_draws_its_kernels_so(recipe: str, model: str) -> None:
    """Every kernel measured in Keras has the distribution that the recipe gives its torch layer."""
    entry = published(f"jax: keras.applications {model}")
    wrong = []
    for name, row in entry["params"].items():
        layer = keras_layer(name, row[1]) if name.endswith("/kernel") else None
        if layer is None:
            continue
        plan = initkit.plan_init(layer, recipe)
        assert not plan.problems and plan["bias"].start == "constant 0"
        sample = measured(row, entry["seeds"])
        wrong += [f"{name}: {what}" for what in sample_differs(plan["weight"].distribution, sample)]
    assert not wrong


class NormFreeBlock(nn.Module):
    """A block with a gain of its own, and one without."""

    def __init__(self, skip: bool) -> None:
        super().__init__()
        self.conv3 = need("timm.layers").ScaledStdConv2d(8, 8, 1, gain_init=float(skip))
        self.skipinit_gain = nn.Parameter(torch.zeros(())) if skip else None


def test_a_block_with_a_gain_of_its_own_keeps_its_last_gain_at_one() -> None:
    plan = initkit.plan_init(
        nn.ModuleList([NormFreeBlock(True), NormFreeBlock(False)]), "nfnet/timm"
    )
    starts = {step.name: step.start for step in plan}
    assert starts["0.conv3.gain"] == "constant 1" and starts["0.skipinit_gain"] == "constant 0"
    assert starts["1.conv3.gain"] == "constant 0"


class GRN(nn.Module):
    """The authors' response norm, whose parameters are called like LayerScale's."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, dim))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, dim))


@pytest.mark.parametrize("recipe", ["convnext/original", "convnext/timm", "convnext/keras"])
def test_the_response_norm_of_convnext_v2_starts_at_zero_whatever_its_names(recipe: str) -> None:
    plan = initkit.plan_init(nn.ModuleDict({"grn": GRN(8)}), recipe)
    assert [(s.name, s.start) for s in plan] == [
        ("grn.gamma", "constant 0"),
        ("grn.beta", "constant 0"),
    ]


def test_the_prior_of_a_detection_head_can_be_chosen() -> None:
    head = nn.ModuleDict({"cls_score": nn.Conv2d(4, 3, 1), "bbox_pred": nn.Conv2d(4, 4, 1)})
    plan = initkit.plan_init(head, "retinanet_head(prior=0.1)")
    assert plan["cls_score.bias"].distribution.mean == pytest.approx(-2.1972246)
    assert plan["bbox_pred.bias"].start == "constant 0"


def test_recipes_go_together_for_a_detector() -> None:
    """RetinaNet is a ResNet, a feature pyramid and two heads, each with its own recipe."""
    detection = need("torchvision.models.detection")
    with torch.device("meta"):
        model = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None)
    rules = {
        "backbone.body": "resnet/torchvision",
        "backbone.fpn": "fpn/torchvision",
        "head": "retinanet_head/torchvision",
    }
    plan = initkit.plan_init(model, rules, strict=True)
    assert not plan.problems
    assert plan["backbone.body.conv1.weight"].rule.startswith("resnet/torchvision")
    assert plan["backbone.fpn.inner_blocks.0.0.weight"].scheme.startswith("kaiming_uniform(a=1")
    assert plan["head.classification_head.cls_logits.bias"].distribution.mean == pytest.approx(
        -4.59512
    )


def test_guided_diffusion_tells_its_heads_apart() -> None:
    """Only a convolution that ends the network is zeroed, not a head that pools."""
    linear = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    pooled = nn.Sequential(
        nn.GroupNorm(2, 8), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1)
    )
    starts = [
        initkit.plan_init(nn.ModuleDict({"out": out}), "guided_diffusion_unet")[name].start
        for out, name in ((linear, "out.2.weight"), (pooled, "out.3.weight"))
    ]
    assert starts == ["U(-0.3536, 0.3536)", "constant 0"]


def test_fixup_needs_blocks_to_count() -> None:
    """Without residual blocks only the rules that need no count decide."""
    net = nn.ModuleDict({"conv1": nn.Conv2d(3, 4, 3), "fc": nn.Linear(4, 2)})
    plan = initkit.plan_init(net, "fixup(insist=True)")
    assert not plan.problems and plan["fc.weight"].start == "constant 0"
    assert plan["conv1.weight"].scheme == "torch_default"
