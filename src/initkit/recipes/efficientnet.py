"""EfficientNet."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import HE_OUT, HE_OUT_OF_GROUP, NORMS, TF_DENSE
from ._transformers import GENERIC, NORMAL

_PAPER = "Tan & Le 2019, EfficientNet (arXiv:1905.11946)"
GOOGLE = [
    {
        "in:MultiQueryAttention2d": {"type:Conv2d": {"weight": "xavier_uniform(fans='tensor')"}},
        "type:CondConv2d": {
            "weight": "normal(std=sqrt(2*owner.in_channels/shape[1]))",
            "bias": 0,
        },
        "type:LayerScale|LayerScale2d": {"gamma": "constant(owner.init_values)"},
        "type:Conv2d": {"weight": HE_OUT_OF_GROUP, "bias": 0},
        "*routing_fn.weight": "uniform(-1/sqrt(fan_in + fan_out), 1/sqrt(fan_in + fan_out))",
        "type:Linear": {"weight": TF_DENSE, "bias": 0},
    },
    NORMS,
    REST,
]
"""timm's ``_init_weight_goog``: what all its networks of the MobileNet kind share."""
_TF = "tensorflow/tpu: models/official/efficientnet/efficientnet_model.py"

RECIPES = (
    Recipe(
        "efficientnet/tensorflow",
        rules=[
            {
                "type:Conv2d": {"weight": HE_OUT_OF_GROUP, "bias": 0},
                "type:Linear": {"weight": TF_DENSE, "bias": 0},
            },
            NORMS,
            REST,
        ],
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), depthwise ones N(0, sqrt(2/(k "
        "k))).",
        source=_TF,
        paper=_PAPER,
        fits=("timm", "torchvision", "transformers"),
        notes="a depthwise kernel has the shape (k, k, channels, 1) there, so its fan_out is k k",
    ),
    Recipe(
        "efficientnet/timm",
        rules=GOOGLE,
        summary="As TensorFlow: convolutions N(0, sqrt(2/fan_out)), fan_out divided by groups.",
        source="huggingface/pytorch-image-models 1.0.31: timm/models/efficientnet.py, "
        f"timm/models/_efficientnet_builder.py (_init_weight_goog); {_TF}",
        paper=_PAPER,
        fits=("timm",),
    ),
    Recipe(
        "efficientnet/torchvision",
        rules=[
            {
                "type:Conv2d": {"weight": HE_OUT, "bias": 0},
                "type:Linear": {"weight": TF_DENSE, "bias": 0},
            },
            NORMS,
            REST,
        ],
        summary="Convolutions N(0, sqrt(2/(k k out_channels))), depthwise ones, too.",
        source="pytorch/vision 0.28: torchvision/models/efficientnet.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="groups are ignored, so that depthwise kernels start sqrt(channels) smaller than in "
        "TensorFlow and timm",
    ),
    Recipe(
        "efficientnet/transformers",
        rules=[{"type:BatchNorm2d": {"weight": NORMAL, "bias": 0}}, GENERIC],
        summary="Everything N(0, initializer_range), batchnorm weights too; biases 0.",
        source="huggingface/transformers 5.23: models/efficientnet/modeling_efficientnet.py",
        paper=_PAPER,
        fits=("transformers",),
        notes="batchnorm weights around 0 rather than at 1 look like an oversight: the list of "
        "classes that are drawn holds BatchNorm2d. For training from scratch take "
        "efficientnet/tensorflow",
    ),
    Recipe(
        "efficientnet/keras",
        rules=[
            {
                "type:Conv2d": {"weight": "variance_scaling(scale=2, mode='fan_out')", "bias": 0},
                "type:Linear": {"weight": TF_DENSE, "bias": 0},
            },
            NORMS,
            REST,
        ],
        summary="As TensorFlow, with truncated normal distributions of the same std.",
        source="keras-team/keras: keras/src/applications/efficientnet.py",
        paper=_PAPER,
        fits=("timm", "torchvision", "transformers"),
    ),
)
ALIASES = {
    "efficientnet": "efficientnet/tensorflow",
    "efficientnet/keras.applications": "efficientnet/keras",
}
