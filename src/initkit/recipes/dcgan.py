"""DCGAN."""

from __future__ import annotations

from ..rules import REST, Recipe

_PAPER = "Radford et al. 2016, Unsupervised Representation Learning with DCGANs (arXiv:1511.06434)"
_NORM = {"type:_BatchNorm": {"weight": "normal(mean=1, std=0.02)", "bias": 0}}
_DRAWN = "type:Conv2d|ConvTranspose2d"
_SUMMARY = "Convolutions N(0, 0.02), batchnorm weights N(1, 0.02)."

RECIPES = (
    Recipe(
        "dcgan/pytorch",
        rules=[{_DRAWN: {"weight": "normal(std=0.02)"}}, _NORM, REST],
        summary=_SUMMARY,
        source="pytorch/examples: dcgan/main.py (weights_init)",
        paper=_PAPER,
        fits=("plain torch",),
        notes="touches modules by name, convolutions and batchnorm; their biases and linear layers "
        "stay torch's default",
    ),
    Recipe(
        "dcgan/original",
        rules=[{f"{_DRAWN}|Linear": {"weight": "normal(std=0.02)", "bias": 0}}, _NORM, REST],
        summary=_SUMMARY,
        source="Newmu/dcgan_code: faces/train_uncond_dcgan.py, lib/inits.py",
        paper=_PAPER,
        fits=("plain torch",),
        notes="the linear projection of the noise starts like the convolutions; the original has "
        "no biases but those of batchnorm",
    ),
)
ALIASES = {"dcgan": "dcgan/original", "dcgan/pytorch-examples": "dcgan/pytorch"}
