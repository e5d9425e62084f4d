"""Global state: set when asked, and then as runs need it."""

import subprocess
import sys

import pytest

from regbench.engine.run import run
from regbench.errors import DefinitionError

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


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("floatx", "float64"),
        ("epsilon", 1e-3),
        ("image_data_format", "channels_first"),
        ("dtype_policy", "mixed_bfloat16"),
    ],
)
def test_settings_of_keras_that_own_code_changed_are_refused(name, other, make_task):
    import keras

    setting, change = getattr(keras.config, name)(), getattr(keras.config, f"set_{name}")
    spec = make_task("quadratic_deep", "sgd", epochs=1).spec({"optimizer.learning_rate": 0.1}, 42)
    change(other)
    try:
        with pytest.raises(DefinitionError, match=rf"^keras\.config\.{name}: must be .*\. Received: {other!r}"):
            run(spec)
    finally:
        change(setting)
