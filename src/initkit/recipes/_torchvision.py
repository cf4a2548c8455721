"""Models of torchvision that are made of others, and those that need little of their own."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._convnets import CONVS, HE_OUT, NORMS
from .fpn import FPN
from .swin import TORCHVISION as SWIN
from .vit import TRUNC

_SOURCE = "pytorch/vision 0.28: "
_BODY = {"*backbone": {CONVS: {"weight": HE_OUT, "bias": 0}}}
"""ResNet and MobileNetV3, whose convolutions torchvision starts alike; the rest is by type."""
_PYRAMID = {"*backbone.fpn": FPN}
_SMALL = {CONVS: {"weight": "normal(std=0.01)", "bias": 0}}
_XAVIER = {"type:Conv2d": {"weight": "xavier_uniform(fans='tensor')", "bias": 0}}
_HE = {"type:Conv2d": {"weight": HE_OUT}}
_SSDLITE = {"type:Conv2d": {"weight": "normal(std=0.03)", "bias": 0}}


def _prior(prior: float) -> dict[str, Any]:
    return {"*head.classification_head.cls_logits.bias": f"prior_bias(p={prior!r})"}


def _one_stage(prior: float = 0.01) -> list[Any]:
    return [_prior(prior), {"*head": _SMALL}, _PYRAMID, _BODY, NORMS, REST]


def _torchvision(
    name: str, files: str, rules: Any, summary: str, paper: str = "", **more: Any
) -> Recipe:
    paths = ", ".join(f"torchvision/models/{file}.py" for file in files.split())
    return Recipe(
        f"{name}/torchvision",
        rules=rules,
        summary=summary,
        source=_SOURCE + paths,
        paper=paper,
        fits=("torchvision",),
        marks=more.pop("marks", (CONVS,)),
        **more,
    )


RECIPES = (
    _torchvision(
        "faster_rcnn",
        "detection/faster_rcnn detection/mask_rcnn detection/keypoint_rcnn "
        "detection/generalized_rcnn",
        [
            {"*rpn.head": _SMALL},
            _PYRAMID,
            {
                "in:MaskRCNNHeads|KeypointRCNNHeads|FastRCNNConvFCHead": {
                    "type:Conv2d": {"weight": HE_OUT, "bias": 0}
                },
                "in:MaskRCNNPredictor": {"*.weight": HE_OUT},
                "in:KeypointRCNNPredictor": {"*.weight": HE_OUT, "*.bias": 0},
            },
            _BODY,
            NORMS,
            REST,
        ],
        "Backbone and mask head as ResNet, pyramid XavierFill, proposals N(0, 0.01).",
        "Ren et al. 2015, Faster R-CNN, arXiv:1506.01497; He et al. 2017, Mask R-CNN, "
        "arXiv:1703.06870",
        marks=("*rpn.*",),
        notes="for the R-CNNs with masks and keypoints, too. The box head and the predictors of "
        "classes and boxes keep torch's default",
    ),
    _torchvision(
        "retinanet",
        "detection/retinanet detection/fcos",
        _one_stage,
        "Backbone as ResNet, pyramid XavierFill, heads N(0, 0.01) with the focal loss's prior.",
        "Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002; Tian et al. "
        "2019, FCOS, arXiv:1904.01355",
        marks=("*head.classification_head.cls_logits.bias",),
        notes="FCOS starts alike. prior is the probability of the rare class",
    ),
    _torchvision(
        "ssd",
        "detection/ssd detection/ssdlite",
        [
            {"in:SSDLiteFeatureExtractorMobileNet|SSDLiteHead": _SSDLITE},
            {
                "*backbone.scale_weight": 20,
                "*backbone.extra.0": {r"re:\d+\.weight": HE_OUT, r"re:\d+\.bias": 0},
                "*backbone.extra": _XAVIER,
                "*head": _XAVIER,
            },
            _BODY,
            NORMS,
            REST,
        ],
        "Backbone as VGG, extra layers and heads Xavier; in SSDlite every convolution N(0, 0.03).",
        "Liu et al. 2016, SSD: Single Shot MultiBox Detector, arXiv:1512.02325; Sandler et al. "
        "2018, MobileNetV2, arXiv:1801.04381",
        marks=("in:SSDHead|SSDLiteHead",),
        notes="one class builds both; the scale of SSD's normed features starts at 20",
    ),
    _torchvision(
        "deeplabv3",
        "segmentation/deeplabv3 segmentation/fcn segmentation/lraspp segmentation/_utils",
        [_BODY, NORMS, REST],
        "Backbone as ResNet or MobileNetV3, the heads torch's default.",
        "Chen et al. 2017, Rethinking Atrous Convolution, arXiv:1706.05587; Long et al. 2015, "
        "FCN, arXiv:1411.4038; Howard et al. 2019, LR-ASPP, arXiv:1905.02244",
        marks=("*backbone.*",),
        notes="FCN and LR-ASPP start alike",
    ),
    _torchvision(
        "googlenet",
        "googlenet",
        [{"type:Conv2d|Linear": {"weight": "trunc_normal(std=0.01)"}}, NORMS, REST],
        "Convolutions and classifiers N(0, 0.01); linear biases torch's default.",
        "Szegedy et al. 2015, Going Deeper with Convolutions, arXiv:1409.4842",
        code=("torchvision.models.quantization.googlenet",),
    ),
    _torchvision(
        "inception_v3",
        "inception",
        [
            {"type:Conv2d|Linear": {"weight": "trunc_normal(std=owner.stddev or 0.1)"}},
            NORMS,
            REST,
        ],
        "Convolutions and classifiers N(0, 0.1); linear biases torch's default.",
        "Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567",
        code=("torchvision.models.quantization.inception",),
        notes="a layer's own stddev counts: 0.001 for the auxiliary classifier. The one of its "
        "last convolution, 0.01, stands on the module around it, and is not seen",
    ),
    _torchvision(
        "maxvit",
        "maxvit",
        [
            {
                "*relative_position_bias_table": TRUNC,
                "type:Conv2d|Linear": {"weight": "normal(std=0.02)", "bias": 0},
            },
            NORMS,
            REST,
        ],
        "Convolutions, linear layers and position biases N(0, 0.02), biases 0.",
        "Tu et al. 2022, MaxViT, arXiv:2204.01697",
        marks=("*relative_position_bias_table",),
        notes="timm's version draws convolutions by fan_out, and attention by Xavier",
    ),
    _torchvision(
        "video_resnet",
        "video/resnet",
        [
            {
                "type:Conv3d": {"weight": HE_OUT, "bias": 0},
                "type:Linear": {"weight": "normal(std=0.01)", "bias": 0},
            },
            NORMS,
            REST,
        ],
        "Convolutions N(0, sqrt(2/(k k k out_channels))), classifier N(0, 0.01), biases 0.",
        "Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions, arXiv:1711.11248",
        marks=("type:Conv3d",),
        notes="for R3D, MC3 and R(2+1)D",
    ),
    _torchvision(
        "mvit",
        "video/mvit",
        [
            {
                "*.class_token": TRUNC,
                "*.spatial_pos": TRUNC,
                "*.temporal_pos": TRUNC,
                "*.class_pos": TRUNC,
                "*.rel_pos_[hwt]": TRUNC,
                "type:Linear": {"weight": TRUNC, "bias": 0},
            },
            NORMS,
            REST,
        ],
        "Linear layers, tokens and positions N(0, 0.02); convolutions torch's default.",
        "Fan et al. 2021, Multiscale Vision Transformers, arXiv:2104.11227; Li et al. 2022, "
        "MViTv2, arXiv:2112.01526",
        marks=("*.class_token",),
    ),
    _torchvision(
        "swin3d",
        "video/swin_transformer",
        SWIN,
        "As swin/torchvision: linear layers and position biases N(0, 0.02).",
        "Liu et al. 2022, Video Swin Transformer, arXiv:2106.13230",
        marks=("*relative_position_bias_table",),
    ),
    _torchvision(
        "raft",
        "optical_flow/raft",
        [{"*feature_encoder": _HE, "*context_encoder": _HE}, NORMS, REST],
        "The encoders' convolutions N(0, sqrt(2/(k k out_channels))); the rest torch's default.",
        "Teed & Deng 2020, RAFT, arXiv:2003.12039",
        marks=("*feature_encoder.*",),
    ),
)
ALIASES = {
    "mask_rcnn/torchvision": "faster_rcnn/torchvision",
    "keypoint_rcnn/torchvision": "faster_rcnn/torchvision",
    "fcos/torchvision": "retinanet/torchvision",
    "ssdlite/torchvision": "ssd/torchvision",
    "fcn/torchvision": "deeplabv3/torchvision",
    "lraspp/torchvision": "deeplabv3/torchvision",
}
