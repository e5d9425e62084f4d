"""The samples of a problem in memory, and which of them each evaluation looks at."""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from regbench import datasets
from regbench.datasets import Dataset
from regbench.errors import DataError, DefinitionError
from regbench.records import OwnData, Problem, Protocol, Selection


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples as stored.

    Attributes:
        inputs: (n, ...).
        targets: (n,) or (n, k); (n, 0) where there are none.
        file_starts: where each file begins.
        weights: how much the loss of each counts in training, float32 (n,) with mean 1; None for all alike.
        passes: how often an epoch passes over them, one pass after the other.
    """

    inputs: np.ndarray
    targets: np.ndarray
    file_starts: tuple[int, ...] = (0,)
    weights: np.ndarray | None = None
    passes: int = 1

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.inputs)

    def take(self, indices: np.ndarray) -> "Samples":
        """The samples at these positions."""
        weights = None if self.weights is None else self.weights[indices]
        return Samples(self.inputs[indices], self.targets[indices], weights=weights)


@dataclass(frozen=True, eq=False)
class Splits:
    """What a protocol makes of a data set.

    Attributes:
        train: the samples to train on.
        valid: those to choose by; None where the protocol holds out no validation split.
        test: those to report.
        digest: of the data as they were read.
        is_own: they are data of the user's own.
        drawn: of the positions of the samples that the seed of the run drew; empty where it draws none.
    """

    train: Samples
    valid: Samples | None
    test: Samples
    digest: str
    drawn: str = ""
    is_own: bool = False


def dataset_of(problem: Problem) -> Dataset:
    """The record of the problem's data set, with what the problem says otherwise."""
    dataset = datasets.get(problem.dataset)
    if problem.selection is not None and dataset.classes == 0:
        raise DefinitionError(
            f"{problem.name}: `selection` needs classes, which the data set `{dataset.name}` does not have"
        )
    for key in ("preprocessing", "augmentation"):
        if getattr(problem, key) == "imagenet" and dataset.name != "imagenet":
            raise DefinitionError(
                f"{problem.name}: `{key}` may be imagenet only for the data set imagenet, whose images are larger than "
                f"what the network takes. Received: dataset={dataset.name!r}"
            )
    classes = problem.selection.classes if problem.selection is not None else None
    return replace(
        dataset,
        classes=dataset.classes if classes is None else len(classes),
        preprocessing=problem.preprocessing or dataset.preprocessing,
        augmentation=problem.augmentation or dataset.augmentation,
    )


def load_splits(
    dataset: str | OwnData, protocol: Protocol, data_dir: Path | None, selection: Selection | None = None, seed: int = 0
) -> Splits:
    """Read a data set, split it by the rules of the protocol, and keep the selected samples.

    It is read once per process, and again where its files have changed. `seed` is that of the run, for a selection that
    draws by it.

    Raises:
        DataError: the data cannot be read, or a split has no samples of a selected class.
    """
    splits = _load(dataset, protocol.validation, data_dir, datasets.stamp(dataset, data_dir))
    if selection is None or selection.classes is None:
        _check_classes(splits.train, datasets.get(dataset))
    if selection is None:
        return splits
    parts = [
        ("train", splits.train, "training", selection.train_per_class),
        ("valid", splits.valid, "validation", selection.most_valid),
        ("test", splits.test, "test", selection.test_per_class),
    ]
    chosen: dict[str, Samples] = {}
    drawn = hashlib.sha256()
    for number, (name, samples, described, per_class) in enumerate(parts):
        if samples is not None:
            # A stream of its own for each split, and none of those that draw the order of the samples.
            generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
            draw = generator if selection.draw == "seed" else None
            positions, targets = _positions(samples.targets, described, selection.classes, per_class, draw)
            drawn.update(positions.astype("<i8").tobytes())
            passes = selection.passes if name == "train" else 1
            chosen[name] = _selected(samples, positions, targets, passes, selection.in_turn)
    told = drawn.hexdigest() if selection.draw == "seed" else ""
    return replace(splits, train=chosen["train"], valid=chosen.get("valid"), test=chosen["test"], drawn=told)


