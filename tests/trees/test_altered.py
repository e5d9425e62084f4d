"""Curves that were changed after the run, and values that no run can have, never count in silence."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regbench.errors import ResultsError
from regbench.records import RunResult
from regbench.store import deepobs
from regbench.store.folder import Folder
from regbench.trees import frames
from regbench.trees.lint import lint


@pytest.fixture
def stored(tmp_path: Path, make_stored_result: Callable[..., RunResult]) -> tuple[RunResult, Path]:
    """A run and its file in a tree."""
    result = make_stored_result()
    return result, Folder(tmp_path).write(result)


def change(path: Path, do: Callable[[dict[str, Any]], object]) -> None:
    table = json.loads(path.read_bytes())
    do(table)
    path.write_text(json.dumps(table))


@pytest.mark.parametrize(
    "do",
    [
        lambda table: table["test_accuracies"].__setitem__(-1, 0.9375),
        lambda table: table["train_losses"].pop(),
        lambda table: table.pop("valid_accuracies"),
        lambda table: table["regbench"]["losses_without_penalty"]["test_losses"].__setitem__(0, 0.0),
        lambda table: table["regbench"].__setitem__("checksum", "0"),
    ],
)
def test_altered_curve_is_told_and_its_run_does_not_count(do, stored, tmp_path: Path) -> None:
    result, path = stored
    change(path, do)
    assert lint(tmp_path, cache=False).counts == {"altered": 1}
    results = frames.load(tmp_path)
    assert results.runs.empty
    assert list(results.irregularities["kind"]) == ["altered"]
    tree = Folder(tmp_path)
    assert tree.find(result.spec) is None  # a search makes it again
    assert "it is not what was written" in tree.warnings[0]
    with pytest.raises(ResultsError, match="it is not what was written"):
        deepobs.read(path.read_bytes())


def test_changed_bits_of_a_curve_are_noticed(stored, tmp_path: Path) -> None:
    _, path = stored
    data = path.read_bytes()
    start = data.index(b'"test_accuracies": [') + len(b'"test_accuracies": [')
    for place in range(start, data.index(b"]", start)):
        for bit in (0, 3, 6):  # a digit becomes another, a sign, a letter
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            path.write_bytes(bytes(flipped))
            counts = lint(tmp_path, cache=False).counts
            assert counts.keys() & {"altered", "not_json", "not_a_result", "impossible_value"} or _same(data, flipped)


def _same(data: bytes, flipped: bytearray) -> bool:
    """Whether what was flipped is no more than the way in which a number or a space is written."""
    return json.loads(data) == json.loads(flipped)


def test_text_of_the_file_may_change(stored, tmp_path: Path) -> None:
    _, path = stored
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=2))
    assert lint(tmp_path, cache=False).counts == {}


def test_file_without_a_checksum_is_read(stored, tmp_path: Path) -> None:
    result, path = stored
    change(path, lambda table: table["regbench"].pop("checksum"))
    assert lint(tmp_path, cache=False).counts == {}
    assert Folder(tmp_path).find(result.spec) is not None


def test_curves_that_are_not_finite_are_not_taken_for_altered(
    make_stored_result: Callable[..., RunResult], tmp_path: Path
) -> None:
    losses = {f"{split}_losses": [1.0, float("nan"), float("inf"), -0.0] for split in ("train", "valid", "test")}
    Folder(tmp_path).write(make_stored_result(curves=losses, losses_without_penalty=losses))
    assert "altered" not in lint(tmp_path, cache=False).counts


@pytest.mark.parametrize("accuracy", [8.2, 97.5, -5.0, 1e300, float("inf"), 1.00001])
def test_impossible_accuracy_is_told_in_trees_of_others_and_its_run_does_not_count(
    accuracy: float, stored, tmp_path: Path
) -> None:
    _, path = stored

    def make_foreign(table: dict[str, Any]) -> None:
        del table["regbench"]
        table["test_accuracies"][-1] = accuracy

    change(path, make_foreign)
    assert lint(tmp_path, cache=False).counts == {"impossible_value": 1}
    assert frames.load(tmp_path).runs.empty


def test_accuracy_of_one_in_float32_is_possible(stored, tmp_path: Path) -> None:
    _, path = stored

    def make_foreign(table: dict[str, Any]) -> None:
        del table["regbench"]
        table["test_accuracies"][-1] = 1.0000001192092896

    change(path, make_foreign)
    assert "impossible_value" not in lint(tmp_path, cache=False).counts


@pytest.mark.parametrize("piece", ["{}", "[]", '""'])
def test_file_of_many_pieces_takes_a_small_multiple_of_its_size(piece: str, tmp_path: Path) -> None:
    size = 31 * 2**20
    path = tmp_path / "tree" / "bomb.json"
    path.parent.mkdir()
    path.write_text("[" + ",".join([piece] * (size // (len(piece) + 1))) + "]")
    script = (
        "import resource, sys; from regbench.trees.lint import lint\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(lint(sys.argv[1], cache=False).counts)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, path.parent], capture_output=True, text=True, check=True)
    counts, kibibytes = done.stdout.splitlines()
    assert counts == "{'not_a_result': 1}"
    assert int(kibibytes) * 1024 < 4 * size
