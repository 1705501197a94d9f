"""Models put together from torch's own layers, and ones that users write by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

Made = tuple[nn.Module, object]
BATCH = 3


class Classifier(nn.Module):
    """A recurrent layer over words, read at its last step."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.words, self.layer, self.head = nn.Embedding(11, 4), layer, nn.Linear(width, 3)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.head(self.layer(self.words(numbers))[0][:, -1])


def recurrent(kind: type[nn.Module], **options) -> Made:
    layer = kind(4, 5, batch_first=True, **options)
    width = 10 if options.get("bidirectional") else 5
    return Classifier(layer, width), torch.randint(0, 11, (BATCH, 6))


def encoder() -> Made:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    model = nn.Sequential(nn.Linear(3, 8), nn.TransformerEncoder(layer, 2), nn.Linear(8, 2))
    return model, torch.randn(BATCH, 5, 3)


class Padded(nn.Module):
    """An encoder over padded sentences, its output averaged over what is no padding."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.words = nn.Embedding(11, 8)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, numbers: Tensor, hidden: Tensor) -> Tensor:
        y = self.encoder(self.words(numbers), src_key_padding_mask=hidden)
        shown = (~hidden).unsqueeze(2).to(y.dtype)
        return (y * shown).sum(1) / shown.sum(1)


def padded() -> Made:
    hidden = torch.arange(5) >= torch.tensor([[5], [2], [4]])
    return Padded(), (torch.randint(0, 11, (BATCH, 5)), hidden)


class Decoder(nn.Module):
    """A causal decoder that attends to a memory."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(6, 2, 8, batch_first=True)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(4))

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.layer(x, memory, tgt_mask=self.mask, tgt_is_causal=True)


def decoder() -> Made:
    return Decoder(), (torch.randn(BATCH, 4, 6), torch.randn(BATCH, 3, 6))


class LowRank(nn.Module):
    """LoRA: a frozen layer and a trained product of two thin matrices."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.frozen = nn.Linear(inputs, outputs).requires_grad_(False)
        self.a = nn.Parameter(torch.randn(2, inputs))
        self.b = nn.Parameter(torch.randn(outputs, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + x @ self.a.T @ self.b.T * 0.5


def lora() -> Made:
    return nn.Sequential(LowRank(4, 6), nn.GELU(), LowRank(6, 3)), torch.randn(BATCH, 4)


def weight_normed() -> Made:
    first = parametrizations.weight_norm(nn.Linear(4, 6))
    return nn.Sequential(first, nn.Tanh(), nn.Linear(6, 2)), torch.randn(BATCH, 4)


def weight_normed_convolution() -> Made:
    first = parametrizations.weight_norm(nn.Conv1d(2, 3, 3, padding=1))
    return nn.Sequential(first, nn.Tanh(), nn.Conv1d(3, 2, 1)), torch.randn(BATCH, 2, 5)


def spectrally_normed() -> Made:
    first = parametrizations.spectral_norm(nn.Linear(4, 6))
    return nn.Sequential(first, nn.Tanh(), nn.Linear(6, 2)), torch.randn(BATCH, 4)


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a bridge."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.down = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, 2, 1)
        self.up, self.leave = nn.ConvTranspose2d(6, 4, 2, 2), nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = functional.silu(self.enter(x))
        low = functional.silu(self.down(first))
        return self.leave(torch.cat((first, self.up(low, output_size=first.shape[2:])), dim=1))


def unet() -> Made:
    return UNet(), torch.randn(BATCH, 2, 8, 8)


class Mixer(nn.Module):
    """One block that mixes patches and then channels."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6)
        self.places = nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 4))
        self.channels = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = y + self.places(self.norm(y).transpose(1, 2)).transpose(1, 2)
        return (y + self.channels(self.norm(y))).mean(1)


def mixer() -> Made:
    return Mixer(), torch.randn(BATCH, 3, 8, 8)


class SqueezeExcite(nn.Module):
    """Channels weighted by a small network on their means."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 2, 1), nn.ReLU(), nn.Conv2d(2, 6, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return y * self.gate(y)


def squeeze_excite() -> Made:
    return SqueezeExcite(), torch.randn(BATCH, 2, 5, 5)


def prelu() -> Made:
    layers = (nn.Conv2d(2, 4, 3), nn.PReLU(4), nn.Conv2d(4, 2, 1), nn.PReLU(), nn.Flatten())
    return nn.Sequential(*layers), torch.randn(BATCH, 2, 4, 4)


class Pairs(nn.Module):
    """A bilinear form of two branches, and cosines and distances to trained prototypes."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.form = nn.Linear(3, 4), nn.Linear(2, 5), nn.Bilinear(4, 5, 3)
        self.prototypes = nn.Parameter(torch.randn(3, 4))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        h = self.left(a)
        cosine = functional.linear(functional.normalize(h), functional.normalize(self.prototypes))
        again = functional.cosine_similarity(h.unsqueeze(1), self.prototypes, dim=2)
        return self.form(h, self.right(b)) + cosine * again - torch.cdist(h, self.prototypes)


