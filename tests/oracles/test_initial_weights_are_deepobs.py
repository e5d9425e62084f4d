"""How networks start, against the genuine deepobs 1.1.2: fresh weights come from the same distributions.

Of the problems of `test_training_is_deepobs.py`, one for each network.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import stats

from regbench import catalog, datasets, models

pytestmark = [
    pytest.mark.slow,
    pytest.mark.by_hand,
    pytest.mark.skipif(
        any(importlib.util.find_spec(package) is None for package in ("deepobs", "tf_keras")),
        reason="the genuine package is not installed (extra `deepobs`)",
    ),
]

# Of one comparison. There are about 300 and the seeds are fixed, so the chance that a correct implementation fails, and
# then on every run, is below 1 %.
FALSE_ALARM = 3e-5
SEEDS = {
    "mnist_vae": 10,
    "cifar100_allcnnc": 10,
    "svhn_wrn164": 10,
    "tolstoi_char_rnn": 10,
    "cifar10_vgg19": 1,
    "imagenet_inception_v3": 1,
}


@pytest.mark.parametrize("name", SEEDS)
def test_initial_weights_come_from_the_same_distributions(ask: Callable[..., str], name: str, tmp_path: Path) -> None:
    problem, seeds = catalog.problem(name), range(42, 42 + SEEDS[name])
    dataset = datasets.get(problem.dataset)
    ask("initial", name, "--seed", seeds[0], "--count", len(seeds), "--output", tmp_path / "initial.npz")
    with np.load(tmp_path / "initial.npz") as archive:
        theirs = dict(archive)
    ours: list[list[np.ndarray]] = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model = models.build(problem.model.name, problem.model.arguments, dataset.input_shape, dataset.classes)
        ours.append([variable.numpy().ravel() for variable in model.trainable_variables])
    assert len(theirs["names"]) == len(ours[0])
    for index in range(len(theirs["names"])):
        assert_same_distribution(np.concatenate([weights[index] for weights in ours]), theirs, index)


def assert_same_distribution(values: np.ndarray, theirs: dict[str, np.ndarray], index: int) -> None:
    low, high = theirs[f"min_{index}"].min(), theirs[f"max_{index}"].max()
    if low == high:
        assert set(values) == {low}
        return
    # The densities end abruptly (truncated normal at 2 standard deviations, or uniform), so the extremes of many
    # weights are close to the ends: within 2 % in all but 3e-4 of the cases for the fewest (830, in tolstoi's bias).
    assert values.min() == pytest.approx(low, rel=0.02)
    assert values.max() == pytest.approx(high, rel=0.02)
    sample = np.random.default_rng(index).choice(values, theirs[f"sample_{index}"].size)
    assert stats.ks_2samp(sample, theirs[f"sample_{index}"].ravel()).pvalue > FALSE_ALARM
