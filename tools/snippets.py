"""Run what the documents show, so that it stays true.

    python tools/snippets.py [FILE ...]

Without arguments: README.md, ARCHITECTURE.md, CONTRIBUTING.md and docs/**/*.md, those that exist.

A block is a fence. What happens to it depends on its language:

python            Always run, in a fresh namespace and an empty working directory. To leave one out,
                  let its first line tell the reader why:  # not run: needs two machines
bash, sh          Run in an empty working directory if the line above the fence is  <!-- run -->
console           The same, for lines that start with "$ ", one after the other (only files carry
                  over). Lines between, if any, must be what the command prints; "..." stands for
                  anything, on any number of lines.

`<!-- run in the repository -->` runs a bash, sh or console block at the top of the source tree.
A failure is printed as FILE:LINE with its reason, and the exit code is 1.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
PYTHON = ("python", "python3", "py")
SHELL = ("bash", "sh", "console")
FENCE = re.compile(r"^ *(?P<ticks>`{3,}|~{3,}) *(?P<lang>[\w+-]*)[^`]*$")
MARKER = re.compile(r"^\s*<!--\s*(run\b.*?)\s*-->\s*$")
OPT_OUT = re.compile(r"# not run:[ \t]*(.*)")
TIME_LIMIT = 300


class SnippetError(Exception):
    """A snippet failed, or the document marks it in a way that means nothing; carries the line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Block:
    """One fence: its language, the line where its text starts, the text, the marker above it."""

    lang: str
    line: int
    text: str
    marker: str | None

    @property
    def wanted(self) -> bool:
        """Whether this is something to run, or to leave out for a stated reason."""
        return self.lang in PYTHON or self.marker is not None

    @property
    def opt_out(self) -> str | None:
        """The reason given for leaving the block out, or None."""
        found = OPT_OUT.match(self.text)
        if found is None:
            return None
        if not found[1].strip():
            raise SnippetError(self.line, "'# not run:' needs a reason after the colon")
        return found[1].strip()


def documents(root: Path = ROOT) -> list[Path]:
    """Every document whose snippets are kept true."""
    named = [root / name for name in NAMED]
    return [path for path in (*named, *sorted(root.glob("docs/**/*.md"))) if path.is_file()]


def blocks(text: str) -> Iterator[Block]:
    """Every fence of a Markdown text, in order."""
    marker: tuple[int, str] | None = None
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if opening := FENCE.match(line):
            body = _body(lines, opening, number)
            block = Block(opening["lang"].lower(), number + 1, body, marker and marker[1])
            _check_marker(block)
            yield block
            marker = None
        elif marker and line.strip():
            raise SnippetError(marker[0], "a run marker must stand right above a fence")
        elif found := MARKER.match(line):
            marker = (number, found[1])
    if marker:
        raise SnippetError(marker[0], "a run marker must stand right above a fence")


def _body(lines: Iterator[tuple[int, str]], opening: re.Match[str], number: int) -> str:
    taken = list[str]()
    closing = re.compile(rf"^ *{opening['ticks'][0]}{{{len(opening['ticks'])},}} *$")
    for _, line in lines:
        if closing.match(line):
            return textwrap.dedent("\n".join(taken)) + "\n"
        taken.append(line)
    raise SnippetError(number, "this fence is never closed")


def _check_marker(block: Block) -> None:
    if block.marker is None:
        return
    if block.marker not in ("run", "run in the repository"):
        raise SnippetError(block.line, f"unknown marker <!-- {block.marker} -->")
    if block.lang not in SHELL:
        raise SnippetError(block.line, f"a run marker stands above one of {', '.join(SHELL)}")


def run_python(block: Block, path: Path) -> None:
    """Run a block as `__main__`, so that tracebacks carry the document's own line numbers."""
    main = types.ModuleType("__main__")
    before, sys.modules["__main__"] = sys.modules["__main__"], main
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            padded = "\n" * (block.line - 1) + block.text
            exec(compile(padded, str(path), "exec", dont_inherit=True), main.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise SnippetError(_line_of(error, block, path), _story(error, printed)) from error
    finally:
        sys.modules["__main__"] = before


def _line_of(error: BaseException, block: Block, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path) and error.lineno:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in frames if f.filename == str(path) and f.lineno), block.line)


