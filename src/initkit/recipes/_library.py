"""The families of transformers that have a row of a table instead of a file of their own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..rules import Recipe
from . import (
    _detection,
    _language_1,
    _language_2,
    _multimodal_1,
    _multimodal_2,
    _segmentation,
    _speech,
    _vision,
)
from ._library_notes import MARKS, NOTES, PAPERS
from ._transformers import GENERIC, published
from .pretrained_model import FAMILIES

TABLES: dict[str, list[Any]] = {
    **_language_1.TABLES,
    **_language_2.TABLES,
    **_multimodal_1.TABLES,
    **_multimodal_2.TABLES,
    **_detection.TABLES,
    **_segmentation.TABLES,
    **_vision.TABLES,
    **_speech.TABLES,
}
"""What each family's own code does besides what it inherits."""
BASES = {
    "bert": "BertPreTrainedModel",
    "bit": "BitPreTrainedModel",
    "clip": "CLIPPreTrainedModel",
    "dinov2": "Dinov2PreTrainedModel",
    "encodec": "EncodecPreTrainedModel",
    "gemma": "GemmaPreTrainedModel",
    "gemma2": "Gemma2PreTrainedModel",
    "gemma3": "Gemma3PreTrainedModel",
    "qwen3_5": "Qwen3_5PreTrainedModel",
    "sam2": "Sam2PreTrainedModel",
    "sam3": "Sam3PreTrainedModel",
    "sam3_tracker_video": "Sam3TrackerVideoPreTrainedModel",
    "hgnet_v2": "HGNetV2PreTrainedModel",
    "hubert": "HubertPreTrainedModel",
    "mllama": "MllamaPreTrainedModel",
    "modernbert": "ModernBertPreTrainedModel",
    "nemotron_h": "NemotronHPreTrainedModel",
    "parakeet": "ParakeetPreTrainedModel",
    "resnet": "ResNetPreTrainedModel",
    "sam": "SamPreTrainedModel",
    "siglip": "SiglipPreTrainedModel|Siglip2PreTrainedModel",
    "swin": "SwinPreTrainedModel",
    "timm_swin": "TimmBackbone|OmDetTurboVisionBackbone",
    "t5": "T5PreTrainedModel",
    "timm_resnet": "TimmBackbone",
    "vit": "ViTPreTrainedModel",
    "wav2vec2_bert": "Wav2Vec2BertPreTrainedModel",
    "llama": "LlamaPreTrainedModel",
}
"""The class whose parts start by a family's rules, wherever a model holds one."""
_EYES = "clip siglip dinov2"
TOWERS = {
    "aya_vision": _EYES,
    "bark": "encodec",
    "canary": "parakeet",
    "cohere2_vision": _EYES,
    "cohere_asr": "parakeet",
    "dab_detr": "timm_resnet",
    "deepseek_vl": _EYES,
    "deepseek_vl_hybrid": "siglip sam llama",
    "depth_pro": "dinov2",
    "edgetam_video": "sam2",
    "gemma3": _EYES,
    "lfm2_vl": _EYES,
    "mask2former": "swin",
    "modernvbert": "siglip modernbert",
    "minicpm_ocr": "qwen3_5",
    "minicpmv4_6": "qwen3_5",
    "minicpmv4_7": "qwen3_5",
    "pi0": f"gemma {_EYES}",
    "grounding_dino": "swin bert",
    "nemotron3_5_transcribe": "nemotron_h",
    "neucodec": "wav2vec2_bert",
    "omdet_turbo": "clip timm_swin",
    "pe_audio": "modernbert",
    "llava": _EYES,
    "llava_next": _EYES,
    "llava_next_video": _EYES,
    "llava_onevision": _EYES,
    "mm_grounding_dino": "swin bert",
    "oneformer": "swin",
    "paligemma": f"gemma gemma2 gemma3 {_EYES}",
    "sam2_video": "sam2",
    "sam3": "clip",
    "sam3_lite_text": "sam3",
    "sam3_tracker": "sam3",
    "sam3_tracker_video": "sam3",
    "sam3_video": "clip sam3 sam3_tracker_video",
    "t5gemma2": "siglip",
    "tvp": "resnet",
    "ultravbert": "siglip",
    "video_llava": _EYES,
    "vipllava": _EYES,
    "xcodec": "hubert",
    "xcodec2": "wav2vec2_bert",
    "vision_text_dual_encoder": f"vit bert {_EYES}",
}
"""The parts that a family takes from others; what starts as all models do is not named."""


UNPADDED = frozenset(
    "bridgetower clap d_fine deimv2 modernbert modernbert_decoder modernvbert pe_audio rt_detr "
    "rt_detr_v2".split()
)
"""Families whose code draws an embedding again after its row of padding was zeroed."""


def rules_of(family: str) -> list[Any]:
    """Return all the rules by which a family's models start, wherever they stand."""
    if family.startswith("timm_"):
        return [f"{family.removeprefix('timm_')}/timm"]
    if family in TABLES:
        return [*TABLES[family], GENERIC]
    module = import_module(f"{__package__}.{family}")
    name = f"{family}/transformers"
    return list(next((r.table for r in module.RECIPES if r.name == name), GENERIC))


def _parts(family: str) -> Iterator[Any]:
    """Yield the rules of a model's parts that are models of other families."""
    for part in TOWERS.get(family, "").split():
        yield {f"in:{BASES[part]}": rules_of(part)}


def _summary(family: str) -> str:
    """Return what a family does of its own, in the names of its classes."""
    keys = [key for table in TABLES.get(family, ()) if isinstance(table, dict) for key in table]
    classes = [n for k in keys if k[:3] in ("typ", "in:") for n in k.partition(":")[2].split("|")]
    own = ", ".join(dict.fromkeys(name for name in classes if "*" not in name))
    said = "Every matrix N(0, initializer_range), biases 0, norms 1"
    said += f"; otherwise {own}" if own else ""
    parts = TOWERS.get(family, "").replace(" ", ", ")
    return said + (f"; a part that is one of {parts} like that." if parts else ".")


def _recipes() -> Iterator[Recipe]:
    for family in sorted({*TABLES, *TOWERS}):
        yield published(
            family,
            *_parts(family),
            *TABLES.get(family, ()),
            summary=_summary(family),
            paper=PAPERS.get(family, ""),
            notes=NOTES.get(family, ""),
            marks=MARKS.get(family, ()),
            padding=family not in UNPADDED,
        )


RECIPES = tuple(_recipes())
ALIASES = {
    f"{family}/transformers": "pretrained_model/transformers"
    for family in FAMILIES
    if family not in TABLES
}
