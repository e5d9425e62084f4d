"""Curves that were changed after the run, and values that no run can have, never count in silence."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from regbench.comparison import compare
from regbench.errors import ResultsError
from regbench.records import Manifest, RunResult, RunSpec
from regbench.store import deepobs, manifests
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


@pytest.fixture
def short(make_stored_spec: Callable[..., RunSpec], make_stored_result: Callable[..., RunResult]) -> RunResult:
    """A run of three epochs."""
    return make_stored_result(make_stored_spec(epochs=3))


def test_every_changed_bit_of_a_curve_is_noticed(short: RunResult, tmp_path: Path) -> None:
    path = Folder(tmp_path).write(short)
    data = path.read_bytes()
    start = data.index(b'"test_accuracies": [') + len(b'"test_accuracies": [')
    for flipped in _flipped(data, range(start, data.index(b"]", start)), range(8)):
        path.write_bytes(flipped)
        counts = lint(tmp_path, cache=False).counts
        assert counts.keys() & {"altered", "not_json", "not_a_result", "impossible_value"} or _same(data, flipped)


def test_changed_bit_of_each_byte_of_a_run_changes_nothing_in_silence(short: RunResult) -> None:
    data = deepobs.write_json(short)
    expected = deepobs.read(data, minibatch=False)
    for flipped in _flipped(data, range(len(data))):
        with contextlib.suppress(ResultsError):
            read = deepobs.read(flipped, minibatch=False)
            # Its own checksum, under another name, is one of a file that was written before there were any.
            assert read == expected


def test_changed_bit_of_each_byte_of_a_record_of_a_search_changes_nothing_in_silence(tmp_path: Path) -> None:
    manifest = Manifest(
        **dict.fromkeys(("digest", "problem_digest", "space_digest"), "0123456789abcdef" * 4),
        **{"problem": "digits_mlp", "candidate": "sgd", "sampler": "random", "budget": 3, "seed": 42, "reruns": 2},
        **{"epochs": 2, "batch_size": 64, "schedule": "none", "protocol": "deepobs", "winner": 1},
        **dict.fromkeys(("trials", "again"), ("fedcba9876543210" * 4,) * 3),
    )
    manifests.write(tmp_path, manifest)
    (path,) = manifests.find(tmp_path)
    data = path.read_bytes()
    assert manifests.read(path) == manifest
    for flipped in _flipped(data, range(len(data))):
        path.write_bytes(flipped)
        with contextlib.suppress(ResultsError):
            assert manifests.read(path) == manifest


def _flipped(data: bytes, places: Iterable[int], bits: Sequence[int] = ()) -> Iterator[bytes]:
    """The data with one bit flipped, in each of the places; each of these bits, or in turn."""
    for place in places:
        for bit in bits or [place % 8]:
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def _same(data: bytes, flipped: bytes) -> bool:
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


@pytest.mark.parametrize("dialect", ["1.1", "1.2", "crowded_valley", "nonlinear"])
def test_accuracies_in_percent_are_told_and_not_ranked_before_shares_in_every_dialect(
    dialect: str,
    write_foreign: Callable[..., Path],
    deepobs_1_1: dict[str, Any],
    tree: Path,
) -> None:
    nonlinear = {"optimizer_hyperparams": {"learning_rate": 0.1, "decoupled_weight_decay": 0.1}}
    own = {"1.1": deepobs_1_1, "1.2": {}, "crowded_valley": {"l2_reg": 0.0}, "nonlinear": nonlinear}
    percents = {f"{split}_accuracies": [10.0, 20.0, 30.0, 40.0, 50.0] for split in ("train", "valid", "test")}
    write_foreign("shares", optimizer_name="Shares")
    write_foreign("percent", **{"optimizer_name": "Percent", **own[dialect], **percents})
    assert lint(tree, cache=False).counts == {"impossible_value": 1}
    comparison = compare(results=[tree], baselines="none")
    assert list(comparison.table["candidate"]) == ["Shares"]
    assert any(
        line.endswith("irregular: impossible_value 1 (`regbench lint` lists them)") for line in comparison.warnings
    )


def test_tree_of_percents_alone_is_refused_with_the_reason(write_foreign: Callable[..., Path], tree: Path) -> None:
    write_foreign(test_accuracies=[10.0, 20.0, 30.0, 40.0, 50.0])
    with pytest.raises(ResultsError, match=r"there are no runs to compare; .*: irregular: impossible_value 1"):
        compare(results=[tree], baselines="none")


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
