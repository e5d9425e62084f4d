"""Loss of power: every state in which a disk may be found after it, at each moment of each command that writes.

    scripts/drill power_loss

Neither root nor a special file system is needed: while a command runs in this process, each of its operations on
files is noted, and what a disk must keep is followed: the content of a file as it was at its last fsync, the names in
a folder as they were at the folder's last fsync. After each operation the power may go. Then of all later changes of
names any may be there, in whatever combination, and what was written later may be there, be half there, be zeros, or
be missing.

What must hold in every state: a file under its own name (not a hidden temporary one) is whole; what the command has
told to be written is there (for a search a run whose writing has returned, for others what a line says, and all when
it ends); a file that was there before is there, old or new; a folder that appears as a whole is whole.
"""

import argparse
import io
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from operations import observed
from workbench import SEARCH, answer, table, workbench

from regbench.store.folder import Folder

Entries = dict[str, int]
"""The names in a folder, each with the number of a file or folder."""
COMMANDS = {
    "search": f"{SEARCH} --results results",
    "search, further": f"{SEARCH.replace('--budget 3', '--budget 4')} --results results",
    "run": "run digits_mlp sgd --epochs 1 --results by_hand/tree",
    "convert": "convert results out/converted",
    "export --optuna": "export results --optuna out/study.log",
    "export --tensorboard": "export results --tensorboard out/events",
    "export --parquet": "export results --parquet out/runs.parquet",
    "compare --report": "compare digits_mlp --baselines none --candidate sgd --report out/page.html",
    "the same file again": "compare digits_mlp --baselines none --report out/page.html",
    "compare --plots": "compare digits_mlp --baselines none --candidate sgd --plots out/plots",
    "the same files again": "compare digits_mlp --baselines none --plots out/plots",
    "figures": "figures deepobs --results missing --results results --output out/figures",
}
WHOLE = {"convert": "out/converted", "export --tensorboard": "out/events"}
"""Folders that appear as a whole."""


