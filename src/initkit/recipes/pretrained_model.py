"""Models of transformers whose family adds nothing to ``PreTrainedModel._init_weights``."""

from __future__ import annotations

from ..rules import Recipe
from ._transformers import GENERIC

RECIPES = (
    Recipe(
        "pretrained_model/transformers",
        rules=[{"*.lm_head.bias": 0, "*.predictions.bias": 0}, *GENERIC],
        summary="Every matrix N(0, initializer_range), padding rows 0; biases 0, norms 1; experts "
        "and routers like matrices.",
        source="huggingface/transformers 5.23: src/transformers/modeling_utils.py "
        "(PreTrainedModel._init_weights)",
        fits=("transformers",),
        notes="for the families without a recipe: Phi, Phi-3, Falcon, GPT-J, GPT-Neo, CodeGen, "
        "StarCoder 2, DeBERTa v2, XLM-RoBERTa, CamemBERT, MPNet, Longformer, mBART, DeepSeek v2 "
        "and v3, Cohere, Granite and others start so wholly. What a family's own _init_weights "
        "does besides (sinusoid tables of Pegasus and Marian, depth scaling of GPTBigCode, the "
        "stds of mT5 and ModernBERT) is not in it",
    ),
)
ALIASES = {"pretrained_model": "pretrained_model/transformers"}
