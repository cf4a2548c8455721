"""Models of transformers whose family adds nothing to ``PreTrainedModel._init_weights``."""

from __future__ import annotations

from ..rules import Recipe
from ._transformers import GENERIC

FAMILIES = (
    "arcee audioflamingo3 axk1 axk2 bert_generation big_bird bigbird_pegasus biogpt bitnet "
    "blenderbot blenderbot_small camembert canine codegen cohere cohere2 cohere2_moe "
    "cohere_compass cosmos3_edge cosmos3_omni ctrl cwm deberta_v2 deepseek_v2 deepseek_v3 "
    "deepseek_v32 dia dots3_note dpr ernie ernie4_5 ernie4_5_moe esm esmc eurobert exaone4 "
    "exaone4_5 exaone_moe flex_olmo florence2 fnet fun_asr_nano fuyu glm glm4 glm46v glm4_moe "
    "glm4_moe_lite glm4v glm4v_moe glm_image glm_moe_dsa glm_ocr glmasr glpn gpt_neo gptj "
    "granite granite_docling granite_speech5 granitemoe granitemoeshared gte helium hgnet_v2 "
    "higgs_audio_v2 hunyuan_v1_dense hunyuan_v1_moe hy_v3 hyperclovax hyperclovax_vision_v2 "
    "idefics3 internlm3 iquestcoder jais2 jina_embeddings_v3 kolibri1 laguna lasr layoutlm led "
    "lfm2 lfm3 lfm3_vl lightglue lighton_ocr lilt longformer luke lxmert m2m_100 markuplm mbart "
    "megatron_bert mellum minicpm3 minimax minimax_m2 ministral ministral3 mistral3 mistral4 "
    "mobilenet_v1 moonshine moss_transcribe_diarize mpnet mpt mra muse_glimmer "
    "muse_glimmer_assistant musicflamingo mvp nemotron nllb_moe nomic_bert nystromformer olmo3 "
    "olmoe openai ovis2 paddleocr_vl pegasus_x persimmon phi phi3 phimoe pixtral plbart "
    "pp_ocrv5_mobile_rec pp_ocrv5_server_rec pp_ocrv6_small_det pp_ocrv6_small_rec "
    "pp_ocrv6_tiny_rec prophetnet qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl "
    "qwen3_asr qwen3_moe qwen3_vl rembert roberta_prelayernorm roc_bert seed_oss segformer "
    "smollm3 smolvlm solar_open speech_to_text splinter squeezebert stablelm starcoder2 textnet "
    "ultrabert univnet video_llama_3 videomae visual_bert voxtral voxtral_realtime xglm "
    "xlm_roberta xlm_roberta_xl xmod yoso"
).split()
"""The folders of transformers that start so wholly, as recordings of their models say."""

RECIPES = (
    Recipe(
        "pretrained_model/transformers",
        rules=[GENERIC],
        summary="Every matrix N(0, initializer_range), padding rows 0; biases 0, norms 1; experts "
        "and routers like matrices.",
        source="huggingface/transformers 5.23: src/transformers/modeling_utils.py "
        "(PreTrainedModel._init_weights)",
        fits=("transformers",),
        notes="for the families that add nothing of their own: each has it under its name. What a "
        "family's own _init_weights does besides is in the recipe of that family",
        code=tuple(f"transformers.models.{family}" for family in FAMILIES),
    ),
)
ALIASES = {"pretrained_model": "pretrained_model/transformers"}