@dataclass
class Disk:
    """What is there now, and what a loss of power would leave for certain. Files and folders are numbers; 0 is the top.

    Attributes:
        names: of each folder, now.
        content: of each file, now.
        kept_names: of each folder, at its last fsync.
        kept_content: of each file, at its last fsync; none where it had none.
        changes: of the names of each folder since then, in their order; None takes a name away.
    """

    names: dict[int, Entries] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)
    kept_names: dict[int, Entries] = field(default_factory=dict)
    kept_content: dict[int, bytes] = field(default_factory=dict)
    changes: dict[int, list[dict[str, int | None]]] = field(default_factory=lambda: defaultdict(list))

    def pending(self) -> list[tuple[int, int]]:
        """The changes that may be lost: a folder, and the place of the change among its changes."""
        return [(folder, place) for folder, changes in self.changes.items() for place in range(len(changes))]

    def after_loss(self, survive: set[tuple[int, int]], written: str) -> dict[Path, tuple[int, bytes]]:
        """The files after a loss of power: each path with its number and content.

        Args:
            survive: those of the pending changes that are there.
            written: of what was written and not synced: "none", "half", "zeros" or "all".
        """
        found: dict[Path, tuple[int, bytes]] = {}
        folders = [(Path(), 0)]
        while folders:
            path, folder = folders.pop()
            names = dict(self.kept_names.get(folder, {}))
            for place, change in enumerate(self.changes.get(folder, [])):
                if (folder, place) in survive:
                    for name, number in change.items():
                        names.pop(name, None)
                        names |= {} if number is None else {name: number}
            for name, number in names.items():
                if number in self.names:
                    folders.append((path / name, number))
                else:
                    found[path / name] = number, self._content_after_loss(number, written)
        return found

    def _content_after_loss(self, number: int, written: str) -> bytes:
        kept, now = self.kept_content.get(number, b""), self.content[number]
        if written == "none" or kept == now:
            return kept
        return {"half": now[: len(now) // 2], "zeros": bytes(len(now)), "all": now}[written]


class Watch:
    """Follows a disk through the operations of a command, and judges what a loss of power would leave at any moment."""

    def __init__(self, top: Path, whole_folder: str, seed: int, combinations: int) -> None:
        self.top, self.whole_folder, self.combinations = top, whole_folder, combinations
        self.random = random.Random(seed)
        self.disk = Disk()
        self.numbers: dict[int, int] = {}  # by inode, of what is there
        self.seen: dict[int, tuple[int, int]] = {}
        self.next_number = 0
        self.look()
        self.disk.kept_names = {folder: dict(names) for folder, names in self.disk.names.items()}
        self.disk.kept_content = dict(self.disk.content)
        self.disk.changes.clear()
        self.before_paths = set(self.disk.after_loss(set(), "none"))
        self.told: set[Path] = set()
        self.operations = self.moments = 0
        self.states: dict[frozenset[tuple[Path, int, bytes]], set[Path]] = {}

    def before(self, kind: str, path: Path) -> None:
        self.look()  # what was done without Python since

    def after(self, kind: str, path: Path) -> None:
        self.operations += 1
        self.look()
        number = self.numbers.get(path.stat().st_ino) if kind == "fsync" else None
        if number in self.disk.names:
            self.disk.kept_names[number] = dict(self.disk.names[number])
            self.disk.changes.pop(number, None)
        elif number is not None:
            self.disk.kept_content[number] = self.disk.content[number]
        self.note_states()

    def tell(self, paths: Iterable[Path]) -> None:
        """The command has told that these are written."""
        self.told |= {path.resolve().relative_to(self.top) for path in paths}
        self.note_states()

    def look(self) -> None:
        """See what has changed."""
        names: dict[int, Entries] = {}
        there: dict[int, int] = {}
        folders = [(self.top, self._number(self.top.stat(), there))]
        while folders:
            path, folder = folders.pop()
            names[folder] = {}
            for entry in os.scandir(path):
                status = entry.stat(follow_symlinks=False)
                number = names[folder][entry.name] = self._number(status, there)
                if entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), number))
                elif self.seen.get(number) != (status.st_size, status.st_mtime_ns):
                    self.disk.content[number] = Path(entry.path).read_bytes()
                    self.seen[number] = status.st_size, status.st_mtime_ns
        for folder, now in names.items():
            before = self.disk.names.get(folder, {})
            change = {name: now.get(name) for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
            if change:
                self.disk.changes[folder].append(change)
        self.disk.names |= names
        self.numbers = there  # an inode whose file is gone may become that of another

    def _number(self, status: os.stat_result, there: dict[int, int]) -> int:
        number = there.get(status.st_ino, self.numbers.get(status.st_ino))
        if number is None:
            number, self.next_number = self.next_number, self.next_number + 1
        there[status.st_ino] = number
        return number

    def note_states(self) -> None:
        """Every state in which the disk may be found now, with what was told by now."""
        self.moments += 1
        for survive, written in self._chances():
            state = self.disk.after_loss(survive, written)
            key = frozenset((path, number, content) for path, (number, content) in state.items())
            self.states.setdefault(key, set()).update(self.told)

    def _chances(self) -> Iterator[tuple[set[tuple[int, int]], str]]:
        pending = self.disk.pending()
        for written in ("none", "half", "zeros", "all"):
            yield set(pending), written
            yield set(), written
        for one in pending:
            yield {one}, "none"
            yield set(pending) - {one}, "none"
        for _ in range(self.combinations if len(pending) > 2 else 0):
            yield {one for one in pending if self.random.random() < 0.5}, self.random.choice(("none", "half", "all"))

    def faults(self) -> Iterator[str]:
        """What does not hold in one of the states, each once."""
        told: dict[str, None] = {}
        whole = {path for path in self._files_now() if self.whole_folder and path.is_relative_to(self.whole_folder)}
        for state, told_by_then in self.states.items():
            paths = {path for path, *_ in state}
            for path, number, content in state:
                if not _is_hidden(path) and content != self.disk.content[number]:
                    told[f"{path}: {len(content)} of {len(self.disk.content[number])} bytes"] = None
            for path in told_by_then - paths:
                told[f"{path}: told to be written, and missing"] = None
            for path in self.before_paths - paths:
                told[f"{path}: was there before, and is missing"] = None
            if paths & whole and not whole <= paths:
                told[f"{self.whole_folder}: {len(whole - paths)} of {len(whole)} files are missing in it"] = None
        yield from told

    def _files_now(self) -> list[Path]:
        paths = [path.relative_to(self.top) for path in self.top.rglob("*") if path.is_file()]
        return [path for path in paths if not _is_hidden(path)]

    def tell_all(self) -> None:
        """The command has ended: all that is there now was written."""
        self.tell(self.top / path for path in self._files_now())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


class Listener(io.StringIO):
    """Hears which files a command says it has written."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def write(self, text: str) -> int:
        self.watch.tell(Path(line.split("written: ", 1)[1]) for line in text.splitlines() if "written: " in line)
        return super().write(text)


def watched(name: str, top: Path, seed: int, combinations: int) -> Watch:
    """Run a command, and follow what it does."""
    watch = Watch(top, WHOLE.get(name, ""), seed, combinations)
    write = Folder.write

    def write_and_tell(self: Folder, *arguments: Any) -> Path:
        path = write(self, *arguments)
        watch.tell([path])
        return path

    with mock.patch.object(Folder, "write", write_and_tell), observed(top, watch):
        found = answer(COMMANDS[name], Listener(watch))
    if found.fault(0):
        raise SystemExit(f"{name} itself failed: {found}")
    watch.look()
    watch.tell_all()
    return watch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--combinations", type=int, default=20, help="of changes that survive, at each moment")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    faults: list[str] = []
    began = time.monotonic()
    with workbench() as top:
        for name in arguments.commands:
            watch = watched(name, top, arguments.seed, arguments.combinations)
            found = [f"{name}: {fault}" for fault in watch.faults()]
            rows.append((name, watch.operations, watch.moments, len(watch.states), len(watch.told), len(found)))
            faults += found
    table(("command", "operations", "moments", "different states", "files told", "faults"), rows)
    print(f"\n{time.monotonic() - began:.0f} s.")
    print("\n".join(faults) or "Faults: none.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
