"""Families that share their starts, against what their code is seen to do without values."""

from __future__ import annotations

from typing import Any

import pytest
from recipe_checks import Builder, check_recorded, need, recipe_rows
from torch import nn

import initkit

pytestmark = pytest.mark.models


def timm(name: str, **options: Any) -> Builder:
    return lambda: need("timm").create_model(name, num_classes=7, **options)


def tv(name: str, **options: Any) -> Builder:
    def build() -> nn.Module:
        parts = ("rcnn", "retinanet", "fcos", "ssd", "deeplab", "fcn", "lraspp")
        if any(part in name for part in parts):
            options["weights_backbone"] = None
        model: nn.Module = need("torchvision.models").get_model(name, weights=None, **options)
        return model

    return build


def diffusers(name: str, **options: Any) -> Builder:
    return lambda: getattr(need("diffusers"), name)(**options)


def pyg(name: str, *args: Any, **options: Any) -> Builder:
    return lambda: getattr(need("torch_geometric.nn"), name)(*args, **options)


@recipe_rows(
    ("coat/timm", timm("coat_lite_tiny")),
    ("convit/timm", timm("convit_tiny", depth=3)),
    ("deepseek_vit/timm", timm("deepseek_vit_412m", depth=1)),
    ("hiera/timm", timm("hiera_tiny_224")),
    ("maxvit/timm", timm("test_coatnet")),
    ("samvit/timm", timm("samvit_base_patch16", depth=1)),
    ("sequencer/timm", timm("sequencer2d_s", layers=(1, 1, 1, 1))),
    ("tnt/timm", timm("tnt_s_legacy_patch16_224", depth=1)),
    ("twins/timm", timm("twins_svt_small", depths=(1, 1, 1, 1))),
    ("vit_relpos/timm", timm("test_vit_relpos")),
)
def test_transformers_of_timm(recipe: str, builder: Builder) -> None:
    """Each family's shared rules, and what it has of its own, are what its code does."""
    check_recorded(recipe, builder)


@pytest.mark.slow
@recipe_rows(
    ("crossvit/timm", timm("crossvit_tiny_240", depth=((1, 2, 0),))),
    ("davit/timm", timm("davit_tiny", depths=(1, 1, 1, 1))),
    ("edgenext/timm", timm("edgenext_xx_small")),
    ("efficientformer/timm", timm("efficientformer_l1")),
    ("efficientformer_v2/timm", timm("efficientformerv2_s0")),
    ("efficientvim/timm", timm("efficientvim_m1")),
    ("gcvit/timm", timm("gcvit_xxtiny")),
    ("gemma4_vit/timm", timm("gemma4_vit_167m", depth=1)),
    ("hiera/timm-jax", timm("hiera_small_abswin_256")),
    ("hieradet_sam2/timm", timm("sam2_hiera_tiny")),
    ("lowformer/timm", timm("lowformer_b0")),
    ("maxxvit/timm", timm("coatnext_nano_rw_224")),
    ("mvitv2/timm", timm("mvitv2_tiny")),
    ("naflexvit/timm", timm("naflexvit_base_patch16_gap")),
    ("nest/timm", timm("nest_tiny")),
    ("pit/timm", timm("pit_ti_224")),
    ("pvt_v2/timm", timm("pvt_v2_b0")),
    ("qwen3_vit/timm", timm("qwen3_vit_88m", depth=1)),
    ("swinv2_cr/timm", timm("swinv2_cr_tiny_224", depths=(1, 1, 1, 2))),
    ("tiny_vit/timm", timm("tiny_vit_5m_224")),
    ("visformer/timm", timm("visformer_tiny")),
    ("vit/timm", timm("vit_tiny_r_s16_p8_224", depth=1)),
    ("vitamin/timm", timm("vitamin_small_224", depth=1)),
    ("volo/timm", timm("volo_d1_224")),
    ("xcit/timm", timm("xcit_nano_12_p16_224")),
    ("xcit/timm", timm("xcit_tiny_24_p16_224")),
)
def test_more_transformers_of_timm(recipe: str, builder: Builder) -> None:
    check_recorded(recipe, builder)


@recipe_rows(
    ("byoanet/timm", timm("botnet26t_256")),
    ("byobnet/timm", timm("test_byobnet")),
    ("cspnet/timm", timm("cs3darknet_focus_s")),
    ("dla/timm", timm("dla46_c")),
    ("lcnetv2/timm", timm("lcnetv2_small")),
    ("levit/timm", timm("levit_128s")),
    ("mambaout/timm", timm("test_mambaout")),
    ("metaformer/timm", timm("poolformer_s12")),
    ("resnetv2/timm", timm("resnetv2_18")),
    ("selecsls/timm", timm("selecsls42")),
    ("sknet/timm", timm("skresnet18")),
    ("starnet/timm", timm("starnet_s050")),
)
def test_convolutional_networks_of_timm(recipe: str, builder: Builder) -> None:
    """Each family's shared rules, and what it has of its own, are what its code does."""
    check_recorded(recipe, builder)


