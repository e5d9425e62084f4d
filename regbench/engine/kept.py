"""Compiled things that are kept for the next run."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

KEPT = 4
"""How many programs a process keeps, each with a network and the data of its problem; and how many trainings each."""

Item = TypeVar("Item")


class Kept(Generic[Item]):
    """The `KEPT` compiled things that were used last."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._items: list[tuple[str, Item]] = []  # in order of use

    def __iter__(self) -> Iterator[Item]:
        """In order of use."""
        return iter([item for _, item in self._items])

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()

    def take(self, key: str, fits: Callable[[Item], bool], make: Callable[[], Item]) -> Item:
        """The item made under this key that fits, else a new one: guards make several of one key."""
        found = next((pair for pair in reversed(self._items) if pair[0] == key and fits(pair[1])), None)
        if found is None:
            found = key, make()
        else:
            self._items.remove(found)
        self._items = [*self._items, found][-KEPT:]
        return found[1]
