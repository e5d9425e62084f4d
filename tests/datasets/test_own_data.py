"""Data of one's own: what each form reads, and what tells them apart."""

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from regbench import catalog, datasets
from regbench.benchmark.data import tell_memory
from regbench.benchmark.problems import with_data
from regbench.benchmark.tasks import Task
from regbench.datasets import RawData, own
from regbench.datasets.own import cache
from regbench.errors import DataError
from regbench.records import Arrays, Book, Function, Images, Problem, RunSpec, Table, problem_definition

RNG = np.random.default_rng(3)
N = 200


@pytest.fixture
def frame() -> pd.DataFrame:
    kinds = RNG.choice(["oak", "elm", "fir"], N)
    size = RNG.normal(100, 5, N)
    return pd.DataFrame(
        {
            "size": size,
            "kind": kinds,
            "old": RNG.random(N) < 0.5,
            "farm": np.arange(N) // 10,
            "day": [f"2026-01-{1 + number % 25:02}" for number in range(N)],
            "count": RNG.integers(0, 9, N),
            "price": size * 3 + RNG.normal(size=N),
            "sold": np.where(size > 100, "yes", "no"),
        }
    )


@pytest.fixture
def table(frame: pd.DataFrame, tmp_path: Path) -> Callable[..., Table]:
    def make(suffix: str = ".csv", **others: Any) -> Table:
        path = tmp_path / f"trees{suffix}"
        frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
        return Table(**{"name": "table", "path": str(path), "target": "sold", **others})

    return make


def splits(data: RawData, what: str = "inputs") -> dict[str, Any]:
    return {split: getattr(data, f"{split}_{what}") for split in ("train", "validation", "test")}


def whole(data: RawData, what: str = "inputs") -> np.ndarray:
    return np.concatenate(list(splits(data, what).values()))


