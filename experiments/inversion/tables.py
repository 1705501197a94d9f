"""How alike recovered images are, as Markdown: medians over all images of all keys."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.harness import Results, table
from experiments.harness.study import Label
from experiments.harness.tables import UNKNOWN

GUESSES = {
    "mean": "the mean image of 12,000 public ones",
    "class": "the mean image of the right class",
    "other": "a public image at random",
}
FIGURES = ("images", "MSE", "PSNR, dB: median (quartiles)", "SSIM", "named")
NAMES = {
    "dlg": "DLG, label sought",
    "idlg": "iDLG, label given",
    "cosine": "cosine and total variation, label given",
    "public": "public prior, label given",
    "tried": "public prior, label sought",
}


def controls(results: Results) -> str:
    """Return the table of guesses that need no round."""
    rows = []
    for data in ("mnist", "cifar10"):
        lines = [r.line["extra"] for r in results.select(data=data, attack="control")]
        for name, words in GUESSES.items():
            if lines:
                rows.append([data, words, *figures([line[name] for line in lines])])
    return table(["data", "guess", *FIGURES], rows)


def alone(results: Results) -> str:
    """Return the table of a client that is alone in its sum."""
    found = results.select(data="mnist", n=1, bits=16, noise=0.0, weights="wide")
    kinds: list[tuple[Any, str]] = [(0, attack) for attack in NAMES if attack != "tried"]
    kinds += [
        (K, attack) for attack in ("cosine", "public", "tried") for K in _values(found, "K") if K
    ]
    return table(
        ["seen", "attack", *FIGURES, "label"],
        [
            [view(K), NAMES[attack], *figures(extras(some)), _labels(some)]
            for K, attack in kinds
            if len(some := found.select(K=K, attack=attack))
        ],
    )


def sums(results: Results) -> str:
    """Return the table of sums over n clients."""
    found = results.select(data="mnist", bits=16, noise=0.0, weights="wide", attack="public")
    return table(
        ["seen", "n", *FIGURES],
        [
            [view(K), str(n), *figures(extras(some))]
            for K in (0, 256, 1024, 4096)
            for n in (1, 3, 4, 10, 30)
            if len(some := found.select(K=K, n=n))
        ],
    )


def protected(results: Results) -> str:
    """Return the table of fewer bits and of privacy noise."""
    found = results.select(data="mnist", n=1, weights="wide", attack="public")
    kinds = [(K, bits, 0.0) for K in (64, 256) for bits in (16, 8, 4)]
    kinds += [(256, 16, noise) for noise in (0.01, 0.1, 1.0)]
    heads = ["K", "bits", "z", "share of the values' square that is noise", *FIGURES]
    rows = []
    for K, bits, noise in kinds:
        some = found.select(K=K, bits=bits, noise=noise)
        if len(some):
            share = statistics.median(extra["noise"] for extra in extras(some))
            shown = f"{noise:g}" if noise else UNKNOWN
            rows.append([str(K), str(bits), shown, f"{share:.1g}", *figures(extras(some))])
    return table(heads, rows)


def weights(results: Results) -> str:
    """Return the table of other weights of the same network."""
    found = results.select(data="mnist", n=1, bits=16, noise=0.0, attack="public")
    words = {
        "wide": "first, ± 0.5 (the authors')",
        "usual": "first, torch's default",
        "trained": "first ± 0.5, then trained",
    }
    return table(
        ["weights", "seen", *FIGURES, "label"],
        [
            [words[name], view(K), *figures(extras(some)), _labels(some)]
            for name in words
            for K in (0, 64, 256)
            if len(some := found.select(weights=name, K=K))
        ],
    )


def cifar10(results: Results) -> str:
    """Return the table of CIFAR-10."""
    found = results.select(data="cifar10")
    kinds = [(0, 1, "idlg"), *((K, 1, "public") for K in (64, 256, 1024))]
    kinds += [(K, 10, "public") for K in (0, 1024)]
    return table(
        ["seen", "n", "attack", *FIGURES],
        [
            [view(K), str(n), NAMES[attack], *figures(extras(some))]
            for K, n, attack in kinds
            if len(some := found.select(K=K, n=n, attack=attack))
        ],
    )


def view(K: int) -> str:
    """Return what the server sees, in words."""
    return f"K = {K:,}" if K else "gradient"


def extras(results: Results) -> list[dict[str, Any]]:
    """Return what was measured, a cell each."""
    return [r.line["extra"] for r in results]


def together(found: Iterable[dict[str, Any]], name: str) -> list[float]:
    """Return a figure of all images of all cells."""
    return [value for extra in found for value in extra[name]]


def figures(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return the columns of FIGURES."""
    ratios = together(found, "psnr")
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    count = [len(extra["psnr"]) for extra in found]
    named = sum(n * extra["named"] for n, extra in zip(count, found, strict=True))
    return [
        str(sum(count)),
        f"{statistics.median(together(found, 'mse')):.2g}",
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        f"{statistics.median(together(found, 'ssim')):.2f}",
        f"{round(named)} of {sum(count)}",
    ]


def _labels(results: Results) -> str:
    found = extras(results)
    right = sum(extra["labels"] * len(extra["psnr"]) for extra in found)
    return f"{round(right)} of {len(together(found, 'psnr'))}"


def _values(results: Results, label: str) -> list[Label]:
    return sorted({r.cell.labels[label] for r in results})
