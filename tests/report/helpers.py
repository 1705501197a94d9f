from __future__ import annotations

import io

from rich.console import Console, RenderableType


def screen(renderable: RenderableType, width: int = 80) -> str:
    """Return what a terminal of so many columns without colours would show."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    return "\n".join(line.rstrip() for line in text.splitlines())
