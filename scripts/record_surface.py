"""Record a surface: the final values of many settings of one candidate, each run with many seeds.

    python scripts/record_surface.py digits_mlp momentum --output results/surfaces/digits_mlp__momentum.npz

The settings are the trials of one random search of that size; every one of them is trained with every seed. From such a
table searches of any budget can be drawn again and again without training, which is how the claims are calibrated
(`scripts/calibrate`). The file is a NumPy archive of `settings` (JSON, one text a setting), `seeds`, `valid` and `test`
(float32, settings x seeds: the deciding metric after the last epoch; NaN for a run that diverged), `metric`, `goal`,
`chance` (the metric before training, mean over all runs).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from regbench import execution
from regbench.benchmark.searches import Search
from regbench.records import Outcome, RunResult


def main() -> None:
    """Train settings x seeds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("candidate")
    parser.add_argument("--settings", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=11)
    parser.add_argument("--study-seed", type=int, default=7)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    search = Search.of(arguments.problem, arguments.candidate, budget=arguments.settings, seed=arguments.study_seed)
    settings = [trial.setting for trial in search.trials]
    seeds = list(range(42, 42 + arguments.seeds))
    specs = [search.task.spec(setting, seed) for setting in settings for seed in seeds]
    places = {spec.digest(): divmod(number, len(seeds)) for number, spec in enumerate(specs)}
    shape = len(settings), len(seeds)
    valid, test, before = (np.full(shape, np.nan, np.float32) for _ in range(3))

    with execution.machine(0) as machine:
        for result in machine.compute(specs):
            place = places[result.spec.digest()]
            before[place] = result.metric_curve("test")[0]
            if result.outcome == Outcome.COMPLETED:
                valid[place], test[place] = (_last(result, split) for split in ("valid", "test"))
    problem = search.task.problem
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.output,
        settings=np.array([json.dumps(dict(setting), sort_keys=True) for setting in settings]),
        seeds=np.array(seeds),
        valid=valid,
        test=test,
        metric=problem.metric,
        goal=problem.goal,
        chance=np.float64(np.nanmean(before)),
    )


def _last(result: RunResult, split: str) -> float:
    return float(result.metric_curve(split)[-1])


if __name__ == "__main__":
    main()
