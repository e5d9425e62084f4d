"""The short form of the kill drill; docs/reliability.md has the record of the long one."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_search_survives_kills_of_everything_that_takes_part_and_gives_the_same_answer():
    """Of six kills a search has two at most: there are three at least, one in each way of computing."""
    drill = Path(__file__).with_name("kill_drill.py")
    options = ["--kills", "6", "--kills-of-a-search", "2", "--budget", "4", "--seed", "7"]
    drilled = subprocess.run(
        [sys.executable, str(drill), *options], capture_output=True, text=True, timeout=7200, check=False
    )
    assert drilled.returncode == 0, drilled.stdout + drilled.stderr
    assert "6 kills in " in drilled.stdout
