"""The only place that sets global state: threads, seeds, devices; and tells what a run ran on.

Nothing happens when it is imported. `prepare` loads TensorFlow as a run needs it; whoever loads Keras or TensorFlow in
another module calls it before that, once or more often.
"""

import atexit
import contextlib
import functools
import gc
import os
import platform
import random
import re
import resource
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version

from regbench.engine import address_space
from regbench.engine.cores import available_cores
from regbench.errors import DefinitionError
from regbench.records import Scalar

_LOG_NOISE = re.compile(rb"I[0-9]{4} |WARNING: All log messages before absl::InitializeLog")


@functools.cache
def prepare() -> None:
    """Load TensorFlow without the lines that it logs meanwhile, and settle how it computes.

    Raises:
        DefinitionError: the environment asks for another backend of Keras, or limits the address space too much.
    """
    address_space.check("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise DefinitionError(
            f"KERAS_BACKEND in the environment must be tensorflow, or not be set. Received: {backend!r}"
        )
    with _without_log_noise():
        import keras  # noqa: F401
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")  # it warns of every new setting that a step has to be compiled for
    atexit.register(gc.freeze)  # the last search for garbage takes two seconds with all that TensorFlow has loaded
    # On GPUs TensorFlow multiplies float32 matrices with 10 bits of mantissa by default; losses that are compared with
    # published ones need all 23.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Take the memory of a GPU as needed, not all at once, so that several workers can share it.
    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # whoever called us has used the GPU already, and settled it
            tf.config.experimental.set_memory_growth(gpu, True)


def check_keras() -> None:
    """Make sure that Keras computes as it does by default: its settings are no part of any spec.

    Raises:
        DefinitionError: a setting is another one; the user's own code, or a file of Keras's, has changed it.
    """
    import keras

    settings = {
        "floatx": (keras.config.floatx(), "float32"),
        "epsilon": (keras.config.epsilon(), 1e-7),
        "image_data_format": (keras.config.image_data_format(), "channels_last"),
        "dtype_policy": (keras.config.dtype_policy().name, "float32"),
    }
    for name, (value, must) in settings.items():
        if value != must:
            raise DefinitionError(
                f"keras.config.{name}: must be {must} in every run, and be neither set by own code (layers take a "
                f"dtype, an epsilon, a data format of their own) nor in ~/.keras/keras.json. Received: {value!r}"
            )


@contextlib.contextmanager
def _without_log_noise() -> Iterator[None]:
    """Drop what TensorFlow's libraries log as information while they are loaded, which no setting of theirs can do.

    They write to the file descriptor; all other lines written there meanwhile are passed on afterwards.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not _LOG_NOISE.match(line)))


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, NumPy, TensorFlow and, inside the block, what Keras draws: initial weights, the seeds of dropout.

    Keras takes the seed of each initializer from Python's global generator. On a worker other threads draw from that
    too, at any moment; so inside the block Keras has a generator of its own, with which it draws the same.
    """
    import keras
    from keras.src.random import seed_generator  # Keras has no public way to say where its seeds come from

    keras.utils.set_random_seed(seed)
    shared = seed_generator.python_random
    seed_generator.python_random = random.Random(seed)  # noqa: S311  nothing here is secret
    try:
        yield
    finally:
        seed_generator.python_random = shared


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Inside the block, Keras names layers as in a process that has made none: `dense` is never `dense_7`."""
    from keras.src.backend.common import global_state  # Keras can only forget these counts with all else it holds

    counts = global_state.get_global_attribute("object_name_uids")
    global_state.set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        global_state.set_global_attribute("object_name_uids", counts)


def is_lack_of_memory(error: Exception) -> bool:
    """Whether TensorFlow found no room for a tensor."""
    import tensorflow as tf

    return isinstance(error, tf.errors.ResourceExhaustedError)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def describe(concurrent_runs: int) -> dict[str, Scalar]:
    """Versions, device, threads and peak memory (MiB, of this process so far), for the record of a run."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return {
        "regbench": version("regbench"),
        "python": platform.python_version(),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "device": tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else _cpu_name(),
        "threads": _threads(),
        "concurrent_runs": concurrent_runs,
        "peak_memory_mib": round(_peak_memory_bytes() / 2**20),
    }


def _threads() -> int:
    import tensorflow as tf

    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # TensorFlow passes by what is no number
    from_environment = int(given) if given.isdecimal() else 0
    return tf.config.threading.get_intra_op_parallelism_threads() or from_environment or available_cores()


def _cpu_name() -> str:
    return platform.processor() or platform.machine()


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
