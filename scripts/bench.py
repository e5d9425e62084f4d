"""Time regbench against the genuine DeepOBS runner, and against the speed at which this machine multiplies matrices.

    python scripts/bench.py speed --data-dir DIR      the same work by both, in turn, each time in a fresh process
    python scripts/bench.py machine --data-dir DIR    training beside a large float32 matrix product in one process
    python scripts/bench.py cost --data-dir DIR       training with a wrapper beside training with what it wraps

MNIST and CIFAR-10 in DeepOBS's layout; `speed` needs the extra `deepobs`. Prints the tables of docs/fidelity.md; with
--write it puts them there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import fidelity
import genuine

WORK = {
    # problem: learning rate of plain SGD, epochs
    "quadratic_deep": (0.015848931925, 100),
    "mnist_mlp": (0.1, 3),
    "cifar10_3c3d": (0.02, 2),
}
WRAPPERS = {
    # wrapper: a candidate that has it around the second candidate's optimizer
    "SignedPower": ("power_nesterov", "nag+none"),
    "Normalized": ("normalized_momentum", "nag+none"),
    "Clipped": ("clipped_momentum", "nag+none"),
    "DecoupledDecay": ("nag+decoupled", "nag+none"),
    "Lookahead": ("lookahead_momentum", "momentum+none"),
    "CautiousStep": ("cautious_adamw+none", "adam+none"),
    "NormPinned": ("norm_pinned_adam", "adam+none"),
    "SharpnessAware": ("sharpness_aware_momentum+none", "momentum+none"),
    "ScheduleFree": ("schedule_free_sgd+none", "sgd+none"),
    "AveragedWeights": ("averaged_momentum+none", "momentum+none"),
}


def speed(options: argparse.Namespace) -> str:
    """Wall seconds of the same work by regbench and by deepobs."""
    lines = [
        "| problem | what | regbench, seconds | deepobs 1.1.2, seconds | ratio | regbench compiles, seconds |",
        "|--|--|--|--|--|--|",
    ]
    for problem in options.problems:
        learning_rate, epochs = WORK[problem]
        settings = {"optimizer": "sgd", "learning_rate": learning_rate, "epochs": epochs}
        pairs = []
        for _ in range(options.repeats):
            ours = _in_fresh_process(problem, options)["timings"]
            pairs.append((ours, genuine.train(problem, options.data_dir, **settings)[1]))
        compiling = _median([ours["compile_seconds"] for ours, _ in pairs])
        runs = [
            (ours["training_seconds"] + ours["evaluation_seconds"], theirs["run_seconds"]) for ours, theirs in pairs
        ]
        lines.append(_row(problem, f"whole run, {epochs} epochs", runs, compiling))
        epoch = [(_epoch_of_regbench(ours, epochs), _later_epoch_of_deepobs(theirs)) for ours, theirs in pairs]
        lines.append(_row(problem, "an epoch and its evaluations, after the first", epoch, ""))
    return "\n".join(lines)


def _epoch_of_regbench(seconds: dict[str, float], epochs: int) -> float:
    return seconds["training_seconds"] / epochs + seconds["evaluation_seconds"] / (epochs + 1)


def _later_epoch_of_deepobs(seconds: dict[str, Any]) -> float:
    """Its first epoch and its first evaluations also set up the data pipeline, for about ten seconds each on MNIST."""
    return sum(
        statistics.fmean(seconds[phase][1:]) for phase in ("train_seconds", "train_eval_seconds", "test_seconds")
    )


def _row(problem: str, what: str, pairs: list[tuple[float, float]], compiling: str) -> str:
    ours, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(there / here for here, there in pairs)
    return f"| {problem} | {what} | {_median(ours)} | {_median(theirs)} | {ratio:.1f} | {compiling} |"


def machine(options: argparse.Namespace) -> str:
    """GFLOP/s of training beside those of its products alone and of one large matrix product."""
    lines = [
        "| problem | training, GFLOP/s | its products alone | large matrix | training / large matrix "
        "| products / large matrix | training at 6 a weight / large matrix |",
        "|--|--|--|--|--|--|--|",
    ]
    for problem in options.problems:
        if problem == "quadratic_deep":  # too small to be limited by arithmetic
            continue
        measured = [_in_fresh_process(problem, options) for _ in range(options.repeats)]
        kinds = ("training_gflops", "products_gflops", "matrix_gflops", "training_gflops_at_6_a_weight")
        training, alone, matrix, at_6 = ([one[kind] for one in measured] for kind in kinds)
        speeds = [f"{statistics.median(speed):.0f}" for speed in (training, alone, matrix)]
        shares = [
            f"{statistics.median(s / m for s, m in zip(speed, matrix, strict=True)):.0%}"
            for speed in (training, alone, at_6)
        ]
        lines.append(f"| {problem} | {' | '.join(speeds + shares)} |")
    return "\n".join(lines)


def cost(options: argparse.Namespace) -> str:
    """Seconds of training with a wrapper over those with the optimizer inside it, in turn in one process."""
    import regbench

    if options.processor:
        time.perf_counter = time.process_time  # by which runs are timed

    def train(candidate: str, seed: int, output: str) -> float:
        run = regbench.run(options.problem, candidate, seed=seed, epochs=1, results=output, data_dir=options.data_dir)
        return run.timings.training_seconds

    lines = ["| wrapper | inner optimizer | ratio of step times |", "|--|--|--|"]
    for wrapper in options.wrappers:
        candidate, inner = WRAPPERS[wrapper]
        with tempfile.TemporaryDirectory() as output:
            pairs = [
                (train(candidate, seed, output), train(inner, seed, output)) for seed in range(2 * options.repeats + 1)
            ]
        ratio = statistics.median(wrapped / plain for wrapped, plain in pairs[1:])  # the first pair warms up
        lines.append(f"| {wrapper} | {inner} | {ratio:.2f} |")
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> str:
    """One run with a matrix product before and after it, as JSON."""
    import products

    import regbench

    (problem,) = options.problems
    learning_rate, epochs = WORK[problem]
    before = products.matrix_gflops()
    with tempfile.TemporaryDirectory() as output:
        run = regbench.run(
            problem,
            "sgd",
            setting={"optimizer.learning_rate": learning_rate},
            epochs=epochs,
            protocol="deepobs-1.1",
            results=output,
            data_dir=options.data_dir,
        )
    layers = products.layers_of(problem)
    steps = len(run.curves["minibatch_train_losses"])
    operations = run.spec.batch_size * products.operations_per_sample(layers)
    at_6_a_weight = run.spec.batch_size * products.operations_per_sample(layers, first_inputs=True)
    steps_per_second = steps / run.timings.training_seconds
    return json.dumps(
        {
            "timings": run.timings.model_dump(),
            "training_gflops": operations * steps_per_second / 1e9,
            "training_gflops_at_6_a_weight": at_6_a_weight * steps_per_second / 1e9,
            "products_gflops": operations / products.seconds(layers, run.spec.batch_size) / 1e9 if layers else None,
            "matrix_gflops": statistics.fmean([before, products.matrix_gflops()]),
        }
    )


def _in_fresh_process(problem: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "measure", "--problems", problem]
    if options.data_dir:
        command += ["--data-dir", options.data_dir]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=("speed", "machine", "cost", "measure"))
    parser.add_argument("--problems", nargs="+", choices=list(WORK), default=list(WORK))
    parser.add_argument("--problem", default="mnist_mlp", help="of `cost`")
    parser.add_argument(
        "--processor", action="store_true", help="`cost` in processor seconds: where others use them too"
    )
    parser.add_argument("--wrappers", nargs="+", choices=list(WRAPPERS), default=list(WRAPPERS))
    parser.add_argument("--data-dir")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into docs/fidelity.md")
    options = parser.parse_args()
    table = {"speed": speed, "machine": machine, "cost": cost, "measure": measure}[options.section](options)
    print(table)
    if options.write:
        fidelity.write(options.section, table)


if __name__ == "__main__":
    main()
