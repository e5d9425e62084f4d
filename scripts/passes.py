"""Time single passes over as many entries as mnist_mlp has weights: what bounds the cost of a wrapper's step.

    python scripts/passes.py

Each pass is compiled by XLA alone. Processor time of all threads, the least of many calls, so that other work on the
machine counts little.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from regbench.engine import environment

ENTRIES = 1_290_000
CALLS = 100


def main() -> None:
    """Print the table."""
    environment.prepare()
    import tensorflow as tf

    gradient = tf.constant(np.random.default_rng(0).normal(size=(ENTRIES // 1000, 1000)).astype("float32"))
    power = tf.Variable(0.6)  # XLA makes a root of some constant powers

    def as_double(x: Any) -> Any:
        return tf.exp(tf.cast(power, tf.float64) * tf.math.log(tf.cast(tf.abs(x), tf.float64)))

    passes: dict[str, Callable[[Any], Any]] = {
        "2 g": lambda x: 2 * x,
        "abs(g)**power": lambda x: tf.abs(x) ** power,
        "exp(power log abs(g))": lambda x: tf.exp(power * tf.math.log(tf.abs(x))),
        "the same in float64": lambda x: tf.cast(as_double(x), tf.float32),
        "root of the sum of g**2": lambda x: tf.sqrt(tf.reduce_sum(tf.square(x))),
    }
    compiled = {
        name: tf.function(function, jit_compile=True, autograph=False).get_concrete_function(gradient)
        for name, function in passes.items()
    }
    expected = compiled["abs(g)**power"](gradient).numpy()
    print("| pass | ms | entries that differ from abs(g)**power |\n|--|--|--|")
    for name, function in compiled.items():
        result = function(gradient).numpy()
        is_power = name in ("abs(g)**power", "exp(power log abs(g))", "the same in float64")
        differing = f"{np.mean(result != expected):.2%}" if is_power else ""
        print(f"| {name} | {min(_milliseconds(function, gradient) for _ in range(CALLS)):.1f} | {differing} |")


def _milliseconds(function: Callable[[Any], Any], argument: Any) -> float:
    started = time.process_time()
    function(argument)
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
