"""Models of the `transformers` package, tiny, made from configurations: nothing is downloaded."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")
Made = tuple[nn.Module, object]
WORDS, LENGTH, BATCH = 23, 5, 2
SMALL = {"vocab_size": WORDS, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}


class Field(nn.Module):
    """One named output of a model, with options that are not tensors."""

    def __init__(self, model: nn.Module, name: str, **options) -> None:
        super().__init__()
        self.model, self.name, self.options = model, name, options

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        return self.model(*args, **inputs, **self.options)[self.name]


def words(batch: int = BATCH, length: int = LENGTH) -> Tensor:
    return torch.randint(1, WORDS, (batch, length))


def padded() -> dict[str, Tensor]:
    mask = (torch.arange(LENGTH) < torch.tensor([[LENGTH], [LENGTH - 2]])).long()
    return {"input_ids": words(), "attention_mask": mask}


def pictures(side: int = 8, channels: int = 3) -> Tensor:
    return torch.randn(BATCH, channels, side, side)


def bert() -> Made:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(**SMALL, intermediate_size=12, max_position_embeddings=9, num_labels=3)
    return BertForSequenceClassification(config), padded()


def bert_without_mask() -> Made:
    from transformers import BertConfig, BertModel

    config = BertConfig(**SMALL, intermediate_size=12, max_position_embeddings=9)
    return BertModel(config), words()


def distilbert() -> Made:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    config = DistilBertConfig(
        vocab_size=WORDS, dim=8, n_layers=2, n_heads=2, hidden_dim=12, max_position_embeddings=9
    )
    return DistilBertForMaskedLM(config), padded()


def gpt2() -> Made:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=WORDS, n_embd=8, n_layer=2, n_head=2, n_positions=9)
    return Field(GPT2LMHeadModel(config), "logits"), words()


def gpt2_without_cache() -> Made:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=WORDS, n_embd=8, n_layer=1, n_head=2, n_positions=9, use_cache=False
    )
    return GPT2LMHeadModel(config), padded()


def llama() -> Made:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **SMALL, intermediate_size=12, num_key_value_heads=1, max_position_embeddings=9,
        use_cache=False,
    )  # fmt: skip
    return LlamaForCausalLM(config), padded()


def t5() -> Made:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=WORDS, d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2, use_cache=False,
        decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    inputs = {**padded(), "decoder_input_ids": words(length=4)}
    return T5ForConditionalGeneration(config), inputs


def vit() -> Made:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        image_size=8, patch_size=4, num_labels=3,
    )  # fmt: skip
    return ViTForImageClassification(config), pictures()


def mobilenet() -> Made:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(depth_multiplier=0.1, min_depth=4, image_size=16, num_labels=3)
    return MobileNetV2ForImageClassification(config), pictures(16)


def convnext() -> Made:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[4, 6, 6, 8], depths=[1, 1, 1, 1], num_labels=3)
    return ConvNextForImageClassification(config), pictures(32)


def resnet() -> Made:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", num_labels=3
    )
    return ResNetForImageClassification(config), pictures(16)


def regnet() -> Made:
    from transformers import RegNetConfig, RegNetForImageClassification

    config = RegNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], groups_width=2, num_labels=3
    )
    return RegNetForImageClassification(config), pictures(16)


def swin() -> Made:
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(
        image_size=16, patch_size=2, embed_dim=4, depths=[2, 1], num_heads=[1, 2], window_size=4,
        num_labels=3,
    )  # fmt: skip
    return SwinForImageClassification(config), pictures(16)


def whisper() -> Made:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=WORDS, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8, num_mel_bins=4,
        max_source_positions=4, max_target_positions=6, use_cache=False, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None,
    )  # fmt: skip
    inputs = {"input_features": torch.randn(BATCH, 4, 8), "decoder_input_ids": words(length=4)}
    return WhisperForConditionalGeneration(config), inputs
