"""Runs the genuine deepobs 1.1.2 on TensorFlow 2 and writes what it computes to files.

The test problems, the data sets and the runner are deepobs's own code, unchanged. Only while it is imported,
`tf.compat.v1` stands under the name `tensorflow`, with the two functions of `tf.contrib` that it needs and with Keras 2
(`tf_keras`) behind `tf.layers`. Nothing of regbench is imported: a caller in another process compares two independent
programs and needs only NumPy and JSON to read the answers.

    graph   cifar10_3c3d --input in.npz --output out.npz
    initial mnist_mlp --seed 42 --count 20 --output out.npz
    batches cifar10 --data-dir data --epochs 2 --batches 3 --output out.npz
    run     mnist_mlp --data-dir data --optimizer sgd --learning-rate 0.1 --epochs 2 --output-dir results
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import importlib.metadata
import importlib.util
import itertools
import json
import os
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# Name here -> class in tf.train and its hyperparameters besides the learning rate, with the values of the published
# baselines where there are any, else the defaults of TensorFlow 1.
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("GradientDescentOptimizer", {}),
    "momentum": ("MomentumOptimizer", {"momentum": 0.99, "use_nesterov": False}),
    "nag": ("MomentumOptimizer", {"momentum": 0.99, "use_nesterov": True}),
    "adam": ("AdamOptimizer", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
    "rmsprop": ("RMSPropOptimizer", {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10}),
    "adagrad": ("AdagradOptimizer", {"initial_accumulator_value": 0.1}),
    "adadelta": ("AdadeltaOptimizer", {"rho": 0.95, "epsilon": 1e-8}),
}
HYPERPARAMETERS = ("momentum", "beta1", "beta2", "epsilon", "decay", "rho", "initial_accumulator_value")
SAMPLE_SIZE = 1000


@functools.cache
def load_deepobs() -> tuple[Any, Any]:
    """Returns the `tensorflow` that deepobs sees and the package `deepobs.tensorflow`."""
    spec = importlib.util.find_spec("deepobs")
    version = importlib.metadata.version("deepobs") if spec else None
    if spec is None or version != "1.1.2":
        raise SystemExit(f"deepobs must be installed in version 1.1.2, with tf_keras. Received: version={version}")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow
    import tensorflow.compat.v1 as tensorflow_1

    # A module that looks in tf.compat.v1 for whatever is not set on itself.
    tf: Any = types.ModuleType("tensorflow")
    tf.__getattr__ = functools.partial(getattr, tensorflow_1)
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()

    def l2_regularizer(scale: float) -> Any:
        """As tf.contrib had it: scale/2 times the sum of squares, and no penalty at scale 0."""
        return lambda weights: scale * tf.nn.l2_loss(weights) if scale else None

    def sequence_loss(logits: Any, targets: Any, weights: Any, **averages: bool) -> Any:
        """As tf.contrib had it, where averages are over time steps only and all weights are 1."""
        if averages != {"average_across_timesteps": True, "average_across_batch": False}:
            raise NotImplementedError(f"`averages` must be over time steps. Received: {averages}")
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        return tf.reduce_sum(losses * weights, axis=1) / (tf.reduce_sum(weights, axis=1) + 1e-12)

    layers = types.SimpleNamespace(l2_regularizer=l2_regularizer, flatten=tf.layers.flatten)
    # tf.contrib.rnn had the classes of tf.nn.rnn_cell under its own name too.
    sequences = types.SimpleNamespace(sequence_loss=sequence_loss)
    tf.contrib = types.SimpleNamespace(layers=layers, rnn=tf.nn.rnn_cell, seq2seq=sequences)
    # deepobs's own __init__ imports its analyzer as well, with plotting packages that nothing here needs.
    package: Any = types.ModuleType("deepobs")
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules.update({"deepobs": package, "tensorflow": tf})
    try:
        return tf, importlib.import_module("deepobs.tensorflow")
    finally:
        sys.modules["tensorflow"] = tensorflow


@contextlib.contextmanager
def data_folder(genuine: Any, data_dir: Path | None) -> Iterator[None]:
    """Points deepobs at a data folder, or at a passing one with what building a graph needs.

    The readers of MNIST and tolstoi open their files while the graph is built, the others when an iterator starts.
    """
    with tempfile.TemporaryDirectory() as passing:
        image = np.array([2051, 1, 28, 28], ">u4").tobytes() + bytes(28 * 28)
        label = np.array([2049, 1], ">u4").tobytes() + bytes(1)
        for name in ("mnist", "fmnist"):
            (Path(passing) / name).mkdir()
            for split in ("train", "t10k"):
                for kind, content in (("images-idx3", image), ("labels-idx1", label)):
                    (Path(passing) / name / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
        (Path(passing) / "tolstoi").mkdir()
        for split in ("train", "test"):
            np.save(Path(passing) / "tolstoi" / f"{split}.npy", np.zeros(128 * 50 + 1, int))
        genuine.config.set_data_dir(str(data_dir or passing))
        yield


def build_problem(tf: Any, genuine: Any, name: str, batch_size: int, weight_decay: float | None, seed: int) -> Any:
    """Builds a test problem in a fresh graph, in the order in which the genuine runner does it."""
    if not hasattr(genuine.testproblems, name):
        raise SystemExit(f"`problem` must be a test problem of deepobs 1.1.2. Received: problem={name}")
    arguments = (batch_size,) if weight_decay is None else (batch_size, weight_decay)
    problem = getattr(genuine.testproblems, name)(*arguments)
    tf.reset_default_graph()
    tf.set_random_seed(seed)
    problem.set_up()
    return problem


def evaluate_graph(options: argparse.Namespace) -> None:
    """Writes values and gradients of a problem at given inputs and weights."""
    tf, genuine = load_deepobs()
    with np.load(options.input) as archive:
        given = dict(archive)
    batch_size = options.batch_size or len(given["x"])
    choose = tf.enable_resource_variables if options.resource_variables else tf.disable_resource_variables
    choose()
    with data_folder(genuine, options.data_dir):
        problem = build_problem(tf, genuine, options.problem, batch_size, options.weight_decay, options.seed)
    variables = tf.trainable_variables()
    states = [variable for variable in tf.global_variables() if is_state(tf, variable)]
    inputs = dict(zip("xy", tf.nest.flatten(problem.dataset.batch), strict=False))
    draws = random_draws(tf)
    held = {f"weight_{index}": variable for index, variable in enumerate(variables)}
    held |= {f"state_{index}": variable for index, variable in enumerate(states)}
    unknown = sorted(set(given) - set(inputs) - set(draws) - set(held))
    if unknown:
        raise SystemExit(
            f"`input` must hold {list(inputs)}, at most {len(variables)} weights, {len(states)} states and "
            f"{len(draws)} draws. Received: {unknown}"
        )
    fetches = collect_fetches(tf, problem, variables)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    # Grappler ties the constants it folds to the iterator, which is fed here and never started.
    configuration = tf.ConfigProto()
    configuration.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Session(config=configuration) as session:
        session.run(tf.global_variables_initializer())
        for key, variable in held.items():
            if key in given:
                session.run(variable.initializer, {variable.initializer.inputs[1]: given[key]})
        session.run(problem.dataset.phase.assign(options.phase))
        fed = {tensor: given[key] for key, tensor in (inputs | draws).items() if key in given}
        values, _ = session.run([fetches, updates], fed)
        values |= {f"state_{index}": value for index, value in enumerate(session.run(states))}
    np.savez(options.output, names=np.array([variable.name for variable in variables]), **values)


def is_state(tf: Any, variable: Any) -> bool:
    """Whether a variable is state of the network: moving statistics, or what a recurrent network carries over."""
    return variable.dtype.base_dtype == tf.float32 and all(variable is not one for one in tf.trainable_variables())


def random_draws(tf: Any) -> dict[str, Any]:
    """Returns what the network draws, for dropout and for latent variables, each in the order in which it was built."""
    operations = [op for op in tf.get_default_graph().get_operations() if "nitializer" not in op.name]
    kinds = {"uniform": "RandomUniform", "normal": "RandomStandardNormal"}
    drawn = {key: [op.outputs[0] for op in operations if op.type == kind] for key, kind in kinds.items()}
    return {f"{key}_{index}": draw for key, draws in drawn.items() for index, draw in enumerate(draws)}


def collect_fetches(tf: Any, problem: Any, variables: list[Any]) -> dict[str, Any]:
    """Returns the tensors that `graph` writes; accuracy and logits only where the problem has them."""
    mean_loss = tf.reduce_mean(problem.losses)
    objective = mean_loss + problem.regularizer
    fetches = {"losses": problem.losses, "mean_loss": mean_loss, "objective": objective}
    fetches["regularizer"] = problem.regularizer
    if problem.accuracy is not None:
        fetches["accuracy"] = problem.accuracy
    kinds = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
    softmax = [op for op in tf.get_default_graph().get_operations() if op.type in kinds]
    if len(softmax) == 1:
        fetches["logits"] = softmax[0].inputs[0]
    for index, (variable, gradient) in enumerate(zip(variables, tf.gradients(objective, variables), strict=True)):
        # That of an embedding is sparse.
        fetches |= {f"weight_{index}": variable, f"gradient_{index}": tf.convert_to_tensor(gradient)}
    return fetches


def sample_initial_weights(options: argparse.Namespace) -> None:
    """Writes statistics and an evenly spaced sample of the initial weights of consecutive seeds, one row a seed."""
    tf, genuine = load_deepobs()
    columns: dict[str, Any] = {}
    with data_folder(genuine, options.data_dir):
        for seed in range(options.seed, options.seed + options.count):
            build_problem(tf, genuine, options.problem, options.batch_size, None, seed)
            variables = tf.trainable_variables()
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                for index, variable in enumerate(variables):
                    weights = session.run(variable)
                    places = np.linspace(0, weights.size - 1, min(weights.size, SAMPLE_SIZE)).astype(int)
                    columns[f"shape_{index}"] = np.array(weights.shape, int)
                    columns.setdefault(f"sample_{index}", []).append(weights.ravel()[places])
                    for statistic in ("mean", "std", "min", "max"):
                        value = getattr(weights.astype(np.float64), statistic)()
                        columns.setdefault(f"{statistic}_{index}", []).append(value)
    np.savez(options.output, names=np.array([variable.name for variable in variables]), **columns)


def record_batches(options: argparse.Namespace) -> None:
    """Writes the first batches of passes through the genuine input pipeline, axes (epoch, batch, sample, ...)."""
    tf, genuine = load_deepobs()
    arguments = {"data_augmentation": False} if options.no_augmentation else {}
    genuine.config.set_data_dir(str(options.data_dir))
    tf.set_random_seed(options.seed)
    dataset = getattr(genuine.datasets, options.dataset)(options.batch_size, **arguments)
    tensors = tf.nest.flatten(dataset.batch)
    epochs = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(options.epochs):
            session.run(getattr(dataset, f"{options.split}_init_op"))
            epochs.append([session.run(tensors) for _ in range(options.batches)])
    stacked: dict[str, Any] = {
        key: np.stack([[batch[part] for batch in epoch] for epoch in epochs])
        for part, key in enumerate("xy"[: len(tensors)])
    }
    np.savez(options.output, **stacked)


def make_session_class(tf: Any, marks: list[tuple[str, float]]) -> Any:
    """Returns a `tf.Session` that notes when the runner changes phase, and answers with float64 scalars.

    Below version 2, NumPy added a Python float and a float32 in float64: the runner averaged in float64 and wrote what
    JSON can hold. Float64 answers restore both.
    """

    class RecordingSession(tf.Session):
        def run(self, fetches: Any, *arguments: Any, **keywords: Any) -> Any:
            if isinstance(fetches, tf.Operation) and fetches.name.endswith("_init_op"):
                marks.append((fetches.name, time.perf_counter()))
            values = super().run(fetches, *arguments, **keywords)
            if isinstance(values, list):
                return [np.float64(value) if isinstance(value, np.float32) else value for value in values]
            return np.float64(values) if isinstance(values, np.float32) else values

        def close(self) -> None:
            # Comes again when the session is collected.
            if marks[-1][0] != "end":
                marks.append(("end", time.perf_counter()))
            super().close()

    return RecordingSession


def run_training(options: argparse.Namespace) -> None:
    """Calls the genuine runner, which writes its own result file, and prints its timings as one line of JSON."""
    started = time.perf_counter()
    tf, genuine = load_deepobs()
    imported = time.perf_counter()
    class_name, defaults = OPTIMIZERS[options.optimizer]
    given = {name: getattr(options, name) for name in HYPERPARAMETERS if getattr(options, name) is not None}
    if not set(given) <= set(defaults):
        raise SystemExit(f"`{options.optimizer}` must get hyperparameters among {sorted(defaults)}. Received: {given}")
    hyperparameters = defaults | given
    marks: list[tuple[str, float]] = []
    tf.Session = make_session_class(tf, marks)
    runner = genuine.runners.StandardRunner(
        getattr(tf.train, class_name), [{"name": name, "type": type(value)} for name, value in hyperparameters.items()]
    )
    # The runner reads from the command line whatever is None below.
    sys.argv = sys.argv[:1]
    with contextlib.redirect_stdout(sys.stderr):
        runner.run(
            testproblem=options.problem,
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            num_epochs=options.epochs,
            learning_rate=options.learning_rate,
            lr_sched_epochs=options.lr_sched_epochs,
            lr_sched_factors=options.lr_sched_factors,
            random_seed=options.seed,
            data_dir=str(options.data_dir),
            output_dir=str(options.output_dir),
            train_log_interval=options.train_log_interval,
            print_train_iter=False,
            tf_logging=False,
            no_logs=False,
            **hyperparameters,
        )
    sys.stdout.write(json.dumps(summarize_times(started, imported, marks)) + "\n")


def summarize_times(started: float, imported: float, marks: list[tuple[str, float]]) -> dict[str, Any]:
    """Returns seconds of each stage; the lists hold one value an epoch, evaluations one more than trainings."""
    seconds: dict[str, list[float]] = {"train": [], "train_eval": [], "test": []}
    for (phase, begin), (_, end) in itertools.pairwise(marks):
        seconds[phase.removesuffix("_init_op")].append(end - begin)
    return {
        "wall_seconds": time.perf_counter() - started,
        "import_seconds": imported - started,
        "build_seconds": marks[0][1] - imported,
        "run_seconds": marks[-1][1] - marks[0][1],
        **{f"{phase}_seconds": values for phase, values in seconds.items()},
    }


def parse_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    graph = commands.add_parser("graph", help="values and gradients at given inputs and weights")
    initial = commands.add_parser("initial", help="initial weights of consecutive seeds")
    batches = commands.add_parser("batches", help="the first batches of the genuine input pipeline")
    run = commands.add_parser("run", help="one training by the genuine StandardRunner")
    actions = {graph: evaluate_graph, initial: sample_initial_weights, batches: record_batches, run: run_training}
    for command, action in actions.items():
        command.set_defaults(action=action)
        command.add_argument("dataset" if command is batches else "problem")
        command.add_argument("--data-dir", type=Path, required=command in (batches, run))
        command.add_argument("--seed", type=int, default=42)
        command.add_argument("--batch-size", type=int, default=None if command is graph else 128)
        if command is not run:
            command.add_argument("--output", type=Path, required=True)
    for command in (graph, run):
        command.add_argument("--weight-decay", type=float, help="default: the problem's own factor")
    graph.add_argument("--input", type=Path, required=True, help="x, y (one-hot); weight_0, state_0, uniform_0, ...")
    graph.add_argument("--phase", choices=("train", "train_eval", "test"), default="test")
    graph.add_argument(
        "--resource-variables",
        action="store_true",
        help="gradients read a variable as it was in the forward pass, not as an update has left it",
    )
    initial.add_argument("--count", type=int, default=10)
    batches.add_argument("--epochs", type=int, default=2)
    batches.add_argument("--batches", type=int, default=1)
    batches.add_argument("--split", choices=("train", "train_eval", "test"), default="train")
    batches.add_argument("--no-augmentation", action="store_true")
    run.add_argument("--optimizer", choices=sorted(OPTIMIZERS), required=True)
    run.add_argument("--learning-rate", type=float, required=True)
    for name in HYPERPARAMETERS:
        run.add_argument(f"--{name.replace('_', '-')}", type=float)
    run.add_argument("--lr-sched-epochs", type=int, nargs="+")
    run.add_argument("--lr-sched-factors", type=float, nargs="+")
    run.add_argument("--epochs", type=int, required=True)
    run.add_argument("--train-log-interval", type=int, default=10)
    run.add_argument("--output-dir", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = parse_options()
    chosen.action(chosen)
