"""What the recipes of convolutional networks share."""

from __future__ import annotations

from ..rules import REST

HE_OUT = "kaiming_normal(mode='fan_out', fans='tensor')"
"""N(0, sqrt(2/(k k out_channels))): all output channels, groups or not."""
HE_OUT_OF_GROUP = "kaiming_normal(mode='fan_out')"
"""N(0, sqrt(2/(k k out_channels/groups))): a depthwise convolution has a fan of k k."""
HE_IN = "kaiming_normal(fans='tensor')"
"""N(0, sqrt(2/(k k in_channels/groups)))."""
TF_DENSE = "uniform(-1/sqrt(fan_out), 1/sqrt(fan_out))"
"""How TensorFlow's EfficientNet starts its classifier: the bound is one over sqrt(classes)."""

CONVS = "type:Conv1d|Conv2d|Conv3d"
# _BatchNorm is the common base of BatchNorm1d to BatchNorm3d and SyncBatchNorm.
NORMS = {"type:_BatchNorm|GroupNorm|LayerNorm": {"weight": 1, "bias": 0}}
KERAS_RULES = [
    {"type:Conv2d|Linear": {"weight": "xavier_uniform(fans='tensor')", "bias": 0}},
    NORMS,
    REST,
]
"""Keras's defaults. Of a depthwise kernel it swaps the two fans, and Glorot's rule adds them."""
TORCH7_RULES = [
    {
        CONVS: {"weight": HE_OUT, "bias": 0},
        "type:_BatchNorm": {"weight": 1, "bias": 0},
        "type:Linear": {"weight": "torch_default", "bias": 0},
    },
    REST,
]
"""The ResNets of Torch7: the linear bias is 0, its weight Torch7's default, which is torch's."""
