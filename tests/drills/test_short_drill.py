"""The short forms of the drills; docs/reliability.md has the records of the long ones.

What the others do is in `tests/test_signals.py`, `tests/test_failing_writes.py` and `tests/trees/test_altered.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

DRILLS = Path(__file__).resolve().parents[2] / "scripts" / "drills"


def drilled(name, *options):
    """What a drill printed; its exit code must be 0."""
    command = [sys.executable, str(DRILLS / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_search_survives_kills_of_everything_that_takes_part_and_gives_the_same_answer():
    """Of six kills a search has two at most: there are three at least, one in each way of computing."""
    output = drilled("kill", "--kills", "6", "--kills-of-a-search", "2", "--budget", "4", "--seed", "7")
    assert "6 kills in " in output


@pytest.mark.slow
def test_loss_of_power_takes_nothing_that_was_told():
    assert "Faults: none." in drilled("power_loss", "--commands", "search", "convert", "export --parquet")