def _story(error: BaseException, printed: io.StringIO) -> str:
    inner = error.__traceback__ and error.__traceback__.tb_next
    told = "".join(traceback.format_exception(type(error), error, inner))
    return f"{type(error).__name__}: {error}\n{printed.getvalue()}{told}".rstrip()


def run_shell(block: Block) -> None:
    """Run a block of commands; a console block is also held to the output that it shows."""
    if block.lang != "console":
        _shell(block.text, block.line)
        return
    commands = list(console(block))
    if not commands:
        raise SnippetError(block.line, "a console block that is run needs a line with '$ '")
    for line, command, expected in commands:
        printed = _shell(command, line)
        if expected and not matches(expected, printed):
            raise SnippetError(line, f"{command}\nshould print\n{expected}\nbut printed\n{printed}")


def console(block: Block) -> Iterator[tuple[int, str, str]]:
    """(line, command, shown output) for each command of a console block; "> " continues one."""
    line, command, shown = 0, "", list[str]()
    for number, text in enumerate(block.text.splitlines(), start=block.line):
        if text.startswith("$ "):
            if command:
                yield line, command, "\n".join(shown)
            line, command, shown = number, text[2:], []
        elif text.startswith("> ") and command and not shown:
            command += "\n" + text[2:]
        else:
            shown.append(text)
    if command:
        yield line, command, "\n".join(shown)


def matches(expected: str, printed: str) -> bool:
    """Whether the output is as shown, up to "..." and to space at the ends of lines."""
    pattern = ".*?".join(re.escape(part) for part in _trimmed(expected).split("..."))
    return re.fullmatch(pattern, _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _shell(command: str, line: int) -> str:
    """Run under bash, this interpreter's programs first on the path."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise SnippetError(line, f"still running after {TIME_LIMIT} s: {command}") from late
    if done.returncode:
        reason = f"exit code {done.returncode}: {command.strip()}\n{done.stdout}".rstrip()
        raise SnippetError(line, reason)
    return done.stdout


def run(block: Block, path: Path) -> None:
    """Run one block where it belongs: an empty folder, or the top of the source tree."""
    with tempfile.TemporaryDirectory(prefix="snippet-") as empty:
        in_repository = block.marker == "run in the repository"
        with contextlib.chdir(ROOT if in_repository else empty):
            if block.lang in PYTHON:
                run_python(block, path)
            else:
                run_shell(block)


def check(path: Path) -> Counter[str]:
    """Run a document's blocks, print what came of each, and count the outcomes."""
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    try:
        wanted = [block for block in blocks(path.read_text(encoding="utf-8")) if block.wanted]
    except SnippetError as error:
        print(f"{shown}:{error.line}: {error}")
        return Counter(broken=1)
    outcomes = Counter[str]()
    for block in wanted:
        try:
            outcome, line, told = run_or_leave(block, path)
        except SnippetError as error:
            outcome, line, told = "broken", error.line, str(error)
        outcomes[outcome] += 1
        print(f"{shown}:{line}: {told}", flush=True)
    return outcomes


def run_or_leave(block: Block, path: Path) -> tuple[str, int, str]:
    """(outcome, line, what to tell) of a block that did not break."""
    if (reason := block.opt_out) is not None:
        return "left out", block.line, f"left out: {reason}"
    start = time.perf_counter()
    run(block, path)
    return "ran", block.line, f"{block.lang} ran, {time.perf_counter() - start:.1f} s"


def main(arguments: list[str]) -> int:
    """Check the documents named, or all; 0 if every snippet held."""
    paths = [Path(name).resolve() for name in arguments] or documents()
    counts = sum(map(check, paths), Counter[str]())
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("ran", "left out", "broken"))
    print(f"snippets: {len(paths)} documents, {told}")
    return 1 if counts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
