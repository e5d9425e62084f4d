"""The data that need no files: blank, digits, mnist1d, quadratic and two_d."""

import numpy as np
import pytest

from regbench import datasets
from regbench.datasets import low_rank, markov_text, mnist1d, modular_pairs, parity


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


# Results on these data compare only while they stay as they are; legacy generators are frozen in NumPy.
DIGESTS = {
    "low_rank": "sha256:41625c32610919ab44978be8f27b83537ebd0de0a0fa7c844e850a7ea2fee1f1",
    "diabetes": "sha256:029934217eac0f260bdb8694503d6f1830ce69b741b67c32f1c41bf7f5fcb0ff",
    "heavy_tailed": "sha256:7294aae2b9424bac418d05a2519324130efe47d5004672d23b0229236e05bd7c",
    "markov_text": "sha256:558bad6b0f81cdd20b421f9f73e849cb9d124d09b45147c4317582f13e57cfa3",
    "modular_pairs": "sha256:4dbf63e29bef1c8ab125545ca0262bd75f16ab2b2c4ef3aaeaafac43329228f5",
    "parity": "sha256:b8b879a656b8d89a901f29cb2e04f802d266642bfdbc6b8d92b950c69c4d1c2b",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_generated_data_never_change(name: str) -> None:
    assert datasets.load(name).digest == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_generated_data_are_what_their_record_says(name: str) -> None:
    dataset, data = datasets.get(name), datasets.load(name)
    for split, size in (
        ("train", dataset.train_size),
        ("test", dataset.test_size),
        ("validation", dataset.validation_size),
    ):
        inputs, targets = getattr(data, f"{split}_inputs"), getattr(data, f"{split}_targets")
        assert (inputs.shape, inputs.dtype) == ((size, *dataset.input_shape), np.float32)
        assert targets.shape == (size, *dataset.target_shape)
        assert targets.dtype == (np.int32 if dataset.classes else np.float32)
        if dataset.classes:
            assert (targets.min(), targets.max() < dataset.classes) == (0, True)


def test_modular_pairs_has_each_pair_once() -> None:
    data = datasets.load("modular_pairs")
    pairs = []
    for split in ("train", "test", "validation"):
        symbols, sums = getattr(data, f"{split}_inputs"), getattr(data, f"{split}_targets")
        assert (symbols.sum(axis=2) == 1).all()
        numbers = symbols.argmax(axis=2)
        np.testing.assert_array_equal(numbers.sum(axis=1) % modular_pairs.MODULUS, sums)
        pairs += map(tuple, numbers.tolist())
    assert len(pairs) == len(set(pairs)) == 31**2


def test_heavy_tailed_classes_are_as_frequent_as_they_should_be() -> None:
    labels = datasets.load("heavy_tailed").train_targets
    expected = len(labels) / np.arange(1, 257) / (1 / np.arange(1, 257)).sum()
    counts = np.bincount(labels, minlength=256)
    # Six standard errors of a count.
    assert (np.abs(counts - expected) < 6 * np.sqrt(expected)).all()


def test_the_best_loss_on_heavy_tailed_data_is_that_of_the_true_probabilities() -> None:
    # The README of the problems tells it.
    data = datasets.load("heavy_tailed")
    means = np.random.RandomState(0).standard_normal((256, 64))
    share = 1 / np.arange(1, 257) / (1 / np.arange(1, 257)).sum()
    # Inputs are divided by sqrt(1 + 2^2); the noise around a mean has the deviation 2.
    inputs = data.test_inputs.astype(float) * np.sqrt(5)
    distances = ((inputs[:, None] - means) ** 2).sum(axis=2)
    logits = np.log(share) - distances / (2 * 4)
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), data.test_targets]
    assert losses.mean() == pytest.approx(0.414, abs=5e-4)


def test_low_rank_targets_are_of_rank_four_but_for_their_noise() -> None:
    data = datasets.load("low_rank")
    linear = low_rank.target_map()
    np.testing.assert_allclose(np.linalg.svd(linear)[1][:5], [4, 3, 2, 1, 0], atol=1e-12)
    noise = data.test_targets - data.test_inputs.astype(float) @ linear
    # The mean of 1024 * 32 squares, each with the deviation sqrt(2) * 0.25; five standard errors.
    assert (noise**2).mean() == pytest.approx(0.25, abs=5 * np.sqrt(2) * 0.25 / np.sqrt(noise.size))


def test_parity_is_that_of_three_signs_and_of_no_fewer() -> None:
    data = datasets.load("parity")
    signs, odd = data.train_inputs[:, parity.RELEVANT], 2.0 * data.train_targets - 1
    np.testing.assert_array_equal(signs.prod(axis=1), odd)
    # No single sign is correlated with it, beyond five standard errors.
    assert np.abs((data.train_inputs * odd[:, None]).mean(axis=0)).max() < 5 / np.sqrt(2000)


def test_markov_text_has_the_entropy_rate_that_is_told() -> None:
    data = datasets.load("markov_text")
    signs, following = data.train_inputs.astype(int), data.train_targets
    np.testing.assert_array_equal(signs[:, 1:], following[:, :-1])
    chain = markov_text.transitions()
    np.testing.assert_allclose(chain.sum(axis=-1), 1, rtol=1e-12)
    losses = -np.log(chain[signs[:, :-2], signs[:, 1:-1], signs[:, 2:], following[:, 2:]])
    # Sequences are independent: five standard errors of the mean over their means.
    error = losses.mean(axis=1).std(ddof=1) / np.sqrt(len(losses))
    assert losses.mean() == pytest.approx(markov_text.entropy_rate(), abs=5 * error)
    assert markov_text.entropy_rate() == pytest.approx(1.6696, abs=5e-5)


def test_diabetes_is_standardized_by_its_training_part() -> None:
    from sklearn.datasets import load_diabetes

    data = datasets.load("diabetes")
    np.testing.assert_allclose(data.train_inputs.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.train_inputs.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose([data.train_targets.mean(), data.train_targets.std()], [0, 1], atol=1e-5)
    whole = np.concatenate([data.train_targets, data.test_targets, data.validation_targets])
    original = load_diabetes(scaled=False).target
    # Every patient once: the same values in order, but for a scale and a shift.
    assert np.corrcoef(np.sort(whole), np.sort(original))[0, 1] == pytest.approx(1, abs=1e-9)
