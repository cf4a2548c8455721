"""Which names are in which file, where it is not called so: no other is loaded to look for them."""

from __future__ import annotations

NAMES: dict[str, str] = {
    "_library": """
        afmoe aimv2 align altclip apertus arcee aria audio_spectrogram_transformer audioflamingo3
        axk1 axk2 aya_vision bailing_hybrid bamba bark beam bert_generation big_bird bigbird_pegasus
        biogpt bit bitnet blenderbot blenderbot_small blip blip_2 bridgetower bros camembert canary
        canine chinese_clip clap clipseg clvp codegen cohere cohere2 cohere2_moe cohere2_vision
        cohere_asr cohere_compass conditional_detr convbert convnextv2 cosmos3_edge cosmos3_omni
        cpmant ctrl cvt cwm d_fine dab_detr dac data2vec deberta deberta_v2 decision_transformer
        deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 deepseek_vl deepseek_vl_hybrid
        deformable_detr deimv2 depth_pro detr dia diffllama dinov2_with_registers dinov3_convnext
        dinov3_vit doge donut dots3_note dpr dpt edgetam edgetam_video efficientloftr
        embedding_gemma2 encodec ernie ernie4_5 ernie4_5_moe esm esmc eurobert exaone4 exaone4_5
        exaone_moe falcon falcon_h1 falcon_mamba fastspeech2_conformer flaubert flava flex_olmo
        flint florence2 fnet focalnet fsmt fun_asr_nano fuyu gemma2 gemma3 gemma3n gemma4
        gemma4_unified git glm glm4 glm46v glm4_moe glm4_moe_lite glm4v glm4v_moe glm5_next
        glm_image glm_moe_dsa glm_ocr glmasr glpn got_ocr2 gpt_bigcode gpt_neo gpt_neox_japanese
        gpt_oss gptj gradium_phonon_tts granite granite_docling granite_speech granite_speech5
        granite_speech_plus granite_swa granitemoe granitemoe_swa granitemoehybrid granitemoeshared
        grounding_dino groupvit gte helium hgnet_v2 hiera higgs_audio_v2 hrm_text hubert
        hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl hy_v3 hy_v4 hyperclovax hyperclovax_vision_v2
        ibert idefics idefics2 idefics3 ijepa imagegpt inkling inkling2 instructblip
        instructblipvideo internlm3 internvl iquestcoder jais2 jamba jetmoe jina_embeddings_v3
        kimi_k25 kimi_linear kolibri1 kosmos2 kosmos2_5 kyutai_speech_to_text laguna lasr layoutlm
        layoutlmv3 led levit lfm2 lfm2_vl lfm3 lfm3_vl lightglue lighton_ocr lilt llama4 llava
        llava_next llava_next_video llava_onevision longformer longt5 luke lw_detr lxmert m2m_100
        marian markuplm mask2former maskformer mbart megatron_bert mellum metaclip_2 mgp_str mimi
        mimo_v2_flash minicpm3 minicpm_ocr minicpmv4_6 minicpmv4_7 minimax minimax_m2 minimax_m3_vl
        ministral ministral3 mistral3 mistral4 mistral_large4 mlcd mllama mm_grounding_dino
        mobilebert mobilenet_v1 mobilevit mobilevitv2 modernbert modernbert_decoder modernvbert
        molmo2 moonshine moshi moss_transcribe_diarize mpnet mpt mra mt5 muse_glimmer
        muse_glimmer_assistant muse_spark musicflamingo mvp nanochat nemotron nemotron3_5_asr
        nemotron3_5_transcribe nemotron3_diarization nemotron_asr_streaming nemotron_h neomme
        neucodec nllb_moe nomic_bert nystromformer olmo3 olmo_hybrid olmoe omdet_turbo oneformer
        openai openai_privacy_filter ovis2 owlv2 owlvit paddleocr_vl paligemma parakeet patchtsmixer
        pe_audio pegasus pegasus_x persimmon phi phi3 phimoe pi0 pixio pixtral plbart pocket_tts
        pocket_tts_audio_tokenizer poolformer pp_doclayout_v3 pp_doclayout_v4 pp_ocrv5_mobile_rec
        pp_ocrv5_server_rec pp_ocrv6_small_det pp_ocrv6_small_rec pp_ocrv6_tiny_rec prophetnet pvt
        pvt_v2 qianfan_ocr qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3_5
        qwen3_5_moe qwen3_asr qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe qwen4_exp
        radio recurrent_gemma reformer rembert rf_detr roberta_prelayernorm roc_bert roformer
        rt_detr rt_detr_v2 rwkv sam sam2 sam2_video sam3 sam3_lite_text sam3_tracker
        sam3_tracker_video sam3_video sam_hq sapiens2 seamless_m4t seamless_m4t_v2 seed_oss
        segformer seggpt sew sew_d smollm3 smolvlm solar_open speech_to_text speecht5 splinter
        squeezebert stablelm starcoder2 step3p7 swiftformer swin2sr switch_transformers t5gemma
        t5gemma2 table_transformer tapas textnet timesfm timesfm2_5 timesformer tipsv2 tvp udop
        ultrabert ultravbert umt5 unispeech unispeech_sat univnet unlimited_ocr uvdoc vaultgemma
        video_llama_3 video_llava videomae videoprism vilt vipllava vision_text_dual_encoder
        visual_bert vit_msn vitdet vits vivit vjepa2 voxtral voxtral_realtime wav2vec2_bert
        wav2vec2_conformer wavlm x_clip xcodec xcodec2 xglm xlm xlm_roberta xlm_roberta_xl xlnet
        xlstm xmod yolos yoso youtu zamba zamba2 zaya
    """,
    "_diffusers": """
        autoencoder_kl controlnet diffusion_model dit flux pixart sana sd3 unet2d unet2d_condition
        vq_model wan
    """,
    "_timm_convnets": """
        byoanet byobnet csatv2 cspnet dla efficientvit_msra fasternet fastvit focalnet hardcorenas
        hgnet hrnet iformer inception_next inception_v3 lcnetv2 levit mambaout metaformer
        mobilenetv5 mobilevit nextvit rdnet repvit res2net resnest resnetv2 rexnet selecsls senet
        shvit sknet starnet swiftformer tresnet vovnet xception
    """,
    "_timm_transformers": """
        coat coatnet coatnext convit crossvit davit deepseek_vit edgenext efficientformer
        efficientformer_v2 efficientvim gcvit gemma4_vit hiera hieradet_sam2 lowformer maxvit
        maxxvit mvitv2 naflexvit nest pit pvt_v2 qwen3_vit samvit sequencer swinv2_cr tiny_vit tnt
        twins visformer vision_transformer_relpos vision_transformer_sam vit_relpos vitamin volo
        xcit
    """,
    "_torch_geometric": """
        gat gcn gin graph_network graph_sage rgcn schnet
    """,
    "_torchvision": """
        deeplabv3 faster_rcnn fcn fcos googlenet inception_v3 keypoint_rcnn lraspp mask_rcnn maxvit
        mvit raft retinanet ssd ssdlite swin3d video_resnet
    """,
    "sdf": "geometric",
}
"""What stands before the slash of the names that a file gives; of two files the first counts."""
