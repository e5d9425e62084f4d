"""Data of one's own in arrays, images, texts and functions: what each form reads."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import regbench
from regbench import datasets
from regbench.datasets import RawData
from regbench.datasets.own.function import arrays_of
from regbench.errors import DataError
from regbench.records import Arrays, Book, Function, Images

RNG = np.random.default_rng(3)


def splits(data: RawData, what: str = "inputs") -> dict[str, Any]:
    return {split: getattr(data, f"{split}_{what}") for split in ("train", "validation", "test")}


def whole(data: RawData, what: str = "inputs") -> np.ndarray:
    return np.concatenate(list(splits(data, what).values()))


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


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy"])
@pytest.mark.parametrize("kind", ["i8", "u1", "?", "f8"])
def test_several_answers_of_a_sample_are_numbers_where_the_loss_takes_probabilities(loss: str, kind: str) -> None:
    targets = np.eye(3)[np.arange(30) % 3]
    given = {"x_train": GIVEN["x_train"][:30], "x_test": GIVEN["x_test"]}
    data = given | {"y_train": targets.astype(kind), "y_test": targets[:9].astype(kind)}
    mine = regbench.problem_on("mine", data, "mlp", loss=loss, metric="loss").dataset
    found = datasets.load(mine)
    np.testing.assert_array_equal(found.test_targets, targets[:9])
    assert (found.test_targets.dtype, datasets.get(mine).classes) == (np.float32, 0)


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


class DatasetOfTensorFlow:
    """What is asked of one."""

    def __init__(self, *elements: Any) -> None:
        self._elements = elements

    def as_numpy_iterator(self) -> Any:
        return iter(self._elements)


@pytest.mark.parametrize("shapes", [((4,), (2,)), ((4,), (4,)), ((5, 4), (2,)), ((4,), ())], ids=str)
def test_samples_of_a_data_set_are_stacked_whatever_their_targets(shapes: Any) -> None:
    x, y = (RNG.normal(size=(6, *shape)) for shape in shapes)
    found = arrays_of({"train": DatasetOfTensorFlow(*zip(x, y, strict=True))}, "mine")
    np.testing.assert_array_equal(found["x_train"], x)
    np.testing.assert_array_equal(found["y_train"], y)


def test_batches_of_vectors_are_put_together() -> None:
    x, y = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 2))
    found = arrays_of({"train": DatasetOfTensorFlow((x[:4], y[:4]), (x[4:], y[4:]))}, "mine")
    np.testing.assert_array_equal(found["y_train"], y)


def test_samples_of_unequal_shape_are_refused() -> None:
    with pytest.raises(DataError, match="train: must hold samples of equal shape"):
        arrays_of({"train": DatasetOfTensorFlow((np.zeros(3), 0), (np.zeros(4), 0))}, "mine")


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
