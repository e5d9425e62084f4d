"""Which samples train, in which order, and which are evaluated."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from regbench import catalog, datasets
from regbench.datasets import registry
from regbench.datasets.dataset import RawData
from regbench.engine import splits
from regbench.engine.splits import Batches, Samples, Splits, dataset_of, evaluated, load_splits
from regbench.errors import DataError, DefinitionError
from regbench.records import Arrays, Selection

DEEPOBS, DEEPOBS_1_1, STRICT = (catalog.protocol(name) for name in ("deepobs", "deepobs-1.1", "strict"))


def numbered(count, file_starts=(0,)):
    """Samples whose input is their number."""
    numbers = np.arange(count, dtype=np.float32)
    return Samples(numbers[:, None], numbers.astype(np.int32), file_starts)


@pytest.fixture
def register(monkeypatch):
    """Registers a data set of numbered samples, 10 of them for test, without a validation split of its own."""

    def build(train_size, validation_size, train_files=1):
        reads = []

        def read(dataset, folder):
            reads.append(folder)
            train, test = numbered(train_size), numbered(10)
            return RawData(train.inputs, train.targets, -test.inputs, test.targets)

        record = replace(
            datasets.get("digits"), name="numbered", validation_size=validation_size, train_files=train_files
        )
        monkeypatch.setitem(registry._READERS, "numbered", (record, read))
        return reads

    splits._load.cache_clear()
    yield build
    splits._load.cache_clear()


def orders(batches, epochs):
    return [batches.epoch(epoch).ravel() for epoch in range(epochs)]


def test_deepobs_repeats_one_order_in_every_epoch():
    first, *others = orders(Batches(numbered(1000), 128, seed=42, reshuffle=False), 4)
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert not np.array_equal(first, np.arange(len(first)))


def test_strict_has_an_order_of_its_own_for_every_epoch():
    drawn = orders(Batches(numbered(1000), 128, seed=42, reshuffle=True), 4)
    assert len({tuple(order) for order in drawn}) == 4


@pytest.mark.parametrize("reshuffle", [False, True])
def test_order_is_a_function_of_the_seed(reshuffle):
    def drawn(seed):
        return orders(Batches(numbered(1000, (0, 500)), 128, seed, reshuffle), 3)

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert all(not np.array_equal(one, other) for one, other in zip(drawn(1), drawn(2), strict=True))


@pytest.mark.parametrize("reshuffle", [False, True])
@pytest.mark.parametrize("file_starts", [(0,), (0, 100, 400, 700)])
def test_epoch_shows_every_sample_at_most_once_and_drops_the_incomplete_batch(reshuffle, file_starts):
    batches = Batches(numbered(1000, file_starts), 128, seed=42, reshuffle=reshuffle)
    assert batches.steps == 7
    for epoch in range(3):
        positions = batches.epoch(epoch)
        assert positions.shape == (7, 128)
        assert len(np.unique(positions)) == 7 * 128
        assert positions.min() >= 0
        assert positions.max() < 1000


def test_batches_that_fit_exactly_show_every_sample_once():
    positions = Batches(numbered(256, (0, 64, 128, 192)), 64, seed=1, reshuffle=False).epoch(0)
    np.testing.assert_array_equal(np.sort(positions.ravel()), np.arange(256))


def test_place_within_the_file_stays_while_the_order_of_the_files_is_drawn_anew_every_epoch():
    length, files = 200, 5
    batches = Batches(numbered(length * files, tuple(range(0, length * files, length))), 100, seed=42, reshuffle=False)
    drawn = orders(batches, 40)
    for order in drawn:
        np.testing.assert_array_equal(order % length, drawn[0] % length)
    file_orders = {tuple(dict.fromkeys(order // length)) for order in drawn}
    # 40 of 120 equally probable orders: fewer than 20 different ones have a probability below 1e-11.
    assert len(file_orders) >= 20


@pytest.mark.parametrize("reshuffle", [False, True])
def test_every_order_is_equally_probable(reshuffle):
    seeds, count = 2000, 10
    firsts = [Batches(numbered(count), 1, seed, reshuffle).epoch(1).ravel()[:2] for seed in range(seeds)]
    # False alarm once in a million choices of the seeds, which are fixed.
    for places in np.array(firsts).T:
        assert scipy.stats.chisquare(np.bincount(places, minlength=count)).pvalue > 1e-6


def test_batch_larger_than_the_training_data_is_refused():
    with pytest.raises(DefinitionError, match=r"`batch_size` must be at most 9, .*training samples.* batch_size=10$"):
        Batches(numbered(9), 10, seed=1, reshuffle=False)


@pytest.mark.parametrize("protocol", [DEEPOBS, STRICT], ids=["deepobs", "strict"])
def test_validation_data_are_the_first_training_samples_in_file_order(protocol, register):
    register(train_size=50, validation_size=20)
    loaded = load_splits("numbered", protocol, None)
    np.testing.assert_array_equal(loaded.valid.targets, np.arange(20))
    np.testing.assert_array_equal(loaded.train.targets, np.arange(20, 50))
    np.testing.assert_array_equal(loaded.train.inputs, np.arange(20, 50)[:, None])
    np.testing.assert_array_equal(loaded.test.inputs, -np.arange(10)[:, None])


@pytest.mark.parametrize(
    ("validation_size", "file_starts"),
    [(10, (0, 10, 20, 30)), (13, (0, 7, 17, 27)), (20, (0, 10, 20))],
)
def test_files_begin_where_they_did_after_the_validation_data_are_cut_off(validation_size, file_starts, register):
    register(train_size=50, validation_size=validation_size, train_files=5)
    assert load_splits("numbered", DEEPOBS, None).train.file_starts == file_starts


def test_deepobs_1_1_trains_on_all_samples(register):
    register(train_size=50, validation_size=20, train_files=5)
    loaded = load_splits("numbered", DEEPOBS_1_1, None)
    assert loaded.valid is None
    np.testing.assert_array_equal(loaded.train.targets, np.arange(50))
    assert loaded.train.file_starts == (0, 10, 20, 30, 40)


def test_validation_split_that_the_data_bring_along_is_used():
    loaded, raw = load_splits("digits", DEEPOBS, None), datasets.load("digits")
    np.testing.assert_array_equal(loaded.valid.inputs, raw.validation_inputs)
    np.testing.assert_array_equal(loaded.train.targets, raw.train_targets)
    assert loaded.digest == raw.digest


def test_data_are_read_once_for_many_runs(register):
    reads = register(train_size=50, validation_size=20)
    assert load_splits("numbered", DEEPOBS, None) is load_splits("numbered", STRICT, None)
    assert len(reads) == 1


def evaluated_counts(protocol, train=60_000, valid=10_000, test=10_000, batch_size=128):
    loaded = Splits(numbered(train), numbered(valid) if protocol.validation else None, numbered(test), "")
    first_epoch = Batches(loaded.train, batch_size, seed=1, reshuffle=protocol.reshuffle).epoch(0)
    chosen = evaluated(loaded, protocol, batch_size, first_epoch)
    np.testing.assert_array_equal(chosen["train"].targets, first_epoch.ravel()[: len(chosen["train"])])
    for split in set(chosen) - {"train"}:
        np.testing.assert_array_equal(chosen[split].targets, np.arange(len(chosen[split])))
    return {split: len(samples) for split, samples in chosen.items()}


def test_deepobs_evaluates_whole_batches_and_as_much_of_the_training_data_as_of_the_test_data():
    assert evaluated_counts(DEEPOBS) == {"train": 9_984, "valid": 9_984, "test": 9_984}
    assert evaluated_counts(DEEPOBS_1_1) == {"train": 9_984, "test": 9_984}
    assert evaluated_counts(DEEPOBS, valid=300, test=600) == {"train": 512, "valid": 256, "test": 512}


def test_strict_evaluates_every_sample():
    assert evaluated_counts(STRICT) == {"train": 10_000, "valid": 10_000, "test": 10_000}


def test_fewer_training_than_test_samples_are_all_evaluated_that_are_in_whole_batches():
    assert evaluated_counts(DEEPOBS, train=1_000) == {"train": 896, "valid": 9_984, "test": 9_984}


@pytest.mark.parametrize("sizes", [{"valid": 100}, {"test": 100}])
def test_split_without_a_whole_batch_is_evaluated_as_it_is(sizes):
    whole = {"train": 9_984, "valid": 9_984, "test": 9_984}
    assert evaluated_counts(DEEPOBS, **sizes) == whole | {"train": sizes.get("test", 9_984), **sizes}
    assert evaluated_counts(STRICT, **sizes) == {"train": 10_000, "valid": 10_000, "test": 10_000} | {
        "train": sizes.get("test", 10_000),
        **sizes,
    }


def test_selection_keeps_the_first_samples_of_its_classes_and_numbers_these_anew():
    selection = Selection(classes=(7, 2, 4), train_per_class=5, test_per_class=3)
    loaded, raw = load_splits("digits", DEEPOBS, None, selection), datasets.load("digits")
    whole = {"train": raw.train_targets, "valid": raw.validation_targets, "test": raw.test_targets}
    inputs = {"train": raw.train_inputs, "valid": raw.validation_inputs, "test": raw.test_inputs}
    for split, count in (("train", 5), ("valid", 3), ("test", 3)):
        kept = getattr(loaded, split)
        positions = np.sort(np.concatenate([np.flatnonzero(whole[split] == label)[:count] for label in (7, 2, 4)]))
        np.testing.assert_array_equal(kept.inputs, inputs[split][positions])
        np.testing.assert_array_equal(kept.targets, [(7, 2, 4).index(label) for label in whole[split][positions]])
        assert kept.targets.dtype == np.int32
    assert loaded.digest == raw.digest


def test_selection_without_limits_keeps_all_samples_of_its_classes():
    loaded, raw = load_splits("digits", DEEPOBS, None, Selection(classes=(0, 1))), datasets.load("digits")
    assert len(loaded.train) == np.sum(raw.train_targets < 2)
    assert (len(loaded.valid), len(loaded.test)) == (60, 60)


def test_seed_draws_samples_of_each_class_and_other_seeds_others():
    selection = Selection(classes=(7, 2, 4), train_per_class=5, test_per_class=40, valid_per_class=3, draw="seed")
    raw = datasets.load("digits")
    first, again, other = (load_splits("digits", DEEPOBS, None, selection, seed) for seed in (42, 42, 43))
    for split, count in (("train", 5), ("valid", 3), ("test", 30)):
        samples = getattr(first, split)
        np.testing.assert_array_equal(samples.inputs, getattr(again, split).inputs)
        assert np.bincount(samples.targets, minlength=3).min() >= min(count, 30)
        assert np.bincount(samples.targets).max() <= max(count, 40)
    assert not np.array_equal(first.train.inputs, other.train.inputs)
    assert not np.array_equal(first.valid.inputs, other.valid.inputs)
    assert first.drawn == again.drawn != other.drawn
    assert load_splits("digits", DEEPOBS, None, Selection(train_per_class=5), 42).drawn == ""
    # They are samples of the class that they are said to be of, each once, in their order.
    rows = {one.tobytes(): int(label) for one, label in zip(raw.train_inputs, raw.train_targets, strict=True)}
    drawn = [one.tobytes() for one in first.train.inputs]
    assert len(set(drawn)) == 15
    assert [(7, 2, 4).index(rows[one]) for one in drawn] == list(first.train.targets)
    places = [next(place for place, one in enumerate(rows) if one == mine) for mine in drawn]
    assert places == sorted(places)


def test_order_of_the_files_is_not_drawn_where_all_samples_are_kept():
    kept, drawn = (
        load_splits("digits", DEEPOBS, None, Selection(classes=(0, 1), draw=draw), 42) for draw in ("first", "seed")
    )
    np.testing.assert_array_equal(kept.train.inputs, drawn.train.inputs)


def test_epoch_passes_over_few_samples_as_often_as_it_is_told():
    once, often = (load_splits("digits", DEEPOBS, None, Selection(train_per_class=2, passes=n)) for n in (1, 3))
    np.testing.assert_array_equal(often.train.inputs, np.repeat(once.train.inputs, 3, axis=0))
    np.testing.assert_array_equal(often.train.targets, np.repeat(once.train.targets, 3))
    np.testing.assert_array_equal(often.test.inputs, once.test.inputs)


def test_own_data_are_evaluated_to_the_last_sample(tmp_path, monkeypatch):
    # Class by class, as folders of images are: without the last, incomplete batch the last class would be missing.
    for split, size in (("train", 60), ("valid", 20), ("test", 20)):
        np.save(tmp_path / f"x_{split}.npy", np.arange(2.0 * size, dtype=np.float32).reshape(size, 2))
        np.save(tmp_path / f"y_{split}.npy", np.repeat([0, 1], [size * 4 // 5, size // 5]))
    loaded = load_splits(Arrays(name="arrays", path=str(tmp_path)), DEEPOBS, None)
    chosen = evaluated(loaded, DEEPOBS, 16, np.arange(48).reshape(3, 16))
    assert {split: np.bincount(samples.targets).tolist() for split, samples in chosen.items() if split != "train"} == {
        "valid": [16, 4],
        "test": [16, 4],
    }


def test_passes_in_turn_give_full_batches_of_all_samples():
    selection = Selection(passes=3, in_turn=True)
    train = load_splits("modular_pairs", STRICT, None, selection).train
    assert (len(train), train.passes) == (576, 3)
    for reshuffle in (False, True):
        batches = Batches(train, 576, seed=42, reshuffle=reshuffle)
        assert batches.steps == 3
        orders = batches.epoch(1)
        for order in orders:
            np.testing.assert_array_equal(np.sort(order), np.arange(576))
        assert len({order.tobytes() for order in orders}) == 3
    with pytest.raises(DefinitionError, match=r"`batch_size` must be at most 1728, the number of training samples"):
        Batches(train, 1729, seed=42, reshuffle=False)


def test_labels_stay_as_they_are_where_no_classes_are_selected():
    # Not every class is among the few of each split, and each split would number those that it has.
    raw = datasets.load("heavy_tailed")
    loaded = load_splits("heavy_tailed", STRICT, None, Selection(passes=2, in_turn=True))
    for split, name in (("train", "train"), ("valid", "validation"), ("test", "test")):
        np.testing.assert_array_equal(getattr(loaded, split).targets, getattr(raw, f"{name}_targets"))
    assert len(np.unique(raw.test_targets)) < 256


def test_selection_is_made_after_the_validation_data_are_cut_off_and_knows_where_files_begin(register):
    register(train_size=50, validation_size=20, train_files=5)
    selection = Selection(classes=(21, 29, 30, 31, 49, 40))
    with pytest.raises(DataError, match=r"no validation samples of class 21, which the problem selects"):
        load_splits("numbered", DEEPOBS, None, selection)
    with pytest.raises(DataError, match=r"no test samples of class 21"):
        load_splits("numbered", DEEPOBS_1_1, None, selection)
    whole = load_splits("numbered", DEEPOBS, None).train
    train = splits._selected(whole, *splits._positions(whole.targets, "training", selection.classes, None, None), 1)
    np.testing.assert_array_equal(train.inputs[:, 0], [21, 29, 30, 31, 40, 49])
    np.testing.assert_array_equal(train.targets, [0, 1, 2, 3, 5, 4])
    assert train.file_starts == (0, 2, 4)


def test_problem_says_otherwise_than_the_record_of_its_data_set():
    problem = catalog.problem("cifar10_cnn").model_copy(update={"selection": Selection(classes=(3, 5))})
    changed, record = splits.dataset_of(problem), datasets.get("cifar10")
    assert (changed.classes, changed.preprocessing, changed.augmentation) == (2, "unit", "none")
    assert replace(changed, classes=10, preprocessing="standardize", augmentation="cifar") == record
    assert splits.dataset_of(catalog.problem("cifar10_3c3d")) == record
    losses = catalog.problem("quadratic_deep").model_copy(update={"selection": Selection(train_per_class=3)})
    with pytest.raises(DefinitionError, match=r"quadratic_deep: `selection` needs classes, which .*`quadratic`"):
        splits.dataset_of(losses)


def test_data_of_ones_own_need_a_selection_unless_their_classes_are_as_many_as_the_network_has(register):
    register(train_size=50, validation_size=20)
    record, read = registry._READERS["numbered"]
    registry._READERS["numbered"] = (replace(record, train_size=0, classes=49), read)
    for selection in (None, Selection(train_per_class=3)):
        with pytest.raises(DataError, match=r"has 50 classes, the network 49 outputs: write a problem whose"):
            load_splits("numbered", DEEPOBS_1_1, None, selection)
    registry._READERS["numbered"] = (replace(record, train_size=0, classes=50), read)
    assert len(load_splits("numbered", DEEPOBS_1_1, None).train) == 50


@pytest.mark.parametrize("key", ["augmentation", "preprocessing"])
def test_what_is_done_to_imagenet_needs_its_images(key):
    problem = catalog.problem("cifar10_3c3d").model_copy(update={key: "imagenet"})
    with pytest.raises(DefinitionError, match=f"`{key}` may be imagenet only .* Received: dataset='cifar10'"):
        dataset_of(problem)
