"""ImageNet from records and from folders, on made images."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image

from regbench import datasets
from regbench.datasets import imagenet, tfrecord
from regbench.datasets.imagenet import middle
from regbench.errors import DataError


def picture(seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3)).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def example(content: bytes, label: int) -> bytes:
    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "image/class/text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a name"])),
        "image/height": tf.train.Feature(int64_list=tf.train.Int64List(value=[40])),
        "image/object/bbox/xmin": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.5])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_records(path: Path, examples: list[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in examples:
            writer.write(one)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    root = tmp_path / "imagenet"
    write_records(root / "train-00001-of-00002", [example(png(picture(2)), 1000)])
    write_records(root / "train-00000-of-00002", [example(png(picture(0)), 615), example(png(picture(1)), 7)])
    write_records(root / "validation-00000-of-00001", [example(png(picture(3)), 1)])
    return tmp_path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for split, name, seed in (("train", "n2", 0), ("train", "n1", 1), ("validation", "n2", 2)):
        folder = tmp_path / "imagenet" / split / name
        folder.mkdir(parents=True)
        (folder / "a.JPEG").write_bytes(png(picture(seed)))
    return tmp_path


def test_records_are_read_in_the_order_of_their_files(records: Path) -> None:
    data = datasets.load("imagenet", records)
    assert data.train_targets.tolist() == [615, 7, 1000]
    assert data.test_targets.tolist() == [1]
    np.testing.assert_array_equal(data.train_inputs, [middle(picture(seed)) for seed in range(3)])
    assert data.test_inputs.shape == (1, 256, 256, 3)


def test_classes_of_folders_are_numbered_from_one(folders: Path) -> None:
    data = datasets.load("imagenet", folders)
    assert (sorted(data.train_targets.tolist()), data.test_targets.tolist()) == ([1, 2], [2])
    np.testing.assert_array_equal(data.train_inputs[data.train_targets.tolist().index(1)], middle(picture(1)))


@pytest.mark.parametrize("size", [4, 50_000])
def test_images_of_folders_are_held_out_of_all_classes(folders: Path, size: int) -> None:
    for name in ("n1", "n2"):
        for number in range(9):
            (folders / "imagenet" / "train" / name / f"{number}.png").write_bytes(png(picture(number, 4, 4)))
    data = imagenet.read(replace(imagenet.DATASET, validation_size=size), folders)
    again = imagenet.read(replace(imagenet.DATASET, validation_size=size), folders)
    assert data.digest == again.digest
    if size == 4:  # which the engine holds out
        assert data.validation_targets is None
        assert set(data.train_targets[:size]) == {1, 2}
    else:
        assert data.validation_targets is not None
        assert (len(data.train_targets), len(data.validation_targets)) == (16, 4)
        assert set(data.validation_targets) == {1, 2}
        both = np.concatenate([data.validation_targets, data.train_targets])
        assert np.bincount(both).tolist() == [0, 10, 10]


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 301), (300, 256)])
def test_image_whose_shorter_side_is_256_is_only_cut(height: int, width: int) -> None:
    pixels = picture(0, height, width)
    top, left = (height - 256) // 2, (width - 256) // 2
    np.testing.assert_array_equal(middle(pixels), pixels[top : top + 256, left : left + 256])


def test_what_the_memory_cannot_hold_is_told_before_an_image_is_read(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 10**6

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    (records / "imagenet" / "validation-00000-of-00001").write_bytes(b"")
    write_records(records / "imagenet" / "validation-00000-of-00001", [b"no example"])
    with pytest.raises(DataError, match=r"must hold its 4 images, .*: 0\.0 GB. Received: 0\.0 GB that are free"):
        datasets.load("imagenet", records)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (example(b"no image", 1), r"validation-0: record 0: must be an image"),
        (example(png(picture(0)), 1001), r"validation-0: record 0: labels must be in 0\.\.1000\. Received: 1001"),
        (tf.train.Example().SerializeToString(), r"record 0: labels must be in 0\.\.1000\. Received: -1"),
        (b"no example", r"validation-0: record 0 must be a tf\.train\.Example"),
        (example(b"", 1)[:-3], r"validation-0: record 0 must be a tf\.train\.Example"),
    ],
)
def test_record_that_is_no_image_is_told(records: Path, content: bytes, message: str) -> None:
    (records / "imagenet" / "validation-00000-of-00001").unlink()
    write_records(records / "imagenet" / "validation-0", [content])
    with pytest.raises(DataError, match=message):
        datasets.load("imagenet", records)


def test_file_that_was_cut_is_told(records: Path) -> None:
    path = records / "imagenet" / "train-00001-of-00002"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-00001-of-00002: must be a whole file of records"):
        datasets.load("imagenet", records)


def test_class_that_is_only_in_validation_is_told(folders: Path) -> None:
    (folders / "imagenet" / "validation" / "n3").mkdir()
    with pytest.raises(DataError, match=r"validation: must have classes of train only\. Received: 'n3'"):
        datasets.load("imagenet", folders)


def test_empty_folder_is_told_with_both_forms(tmp_path: Path) -> None:
    (tmp_path / "imagenet").mkdir()
    with pytest.raises(DataError, match=r"must hold records train-\* or images train/<class>/<image>"):
        datasets.load("imagenet", tmp_path)


def test_values_of_an_example_are_found_whatever_its_other_fields(tmp_path: Path) -> None:
    write_records(tmp_path / "records", [example(b"x" * 300, 2**40)])
    (found,) = tfrecord.examples(tmp_path / "records")
    assert found == {
        "image/encoded": b"x" * 300,
        "image/class/label": 2**40,
        "image/class/text": b"a name",
        "image/height": 40,
    }
    assert tfrecord.count(tmp_path / "records") == 1
