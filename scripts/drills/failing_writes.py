"""Failing writes: every way in which a disk refuses, at each step of each command that writes.

    scripts/drill failing_writes

Each command first runs undisturbed, and its operations on files are counted. Then it runs again and again; each time
one operation (the n-th open, write, fsync, rename, link or new folder) fails with ENOSPC, EIO, EDQUOT, EFBIG, EMFILE
or EROFS. It must end with exit code 1 and one line that says why, and leave nothing that is not whole; where a search
ended so, the same command must end with the same runs. Where the operation was dispensable the exit code is 0 and all
is there.
"""

import argparse
import errno
import os
import re
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from operations import KINDS, observed
from workbench import SEARCH, Answer, answer, files_below, runs_in, searched, table, workbench

LACKS = ("ENOSPC", "EIO", "EDQUOT", "EFBIG", "EMFILE", "EROFS")
OUT = Path("out")
PAGE, OLDER = OUT / "page.html", b"an older page"
COMMANDS = {
    "search": f"{SEARCH} --results out",
    "convert": "convert results out",
    "export --optuna": "export results --optuna out/study.log",
    "export --tensorboard": "export results --tensorboard out/events",
    "export --parquet": "export results --parquet out/runs.parquet",
    "compare --report": "compare digits_mlp --baselines none --report out/page.html",
    "compare --plots": "compare digits_mlp --baselines none --plots out",
    "figures": "figures deepobs --results missing --results results --output out",
}


class Fault:
    """Lets one operation fail, or none, and counts them all."""

    def __init__(self, kind: str = "", number: int = 0, error: int = 0) -> None:
        self.kind, self.number, self.error = kind, number, error
        self.counted: Counter[str] = Counter()

    def before(self, kind: str, path: Path) -> None:
        if path.name == ".claims":
            return  # without it runs are computed twice at worst
        self.counted[kind] += 1
        if kind == self.kind and self.counted[kind] == self.number:
            raise OSError(self.error, os.strerror(self.error), str(path))

    def after(self, kind: str, path: Path) -> None:
        pass


def begin(command: str) -> None:
    """Put everything where it is before the command."""
    shutil.rmtree(OUT, ignore_errors=True)
    if not command.endswith("out"):
        OUT.mkdir()
    if command.endswith(PAGE.as_posix()):
        PAGE.write_bytes(OLDER)


class Undisturbed:
    """What a command does where nothing fails."""

    def __init__(self, name: str) -> None:
        self.name, self.command = name, COMMANDS[name]
        begin(self.command)
        with observed(Path(), counting := Fault()):
            found = answer(self.command)
        if found.fault(0):
            raise SystemExit(f"{name} itself failed: {found}")
        self.operations = counting.counted
        self.files = files_below(OUT)
        self.runs = runs_in(OUT) if name == "search" else {}

    def cases(self, most: int) -> list[tuple[str, int]]:
        """Kinds of operation and which one of them fails: the first, the last and others between them."""
        return [(kind, number) for kind in KINDS if kind != "unlink" for number in _spread(self.operations[kind], most)]

    def fault(self, kind: str, number: int, error: int) -> tuple[int | str, str]:
        """The exit code where this operation fails, and what is wrong, "" for nothing."""
        begin(self.command)
        with observed(Path(), Fault(kind, number, error)):
            found = answer(self.command)
        wrong = found.fault(0 if found.code == 0 else 1) or self._left(found)
        return found.code, wrong

    def _left(self, found: Answer) -> str:
        """What is wrong with what lies there now."""
        left = files_below(OUT)
        temporary = [path for path in left if path.name.startswith(".")]
        if temporary:
            return f"left behind: {temporary}"
        if self.name == "search":
            return self._search_goes_on(found)
        if found.code == 0:
            return "" if left.keys() == self.files.keys() else f"done, and there is only {list(left)}"
        if self.name in ("compare --report", "compare --plots", "figures"):  # each takes the place of an older one
            if self.name == "compare --report" and left == {PAGE: OLDER}:
                return ""
            if self.name == "compare --report" and not left:
                return "the older page is lost"
            is_whole = all(_timeless(content) == _timeless(self.files[path]) for path, content in left.items())
            return "" if is_whole else "a file is not what it is undisturbed"
        return f"there is something of what failed: {list(left)}" if left else ""

    def _search_goes_on(self, found: Answer) -> str:
        try:
            there = runs_in(OUT)
        except ValueError as error:
            return str(error)
        if not there.items() <= self.runs.items() or (found.code == 0 and there != self.runs):
            return "the runs are others"
        again = answer(self.command)
        return again.fault(0) or ("" if runs_in(OUT) == self.runs else "the runs are others when it goes on")


def _timeless(content: bytes) -> bytes:
    """A page tells when it was made."""
    return re.sub(rb"\d{4}-\d\d-\d\d[T ][\d:.]+", b"", content)


def _spread(there: int, most: int) -> list[int]:
    """At most so many of the numbers from 1 on, the first and the last among them."""
    if there <= most:
        return list(range(1, there + 1))
    return sorted({1 + round(step * (there - 1) / max(1, most - 1)) for step in range(most)})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=8, help="of each kind of operation of a command")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    faults: list[str] = []
    began, case = time.monotonic(), 0
    with workbench():
        searched()
        for name in arguments.commands:
            undisturbed = Undisturbed(name)
            codes: Counter[int | str] = Counter()
            before = len(faults)
            for kind, number in undisturbed.cases(arguments.most):
                lack = LACKS[case % len(LACKS)]
                case += 1
                code, wrong = undisturbed.fault(kind, number, getattr(errno, lack))
                codes[code] += 1
                faults += [f"{name}, {lack} at {kind} {number}: {wrong}"] if wrong else []
            operations = ", ".join(f"{kind} {undisturbed.operations[kind]}" for kind in KINDS if kind != "unlink")
            rows.append((name, operations, codes.total(), codes[1], codes[0], len(faults) - before))
    table(("command", "its operations", "failed once each", "exit code 1", "dispensable: 0", "faults"), rows)
    print(f"\n{case} failures in {time.monotonic() - began:.0f} s.")
    print("\n".join(faults) or "Faults: none.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
