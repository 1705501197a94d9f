"""The page on performance shows what the measured files say, and nothing else."""

from __future__ import annotations

import json

from tools import performance


def pages() -> str:
    return "".join(page.read_text(encoding="utf-8") for page in performance.PAGES)


def test_the_pages_are_what_the_figures_are():
    assert performance.main(check=True) == 0


def test_every_table_stands_on_a_page_and_every_file_was_measured_whole():
    for name, (file, _) in performance.TABLES.items():
        assert f"<!-- {name} -->" in pages()
        value = json.loads((performance.FIGURES / f"{file}.json").read_text(encoding="utf-8"))
        assert value["rows"]
        assert value["complete"]
        assert value["machine"]


def test_a_changed_figure_is_noticed(tmp_path, monkeypatch):
    page = pages()
    value = json.loads((performance.FIGURES / "rebuild.json").read_text(encoding="utf-8"))
    value["rows"][0]["ratio"] += 1
    (tmp_path / "rebuild.json").write_text(json.dumps(value))
    monkeypatch.setattr(performance, "FIGURES", tmp_path)
    monkeypatch.setattr(performance, "TABLES", {"rebuild": performance.TABLES["rebuild"]})
    only = page[page.index("<!-- rebuild -->") :].split("<!-- end -->")[0] + "<!-- end -->"
    assert performance.filled(only) != only
