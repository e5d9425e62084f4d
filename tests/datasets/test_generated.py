"""The data that need no files: blank, digits, mnist1d, quadratic and two_d."""

import numpy as np
import pytest

from regbench import datasets
from regbench.datasets import mnist1d


def rotation(generator: np.random.RandomState, dimension: int) -> np.ndarray:
    """Draw a rotation by the subgroup algorithm of Diaconis and Shahshahani."""
    angle = 2 * np.pi * generator.uniform()
    result = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for size in range(2, dimension):
        direction = generator.normal(size=size + 1)
        direction /= np.linalg.norm(direction)
        axis = np.eye(size + 1)[0] - direction
        axis /= np.linalg.norm(axis)
        embedded = np.eye(size + 1)
        embedded[1:, 1:] = result
        result = embedded - 2 * np.outer(axis, axis @ embedded)
    return -result


@pytest.mark.parametrize(("split", "published"), [("test_inputs", 353.4468), ("validation_inputs", 353.8128)])
def test_quadratic_data_give_the_published_loss_before_training(split: str, published: float) -> None:
    # Published DeepOBS runs of quadratic_deep: loss 1/2 (theta - x)' Q (theta - x) at theta = 1, mean over the first
    # seven batches of 128. They hold for these very samples only: the standard error over samples is about 0.9.
    generator = np.random.RandomState(42)
    eigenvalues = np.concatenate([generator.uniform(0, 1, 90), generator.uniform(30, 60, 10)])
    turned = rotation(generator, 100)
    hessian = turned.T @ np.diag(eigenvalues) @ turned
    distance = 1.0 - getattr(datasets.load("quadratic"), split)[:896].astype(np.float64)
    loss = 0.5 * np.einsum("ni,ij,nj->n", distance, hessian, distance).mean()
    # Published in float32 with four decimals, summed in another order.
    assert loss == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize("name", ["blank", "quadratic", "two_d"])
def test_generated_data_have_inputs_and_empty_targets(name: str) -> None:
    dataset, data = datasets.get(name), datasets.load(name)
    for split, size in (
        ("train", dataset.train_size),
        ("test", dataset.test_size),
        ("validation", dataset.validation_size),
    ):
        inputs, targets = getattr(data, f"{split}_inputs"), getattr(data, f"{split}_targets")
        assert (inputs.shape, inputs.dtype) == ((size, *dataset.input_shape), np.float32)
        assert (targets.shape, targets.dtype) == ((size, 0), np.float32)


@pytest.mark.parametrize(("split", "seed"), [("train_inputs", 42), ("validation_inputs", 44)])
def test_two_d_draws_all_x_before_all_y(split: str, seed: int) -> None:
    stream = np.random.RandomState(seed).normal(size=20_000).astype(np.float32)
    np.testing.assert_array_equal(getattr(datasets.load("two_d"), split), stream.reshape(2, 10_000).T)


def test_two_d_is_tested_without_noise() -> None:
    assert not datasets.load("two_d").test_inputs.any()


def test_digits_keep_every_image_exactly_once() -> None:
    from sklearn.datasets import load_digits

    data = datasets.load("digits")
    images = np.concatenate([data.train_inputs, data.test_inputs, data.validation_inputs]).reshape(-1, 64)
    labels = np.concatenate([data.train_targets, data.test_targets, data.validation_targets])
    # Sixteenths are exact in float32.
    ours = sorted(map(tuple, np.column_stack([images * 16, labels]).astype(int)))
    original = load_digits()
    assert ours == sorted(map(tuple, np.column_stack([original.data, original.target]).astype(int)))


def test_digits_are_split_evenly_over_classes() -> None:
    data = datasets.load("digits")
    assert data.test_inputs.shape == data.validation_inputs.shape == (300, 8, 8, 1)
    np.testing.assert_array_equal(np.bincount(data.test_targets), np.full(10, 30))
    np.testing.assert_array_equal(np.bincount(data.validation_targets), np.full(10, 30))
    assert data.train_inputs.shape == (1197, 8, 8, 1)
    assert np.bincount(data.train_targets).min() == 114


def test_digits_lie_between_zero_and_one() -> None:
    data = datasets.load("digits")
    assert data.train_inputs.dtype == np.float32
    assert data.train_targets.dtype == np.int32
    assert (data.train_inputs.min(), data.train_inputs.max()) == (0.0, 1.0)


def test_digits_split_never_changes() -> None:
    # Results on these data compare only while this stays as it is; legacy permutations are frozen in NumPy.
    expected = "sha256:c8e4374f9061c1fdf6a3c198e3ef3c742d3806c5c93308bba97fda8f6911c075"
    assert datasets.load("digits").digest == expected


@pytest.fixture(scope="module")
def curves() -> datasets.RawData:
    return datasets.load("mnist1d")


def test_mnist1d_is_what_its_package_makes(curves: datasets.RawData) -> None:
    """The package draws curve by curve; the same numbers, and in the same order."""
    package = pytest.importorskip("mnist1d.data", reason="the package mnist1d, the oracle, is not installed")
    published = package.make_dataset(package.get_dataset_args())
    drawn, labels = mnist1d.generate(5000, 42)
    standardized = (drawn - drawn.mean()) / drawn.std()
    for start, stop, inputs, targets in ((0, 4000, "x", "y"), (4000, 5000, "x_test", "y_test")):
        np.testing.assert_allclose(standardized[start:stop], published[inputs], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(labels[start:stop], published[targets])
    np.testing.assert_array_equal(curves.train_inputs, published["x"].astype(np.float32))
    np.testing.assert_array_equal(curves.test_targets, published["y_test"])


def test_mnist1d_is_validated_on_other_curves_of_the_same_kind(curves: datasets.RawData) -> None:
    assert curves.validation_inputs.shape == (1000, 40)
    assert np.bincount(curves.validation_targets).tolist() == [100] * 10
    known = {row.tobytes() for row in np.concatenate([curves.train_inputs, curves.test_inputs])}
    assert not any(row.tobytes() in known for row in curves.validation_inputs)
    # Class by class the same mean curve, within six standard errors.
    for label in range(10):
        ours, theirs = (
            inputs[targets == label]
            for inputs, targets in (
                (curves.validation_inputs, curves.validation_targets),
                (curves.train_inputs, curves.train_targets),
            )
        )
        error = ours.std(axis=0) * np.sqrt(1 / len(ours) + 1 / len(theirs))
        assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 6 * error).all()
