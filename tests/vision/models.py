"""The real networks with random weights from tiny configurations, for plumbing tests: shapes,
prompts, batching, memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tools.vision.extra import load_segment_anything

pytest.importorskip("torch").set_num_threads(
    1
)  # tiny networks: more threads only wait for each other


def tiny_sam():
    """Segment Anything with an encoder of two blocks at 128 pixels."""
    torch = pytest.importorskip("torch")
    modeling = load_segment_anything().modeling
    torch.manual_seed(0)
    encoder = modeling.ImageEncoderViT(
        depth=2,
        embed_dim=32,
        img_size=128,
        mlp_ratio=2,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=2,
        patch_size=16,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=[1],
        window_size=4,
        out_chans=32,
    )
    prompts = modeling.PromptEncoder(
        embed_dim=32, image_embedding_size=(8, 8), input_image_size=(128, 128), mask_in_chans=4
    )
    decoder = modeling.MaskDecoder(
        num_multimask_outputs=3,
        transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=32, num_heads=2),
        transformer_dim=32,
        iou_head_depth=2,
        iou_head_hidden_dim=16,
    )
    return modeling.Sam(encoder, prompts, decoder)


def tiny_grounding_dino(folder: Path):
    """(model, tokenizer): Grounding DINO with a Swin of width 12 and a BERT of width 8; its
    vocabulary is written to ``folder``."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    vocabulary = [f"[unused{i}]" for i in range(1100)]
    for token, index in {
        "[PAD]": 0,
        "[UNK]": 100,
        "[CLS]": 101,
        "[SEP]": 102,
        "[MASK]": 103,
        ".": 1012,
        "?": 1029,
    }.items():
        vocabulary[index] = token
    for index, token in enumerate(
        ["black", "brown", "red", "cart", "pole", "ball", "rod"], start=1040
    ):
        vocabulary[index] = token
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = transformers.BertTokenizerFast(vocab={t: i for i, t in enumerate(vocabulary)})
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            window_size=7,
            embed_dim=12,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 1, 1],
            image_size=224,
            out_indices=[2, 3, 4],
        ),
        text_config={
            "hidden_size": 8,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "intermediate_size": 8,
            "vocab_size": 1100,
            "max_position_embeddings": 32,
            "model_type": "bert",
        },
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        num_queries=20,
        num_feature_levels=4,
        max_text_len=32,
        disable_custom_kernels=True,
    )
    return transformers.GroundingDinoForObjectDetection(config), tokenizer


def tiny_sam2_video():
    """SAM 2 video at 128 pixels with a five-block encoder (the library fixes the memory's width at
    64)."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=12,
        image_size=[128, 128],
        patch_kernel_size=[7, 7],
        patch_stride=[4, 4],
        patch_padding=[3, 3],
        num_attention_heads=1,
        embed_dim_per_stage=[12, 24, 48, 96],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        blocks_per_stage=[1, 1, 2, 1],
        global_attention_blocks=[3],
        window_size_per_stage=[8, 4, 4, 4],
        window_positional_embedding_background_size=[7, 7],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[96, 48, 24, 12],
        fpn_hidden_size=128,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
    )
    from transformers.models.sam2_video import (
        Sam2VideoMaskDecoderConfig,
        Sam2VideoPromptEncoderConfig,
    )

    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(
            hidden_size=128, image_size=128, patch_size=16, mask_input_channels=4
        ),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=128, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16
        ),
        image_size=128,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
    )
    return transformers.Sam2VideoModel(config)
