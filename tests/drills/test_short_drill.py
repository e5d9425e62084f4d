"""The short form of the kill drill; docs/reliability.md has the record of the long one."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["in-process", "workers", "cluster"])
def test_search_survives_kills_of_everything_that_takes_part(mode):
    drill = Path(__file__).with_name("kill_drill.py")
    command = [sys.executable, str(drill), "--kills", "4", "--seed", "7", "--modes", mode]
    drilled = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert drilled.returncode == 0, drilled.stdout + drilled.stderr
    assert "4 kills in 1 searches" in drilled.stdout
