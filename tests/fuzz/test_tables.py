"""The tables of bundled baselines: frames of the documented columns and types, or a refusal that names the table."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.trees import bundled

from .inputs import byte_changes, change_bytes, fuzz, read_or_refuse

CELLS = ["", "x", "nan", "inf", "-1", "1.5", "9" * 30, "1e999", "True", '"', '"a,b"', ",", "\x00", "\n", "é", "\ufeff"]


@pytest.fixture(scope="module")
def whole() -> bundled.Bundled:
    return bundled.load("published")


@pytest.fixture(scope="module")
def tables(whole: bundled.Bundled, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder with the tables of a few runs and curves, and what is in them."""
    problem = whole.runs["problem"].iloc[0]
    runs, curves = (one[one["problem"] == problem] for one in (whole.runs, whole.curves))
    folder = tmp_path_factory.mktemp("bundled")
    bundled.write(folder / "published", runs.head(8), curves.groupby("setting").head(2).head(8))
    return folder, {path.name: path.read_bytes() for path in sorted((folder / "published").iterdir())}


cells = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from(CELLS) | st.text(max_size=5)),
    min_size=1,
    max_size=3,
)


def change_cells(data: bytes, changes: list[tuple[int, int, str]]) -> bytes:
    lines = [line.split(",") for line in data.decode().splitlines()]
    for row, column, cell in changes:
        line = lines[row % len(lines)]
        line[column % len(line)] = cell
    return "\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass")


@fuzz(0.01)
@given(st.integers(0, 9), byte_changes | cells)
def test_bundled_tables_are_read_or_refused(whole, tables, number, changes):
    folder, contents = tables
    names = sorted(contents)
    odd = names[number % len(names)]
    change = change_cells if isinstance(changes[0][0], int) else change_bytes
    for name, data in contents.items():
        (folder / "published" / name).write_bytes(change(data, changes) if name == odd else data)
    found = read_or_refuse("bundled tables", lambda: bundled.load("published", folder), folder / "published" / odd)
    if found is not None:
        assert found.runs.dtypes.equals(whole.runs.dtypes)
        assert found.curves.dtypes.equals(whole.curves.dtypes)
