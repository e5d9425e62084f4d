"""Print a digest of every curve of two dozen small runs: what a change of the engine must leave as it is, bit for bit.

    python scripts/golden_curves.py --write FILE      before the change
    python scripts/golden_curves.py --against FILE    after it; exits with 1 and names each run that differs

All runs happen in one process, in the same order each time, so that a compiled step used again with other numbers shows
where it does not give what a step of its own would give. Digests are those of one machine and one number of threads.
"""

import argparse
import hashlib
import inspect
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import regbench
from regbench import catalog
from regbench.records import Candidate, Decay, Part, Problem, RunResult


@dataclass(frozen=True)
class Case:
    """A problem and a candidate, trained once with each of the settings."""

    optimizer: dict[str, Any]
    settings: tuple[dict[str, float], ...]
    problem: str | Problem = "digits_mlp"
    decay: Decay = field(default_factory=Decay)
    regularizer: dict[str, Any] | None = None
    schedule: str = "none"


def part(name: str, **arguments: Any) -> dict[str, Any]:
    """A part of a candidate; inner parts are dictionaries too."""
    return {"name": name, "arguments": arguments}


def changed(problem: str, **fields: Any) -> Problem:
    """A bundled problem with other fields."""
    return catalog.problem(problem).model_copy(update=fields)


def decoupled(coupling: str) -> Decay:
    """Decay of this coupling."""
    return Decay.model_validate({"coupling": coupling, "strength": 0.02})


MOMENTUM = part("sgd", learning_rate=0.02, momentum=0.9)
NETWORK = Part(name="dropout_mlp", arguments={"units": [32, 24], "batch_normalization": True, "dropout": 0.3})
CONVOLUTIONS = Part(name="conv_2c2d", arguments={"filters": [4, 6], "units": 16})
ARGUMENT = "optimizer.inner_optimizer"

CASES = {
    "sgd": Case(part("sgd", learning_rate=0.1), ({}, {"optimizer.learning_rate": 0.03}), schedule="cosine"),
    "momentum": Case(MOMENTUM, ({}, {"optimizer.momentum": 0.55}), problem="quadratic_deep"),
    "adam": Case(
        part("adam", learning_rate=0.003, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        ({}, {"optimizer.beta_1": 0.8, "optimizer.beta_2": 0.95, "optimizer.epsilon": 1e-5}),
    ),
    "signed_power": Case(
        part("signed_power", inner_optimizer=MOMENTUM, power=0.5),
        ({}, {"optimizer.power": 0.83, f"{ARGUMENT}.momentum": 0.3}),
        decay=decoupled("decoupled_momentum"),
    ),
    "normalized": Case(
        part("normalized", inner_optimizer=part("rmsprop", learning_rate=0.001, rho=0.9)),
        ({}, {f"{ARGUMENT}.rho": 0.7}),
        regularizer=part("orthogonal", factor=0.01),
    ),
    "clipped": Case(
        part("clipped", inner_optimizer=part("nadam", learning_rate=0.001, beta_1=0.9), norm="max", threshold=0.01),
        ({}, {"optimizer.threshold": 0.003, f"{ARGUMENT}.beta_1": 0.8}),
        decay=decoupled("decoupled"),
    ),
    "lookahead": Case(
        part(
            "lookahead",
            inner_optimizer=part("radam", learning_rate=0.002, beta_2=0.999),
            sync_period=3,
            slow_step_size=0.5,
        ),
        ({}, {"optimizer.slow_step_size": 0.8, "optimizer.sync_period": 7, f"{ARGUMENT}.beta_2": 0.9}),
        schedule="cosine",
    ),
    "l2": Case(
        part("sgd", learning_rate=0.05, momentum=0.9, nesterov=True),
        ({}, {"decay.strength": 0.2}),
        decay=decoupled("l2"),
    ),
    "decoupled_constant": Case(
        part("adabelief", learning_rate=0.001, epsilon=1e-14),
        ({}, {"decay.strength": 0.002, "optimizer.epsilon": 1e-8}),
        decay=decoupled("decoupled_constant"),
    ),
    "eigenvalue_decay": Case(
        part("adabound", learning_rate=0.003, gamma=0.001),
        ({}, {"regularizer.factor": 0.05, "optimizer.gamma": 0.01}),
        regularizer=part("eigenvalue_decay", factor=0.002, warm_start=False),
    ),
    "dropout_and_batch_normalization": Case(
        MOMENTUM, ({}, {"optimizer.momentum": 0.5}), problem=changed("digits_mlp", model=NETWORK)
    ),
    "augmentation": Case(
        part("adam", learning_rate=0.003, beta_2=0.999),
        ({}, {"optimizer.beta_2": 0.9}),
        problem=changed("digits_2c2d", model=CONVOLUTIONS, augmentation="silhouettes"),
        decay=decoupled("decoupled"),
    ),
    "eigenvalue_decay_carried": Case(
        part("adabound", learning_rate=0.003, gamma=0.001),
        ({}, {"regularizer.factor": 0.05, "optimizer.gamma": 0.01}),
        regularizer=part("eigenvalue_decay", factor=0.002),
    ),
}


def results() -> dict[str, RunResult]:
    """All runs, by the name of the case and the number of the setting."""
    tree = "results" if "results" in inspect.signature(regbench.run).parameters else "output"
    found = {}
    for name, case in CASES.items():
        candidate = Candidate.model_validate(
            {
                "name": name,
                "summary": "",
                "source": "",
                "optimizer": case.optimizer,
                "regularizer": case.regularizer,
                "decay": case.decay,
            }
        )
        for number, setting in enumerate(case.settings):
            with tempfile.TemporaryDirectory() as folder:
                found[f"{name} {number}"] = regbench.run(
                    case.problem,
                    candidate,
                    setting=setting,
                    seed=42 + number,
                    epochs=2,
                    schedule=case.schedule,
                    **{tree: folder},
                )
    return found


def digest(result: RunResult) -> str:
    """Of everything that training and evaluation computed."""
    computed = result.model_dump(
        mode="json", include={"outcome", "curves", "losses_without_penalty", "final_weight_norm", "shrinkage"}
    )
    return hashlib.sha256(json.dumps(computed, sort_keys=True).encode()).hexdigest()


def main() -> int:
    """Print, write or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help="put the digests into this file")
    parser.add_argument("--against", type=Path, help="compare with the digests in this file")
    options = parser.parse_args()
    digests = {}
    for name, result in results().items():
        digests[name] = digest(result)
        print(f"{digests[name]}  {name} ({result.outcome}{result.reason and f': {result.reason}'})")
    if options.write:
        options.write.write_text(json.dumps(digests, indent=1))
    if options.against is None:
        return 0
    before = json.loads(options.against.read_text())
    differing = [name for name in before | digests if before.get(name) != digests.get(name)]
    for name in differing:
        print(f"differs: {name}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
