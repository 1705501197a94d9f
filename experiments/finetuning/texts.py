"""Texts as numbers: a byte-pair vocabulary, plays by speaker, sentences with a feeling."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DataError

BEGIN, BYTES = 1, 3  # numbers of the first token of a text and of the byte 0
Rows = NDArray[np.int64]


class Vocabulary:
    """Pieces of text with scores; of two neighbours the pair with the best score is joined first.

    Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016; the
    file holds the longest piece's length, then score, length and bytes of each.
    """

    def __init__(self, path: Path) -> None:
        content, place = path.read_bytes(), 4
        self.pieces: list[bytes] = []
        self.scores: list[float] = []
        while place < len(content):
            score, length = struct.unpack_from("<fi", content, place)
            place += 8
            self.pieces.append(content[place : place + length])
            self.scores.append(score)
            place += length
        self.numbers = {piece: n for n, piece in enumerate(self.pieces) if n >= BYTES + 256}
        self.of_word = lru_cache(maxsize=2**16)(self._of_word)

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces, a space before it as before every word."""
        words = re.findall(r" ?[^\s]+|\s", " " + text)
        return [number for word in words for number in self.of_word(word)]

    def decode(self, numbers: list[int]) -> str:
        """Return the text of pieces."""
        parts = [
            bytes([n - BYTES]) if BYTES <= n < BYTES + 256 else self.pieces[n] for n in numbers
        ]
        return b"".join(parts).decode("utf-8", "replace")

    def _of_word(self, word: str) -> tuple[int, ...]:
        found: list[int] = []
        for letter in word:
            raw = letter.encode()
            known = self.numbers.get(raw)
            found += [known] if known is not None else [BYTES + byte for byte in raw]
        while (best := self._best_pair(found)) is not None:
            found[best : best + 2] = [self.numbers[self._joined(found, best)]]
        return tuple(found)

    def _joined(self, found: list[int], place: int) -> bytes:
        return self.pieces[found[place]] + self.pieces[found[place + 1]]

    def _best_pair(self, found: list[int]) -> int | None:
        pairs = [
            (self.scores[number], -place)
            for place in range(len(found) - 1)
            if (number := self.numbers.get(self._joined(found, place))) is not None
        ]
        return -max(pairs)[1] if pairs else None


def speakers(text: str) -> dict[str, str]:
    """Return what each speaker of a play says, one speech behind another.

    Args:
        text: speeches with an empty line between them, each a name with a colon, then its lines.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for speech in text.split("\n\n"):
        name, colon, lines = speech.strip().partition(":\n")
        if colon:
            said[name].append(lines)
    return {name: "\n".join(lines) for name, lines in said.items()}


def windows(vocabulary: Vocabulary, text: str, length: int) -> Rows:
    """Return a text cut into rows of `length` + 1 tokens, the first of which begins a text."""
    numbers = vocabulary.encode(text)
    count = len(numbers) // length
    rows = np.array(numbers[: count * length], np.int64).reshape(count, length)
    return np.concatenate([np.full((count, 1), BEGIN, np.int64), rows], axis=1)


def sentences(vocabulary: Vocabulary, path: Path, length: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return sentences [n, length], cut or filled with zeros, and which are positive.

    Args:
        path: a table of sentence and label, 0 or 1, with a line of heads.

    Raises:
        DataError: a line is not such a pair.
    """
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows, labels = np.zeros((len(lines), length), np.int64), np.zeros(len(lines), np.int64)
    for number, line in enumerate(lines):
        text, tab, label = line.rpartition("\t")
        if not tab or label not in ("0", "1"):
            raise DataError(f"{path}: expected a sentence, a tab and 0 or 1, got {line!r}")
        tokens = [BEGIN, *vocabulary.encode(text.strip())][:length]
        rows[number, : len(tokens)], labels[number] = tokens, int(label)
    return rows, labels