def _check_classes(train: Samples, dataset: Dataset) -> None:
    """Make sure that data which the user brings have as many classes as the network has outputs."""
    if dataset.train_size == 0 and (found := int(train.targets.max()) + 1) != dataset.classes:
        raise DataError(
            f"The data set `{dataset.name}` has {found} classes, the network {dataset.classes} outputs: write a "
            "problem whose `selection` names the classes to use"
        )


def _positions(
    labels: np.ndarray,
    split: str,
    classes: tuple[int, ...] | None,
    per_class: int | None,
    generator: np.random.Generator | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the chosen samples of each class are, in their order, and the class numbers that samples get.

    They are the first ones, or those that the generator draws.
    """
    present = [int(label) for label in np.unique(labels)]
    numbers = present if classes is None else list(range(len(classes)))
    classes = tuple(present) if classes is None else classes
    absent = sorted(set(classes) - set(present))
    if absent:
        raise DataError(f"There are no {split} samples of class {absent[0]}, which the problem selects")
    members = [np.flatnonzero(labels == label) for label in classes]
    if generator is not None and per_class is not None:
        members = [generator.permutation(of_class) for of_class in members]
    members = [of_class[:per_class] for of_class in members]
    targets = np.empty_like(labels)
    for number, of_class in zip(numbers, members, strict=True):
        targets[of_class] = number
    return np.sort(np.concatenate(members)), targets


def _selected(
    samples: Samples, positions: np.ndarray, targets: np.ndarray, passes: int, in_turn: bool = False
) -> Samples:
    """The samples at these positions, with these targets; each as often as an epoch passes over it, unless in turn."""
    copies = 1 if in_turn else passes
    starts = tuple(int(start) for start in np.searchsorted(positions, samples.file_starts) * copies)
    positions = np.repeat(positions, copies)
    weights = None if samples.weights is None else samples.weights[positions]
    return Samples(samples.inputs[positions], targets[positions], starts, weights, passes if in_turn else 1)


@lru_cache(maxsize=2)
def _load(name: str | OwnData, validation: bool, data_dir: Path | None, stamp: object) -> Splits:
    del stamp  # tells one state of the files from another
    dataset, raw, is_own = datasets.get(name), datasets.load(name, data_dir), isinstance(name, OwnData)
    starts = range(0, len(raw.train_inputs), len(raw.train_inputs) // dataset.train_files)
    train = Samples(raw.train_inputs, raw.train_targets, tuple(starts), raw.train_weights)
    test = Samples(raw.test_inputs, raw.test_targets)
    if not validation:
        return Splits(train, None, test, raw.digest, is_own=is_own)
    if raw.validation_inputs is not None and raw.validation_targets is not None:
        valid = Samples(raw.validation_inputs, raw.validation_targets)
        return Splits(train, valid, test, raw.digest, is_own=is_own)
    valid, train = _split_off(train, dataset.validation_size)
    return Splits(train, valid, test, raw.digest, is_own=is_own)


def _split_off(samples: Samples, count: int) -> tuple[Samples, Samples]:
    """The first `count` samples in file order, as DeepOBS 1.2 holds them out for MNIST, and the others."""
    starts = (0, *(start - count for start in samples.file_starts if start > count))
    first = Samples(samples.inputs[:count], samples.targets[:count])
    weights = None if samples.weights is None else samples.weights[count:]
    return first, Samples(samples.inputs[count:], samples.targets[count:], starts, weights)


def weighted(train: Samples, problem: Problem) -> Samples:
    """The training samples with the weights that the problem gives them, with mean 1.

    Raises:
        DefinitionError: they are to be balanced, and have no classes.
    """
    weights = train.weights
    if problem.class_weights == "balanced":
        if train.targets.ndim != 1 or not np.issubdtype(train.targets.dtype, np.integer):
            raise DefinitionError(
                f"{problem.name}: `class_weights` must be none where targets are no classes by number. "
                f"Received: class_weights={problem.class_weights!r}"
            )
        share = (1 / np.bincount(train.targets).clip(min=1))[train.targets]
        weights = share if weights is None else weights * share
    if weights is None:
        return train
    return replace(train, weights=(weights / weights.mean(dtype=float)).astype(np.float32))


class Batches:
    """The order in which a run sees its training samples, from the seed alone.

    DeepOBS re-initialises its seeded iterator every epoch, so that each epoch replays the same batches in the same
    order. Where a data set lies in several files, their order is drawn anew every epoch (its generator is not among
    those that start again), so there only the place of a sample within its file is the same. With `reshuffle` every
    epoch has an order of its own. The last batch, where it is incomplete, is dropped unless asked for.
    Where an epoch passes over the samples several times in turn, each pass has an order of its own.

    Departure: DeepOBS shuffles through a buffer of 20,000 samples; here every order is equally probable.

    Attributes:
        steps: in an epoch, that on the last, incomplete batch among them.
        rest: samples in that; 0 where there is none, or it is dropped.
        is_repeated: whether every epoch is the first one again.
    """

    def __init__(self, train: Samples, batch_size: int, seed: int, reshuffle: bool, whole_batches: bool = True) -> None:
        """Remember the sizes; orders are drawn on request."""
        length = len(train) * train.passes
        self._whole = length // batch_size
        if self._whole == 0:
            raise DefinitionError(
                f"`batch_size` must be at most {length}, the number of training samples. "
                f"Received: batch_size={batch_size!r}"
            )
        self.rest = 0 if whole_batches else length % batch_size
        self.steps = self._whole + (self.rest > 0)
        self.is_repeated = not reshuffle and len(train.file_starts) == 1
        self._train, self._batch_size, self._seed, self._reshuffle = train, batch_size, seed, reshuffle
        self._places = self._shuffled(np.random.default_rng(seed))

    def epoch(self, epoch: int) -> np.ndarray:
        """Positions of the samples of each whole batch, int32 (batches, batch_size); `epoch` counts from 0."""
        order = self._positions(epoch)
        return order[: self._whole * self._batch_size].astype(np.int32).reshape(self._whole, self._batch_size)

    def last(self, epoch: int) -> np.ndarray:
        """Positions of the samples of the incomplete batch that ends an epoch, int32 (1, rest)."""
        return self._positions(epoch)[self._whole * self._batch_size :].astype(np.int32)[np.newaxis]

    def _positions(self, epoch: int) -> np.ndarray:
        """All samples in the order of an epoch."""
        if self._reshuffle:
            return self._shuffled(np.random.default_rng([self._seed, epoch]))
        return self._positions_by_file(epoch)[self._places]

    def _shuffled(self, generator: np.random.Generator) -> np.ndarray:
        """The samples of each pass in an order of its own, one pass after the other."""
        return np.concatenate([generator.permutation(len(self._train)) for _ in range(self._train.passes)])

    def _positions_by_file(self, epoch: int) -> np.ndarray:
        files = np.split(np.arange(len(self._train)), self._train.file_starts[1:])
        file_order = np.random.default_rng([self._seed, epoch]).permutation(len(files))
        return np.concatenate([files[file] for file in file_order])


def evaluated(splits: Splits, protocol: Protocol, batch_size: int, first_epoch: np.ndarray) -> dict[str, Samples]:
    """The samples behind each curve: `train`, `valid` (where there is one) and `test`.

    The training loss is evaluated on as many training samples as the test set has, the first ones of the first epoch;
    incomplete batches are dropped unless the protocol evaluates every sample, a split has no whole batch, or the data
    are the user's own: theirs may lie class by class, and the last one would be dropped.
    """

    def whole_batches(count: int) -> int:
        is_whole = protocol.every_sample or splits.is_own or count < batch_size
        return count if is_whole else count // batch_size * batch_size

    train_positions = first_epoch.reshape(-1)[: min(whole_batches(len(splits.test)), len(splits.train))]
    chosen = {"train": splits.train.take(train_positions)}
    if splits.valid is not None:
        chosen["valid"] = splits.valid.take(np.arange(whole_batches(len(splits.valid))))
    chosen["test"] = splits.test.take(np.arange(whole_batches(len(splits.test))))
    return chosen
