"""Sizes of test sets against the data that the engine evaluates."""

import numpy as np
import pandas as pd
import pytest

from regbench import catalog
from regbench.analysis.resolution import Resolution, described, resolution
from regbench.engine.splits import evaluated, load_splits


@pytest.mark.parametrize("protocol", ["deepobs", "deepobs-1.1", "strict"])
@pytest.mark.parametrize("problem", ["digits_mlp", "quadratic_deep", "two_d_branin"])
def test_size_is_that_of_the_samples_that_are_evaluated(problem, protocol):
    definition, rules = catalog.problem(problem), catalog.protocol(protocol)
    splits = load_splits(definition.dataset, rules, None)
    batch_size = definition.batch_size
    used = evaluated(splits, rules, batch_size, np.arange(len(splits.train)))["test"]
    found = resolution(problem, protocol, batch_size)
    assert found.samples == len(used)
    assert found.unit == ("image" if used.inputs.ndim == 4 else "sample")


def test_incomplete_batches_are_left_out_of_what_is_told():
    assert resolution("digits_mlp", "deepobs", 64) == Resolution(256, "image")
    assert (
        resolution("digits_mlp", "deepobs", 100) == resolution("digits_mlp", "strict", 64) == Resolution(300, "image")
    )
    assert resolution("mnist_mlp", "deepobs", 128) == Resolution(9984, "image")


@pytest.mark.parametrize(
    "problem, protocol, batch_size",
    [
        ("digits_cnn_sk", "deepobs", 16),  # a part of the classes
        ("silhouettes_cnn", "strict", 16),  # images of one's own
        ("nobody_knows_it", "deepobs", 16),
        ("digits_mlp", "of_others", 16),
    ],
)
def test_size_that_is_not_known_is_not_told(problem, protocol, batch_size):
    assert resolution(problem, protocol, batch_size) is None


def entries(protocols, metric="accuracy", split="test", problem="digits_mlp"):
    rules = {"problem": problem, "batch_size": 64, "metric": metric, "split": split}
    return pd.DataFrame([{**rules, "protocol": protocol} for protocol in protocols])


def test_test_set_is_told_in_words():
    assert described(entries(["deepobs", "deepobs"])) == "256 images, 1 image = 0.39 points"
    assert described(entries(["strict", "deepobs"])) == "256 or 300 images, 1 image = 0.39 or 0.33 points"
    assert described(entries(["strict"], metric="loss")) == "300 images"
    assert described(entries(["deepobs"], metric="loss", problem="quadratic_deep")) == "960 samples"


def test_nothing_is_told_where_one_size_is_not_known_or_the_split_is_another():
    assert described(entries(["strict", "of_others"])) == ""
    assert described(entries(["strict"], split="valid")) == ""


def test_differences_are_told_in_samples():
    assert Resolution(256, "image").step == 1 / 256
    assert Resolution(256, "image").count(-1 / 256) == "1 image"
    assert Resolution(300, "image").count(0.0117) == "3.5 images"
    assert Resolution(10_000, "image").count(0.0123) == "123 images"
