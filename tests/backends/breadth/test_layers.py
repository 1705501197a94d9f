"""Attention, recurrent layers, transposed convolutions and contractions, on drawn shapes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.backends.helpers import assert_agrees, some_points
from tests.backends.strategies import flags, layouts, seeds, signs, sizes, strided

FAST = settings(max_examples=40, deadline=None)
chunks = st.sampled_from((0, 1, 2))


class First(nn.Module):
    """The first output of a module whose inputs are all alike."""

    def __init__(self, inner: nn.Module, times: int = 1, swap: bool = False, **options) -> None:
        super().__init__()
        self.inner, self.times, self.swap = inner, times, swap
        self.register_buffer("mask", options.pop("attn_mask", None))
        self.options = options
        self.before = nn.Linear(getattr(inner, "input_size", None) or inner.embed_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.before(x)  # so that points differ before the layer
        x = x.transpose(0, 1) if self.swap else x
        options = self.options if self.mask is None else {**self.options, "attn_mask": self.mask}
        y = self.inner(*[x] * self.times, **options)[0]
        return y.transpose(0, 1) if self.swap else y


def agrees(module, inputs, drawn_signs=(1, -1, 0, 1), chunk=0, operations=40):
    batch = len(inputs[0] if isinstance(inputs, tuple) else inputs)
    points = some_points(module, signs=drawn_signs)
    targets = torch.zeros(batch)
    probe = assert_agrees(module, inputs, targets, points, operations=operations, chunk=chunk)
    assert probe.route == "rank_one", probe.reasons
    return probe


@st.composite
def recurrent(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(draw(seeds))
    kind = draw(st.sampled_from((nn.LSTM, nn.GRU, nn.RNN)))
    options = {"proj_size": 2} if kind is nn.LSTM and draw(flags) else {}
    if kind is nn.RNN and draw(flags):
        options["nonlinearity"] = "relu"
    width, swap = draw(sizes), draw(flags)
    layer = kind(
        width, draw(st.integers(3, 5)), draw(st.integers(1, 2)), bias=draw(flags),
        batch_first=not swap, bidirectional=draw(flags), **options,
    )  # fmt: skip
    x = torch.randn(draw(st.integers(1, 3)), draw(sizes), width)
    return First(layer, swap=swap), strided(x, draw(layouts))


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@FAST
@given(recurrent(), signs, chunks)
def test_recurrent(case, drawn_signs, chunk):
    agrees(*case, drawn_signs, chunk, operations=200)


class Cells(nn.Module):
    """A cell of each kind, from no state and from a given one."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(3, 4), nn.GRUCell(4, 4, bias=False)
        self.rnn = nn.RNNCell(4, 4, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        h, c = self.lstm(x[:, 0])
        h, c = self.lstm(x[:, 1], (h, c))
        h = self.gru(c, self.gru(h))
        return self.rnn(h, self.rnn(h * c))


class Started(nn.Module):
    """A recurrent layer from a trained state and from a computed one."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.start = nn.GRU(3, 4, batch_first=True), nn.Parameter(torch.randn(1, 1, 4))
        self.given = nn.Linear(3, 4)
        self.frozen = nn.LSTM(4, 2).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        y, h = self.layer(x, self.start.expand(-1, len(x), -1).contiguous())
        z, _ = self.layer(x, h + self.given(x[:, 0]).unsqueeze(0))
        w, _ = self.frozen((y + z).transpose(0, 1))
        return w[-1]


@pytest.mark.parametrize("batch", [1, 3])
def test_cells_and_states(batch):
    torch.manual_seed(batch)
    agrees(Cells(), torch.randn(batch, 2, 3), operations=100)
    agrees(Started(), torch.randn(batch, 5, 3), operations=200)


@st.composite
def attention(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(draw(seeds))
    heads, swap = draw(st.integers(1, 3)), draw(flags)
    width = heads * draw(st.integers(1, 3))
    layer = nn.MultiheadAttention(
        width, heads, bias=draw(flags), add_bias_kv=draw(flags), add_zero_attn=draw(flags),
        batch_first=not swap,
    )  # fmt: skip
    batch, length = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    mask = torch.ones(length, length).triu(1) > 0
    mask = {"none": None, "bool": mask, "float": mask * -2.0}[
        draw(st.sampled_from(("none", "bool", "float")))
    ]
    options = {"need_weights": draw(flags), "attn_mask": mask}
    return First(layer, 3, swap, **options), torch.randn(batch, length, width)


@FAST
@given(attention(), signs, chunks)
def test_attention(case, drawn_signs, chunk):
    agrees(*case, drawn_signs, chunk)


class Crossed(nn.Module):
    """Queries, keys and values of three widths, masked by example; weights are an output too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True)
        self.same = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor) -> tuple:
        y, weights = self.layer(q, k, v, key_padding_mask=hidden)
        z, each = self.same(y, q, q, average_attn_weights=False)
        mask = hidden[:, None, None].expand(-1, 2, q.shape[1], -1).flatten(0, 1)
        return self.layer(z, k, v, attn_mask=mask)[0], weights, each


