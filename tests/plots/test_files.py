"""Files: the same figure gives the same bytes, and what is written is what it says."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from regbench.errors import ResultsError
from regbench.plots.rank_map import rank_map
from regbench.plots.style import inline_svg, save, save_all, style


def test_place_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "a.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(ResultsError, match="the figure cannot be written here: "):
            save(Figure(), place)


@pytest.mark.parametrize(
    "name",
    [
        "dots",
        *[
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("learning_curves", "rank_map", "critical_difference", "sensitivity", "sensitivity_map")
        ],
        *[
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("tuning_curves", "decay_map", "profiles", "generalisation")
        ],
    ],
)
def test_identical_data_give_identical_files(make_figure, tmp_path, name):
    for folder in ("first", "second"):
        save_all(make_figure(name, 3, 2), tmp_path / folder, name)
    for ending in ("svg", "pdf", "png"):
        first, second = ((tmp_path / folder / f"{name}.{ending}").read_bytes() for folder in ("first", "second"))
        assert first == second
        assert b"CreationDate" not in first
    svg = (tmp_path / "first" / f"{name}.svg").read_text()
    assert "dc:date" not in svg
    assert "DejaVu Sans" in svg


def test_one_format_is_written_by_its_ending(make_figure, tmp_path):
    save(make_figure("dots", 3, 1), tmp_path / "new" / "ranking.pdf")
    assert (tmp_path / "new" / "ranking.pdf").read_bytes().startswith(b"%PDF")


def test_all_formats_have_the_figure_and_its_layout_stays_adjustable(make_figure, tmp_path):
    figure = make_figure("rank_map", 3, 3)
    paths = save_all(figure, tmp_path, "ranks")
    assert [path.name for path in paths] == ["ranks.png", "ranks.svg", "ranks.pdf"]
    assert all(path.stat().st_size > 1000 for path in paths)
    assert isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)


def test_picture_in_a_page_is_that_of_the_file(make_figure, tmp_path):
    save(make_figure("rank_map", 3, 3), tmp_path / "ranks.svg")
    svg = (tmp_path / "ranks.svg").read_text()
    figure = make_figure("rank_map", 3, 3)
    assert inline_svg(figure, "page").replace("page-", "") == svg[svg.index("<svg") :]
    assert isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)


def test_settings_of_the_caller_are_as_they_were():
    before = dict(mpl.rcParams)
    with style():
        assert mpl.rcParams["text.parse_math"] is False
    assert dict(mpl.rcParams) == before


def test_two_figures_on_a_page_share_no_identifier(make_figure):
    pictures = [inline_svg(make_figure("sensitivity_map", 2, 1), name) for name in ("one", "two")]
    found = [set(re.findall(r'\sid="([^"]+)"', picture)) for picture in pictures]
    assert found[0]
    assert not found[0] & found[1]
    for picture, own in zip(pictures, found, strict=True):
        assert picture.startswith("<svg")
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', picture)
        assert used
        assert {one or other for one, other in used} <= own
        ElementTree.fromstring(picture)  # noqa: S314 - our own


def test_names_in_a_picture_are_text_and_identifiers_in_them_stay(make_runs):
    from regbench.analysis.ranking import ranked_entries

    name = '<script id="x">url(#y)</script>'
    root = ElementTree.fromstring(inline_svg(rank_map(ranked_entries(make_runs([name]))), "page"))  # noqa: S314 - our own
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert name in ["".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("text")]


def test_a_name_that_is_no_identifier_is_refused():
    with pytest.raises(ValueError, match="must be letters, digits and hyphens"):
        inline_svg(Figure(), 'a"b')