@pytest.mark.slow
@recipe_rows(
    ("byoanet/timm", timm("lambda_resnet26t")),
    ("byobnet/timm", timm("repvgg_a0")),
    ("byobnet/timm", timm("gcresnext26ts")),
    ("csatv2/timm", timm("csatv2")),
    ("efficientvit_msra/timm", timm("efficientvit_m0")),
    ("fasternet/timm", timm("fasternet_t0")),
    ("fastvit/timm", timm("fastvit_t8")),
    ("focalnet/timm", timm("focalnet_tiny_srf")),
    ("hardcorenas/timm", timm("hardcorenas_a")),
    ("hgnet/timm", timm("hgnetv2_b0")),
    ("hrnet/timm", timm("hrnet_w18_small")),
    ("iformer/timm", timm("iformer_t")),
    ("inception_next/timm", timm("inception_next_atto")),
    ("inception_v3/timm", timm("inception_v3")),
    ("metaformer/timm", timm("caformer_s18")),
    ("mobilevit/timm", timm("mobilevit_xxs")),
    ("nextvit/timm", timm("nextvit_small")),
    ("rdnet/timm", timm("rdnet_tiny")),
    ("repvit/timm", timm("repvit_m0_9")),
    ("res2net/timm", timm("res2net50_14w_8s", layers=(1, 1, 1, 1))),
    ("resnest/timm", timm("resnest14d")),
    ("resnetv2/timm(zero_init_last=True)", timm("resnetv2_50", zero_init_last=True)),
    ("rexnet/timm", timm("rexnet_100")),
    ("senet/timm", timm("legacy_seresnet18")),
    ("shvit/timm", timm("shvit_s1")),
    ("swiftformer/timm", timm("swiftformer_xs")),
    ("tresnet/timm", timm("tresnet_m")),
    ("vovnet/timm", timm("ese_vovnet19b_slim")),
    ("xception/timm", timm("legacy_xception")),
)
def test_more_convolutional_networks_of_timm(recipe: str, builder: Builder) -> None:
    check_recorded(recipe, builder)


@recipe_rows(
    ("faster_rcnn/torchvision", tv("fasterrcnn_mobilenet_v3_large_320_fpn")),
    ("ssd/torchvision", tv("ssd300_vgg16")),
    ("lraspp/torchvision", tv("lraspp_mobilenet_v3_large")),
    ("video_resnet/torchvision", tv("r2plus1d_18")),
    ("raft/torchvision", tv("raft_small")),
)
def test_models_of_torchvision(recipe: str, builder: Builder) -> None:
    """Detectors, segmenters, video and flow models start as their parts' code starts them."""
    check_recorded(recipe, builder)


@pytest.mark.slow
@recipe_rows(
    ("mask_rcnn/torchvision", tv("maskrcnn_resnet50_fpn_v2")),
    ("keypoint_rcnn/torchvision", tv("keypointrcnn_resnet50_fpn")),
    ("retinanet/torchvision", tv("retinanet_resnet50_fpn_v2")),
    ("fcos/torchvision", tv("fcos_resnet50_fpn")),
    ("deeplabv3/torchvision", tv("deeplabv3_mobilenet_v3_large")),
    ("fcn/torchvision", tv("fcn_resnet50", aux_loss=True)),
    ("googlenet/torchvision", tv("googlenet", init_weights=True)),
    ("inception_v3/torchvision", tv("inception_v3", init_weights=True)),
    ("maxvit/torchvision", tv("maxvit_t")),
    ("mvit/torchvision", tv("mvit_v2_s")),
    ("swin3d/torchvision", tv("swin3d_t")),
)
def test_more_models_of_torchvision(recipe: str, builder: Builder) -> None:
    check_recorded(recipe, builder)


_UNET: dict[str, Any] = {"sample_size": 8, "block_out_channels": (32, 64), "layers_per_block": 1}
_CROSS: dict[str, Any] = {"cross_attention_dim": 16, "attention_head_dim": 8}
_SMALL: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2}
_DOWN = ("CrossAttnDownBlock2D", "DownBlock2D")


