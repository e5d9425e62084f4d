"""The only place that sets global state: threads, seeds, devices; and tells what a run ran on."""

import os
import platform
import resource
import sys
from importlib.metadata import version

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from regbench.records import Scalar


def use_threads(threads: int) -> None:
    """Let every run of this process compute with this many threads; must come before the first run.

    The curves of a network depend on it in the last digits, because sums are split among threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def use_seed(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, from which Keras draws initial weights."""
    keras.utils.set_random_seed(seed)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU; its memory is then taken as needed, not all at once."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        if not tf.config.experimental.get_memory_growth(gpu):
            tf.config.experimental.set_memory_growth(gpu, True)
    return bool(gpus)


def describe(concurrent_runs: int) -> dict[str, Scalar]:
    """Versions, device, threads and peak memory (MiB, of this process so far), for the record of a run."""
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "regbench": version("regbench"),
        "python": platform.python_version(),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "device": tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else _cpu_name(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0)),
        "concurrent_runs": concurrent_runs,
        "peak_memory_mib": round(_peak_memory_bytes() / 2**20),
    }


def _cpu_name() -> str:
    return platform.processor() or platform.machine()


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
