"""One number for an entry, wherever it is shown: table, JSON, CSV, Markdown, LaTeX, page, plot and claims."""

import csv
import io
import json
import re

import pytest
from matplotlib import pyplot as plt

from regbench.comparison import compare, tables
from regbench.plots.dots import ranked_dots
from regbench.report import write


@pytest.fixture(scope="module")
def comparison():
    return compare(["digits_mlp"], candidates=["lion", "muon", "radam", "nadam"])


@pytest.fixture(scope="module")
def scores(comparison):
    """By label: the score and its interval as they are printed."""
    rows = comparison.table.to_dict("records")
    return {row["label"]: tuple(f"{row[name]:.5g}" for name in ("score", "score_low", "score_high")) for row in rows}


def test_score_is_the_expected_winner_that_claims_compare(comparison, scores):
    assert len(scores) == 4
    for (_, label), search in comparison.searched.items():
        assert f"{search.score.value:.5g}" == scores[label][0]
    values = {row["label"]: row["score"] for row in comparison.table.to_dict("records")}
    for row in comparison.claims_of("all").to_dict("records"):
        assert row["difference"] == pytest.approx(values[row["better"]] - values[row["worse"]], abs=1e-12)


def test_texts_and_data_have_the_same_numbers(comparison, scores):
    data = {row["label"]: row for row in json.loads(tables.to_json(comparison.table))}
    sheet = {row["label"]: row for row in csv.DictReader(io.StringIO(tables.to_csv(comparison.table)))}
    shown = {row[1]: dict(zip(tables.COLUMNS, row, strict=True)) for row in tables.cells(comparison.table)}
    latex, markdown = tables.to_latex(comparison.table), tables.to_markdown(comparison.table)
    for label, (score, low, high) in scores.items():
        for row in (data[label], sheet[label]):
            assert [f"{float(row[name]):.5g}" for name in ("score", "score_low", "score_high")] == [score, low, high]
        assert (shown[label]["score"], shown[label]["95 % interval"]) == (score, f"[{low}, {high}]")
        for text in (latex, markdown.replace("\\", "")):
            (line,) = [line for line in text.splitlines() if re.search(rf"\b{label}\b", line)]
            assert score in line
            assert f"{low}, {high}" in line


def test_page_has_them(comparison, scores, tmp_path):
    write(comparison, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    section = page[page.index('id="problems"') : page.index('id="across"')]
    for label, (score, low, high) in scores.items():
        cells = f">{score}</td>", f"[{low}, {high}]"
        assert any(label in row and all(cell in row for cell in cells) for row in section.split("<tr"))


def test_plot_draws_them(comparison, scores):
    figure = ranked_dots(comparison.table)
    lines = [line for axes in figure.findobj(plt.Axes) for line in axes.lines]
    drawn = {f"{float(line.get_xdata()[0]):.5g}" for line in lines if line.get_marker() == "o"}
    assert drawn == {score for score, *_ in scores.values()}
    plt.close(figure)