def bilinear() -> Made:
    return Pairs(), (torch.randn(BATCH, 3), torch.randn(BATCH, 2))


class Bags(nn.Module):
    """Bags of words in three ways, one of them weighted."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.largest = nn.EmbeddingBag(11, 4), nn.EmbeddingBag(11, 4, mode="max")
        self.total = nn.EmbeddingBag(11, 4, mode="sum", padding_idx=0)
        self.head = nn.Linear(12, 2)

    def forward(self, numbers: Tensor, shares: Tensor) -> Tensor:
        total = self.total(numbers, per_sample_weights=shares)
        return self.head(torch.cat((self.mean(numbers), self.largest(numbers), total), dim=1))


def bags() -> Made:
    return Bags(), (torch.randint(0, 11, (BATCH, 5)), torch.rand(BATCH, 5))


class Autoencoder(nn.Module):
    """One matrix there and, transposed, back."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 6))
        self.there, self.back = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.sigmoid(functional.linear(x, self.weight, self.there))
        return functional.linear(hidden, self.weight.t(), self.back)


def autoencoder() -> Made:
    return Autoencoder(), torch.randn(BATCH, 6)


class Experts(nn.Module):
    """All experts see every example; a gate weights them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.into = nn.Linear(4, 3), nn.Parameter(torch.randn(3, 4, 5))
        self.out = nn.ModuleList(nn.Linear(5, 2) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(torch.einsum("bd,edh->beh", x, self.into))
        hidden = hidden + (x.unsqueeze(1).unsqueeze(1) @ self.into).squeeze(2)
        each = torch.stack([layer(hidden[:, e]) for e, layer in enumerate(self.out)], dim=1)
        return (self.gate(x).softmax(1).unsqueeze(2) * each).sum(1)


def experts() -> Made:
    return Experts(), torch.randn(BATCH, 4)


class BySize(nn.Module):
    """Shapes worked out from the batch's own size; cut and dressed by its own tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Parameter(torch.randn(1, 1, 4)), nn.Parameter(torch.randn(4, 4))
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> dict:
        batch, length, width = x.shape
        rows = self.inner(x.reshape(batch * length, width)).view(batch, length, width)
        rows = torch.cat((self.token.expand(batch, -1, -1), rows), dim=1) + self.place
        return {"logits": self.head(rows.reshape(batch, -1)), "more": {"rows": rows}}


def by_size() -> Made:
    return BySize(), torch.randn(BATCH, 3, 4)


class WideBlock(nn.Module):
    """Pre-activation residual block with group norm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(2, inputs), nn.GroupNorm(2, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bridge = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        first = functional.hardswish(self.norm1(x))
        y = self.conv1(first)
        return self.conv2(functional.hardswish(self.norm2(y))) + self.bridge(first)


def wide_resnet() -> Made:
    layers = (nn.Conv2d(3, 4, 3, padding=1), WideBlock(4, 4, 1), WideBlock(4, 6, 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.randn(2, 3, 8, 8)


def instance_norm() -> Made:
    layers = (nn.Conv2d(2, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*layers), torch.randn(BATCH, 2, 6, 6)


def sound() -> Made:
    layers = (nn.Conv1d(2, 4, 3, 2), nn.BatchNorm1d(4), nn.GLU(1), nn.Conv1d(2, 2, 2, dilation=2))
    return nn.Sequential(*layers), torch.randn(BATCH, 2, 12)


def volumes() -> Made:
    layers = (nn.Conv3d(1, 4, 2), nn.BatchNorm3d(4), nn.ELU(), nn.Conv3d(4, 4, 2, groups=4))
    return nn.Sequential(*layers), torch.randn(2, 1, 4, 4, 4)


def channels_last() -> Made:
    model, x = wide_resnet()
    form = torch.channels_last
    return model.to(memory_format=form), x.contiguous(memory_format=form)


def not_contiguous() -> Made:
    model, x = mixer()
    return model, x.flip(2).transpose(2, 3)


def one_example() -> Made:
    model, x = unet()
    return model, x[:1]


class SequenceFirst(nn.Module):
    """[length, batch, width] throughout, as torch's layers have it when nobody says otherwise."""

    def __init__(self, places: bool) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12), 1, enable_nested_tensor=False
        )
        self.recurrent, self.head = nn.GRU(8, 6), nn.Linear(6, 3)
        self.places = nn.Parameter(torch.randn(5, 1, 8)) if places else None

    def forward(self, x: Tensor) -> Tensor:
        h = x.transpose(0, 1)
        h = h if self.places is None else h + self.places
        return self.head(self.recurrent(self.encoder(h))[0].mean(0))


def sequence_first(places: bool) -> Made:
    return SequenceFirst(places), torch.randn(BATCH, 5, 8)
