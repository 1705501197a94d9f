"""A causal language model whose head is its token embedding (tied weights)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from baffle.bench.modules.transformer import Block


class Gpt(nn.Module):
    """Token and position embeddings, causal blocks, a last norm, the tied head.

    Args:
        vocabulary: number of tokens.
        context: longest sequence.
        width: of the tokens.
        layers: blocks.
        heads: of the attention; they divide the width.

    Example:
        >>> sum(p.numel() for p in Gpt().parameters())
        3429888
    """

    def __init__(
        self,
        vocabulary: int = 1024,
        context: int = 32,
        width: int = 256,
        layers: int = 4,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=width**-0.5)
        nn.init.normal_(self.positions.weight, std=width**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """(n, tokens) of ids to logits (n, tokens, vocabulary)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.tokens(ids) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


def next_token(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy over examples and tokens.

    Args:
        logits: (n, tokens, vocabulary).
        targets: (n, tokens), the ids that follow.
    """
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