@recipe_rows(
    (
        "unet2d/diffusers",
        diffusers(
            "UNet2DModel",
            **_UNET,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            time_embedding_type="fourier",
        ),
    ),
    (
        "unet2d_condition/diffusers",
        diffusers(
            "UNet2DConditionModel",
            **_UNET,
            **_CROSS,
            down_block_types=_DOWN,
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
    ),
    ("autoencoder_kl/diffusers", diffusers("AutoencoderKL", block_out_channels=(32,))),
    (
        "vq_model/diffusers",
        diffusers("VQModel", block_out_channels=(32,), num_vq_embeddings=64, vq_embed_dim=4),
    ),
    (
        "controlnet/diffusers",
        diffusers(
            "ControlNetModel",
            **_CROSS,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=_DOWN,
            conditioning_embedding_out_channels=(8, 16),
        ),
    ),
    (
        "dit/diffusers",
        diffusers("DiTTransformer2DModel", **_SMALL, sample_size=8, num_embeds_ada_norm=10),
    ),
    (
        "pixart/diffusers",
        diffusers(
            "PixArtTransformer2DModel",
            **_SMALL,
            sample_size=8,
            caption_channels=16,
            cross_attention_dim=16,
        ),
    ),
    (
        "sana/diffusers",
        diffusers(
            "SanaTransformer2DModel",
            **_SMALL,
            in_channels=4,
            out_channels=4,
            sample_size=8,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=16,
        ),
    ),
    (
        "flux/diffusers",
        diffusers(
            "FluxTransformer2DModel",
            **_SMALL,
            in_channels=4,
            num_single_layers=2,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            axes_dims_rope=(2, 2, 4),
        ),
    ),
    (
        "sd3/diffusers",
        diffusers(
            "SD3Transformer2DModel",
            **_SMALL,
            sample_size=8,
            in_channels=4,
            joint_attention_dim=16,
            caption_projection_dim=16,
            pooled_projection_dim=16,
            qk_norm="rms_norm",
        ),
    ),
    (
        "wan/diffusers",
        diffusers(
            "WanTransformer3DModel",
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=16,
            freq_dim=32,
            ffn_dim=32,
            num_layers=2,
        ),
    ),
)
def test_models_of_diffusers(recipe: str, builder: Builder) -> None:
    """All of them keep torch's defaults but for a few parameters of their own."""
    check_recorded(recipe, builder)


@recipe_rows(
    ("gcn/pyg", pyg("GCN", 8, 16, 2, 4, norm="graph")),
    ("gat/pyg", pyg("GATConv", 8, 16, heads=2, edge_dim=4)),
    ("gat/pyg", pyg("GATv2Conv", 8, 16, heads=2, edge_dim=4)),
    ("graph_sage/pyg", pyg("SAGEConv", 8, 16, project=True)),
    ("gin/pyg", pyg("GIN", 8, 16, 2, 4)),
    ("rgcn/pyg", pyg("RGCNConv", 8, 16, 4, num_bases=2)),
    ("graph_network/pyg", pyg("GatedGraphConv", 16, 3)),
    ("graph_network/pyg", pyg("HGTConv", 8, 16, (["a", "b"], [("a", "x", "b")]), heads=2)),
    ("graph_network/pyg", pyg("GMMConv", 8, 16, 2, 3)),
    ("graph_network/pyg", pyg("ARMAConv", 8, 16, num_stacks=2, num_layers=2)),
    ("graph_network/pyg", pyg("DNAConv", 16, heads=2, groups=2)),
    ("graph_network/pyg", pyg("PDNConv", 8, 16, 4, 8)),
    ("graph_network/pyg", pyg("TopKPooling", 8)),
    (
        "graph_network/pyg",
        pyg("Linear", 8, 16, weight_initializer="glorot", bias_initializer="zeros"),
    ),
    ("schnet/pyg", pyg("SchNet", hidden_channels=16, num_filters=16, num_interactions=2)),
)
def test_graph_networks_of_pyg(recipe: str, builder: Builder) -> None:
    """PyG's own Linear says how it starts; what a convolution holds itself is Glorot's."""
    check_recorded(recipe, builder)


def test_a_wrong_recipe_is_told_by_the_recording() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"stem\.conv1\.weight by .*, and the code TN"):
        check_recorded("selecsls/timm(insist=True)", timm("test_mambaout"))


def test_a_whole_library_s_families_have_names_of_their_own() -> None:
    names = initkit.list_recipes()
    assert {"hiera/timm", "faster_rcnn/torchvision", "flux/diffusers", "gcn/pyg"} <= set(names)
    assert initkit.describe_recipe("coatnet/timm").name == "maxvit/timm"
