"""The table of modules that the batched engine takes as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from tests.backends.breadth import by_hand, hugging


@dataclass(frozen=True)
class Case:
    """How to make a module and its inputs, and how the engine takes it.

    `slow` names the operations that go point after point within the batched pass; `operations`
    bounds those of a forward pass, for the tolerance.
    """

    make: Callable[[], tuple[nn.Module, object]]
    slow: frozenset[str] = frozenset()
    route: str = "rank_one"
    operations: int = 60
    signs: tuple[int, ...] = (1, -1, 0, 1)


_LARGE = partial(Case, operations=300)

CASES: dict[str, Case] = {
    "lstm": Case(partial(by_hand.recurrent, nn.LSTM), operations=150),
    "gru": Case(
        partial(by_hand.recurrent, nn.GRU, bidirectional=True, num_layers=2),
        operations=300,
    ),
    "rnn": Case(partial(by_hand.recurrent, nn.RNN), operations=100),
    "transformer encoder": _LARGE(by_hand.encoder),
    "padded encoder": _LARGE(by_hand.padded),
    "transformer decoder": _LARGE(by_hand.decoder),
    "length first": _LARGE(partial(by_hand.sequence_first, False)),
    "length first, with places": _LARGE(
        partial(by_hand.sequence_first, True), slow=frozenset({"torch.Tensor.add"})
    ),
    "LoRA": Case(by_hand.lora),
    "weight norm, linear": Case(by_hand.weight_normed),
    "weight norm, convolution": Case(by_hand.weight_normed_convolution),
    "spectral norm": Case(by_hand.spectrally_normed),
    "U-Net": Case(by_hand.unet),
    "MLP-Mixer": Case(by_hand.mixer),
    "squeeze and excite": Case(by_hand.squeeze_excite),
    "PReLU": Case(by_hand.prelu),
    "bilinear and cosine": Case(by_hand.bilinear),
    "bags of words": Case(by_hand.bags),
    "tied autoencoder": Case(by_hand.autoencoder),
    "dense experts": Case(by_hand.experts),
    "shapes by batch size": Case(by_hand.by_size),
    "wide ResNet, group norm": Case(by_hand.wide_resnet),
    "instance norm": Case(by_hand.instance_norm),
    "convolutions 1d": Case(by_hand.sound),
    "convolutions 3d": Case(by_hand.volumes),
    "channels last": Case(by_hand.channels_last),
    "not contiguous": Case(by_hand.not_contiguous),
    "one example": Case(by_hand.one_example),
    "one point": Case(by_hand.mixer, signs=(-1,)),
}

TRANSFORMERS: dict[str, Case] = {
    "BERT": _LARGE(hugging.bert),
    "BERT without a mask": _LARGE(hugging.bert_without_mask),
    "DistilBERT": _LARGE(hugging.distilbert),
    "GPT-2, with cache": _LARGE(hugging.gpt2),
    "GPT-2": _LARGE(hugging.gpt2_without_cache),
    "Llama": _LARGE(hugging.llama),
    "T5": _LARGE(hugging.t5),
    "ViT": _LARGE(hugging.vit),
    "Swin": _LARGE(hugging.swin),
    "Whisper": _LARGE(hugging.whisper),
    "MobileNetV2": _LARGE(hugging.mobilenet),
    "ConvNeXt": _LARGE(hugging.convnext),
    "ResNet": _LARGE(hugging.resnet),
    "RegNet": _LARGE(hugging.regnet),
}
