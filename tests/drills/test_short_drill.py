"""The short form of the kill drill; docs/reliability.md has the record of the long one."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_search_survives_kills_of_everything_that_takes_part_and_gives_the_same_answer():
    """Of twelve kills a search has four at most: there are three at least, one in each way of computing."""
    drill = Path(__file__).with_name("kill_drill.py")
    options = ["--kills", "12", "--kills-of-a-search", "4", "--budget", "6", "--seed", "7"]
    drilled = subprocess.run(
        [sys.executable, str(drill), *options], capture_output=True, text=True, timeout=7200, check=False
    )
    assert drilled.returncode == 0, drilled.stdout + drilled.stderr
    assert "12 kills in " in drilled.stdout
