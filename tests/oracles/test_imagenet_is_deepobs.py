"""What is read of ImageNet against the genuine deepobs 1.1.2, on records of made images."""

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from regbench import datasets
from regbench.engine.inputs import preprocess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.by_hand,
    pytest.mark.skipif(
        any(importlib.util.find_spec(package) is None for package in ("deepobs", "tf_keras")),
        reason="the genuine package is not installed (extra `deepobs`)",
    ),
]

SHAPES = [(300, 400), (400, 300), (180, 233), (97, 120), (256, 256), (512, 257)]


def write_records(path: Path) -> None:
    generator = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label, (height, width) in enumerate(SHAPES, start=995):
            # Without loss, because decoders of JPEG round differently.
            stream = io.BytesIO()
            Image.fromarray(generator.integers(256, size=(height, width, 3)).astype(np.uint8)).save(stream, "PNG")
            feature = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[stream.getvalue()])),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def test_images_and_labels_are_those_of_deepobs_but_for_rounded_colours(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "imagenet").mkdir()
    for split in ("train", "validation"):
        write_records(tmp_path / "imagenet" / f"{split}-00000-of-00001")
    options = ("--batch-size", len(SHAPES), "--epochs", 1, "--batches", 1, "--split", "test")
    ask("batches", "imagenet", "--data-dir", tmp_path, *options, "--output", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as genuine:
        theirs, labels = genuine["x"][0, 0], genuine["y"][0, 0]
    data = datasets.load("imagenet", tmp_path)
    np.testing.assert_array_equal(data.test_targets, labels.argmax(axis=1))
    assert labels.shape == (len(SHAPES), 1001)
    ours = preprocess(tf.constant(data.test_inputs), "imagenet").numpy()
    assert ours.shape == theirs.shape == (len(SHAPES), 224, 224, 3)
    # Half a step of a colour, over its standard deviation: that of uniform colours is 74 steps, less in between pixels.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.5 / 30)
