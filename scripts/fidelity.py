"""Compare regbench with DeepOBS: published results of quadratic_deep, and trainings by the genuine package.

    python scripts/fidelity.py quadratic
    python scripts/fidelity.py order
    python scripts/fidelity.py training --data-dir DIR    (MNIST and CIFAR-10 in DeepOBS's layout; extra `deepobs`)

prints the tables of docs/fidelity.md; with --write it puts them there.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import genuine

import regbench

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "fidelity.md"


def _power(learning_rate: float, power: float) -> dict[str, float]:
    return {"optimizer.inner_optimizer.learning_rate": learning_rate, "optimizer.power": power}


# Final test loss on quadratic_deep, mean and standard deviation (ddof 1) over seeds 42 to 51, best setting of each
# optimizer: DeepOBS's baselines (Schneider, Balles and Hennig 2019), and the result files of Norridge 2022.
PUBLISHED = {
    "SGD": ("sgd", {"optimizer.learning_rate": 0.015848931925}, 87.411, 0.174),
    "momentum": ("momentum", {"optimizer.learning_rate": 0.0025118864315, "optimizer.momentum": 0.99}, 87.046, 0.027),
    "Adam": ("adam", {"optimizer.learning_rate": 0.039810717055}, 87.111, 0.026),
    "power SGD": ("power_sgd", _power(0.006870614282613297, 0.8), 87.688, 0.104),
    "power momentum": ("power_momentum", _power(0.00292043384718141, 0.9), 87.143, 0.061),
    "power Nesterov": ("power_nesterov", _power(0.0017654048052495065, 0.9), 87.173, 0.060),
}
PUBLISHED_SEEDS = range(42, 52)

TRAINED = {"mnist_mlp": 0.1, "cifar10_3c3d": 0.02}  # learning rate of plain SGD
TRAINED_SEEDS = (42, 43, 44)
EPOCHS = 3
CURVES = ("train_losses", "test_losses", "train_accuracies", "test_accuracies")


def quadratic(options: argparse.Namespace) -> str:
    """Losses before training, and final test losses beside the published ones."""
    lines = ["| optimizer | protocol | regbench | published | difference |", "|--|--|--|--|--|"]
    for label, (candidate, setting, mean, sd) in PUBLISHED.items():
        for protocol in ("deepobs", "strict"):
            runs = [
                regbench.run(
                    "quadratic_deep", candidate, setting=setting, seed=seed, protocol=protocol, results=options.results
                )
                for seed in PUBLISHED_SEEDS
            ]
            if protocol == "deepobs":
                curves = runs[0].curves
            finals = [run.curves["test_losses"][-1] for run in runs]
            error = math.sqrt((statistics.variance(finals) + sd**2) / len(finals))
            difference = (statistics.fmean(finals) - mean) / error
            lines.append(f"| {label} | {protocol} | {_spread(finals)} | {mean:.3f} ± {sd:.3f} | {difference:+.1f} |")
    initial = f"{curves['test_losses'][0]:.4f} (test) and {curves['valid_losses'][0]:.4f} (validation)"
    return f"Loss before training: {initial}.\n\n" + "\n".join(lines)


def order(options: argparse.Namespace) -> str:
    """What each rule of `strict` does to momentum 0.99, where the other rules are those of `deepobs`."""
    from regbench.engine.run import run

    candidate, setting, _, _ = PUBLISHED["momentum"]
    spec = regbench.run("quadratic_deep", candidate, setting=setting, results=options.results).spec
    lines = ["| rule changed | final test loss, seeds 42 to 71 |", "|--|--|"]
    changes = {
        "none": {},
        "reshuffled every epoch": {"reshuffle": True},
        "every sample evaluated": {"every_sample": True},
    }
    for label, change in changes.items():
        changed = spec.model_copy(update={"protocol": spec.protocol.model_copy(update=change)})
        runs = [run(changed.model_copy(update={"seed": seed})) for seed in range(42, 72)]
        lines.append(f"| {label} | {_spread([one.curves['test_losses'][-1] for one in runs])} |")
    return "\n".join(lines)


def training(options: argparse.Namespace) -> str:
    """Curves of the same trainings by regbench and by the genuine runner, in turn."""
    lines = ["| problem | curve | epoch | regbench | deepobs 1.1.2 | difference |", "|--|--|--|--|--|--|"]
    for problem, learning_rate in TRAINED.items():
        ours, theirs = [], []
        for seed in TRAINED_SEEDS:
            run = regbench.run(
                problem,
                "sgd",
                setting={"optimizer.learning_rate": learning_rate},
                seed=seed,
                epochs=EPOCHS,
                protocol="deepobs-1.1",
                results=options.results,
                data_dir=options.data_dir,
            )
            ours.append(run.curves)
            settings = {"optimizer": "sgd", "learning_rate": learning_rate, "epochs": EPOCHS, "seed": seed}
            theirs.append(genuine.train(problem, options.data_dir, **settings)[0])
        for curve in CURVES:
            for epoch in range(EPOCHS + 1):
                here, there = ([curves[curve][epoch] for curves in runs] for runs in (ours, theirs))
                error = math.sqrt((statistics.variance(here) + statistics.variance(there)) / len(here))
                difference = statistics.fmean(here) - statistics.fmean(there)
                in_errors = f"{difference / error:+.1f}" if error else f"{difference:+.1g} (no spread)"
                lines.append(f"| {problem} | {curve} | {epoch} | {_spread(here)} | {_spread(there)} | {in_errors} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    digits = 3 if abs(values[0]) > 10 else 4
    return f"{statistics.fmean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def write(section: str, table: str) -> None:
    """Replace what stands between the markers of a section of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {section} -->\n", f"<!-- end {section} -->"
    before, rest = text.split(begin)
    DOCUMENT.write_text(before + begin + table + "\n" + end + rest.split(end)[1], encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=("quadratic", "order", "training"))
    parser.add_argument("--data-dir")
    parser.add_argument("--results", help="results tree to use; a temporary one unless given")
    parser.add_argument("--write", action="store_true", help="put the table into docs/fidelity.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        options.results = options.results or temporary
        table = {"quadratic": quadratic, "order": order, "training": training}[options.section](options)
    print(table)
    if options.write:
        write(options.section, table)


if __name__ == "__main__":
    main()
