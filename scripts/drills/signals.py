"""SIGINT and SIGTERM at moments spread over commands: their imports, the training, the writing, their end.

    scripts/drill signals

Each command first runs undisturbed, which says how long it takes. Then it is started again and again, and gets one
signal: shortly after it answers signals, and at a random moment of each of so many equal parts of that time. It must
end with exit code 130 or 143 and one line that ends with the command that goes on; it may end with 0 only where its
result is whole, because it was done before. Nothing half-written may be left. A search goes on in the tree that the
signal left, until it is done; then its runs must be those of the undisturbed one, bit for bit.
"""

import argparse
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from workbench import ONE_THREAD, RUNS, Answer, runs_in, searched, table, workbench

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
COMMANDS = {
    "search": "search digits_mlp sgd momentum --budget 6 --reruns 2 --epochs 40 --baselines none --results out",
    "compare": "compare digits_mlp --baselines none --report out/page.html",
    "convert": "convert results out/converted",
}
SEARCHED = 16
EARLY_SECONDS = (0.05, 0.3, 1.0)
HANGING_SECONDS = 1800.0
BEGINS = "import sys; from regbench.__main__ import main; sys.exit(main())"
"""As the console script does."""
OUT = Path("out")


def ended(command: str, number: signal.Signals | None = None, seconds: float = 0.0) -> Answer:
    """Run a command in a process of its own; it gets a signal so long after its beginning."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", BEGINS, *shlex.split(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
    )
    wait_for_handlers(process)
    if number is not None:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
    try:
        output, errors = process.communicate(timeout=HANGING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return Answer("it hangs", *process.communicate())
    return Answer(process.returncode, output, errors)


def wait_for_handlers(process: subprocess.Popen[str]) -> None:
    """Until the command answers signals: before that Python itself begins, which knows nothing of SIGTERM."""
    caught = 1 << (signal.SIGTERM - 1)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = status.read_text().splitlines()
        if any(line.startswith("SigCgt:") and int(line.split()[1], 16) & caught for line in lines):
            return
        time.sleep(0.001)


class Drill:
    """One command, and what became of it."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.command = name, COMMANDS[name]
        self.random = random.Random(seed)
        self._clear()
        began = time.monotonic()
        found = ended(self.command)
        self.seconds = time.monotonic() - began
        self.expected: Any = self._result()
        if found.fault(0) or not self._is_whole():
            raise SystemExit(f"{name} itself failed: {found}")
        self._clear()

    def _clear(self) -> None:
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir()

    def _result(self) -> Any:
        """What lies there now, without moments."""
        if self.name == "compare":
            page = OUT / "page.html"
            return (
                re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+", "", page.read_text(encoding="utf-8")) if page.exists() else None
            )
        return runs_in(OUT / "converted" if self.name == "convert" else OUT)

    def _is_whole(self) -> bool:
        result = self._result()
        if self.name != "compare" and len(result) != (SEARCHED if self.name == "search" else RUNS):
            return False
        return bool(result) and result == self.expected

    def disturb(self, number: signal.Signals, seconds: float) -> tuple[int | str, str]:
        """The exit code, and what is wrong, "" for nothing."""
        found = ended(self.command, number, seconds)
        wrong = found.fault(CODES[number] if found.code else 0)
        if not wrong and found.code and not found.errors.endswith(f": regbench {self.command}\n"):
            wrong = f"not the command that goes on: {found.errors}"
        wrong = wrong or self._left(found)
        if self.name != "search" or found.code == 0:
            self._clear()
        return found.code, wrong

    def _left(self, found: Answer) -> str:
        temporary = list(OUT.rglob("*.tmp"))
        if temporary:
            return f"left behind: {temporary}"
        try:
            result, is_whole = self._result(), self._is_whole()
        except ValueError as error:
            return str(error)
        if found.code == 0:
            return "" if is_whole else "done, and the result is not whole"
        if self.name == "search":
            return "" if result.items() <= self.expected.items() else "the runs are others"
        return "" if is_whole or not result else "a result is left that is not whole"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--starts", type=int, default=12, help="of each command with each signal, besides the early ones"
    )
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands in the background would ignore it
    rows: list[tuple[object, ...]] = []
    faults: list[str] = []
    began = time.monotonic()
    with workbench():
        searched()
        for name in arguments.commands:
            drill = Drill(name, arguments.seed)
            for number in CODES:
                codes: Counter[int | str] = Counter()
                before = len(faults)
                parts = [(part + drill.random.random()) / arguments.starts for part in range(arguments.starts)]
                for seconds in (*EARLY_SECONDS, *(part * drill.seconds for part in parts)):
                    code, wrong = drill.disturb(number, seconds)
                    codes[code] += 1
                    print(f"{name} {number.name} after {seconds:.2f} s: {code} {wrong}", file=sys.stderr)
                    faults += [f"{name}, {number.name} after {seconds:.2f} s: {wrong}"] if wrong else []
                seconds_of_it = f"{drill.seconds:.1f}"
                rows.append(
                    (
                        name,
                        seconds_of_it,
                        number.name,
                        codes.total(),
                        codes[CODES[number]],
                        codes[0],
                        len(faults) - before,
                    )
                )
    heading = ("command", "its seconds", "signal", "starts", "130 or 143", "0, whole", "faults")
    table(heading, rows)
    print(f"\n{time.monotonic() - began:.0f} s.")
    print("\n".join(faults) or "Faults: none.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