def test_numbers_are_standardised_and_text_is_told_apart_by_what_trains(
    table: Callable[..., Table], frame: pd.DataFrame
) -> None:
    mine = table(columns=("size", "kind", "old"))
    data, dataset = datasets.load(mine), datasets.get(mine)
    assert dataset.input_shape == (1 + 3 + 1,)
    assert dataset.class_names == ("no", "yes")
    assert [len(one) for one in splits(data).values()] == [dataset.train_size, dataset.validation_size, 30]
    trained = data.train_inputs.astype(float)
    np.testing.assert_allclose(trained[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(trained[:, 0].std(), 1, atol=1e-6)
    # Each row is one of the file, with the statistics of training; the file says what belongs to it.
    chosen = {round(value, 9): row for row, value in enumerate(frame["size"])}
    scaled = whole(data)[:, 0].astype(float)
    slope, offset = np.polyfit(np.sort(scaled), np.sort(frame["size"]), 1)
    rows = [min(chosen, key=lambda value: abs(value - (slope * one + offset))) for one in scaled]
    found = frame.iloc[[chosen[value] for value in rows]]
    assert sorted(found.index) == list(range(N))
    np.testing.assert_array_equal(whole(data)[:, 1:4].argmax(1), found["kind"].map({"elm": 0, "fir": 1, "oak": 2}))
    np.testing.assert_array_equal(whole(data)[:, 4], found["old"])
    np.testing.assert_array_equal(whole(data, "targets"), found["sold"] == "yes")
    shares = {split: (targets == 1).mean() for split, targets in splits(data, "targets").items()}
    assert max(shares.values()) - min(shares.values()) < 0.05


def test_parquet_and_csv_are_the_same_data(table: Callable[..., Table]) -> None:
    assert datasets.load(table()).digest == datasets.load(table(".parquet")).digest


def test_numbers_to_learn_are_kept_or_standardised(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    mine = table(target="price", drop=("sold", "day"))
    data = datasets.load(mine)
    assert (datasets.get(mine).classes, datasets.get(mine).target_shape, data.train_targets.dtype) == (
        0,
        (),
        np.float32,
    )
    np.testing.assert_allclose(np.sort(whole(data, "targets")), np.sort(frame["price"]), rtol=1e-6)
    scaled = datasets.load(mine.model_copy(update={"scale_target": True})).train_targets.astype(float)
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-6)


@pytest.mark.parametrize(("targets", "classes"), [("auto", 9), ("classes", 9), ("numbers", 0)])
def test_whole_numbers_are_classes_unless_it_is_said_otherwise(
    table: Callable[..., Table], targets: str, classes: int
) -> None:
    mine = table(target="count", drop=("day",), targets=targets, valid_fraction=0.3, test_fraction=0.3)
    assert datasets.get(mine).classes == classes


def test_groups_stay_together(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    data = datasets.load(table(target="price", group="farm", columns=("size",)))
    farms = dict(zip(np.float32(frame["price"]), frame["farm"], strict=True))
    sides = [{farms[price] for price in prices} for prices in splits(data, "targets").values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20


def test_test_comes_after_validation_and_validation_after_training(
    table: Callable[..., Table], frame: pd.DataFrame
) -> None:
    data = datasets.load(table(target="price", time="day", columns=("size",)))
    days = dict(zip(np.float32(frame["price"]), frame["day"], strict=True))
    train, valid, test = ({days[price] for price in prices} for prices in splits(data, "targets").values())
    assert max(train) < min(valid) <= max(valid) < min(test)


def test_missing_values_are_filled_by_what_trains(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    frame.loc[:20, "size"] = np.nan
    frame.loc[5:9, "kind"] = None
    mine = table(columns=("size", "kind"), missing="median", split_seed=1)
    data = datasets.load(mine)
    assert datasets.get(mine).input_shape == (1 + 4,)  # missing text is a fourth kind
    values, counts = np.unique(whole(data)[:, 0], return_counts=True)
    assert counts.max() in (21, 22)  # the median may be a value that is there
    np.testing.assert_allclose(values[counts.argmax()], np.median(data.train_inputs[:, 0]), atol=0.02)


def test_weights_go_with_their_samples(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    data = datasets.load(table(target="price", weights="size", columns=("count",)))
    sizes = dict(zip(np.float32(frame["price"]), frame["size"], strict=True))
    np.testing.assert_allclose(data.train_weights, [sizes[price] for price in data.train_targets], rtol=1e-6)


def test_text_that_training_never_saw_is_0_in_every_column(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    frame["kind"] = np.where(np.arange(N) < 9, [f"rare {number}" for number in range(N)], "oak")
    data = datasets.load(table(target="price", columns=("kind",)))
    unseen = 10 - data.train_inputs.shape[1]
    assert 0 < unseen < 8
    assert (data.train_inputs.sum(1) == 1).all()
    np.testing.assert_array_equal(np.sort(whole(data).sum(1)), [0] * unseen + [1] * (N - unseen))


def test_another_seed_divides_otherwise_and_the_same_alike(table: Callable[..., Table]) -> None:
    digests = [datasets.load(table(split_seed=seed)).digest for seed in (0, 1, 0)]
    assert digests[0] == digests[2] != digests[1]


def arrays(**others: np.ndarray) -> dict[str, np.ndarray]:
    x, y = RNG.normal(size=(60, 4)), np.arange(60) % 3 + 5
    return {"x_train": x, "y_train": y, "x_test": x[:9], "y_test": y[:9]} | others


def test_folder_and_archive_hold_the_same_arrays(tmp_path: Path) -> None:
    given = arrays()
    np.savez(tmp_path / "one.npz", **given)
    (tmp_path / "two").mkdir()
    for name, array in given.items():
        np.save(tmp_path / "two" / f"{name}.npy", array)
    one, two = (Arrays(name="arrays", path=str(tmp_path / name)) for name in ("one.npz", "two"))
    data, dataset = datasets.load(one), datasets.get(one)
    assert data.digest == datasets.load(two).digest
    assert (dataset.classes, dataset.class_names, dataset.input_shape) == (3, ("5", "6", "7"), (4,))
    np.testing.assert_array_equal(data.test_inputs, given["x_test"].astype("f4"))
    np.testing.assert_array_equal(data.test_targets, given["y_test"] - 5)
    held_out = np.concatenate([data.train_inputs, data.validation_inputs])  # type: ignore[list-item]
    np.testing.assert_array_equal(np.sort(held_out, 0), np.sort(given["x_train"], 0).astype("f4"))
    assert dataset.validation_size == 9


def test_validation_that_is_given_is_taken(tmp_path: Path) -> None:
    given = arrays()
    given |= {"x_valid": given["x_test"] + 1, "y_valid": given["y_test"]}
    np.savez(tmp_path / "one.npz", **given)
    data = datasets.load(Arrays(name="arrays", path=str(tmp_path / "one.npz")))
    np.testing.assert_array_equal(data.validation_inputs, given["x_valid"].astype("f4"))
    assert len(data.train_inputs) == 60


@pytest.mark.parametrize(
    ("inputs", "targets", "shape", "classes", "target_shape", "preprocessing"),
    [
        (np.zeros((20, 6, 5), "u1"), np.arange(20) % 2, (6, 5, 1), 2, (), "unit"),
        (np.zeros((20, 6, 5, 3), "u1"), np.arange(20) % 2, (6, 5, 3), 2, (), "unit"),
        (np.zeros((20, 6), "u1"), np.arange(20) % 2, (6,), 2, (), "none"),
        (np.zeros((20, 6)), np.arange(20)[:, None] % 2, (6,), 2, (), "none"),
        (np.zeros((20, 6)), np.arange(20) / 7, (6,), 0, (), "none"),
        (np.zeros((20, 6)), np.zeros((20, 2)), (6,), 0, (2,), "none"),
        (np.zeros((20, 6), "i4"), np.arange(120).reshape(20, 6) % 4, (6,), 4, (6,), "none"),
    ],
    ids=["grey images", "images", "bytes", "a column of classes", "numbers", "several numbers", "tokens"],
)
def test_shape_and_type_of_arrays_say_what_they_are(
    tmp_path: Path, inputs: Any, targets: Any, shape: Any, classes: int, target_shape: Any, preprocessing: str
) -> None:
    np.savez(tmp_path / "one.npz", x_train=inputs, y_train=targets, x_test=inputs, y_test=targets)
    found = datasets.get(Arrays(name="arrays", path=str(tmp_path / "one.npz")))
    assert (found.input_shape, found.classes, found.target_shape, found.preprocessing) == (
        *(shape, classes, target_shape),
        preprocessing,
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, grey in (("ant", 10), ("bee", 200)):
        for number in range(10):
            path = tmp_path / "photos" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (20, 30), grey + number).save(path)
    return tmp_path / "photos"


def test_images_are_divided_by_class(photos: Path) -> None:
    mine = Images(name="images", path=str(photos), size=(4, 6), color=False, valid_fraction=0.2, test_fraction=0.3)
    data, dataset = datasets.load(mine), datasets.get(mine)
    assert [len(one) for one in splits(data).values()] == [10, 4, 6]
    assert (dataset.input_shape, dataset.class_names, dataset.preprocessing) == ((4, 6, 1), ("ant", "bee"), "unit")
    np.testing.assert_array_equal(np.sort(whole(data)[:, 0, 0, 0]), [*range(10, 20), *range(200, 210)])
    np.testing.assert_array_equal(whole(data, "targets"), whole(data)[:, 0, 0, 0] >= 200)


def test_images_may_lie_in_folders_for_training_and_test(photos: Path) -> None:
    for split in ("train", "test"):
        (photos / split).mkdir()
    for name in ("ant", "bee"):
        (photos / "test" / name).mkdir()
        (photos / name).rename(photos / "train" / name)
        (photos / "train" / name / "9.png").rename(photos / "test" / name / "9.png")
    data = datasets.load(Images(name="images", path=str(photos), size=(2, 2)))
    assert [len(one) for one in splits(data).values()] == [16, 2, 2]
    assert set(data.test_inputs[:, 0, 0, 0]) == {19, 209}


def test_text_is_cut_as_deepobs_cuts_tolstoi(tmp_path: Path) -> None:
    text = "".join(RNG.choice(list("aab\n"), 1000))
    (tmp_path / "book.txt").write_text(text)
    mine = Book(name="text", path=str(tmp_path / "book.txt"), length=7, valid_fraction=0.2)
    data, dataset = datasets.load(mine), datasets.get(mine)
    assert dataset.class_names[0] == "a"
    assert (dataset.classes, dataset.input_shape, dataset.target_shape) == (3, (7,), (7,))
    # `_tolstoi_preprocess.py` and `datasets/tolstoi.py` of DeepOBS, of which a batch of 1 has the order of the text.
    tokens = np.array([dataset.class_names.index(one) for one in text])
    size = int(np.ceil((1.0 - 0.2) * np.size(tokens)))
    train, test = tokens[:600], tokens[size:]
    for name, piece in (("train", train), ("validation", tokens[600:size]), ("test", test)):
        batches = int(np.floor((np.size(piece) - 1) / 7))
        np.testing.assert_array_equal(splits(data)[name], np.array(np.split(piece[: batches * 7], batches)))
        np.testing.assert_array_equal(
            splits(data, "targets")[name], np.array(np.split(piece[1 : batches * 7 + 1], batches))
        )
    assert data.train_targets.dtype == data.train_inputs.dtype == np.int32


class TensorOfPyTorch:
    """What is asked of one."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def detach(self) -> "TensorOfPyTorch":
        return self

    def cpu(self) -> np.ndarray:
        return self._array


class DatasetOfHuggingFace:
    """What is asked of one."""

    column_names = ("pixels", "label")

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._columns = {"pixels": x, "label": y}

    def with_format(self, name: str) -> "DatasetOfHuggingFace":
        assert name == "numpy"
        return self

    def __getitem__(self, chosen: slice) -> dict[str, np.ndarray]:
        return {name: column[chosen] for name, column in self._columns.items()}


def of_tensorflow(x: np.ndarray, y: np.ndarray, batch: int = 0) -> Any:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y))
    return data.batch(batch) if batch else data


GIVEN = arrays()
TRAIN, TEST = (GIVEN["x_train"], GIVEN["y_train"]), (GIVEN["x_test"], GIVEN["y_test"])
RETURNED: dict[str, Callable[[], Any]] = {
    "dictionary": lambda: GIVEN,
    "object": lambda: SimpleNamespace(**GIVEN),
    "lists": lambda: {name: array.tolist() for name, array in GIVEN.items()},
    "tensors of PyTorch": lambda: {name: TensorOfPyTorch(array) for name, array in GIVEN.items()},
    "pairs": lambda: {"train": TRAIN, "test": TEST},
    "data sets of Hugging Face": lambda: {"train": DatasetOfHuggingFace(*TRAIN), "test": DatasetOfHuggingFace(*TEST)},
    "data sets of TensorFlow": lambda: {"train": of_tensorflow(*TRAIN), "test": of_tensorflow(*TEST)},
    "batches of TensorFlow": lambda: {"train": of_tensorflow(*TRAIN, batch=7), "test": of_tensorflow(*TEST, batch=4)},
}


@pytest.mark.parametrize(
    "returned",
    [
        pytest.param(make, id=name, marks=pytest.mark.slow if "TensorFlow" in name else ())
        for name, make in RETURNED.items()
    ],
)
def test_function_may_return_arrays_of_any_library(returned: Any, tmp_path: Path, monkeypatch: Any) -> None:
    np.savez(tmp_path / "one.npz", **GIVEN)
    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(load=lambda: returned()))
    found = datasets.load(Function(name="mine:load"))
    assert found.digest == datasets.load(Arrays(name="arrays", path=str(tmp_path / "one.npz"))).digest


PROBLEM = """summary = "s"
source = "s"
dataset = { name = "table", path = "../data/trees.csv", target = "sold", drop = ["day"] }
model = { name = "mlp", units = [4] }
loss = "sparse_categorical_crossentropy"
metric = "accuracy"
goal = "maximize"
chance = 0.5
batch_size = 8
epochs = 1
"""


@pytest.fixture
def home(tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for folder in ("data", "testproblems"):
        (home / folder).mkdir(parents=True)
    frame.to_csv(home / "data" / "trees.csv", index=False)
    (home / "testproblems" / "mine.toml").write_text(PROBLEM)
    monkeypatch.chdir(home)
    return home


def spec(problem: str | Problem = "mine") -> RunSpec:
    return Task.of(problem, "sgd").spec({"optimizer.learning_rate": 0.1}, 42)


def test_digest_depends_on_content_and_arguments_but_not_on_place_or_time(home: Path, monkeypatch: Any) -> None:
    before = spec()
    assert before.problem.dataset.content == datasets.load(before.problem.dataset).digest  # type: ignore[union-attr]
    assert str(home) not in before.model_dump_json()
    os.utime(home / "data" / "trees.csv", (1, 1))
    assert spec().digest() == before.digest()
    home.rename(home.with_name("moved"))
    monkeypatch.chdir(home.with_name("moved"))
    assert spec().digest() == before.digest()
    Path("data/trees.csv").write_text(Path("data/trees.csv").read_text().replace("oak", "elm", 1))
    changed = spec()
    assert changed.digest() != before.digest()
    assert problem_definition(changed.problem) == problem_definition(before.problem)
    Path("testproblems/mine.toml").write_text(PROBLEM.replace('"day"', '"day", "size"'))
    assert problem_definition(spec().problem) != problem_definition(before.problem)


def test_record_comes_back_from_json_without_its_path(home: Path) -> None:
    before = spec()
    after = RunSpec.model_validate_json(before.model_dump_json())
    assert after.digest() == before.digest()
    assert isinstance(after.problem.dataset, Table)
    assert after.problem.dataset.path == ""


def test_data_that_change_while_a_command_runs_are_refused(home: Path) -> None:
    mine = spec().problem.dataset
    path = home / "data" / "trees.csv"
    path.write_text(path.read_text().replace("oak", "elm", 1))
    with pytest.raises(DataError, match=r"trees\.csv: must hold the data with which the command began"):
        datasets.load(mine)


def test_loss_says_what_is_learnt(home: Path) -> None:
    assert catalog.problem("mine").dataset.targets == "classes"  # type: ignore[union-attr]


def test_large_data_are_copied_and_an_altered_copy_is_noticed(
    table: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    mine = table(drop=("day",))
    first = datasets.load(mine)
    (copy,) = cache.folder().glob("*.npz")
    read = []
    monkeypatch.setattr("regbench.datasets.own.table.read", lambda own: read.append(own) or pytest.fail("read again"))
    own._read.cache_clear()
    again = datasets.load(mine)
    assert again.digest == first.digest
    assert datasets.get(mine).class_names == ("no", "yes")
    monkeypatch.undo()
    monkeypatch.setattr(cache, "LEAST_BYTES", 1)
    with np.load(copy) as stored:
        altered = dict(stored)
    altered["train_inputs"][0, 0] += 1
    np.savez(copy, **altered)
    own._read.cache_clear()
    assert datasets.load(mine).digest == first.digest
    with np.load(copy) as stored:
        assert stored["train_inputs"][0, 0] == first.train_inputs[0, 0]


@pytest.mark.parametrize(("free", "told"), [(10**9, 0), (10**3, 1)])
def test_data_that_hardly_fit_are_told(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    lines: list[str] = []
    tell_memory(with_data(catalog.problem("mine")).dataset, lines.append)
    assert len(lines) == told
    assert all("trees.csv: training on these data needs about" in line for line in lines)


def test_every_array_of_a_data_set_is_in_its_digest() -> None:
    x, y, w = np.zeros((2, 2), "f4"), np.zeros(2, "i4"), np.ones(2, "f4")
    whole = {field.name: {"i": x, "t": y, "w": w}[field.name.split("_")[1][0]] for field in fields(RawData)}
    digests = {RawData(**whole | {name: array + 1}).digest for name, array in whole.items()}
    assert len(digests) == len(whole)


def test_run_on_record_has_no_path_and_tells_of_the_data_that_are_here_alone(home: Path) -> None:
    before = spec()
    on_record = RunSpec.model_validate_json(before.model_dump_json()).problem.dataset
    assert datasets.get(on_record) == datasets.get(before.problem.dataset)
    others = on_record.model_copy(update={"content": "sha256:0"})  # type: ignore[union-attr]
    for call in (datasets.get, datasets.load, datasets.stamp):
        with pytest.raises(DataError, match="on record"):
            call(others)
