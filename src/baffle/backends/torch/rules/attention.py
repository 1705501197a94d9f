"""Attention whose projections, masks or extra keys differ by point.

`F.multi_head_attention_forward` wants the examples on axis 1. Here they stand on axis 0, and what
it is made of runs under the pass again: projections by their own rule, the rest on folded rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.folding import mark
from baffle.backends.torch.rules.rows import laid_out
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

_NAME = "multi_head_attention_forward"


@dataclass(frozen=True)
class Projections:
    """Weights and biases of query, key and value, as their module holds them."""

    packed: Tensor | None
    separate: tuple[Tensor | None, Tensor | None, Tensor | None]
    bias: Tensor | None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Return q, k and v; call it under the pass."""
        if self.packed is not None and query is key and key is value:
            return functional.linear(query, self.packed, self.bias).chunk(3, dim=-1)
        weights = self.separate if self.packed is None else self.packed.chunk(3)
        biases = (None,) * 3 if self.bias is None else self.bias.chunk(3)
        each = zip((query, key, value), weights, biases, strict=True)
        return tuple(functional.linear(x, w, b) for x, w, b in each if w is not None)


def multi_head(
    run: Pass,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return (output [T, P·B, E], weights or None) at every point."""
    if static_k is not None or static_v is not None or (training and dropout_p):
        raise Unsupported(_NAME, "static keys and values, or dropout")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    packed = None if use_separate_proj_weight else in_proj_weight
    sources = _batch_first(run, query, key, value)
    with run:
        q, k, v = Projections(packed, separate, in_proj_bias)(*sources)
    extra = [(bias_k, bias_v)] if bias_k is not None and bias_v is not None else []
    for pair in (*extra, *([(None, None)] if add_zero_attn else [])):
        k, v = (_longer(run, x, e) for x, e in zip((k, v), pair, strict=True))
    q, k, v = (_heads(x, num_heads) for x in (q, k, v))
    added = k.shape[2] - key.shape[0]
    mask = _merged(run, attn_mask, key_padding_mask, q, added)
    y, weights = _attend(q, k, v, mask, need_weights)
    with run:
        y = functional.linear(_marked(run, y), out_proj_weight, out_proj_bias)
    if weights is not None and average_attn_weights:
        weights = weights.mean(dim=1)
    return y.transpose(0, 1), weights


def _batch_first(run: Pass, *sources: Tensor) -> list[Tensor]:
    """Return [T, P·B, E] as activations [P·B, T, E]; what was one tensor stays one."""
    found: dict[int, Tensor] = {}
    for x in sources:
        if x.dim() != 3 or not run.folded(x) or x.shape[1] != run.rows:
            raise Unsupported(_NAME, "an input that does not carry the examples on axis 1")
        found.setdefault(id(x), _marked(run, run.real(x).transpose(0, 1)))
    return [found[id(x)] for x in sources]


def _marked(run: Pass, x: Tensor) -> Tensor:
    return mark(x.contiguous(), run)


def _longer(run: Pass, x: Tensor, extra: Tensor | None) -> Tensor:
    """Append a key or value, a parameter [1, 1, E] or zeros, to [P·B, S, E]."""
    if extra is None:
        return functional.pad(x, (0, 0, 0, 1))
    row = laid_out(run, extra, 3, len(x))
    return torch.cat((x, row.expand(len(x), -1, -1)), dim=1)


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _merged(
    run: Pass, attention: Tensor | None, padding: Tensor | None, q: Tensor, added: int
) -> Tensor | None:
    """Return both masks as one to be added to scores [P·B, H, T, S], None if there is none."""
    found = None
    if attention is not None:
        found = _additive(laid_out(run, attention, 4, len(q)), q.dtype)
        if found.dim() == 3:
            found = found if len(found) == 1 else found.view(*q.shape[:2], *found.shape[1:])
    if padding is not None:
        keys = _additive(laid_out(run, padding, 2, len(q)), q.dtype).view(len(q), 1, 1, -1)
        found = keys if found is None else found + keys
    return found if found is None or not added else functional.pad(found, (0, added))


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, need_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """Return (values [P·B, T, E], weights [P·B, H, T, S] where asked for)."""
    if not need_weights:
        y = functional.scaled_dot_product_attention(q, k, v, mask)
        return y.transpose(1, 2).flatten(2), None
    scores = (q * math.sqrt(1 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2), weights


def scaled_dot_product(run: Pass, *args: Any, **options: Any) -> Tensor:
    """Return the attention where a query, key, value or mask is made from parameters alone."""
    given = [x for x in (*args, *options.values()) if isinstance(x, Tensor)]
    lengths = [len(x) for x in given if run.folded(x)]
    if not lengths:
        return run.by_point(functional.scaled_dot_product_attention, args, options)
    dims = max(x.dim() for x in given)

    def rows(x: Any) -> Any:
        return laid_out(run, x, dims, max(lengths)) if isinstance(x, Tensor) else x

    named = {name: rows(x) for name, x in options.items()}
    return functional.scaled_dot_product_attention(*map(rows, args), **named)


RULES = {
    functional.multi_head_attention_forward: multi_head,
    functional.scaled_dot_product_attention: scaled_dot_product,
}
