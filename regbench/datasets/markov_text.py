"""Text of a Markov chain: the best loss that any model can have is known."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.datasets.dataset import Dataset, RawData

if TYPE_CHECKING:
    import numpy as np

SIGNS, ORDER, LENGTH = 32, 3, 64
_STRENGTHS = (2.0, 1.5, 1.0)
"""Deviations of what the last, the second last and the third last sign add to the logits of the next one."""
_SEED = 0

DATASET = Dataset(
    name="markov_text",
    summary=f"Sequences of {LENGTH} signs of a Markov chain of order {ORDER} over {SIGNS}, to tell the next; generated",
    source="ours",
    classes=SIGNS,
    input_shape=(LENGTH,),
    train_size=2_048,
    test_size=512,
    validation_size=512,
    preprocessing="none",
    augmentation="none",
    target_shape=(LENGTH,),
)


@lru_cache(maxsize=1)
def transitions() -> np.ndarray:
    """The probability of each sign after each three, float64 (32, 32, 32, 32): third last, second last, last, next."""
    import numpy as np

    generator = np.random.RandomState(_SEED)
    last, second, third = (strength * generator.standard_normal((SIGNS, SIGNS)) for strength in _STRENGTHS)
    logits = third[:, None, None] + second[None, :, None] + last[None, None, :]
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = shares / shares.sum(axis=-1, keepdims=True)
    return result


@lru_cache(maxsize=1)
def entropy_rate() -> float:
    """The mean of what is not known of the next sign, in nats: the best mean loss of a model that knows three signs."""
    import numpy as np

    chain = transitions()
    states = np.full((SIGNS,) * ORDER, SIGNS**-ORDER)
    while True:
        following = np.einsum("abc,abcd->bcd", states, chain)
        if np.abs(following - states).sum() < 1e-12:
            break
        states = following
    return float(-np.einsum("abc,abcd->", states, chain * np.log(chain)))


def read(dataset: Dataset, folder: Path) -> RawData:
    """Draw the data; there are no files.

    Inputs are the numbers of the signs, float32 (n, 64), targets those of the next ones, int32 (n, 64). Every sequence
    has gone on for 64 signs when it begins.
    """
    import numpy as np

    count = dataset.train_size + dataset.test_size + dataset.validation_size
    generator = np.random.RandomState(_SEED + 1)
    ends = np.cumsum(transitions(), axis=-1)
    states = list(generator.randint(0, SIGNS, (ORDER, count)))
    for draws in generator.random_sample((2 * LENGTH + 1, count)):
        limits = ends[states[-3], states[-2], states[-1]]
        states.append(np.minimum((draws[:, None] >= limits).sum(axis=1), SIGNS - 1))
    signs = np.stack(states[-LENGTH - 1 :], axis=1)
    inputs, targets = signs[:, :-1].astype(np.float32), signs[:, 1:].astype(np.int32)
    cuts = [dataset.train_size, dataset.train_size + dataset.test_size]
    train, test, validation = zip(np.split(inputs, cuts), np.split(targets, cuts), strict=True)
    return RawData(*train, *test, *validation)
