"""Papers, notes and marks of the families of transformers that stand in tables."""

from __future__ import annotations

_LOST = (
    "the positional convolution keeps torch's default: its start is written into a copy that "
    "weight_norm computes, and lost"
)
PAPERS: dict[str, str] = {
    "audio_spectrogram_transformer": "Gong et al. 2021, AST (arXiv:2104.01778)",
    "blip_2": "Li et al. 2023, BLIP-2 (arXiv:2301.12597)",
    "clap": "Wu et al. 2022, LAION-CLAP (arXiv:2211.06687)",
    "clvp": "Betker 2023, TorToise (arXiv:2305.07243)",
    "conditional_detr": "Meng et al. 2021, Conditional DETR (arXiv:2108.06152)",
    "dac": "Kumar et al. 2023, Descript Audio Codec (arXiv:2306.06546)",
    "deberta": "He et al. 2020, DeBERTa (arXiv:2006.03654)",
    "deformable_detr": "Zhu et al. 2021, Deformable DETR (arXiv:2010.04159)",
    "detr": "Carion et al. 2020, DETR (arXiv:2005.12872)",
    "encodec": "Defossez et al. 2022, EnCodec (arXiv:2210.13438)",
    "falcon_mamba": "Zuo et al. 2024, Falcon Mamba (arXiv:2410.05355)",
    "fsmt": "Ng et al. 2019, Facebook FAIR's WMT19 submission (arXiv:1907.06616)",
    "gemma2": "Gemma Team 2024, Gemma 2 (arXiv:2408.00118)",
    "gemma3": "Gemma Team 2025, Gemma 3 (arXiv:2503.19786)",
    "gemma4": "Gemma Team, Gemma 4",
    "gpt_oss": "OpenAI 2025, gpt-oss model card (arXiv:2508.10925)",
    "grounding_dino": "Liu et al. 2023, Grounding DINO (arXiv:2303.05499)",
    "hubert": "Hsu et al. 2021, HuBERT (arXiv:2106.07447)",
    "ibert": "Kim et al. 2021, I-BERT (arXiv:2101.01321)",
    "internvl": "Zhu et al. 2025, InternVL3 (arXiv:2504.10479)",
    "jamba": "Lieber et al. 2024, Jamba (arXiv:2403.19887)",
    "jetmoe": "Shen et al. 2024, JetMoE (arXiv:2404.07413)",
    "llava": "Liu et al. 2023, Visual Instruction Tuning (arXiv:2304.08485)",
    "marian": "Junczys-Dowmunt et al. 2018, Marian (arXiv:1804.00344)",
    "mask2former": "Cheng et al. 2022, Mask2Former (arXiv:2112.01527)",
    "maskformer": "Cheng et al. 2021, MaskFormer (arXiv:2107.06278)",
    "mimi": "Defossez et al. 2024, Moshi (arXiv:2410.00037)",
    "modernbert": "Warner et al. 2024, ModernBERT (arXiv:2412.13663)",
    "owlv2": "Minderer et al. 2023, OWLv2 (arXiv:2306.09683)",
    "owlvit": "Minderer et al. 2022, OWL-ViT (arXiv:2205.06230)",
    "paligemma": "Beyer et al. 2024, PaliGemma (arXiv:2407.07726)",
    "pegasus": "Zhang et al. 2019, PEGASUS (arXiv:1912.08777)",
    "qwen3_5": "Yang et al. 2024, Gated Delta Networks (arXiv:2412.06464)",
    "qwen3_next": "Yang et al. 2024, Gated Delta Networks (arXiv:2412.06464)",
    "recurrent_gemma": "Botev et al. 2024, RecurrentGemma (arXiv:2404.07839)",
    "roformer": "Su et al. 2021, RoFormer (arXiv:2104.09864)",
    "rt_detr": "Zhao et al. 2023, RT-DETR (arXiv:2304.08069)",
    "rwkv": "Peng et al. 2023, RWKV (arXiv:2305.13048)",
    "sam": "Kirillov et al. 2023, Segment Anything (arXiv:2304.02643)",
    "sam2": "Ravi et al. 2024, SAM 2 (arXiv:2408.00714)",
    "speecht5": "Ao et al. 2021, SpeechT5 (arXiv:2110.07205)",
    "wavlm": "Chen et al. 2021, WavLM (arXiv:2110.13900)",
    "xlstm": "Beck et al. 2024, xLSTM (arXiv:2405.04517)",
    "zamba": "Glorioso et al. 2024, Zamba (arXiv:2405.16712)",
    "zamba2": "Glorioso et al. 2024, Zamba2 (arXiv:2411.15242)",
}
"""The paper of a family."""
NOTES: dict[str, str] = {
    "bamba": "dt_bias starts at 1, so that softplus of it is 1.31 at every head: Mamba 2 draws it."
    " A_log is log(1..heads), as in Codestral Mamba",
    "bridgetower": "rows of padding are drawn like the others: the family starts embeddings again "
    "after they were zeroed",
    "clap": "every linear layer and convolution of both towers is scaled by width and depth, "
    "patches, too",
    "deformable_detr": "sampling offsets start on a ray for each head, their weights at 0. The "
    "backbone keeps what its own library gives it",
    "detr": "the backbone is timm's ResNet unless the config says otherwise, and keeps what timm "
    "gives it",
    "encodec": "convolutions under weight_norm keep torch's default, biases of transposed ones 0: "
    "their start is written into a copy that weight_norm computes, and lost",
    "gemma3": "RMSNorm multiplies by 1 + weight, so its weights start at 0. A SigLIP tower starts "
    "like siglip/transformers",
    "gemma3n": "its RMSNorm multiplies by the weight, which starts at 1, where Gemma 1 to 3 have "
    "1 + weight",
    "gemma4": "its RMSNorm multiplies by the weight, which starts at 1; that of Gemma 1 to 3 "
    "multiplies by 1 + weight, which starts at 0 (gemma/transformers)",
    "gpt_oss": "the router's bias is drawn, too; attention sinks start like matrices",
    "hubert": _LOST,
    "jamba": "the bias of dt_proj starts at 0, where Mamba draws it",
    "mimi": "the biases of transposed convolutions are drawn with the fan of a plain one: wider "
    "or narrower than torch's by sqrt(out/in)",
    "modernbert": "every matrix is cut at initializer_cutoff_factor standard deviations, and not "
    "corrected; what each block adds is divided by sqrt(2 layers)",
    "nemotron_h": "rescale_prenorm_residual divides out_proj by sqrt(layers)",
    "qwen3_next": "A_log is the logarithm of U(0.01, 16) here, where Mamba 2 has U(1, 16). Its "
    "RMSNorm multiplies by 1 + weight, the gated one by the weight",
    "rwkv": "time_first starts at 1: the published log 0.3 + zigzag is handed to ones_like, which "
    "loses the numbers",
    "speecht5": _LOST,
    "videoprism": "its LayerNorm multiplies by 1 + weight",
    "xlstm": "for weight_mode='single', the only one whose own code runs to its end",
    "wavlm": _LOST,
}
"""Where the code surprises, or differs from the paper or a cousin."""
MARKS: dict[str, tuple[str, ...]] = {
    "gemma2": ("type:Gemma2RMSNorm",),
    "gemma3": ("type:Gemma3RMSNorm",),
    "gemma3n": ("type:Gemma3n*",),
    "gemma4": ("type:Gemma4RMSNorm",),
    "qwen3_5": ("type:Qwen3_5RMSNorm",),
    "qwen3_5_moe": ("type:Qwen3_5MoeRMSNorm",),
    "qwen3_next": ("type:Qwen3NextRMSNorm",),
    "vaultgemma": ("type:VaultGemmaRMSNorm",),
}
"""What a model must have to be of a family whose cousins start otherwise."""
