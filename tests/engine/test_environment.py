"""Global state: set when asked, and then as runs need it."""

import subprocess
import sys

IMPORTED = """
import os, sys
before = dict(os.environ), os.fstat(2)
import regbench.engine.run
from regbench.engine import environment
assert (dict(os.environ), os.fstat(2)) == before
assert not {"tensorflow", "keras"} & set(sys.modules)
environment.prepare()
assert {"tensorflow", "keras"} <= set(sys.modules)
assert os.environ["KERAS_BACKEND"] == "tensorflow"
import tensorflow
assert not tensorflow.config.experimental.tensor_float_32_execution_enabled()
environment.prepare()
"""


def test_nothing_happens_until_tensorflow_is_asked_for_and_then_without_a_word():
    process = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
