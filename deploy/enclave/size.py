"""How large an enclave a model's client wants: MiB, from what `baffle bench device` measured.

python deploy/enclave/size.py benchmarks/device.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# A library OS copies what Linux maps: libraries as a whole, memory that is asked for and not used.
# Clients ran with 208 MiB of addresses (LeNet, 81 resident) and 160 (digits, 74): docs/enclave.md.
UNTOUCHED = 128
GRAMINE = 32  # the library OS itself: an assumption, not measured here
LEAST = 64


def enclave_size(peak_mib: float, data_mib: float = 0.0) -> int:
    """Return `sgx.enclave_size` in MiB, a power of two as SGX wants it.

    Args:
        peak_mib: the client's peak resident memory on Linux, at least 0.
        data_mib: the data folder's size, at least 0; within an enclave files are read as a whole.

    Example:
        >>> enclave_size(79.3), enclave_size(161.7)
        (256, 512)
    """
    wanted, found = peak_mib + UNTOUCHED + GRAMINE + data_mib, LEAST
    while found < wanted:
        found *= 2
    return found


def table(measured: Path) -> str:
    """Return the rows of a file of figures as a table of docs/enclave.md."""
    lines = ["| model | B | points | update | resident, MiB | `sgx.enclave_size` |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for row in json.loads(measured.read_text(encoding="utf-8"))["rows"]:
        update, peak = "SGD" if row["lean"] else "Adam, average", row["peak_mib"]
        cells = (row["model"], row["batch"], row["points"], update, f"{peak:.0f}")
        lines.append(f"| {' | '.join(map(str, cells))} | `{enclave_size(peak)}M` |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1])) + "\n")
