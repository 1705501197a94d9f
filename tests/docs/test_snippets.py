"""The runner of the documents' snippets: what runs, what is left out, where it broke."""

from __future__ import annotations

import textwrap

import pytest

from tools import snippets


@pytest.fixture
def check(tmp_path, capsys):
    """Run one document: its exit code and what was printed, with the folder taken off."""

    def run(text: str) -> tuple[int, str]:
        document = tmp_path / "page.md"
        document.write_text(textwrap.dedent(text), encoding="utf-8")
        code = snippets.main([str(document)])
        return code, capsys.readouterr().out.replace(f"{tmp_path}/", "")

    return run


def test_python_runs_in_a_fresh_namespace_and_an_empty_folder(check):
    code, out = check(
        """
        ```python
        from pathlib import Path
        Path("left.txt").write_text("x")
        name = 1
        ```
        ```python
        from pathlib import Path
        assert not list(Path().iterdir())
        assert "name" not in globals() and __name__ == "__main__"
        ```
        """
    )
    assert code == 0, out
    assert "2 ran, 0 left out, 0 broken" in out


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("x = 1\nassert x == 2", 4, "AssertionError"),
        ("x = 1\n\nx = = 2", 5, "SyntaxError"),
        ("import sys\nsys.exit(0)", 4, "SystemExit"),
        ("# not run:\nx = 1", 3, "needs a reason"),
    ],
)
def test_a_failure_names_the_documents_line(check, body, line, reason):
    code, out = check(f"Text.\n```python\n{body}\n```\n")
    assert code == 1
    assert f"page.md:{line}: " in out
    assert reason in out


def test_an_opt_out_is_counted_and_its_reason_printed(check):
    code, out = check("```python\n# not run: needs two machines\n1 / 0\n```\n")
    assert code == 0
    assert "left out: needs two machines" in out
    assert "0 ran, 1 left out" in out


def test_commands_run_only_when_marked(check):
    code, out = check('```bash\nexit 3\n```\n\n<!-- run -->\n```bash\ntest -z "$(ls)"\n```\n')
    assert code == 0, out
    assert "1 ran" in out
    code, out = check("<!-- run -->\n```bash\ntrue\nfalse | true\n```\n")
    assert code == 1
    assert "page.md:3: exit code 1" in out


def test_a_console_block_is_held_to_its_output(check):
    shown = "$ echo one > a\n$ cat a; echo {said} in 3 s\none\ntwo in ... s\n"
    page = f"<!-- run -->\n```console\n{shown}```\n"
    assert check(page.format(said="two"))[0] == 0
    code, out = check(page.format(said="six"))
    assert code == 1
    assert "page.md:4: " in out


def test_the_repository_can_be_the_working_folder(check):
    code, out = check("<!-- run in the repository -->\n```sh\ntest -f pyproject.toml\n```\n")
    assert code == 0, out


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("<!-- run -->\nText.\n", 1),
        ("<!-- run -->\n", 1),
        ("<!-- run -->\n```json\n{}\n```\n", 3),
        ("<!-- running -->\nText\n\n<!-- run tomorrow -->\n```bash\n```\n", 6),
        ("Text.\n```python\nx = 1\n", 2),
    ],
)
def test_a_marker_or_fence_that_means_nothing_is_an_error(check, page, line):
    code, out = check(page)
    assert code == 1
    assert f"page.md:{line}: " in out


def test_a_fence_within_a_longer_fence_is_text(check):
    code, out = check("````markdown\n<!-- run -->\n```python\n1 / 0\n```\n````\n")
    assert code == 0, out
    assert "0 ran" in out


def test_documents_that_do_not_exist_yet_are_passed_over(tmp_path):
    assert snippets.documents(tmp_path) == []
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "deep" / "page.md").write_text("", encoding="utf-8")
    (tmp_path / "README.md").write_text("", encoding="utf-8")
    assert [path.name for path in snippets.documents(tmp_path)] == ["README.md", "page.md"]