def test_attention_of_several_widths_and_masks():
    q, k, v = torch.randn(3, 4, 4), torch.randn(3, 5, 3), torch.randn(3, 5, 5)
    hidden = torch.arange(5) >= torch.tensor([[5], [2], [4]])
    agrees(Crossed(), (q, k, v, hidden), operations=80)


@st.composite
def transposed(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(draw(seeds))
    axes = draw(st.integers(1, 3))
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[axes - 1]
    groups = draw(st.integers(1, 3))
    channels, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    extra = draw(st.integers(0, max(stride, dilation) - 1))
    layer = kind(
        channels, outputs, kernel, stride, draw(st.integers(0, 1)), extra, groups, draw(flags),
        dilation,
    )  # fmt: skip
    x = torch.randn(draw(st.integers(1, 3)), channels, *(draw(st.integers(3, 5)) for _ in kernel))
    first = [nn.Conv1d(channels, channels, 1)] if axes == 1 and draw(flags) else []
    return nn.Sequential(*first, layer, nn.Tanh()), strided(x, draw(layouts))


@FAST
@given(transposed(), signs, chunks)
def test_transposed_convolution(case, drawn_signs, chunk):
    agrees(*case, drawn_signs, chunk)


class Contractions(nn.Module):
    """A weight in every place of every product."""

    def __init__(self, frozen: str = "") -> None:
        super().__init__()
        self.heads = nn.Parameter(torch.randn(2, 3, 5))  # [H, D, E]
        self.left = nn.Parameter(torch.randn(4, 6))  # over time
        self.vector = nn.Parameter(torch.randn(3))
        self.pair = nn.Bilinear(3, 5, 2)
        self.before = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> tuple:
        first, x = x, self.before(x)  # [B, T = 6, D = 3]
        a = torch.einsum("btd,hde->bhte", x, self.heads)
        b = self.left @ x
        c = x.unsqueeze(1) @ self.heads
        d = torch.tensordot(x, self.heads, dims=([2], [1]))
        e = torch.einsum("b...d,d->b...", x, self.vector) + x @ self.vector
        f = self.pair(x, a[:, 0]) + self.pair(first, c[:, 1])
        g = torch.einsum("btd,hde,bth->be", (x, self.heads, x[..., :2].tanh()))
        h = torch.einsum("bij,oi,jo->bo", first, self.left, self.heads[0, :, :4])
        i = first.transpose(1, 2) @ self.left.T @ self.left.unsqueeze(0)
        return a, b, c, d, e, f, g, h, i


@pytest.mark.parametrize("batch", [1, 3])
def test_contractions(batch):
    torch.manual_seed(batch)
    agrees(Contractions(), torch.randn(batch, 6, 3), operations=80)
    plain = Contractions()
    plain.pair.weight.requires_grad_(False)
    plain.before.requires_grad_(False)
    agrees(plain, torch.randn(batch, 6, 3), operations=80)


class Cut(nn.Module):
    """Parts of parameters, and parameters in other shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.packed, self.bias = nn.Parameter(torch.randn(9, 4)), nn.Parameter(torch.randn(9))
        self.stack = nn.Parameter(torch.randn(3, 4, 4))
        self.filters = nn.Parameter(torch.randn(5, 4, 1, 2))
        self.start = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x: Tensor) -> tuple:
        linear = nn.functional.linear
        parts = (p.chunk(3) for p in (self.packed, self.bias))
        q, k, v = (linear(x, w, b) for w, b in zip(*parts, strict=True))
        w, _, u = self.packed.split([2, 1, 6])
        y = linear(linear(x, u)[:, :4], w) + linear(x[:, :2], self.packed[4:6, 1:3])
        z = x @ self.stack[1] + x @ self.stack.permute(2, 1, 0)[:, :, 2]
        z = (z + x @ self.stack.permute(2, 0, 1)[:, 2])[:, :3] + x @ self.stack.transpose(0, 2)[3]
        z = z + x @ self.stack.unbind(1)[2].T
        y = y + x @ self.filters.flatten(1)[:, ::2].T[:, :2] + (x @ self.packed[0])[:, None]
        images = nn.functional.conv2d(x.view(len(x), 4, 1, 1), self.packed.view(9, 4, 1, 1))
        more = nn.functional.conv2d(x[:, :2, None, None], self.filters[1:2, 2:], padding=1)
        images = images + more[..., :1, :1]
        starts = self.start.expand(len(x), -1, -1), self.start.repeat(len(x), 2, 1)
        table = self.packed[(x[:, :2] > 0).long()]
        rest = self.packed.narrow(1, -2, 2)[..., None, :].sum(1) * y[:, :1, None]
        return q, k, v, y, z, images, torch.cat((*starts, x.unsqueeze(1)), dim=1), table, rest


@pytest.mark.parametrize("batch", [1, 3])
def test_parts_of_parameters(batch):
    torch.manual_seed(batch)
    agrees(Cut(), torch.randn(batch, 4), operations=80)
