"""StyleGAN2, with equalised learning rates."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "stylegan2/original",
        rules=[
            {
                "*.const": "normal(std=1)",
                "*.noise_strength": 0,
                "*.affine.bias": 1,
                "*mapping.fc*.weight": "normal(std=1/(owner.bias_gain or 0.01))",
                "type:FullyConnectedLayer": {"weight": "normal(std=1/(owner.bias_gain or 1))"},
                "type:Conv2dLayer|SynthesisLayer|ToRGBLayer": {"weight": "normal(std=1)"},
                "*.bias": 0,
            },
            REST,
        ],
        marks=("type:FullyConnectedLayer|Conv2dLayer|SynthesisLayer|ToRGBLayer",),
        summary="Every weight N(0, 1), scaled at run time; the mapping network N(0, 100).",
        source="NVlabs/stylegan2-ada-pytorch: training/networks.py",
        paper="Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN "
        "(arXiv:1912.04958); the equalised rate: Karras et al. 2018 (arXiv:1710.10196)",
        fits=("plain torch, with the layers of that code",),
        notes="each layer multiplies its weight by 1/sqrt(fan_in) in every forward pass. The "
        "mapping network's weights are divided by its learning rate multiplier, 0.01, which the "
        "layers carry. Styles start with bias 1, noise with strength 0",
    ),
)
ALIASES = {"stylegan2": "stylegan2/original"}
