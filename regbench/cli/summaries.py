"""What came of data sets, runs and searches: as plain data for programs, and as text."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal as readable_size

from regbench.catalog import frameworks
from regbench.cli import terminal
from regbench.datasets import Finding
from regbench.records import Outcome, RunResult, Scalar

if TYPE_CHECKING:
    from regbench.benchmark.standings import Standing


def show_findings(findings: Sequence[Finding], form: str) -> None:
    """Print how it stands with data sets."""
    if form != "table":
        terminal.show_rows([_finding(finding) for finding in findings], form)
        return
    columns = ["data set", "state", "size", "folder", "details"]
    rows = [
        (one.dataset, one.state, readable_size(one.size) if one.size else "", one.folder, "; ".join(one.details))
        for one in findings
    ]
    terminal.show_table(columns, rows, right=["size"])


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "dataset": finding.dataset,
        "state": finding.state,
        "folder": None if finding.folder is None else str(finding.folder),
        "size": finding.size,
        "details": finding.details,
    }


def show_run(result: RunResult, path: Path | None, was_found: bool, form: str) -> None:
    """Print a run.

    Args:
        result: the run.
        path: its file.
        was_found: it lay in the results tree already.
        form: "json", or "table" for people.
    """
    if form == "json":
        terminal.show_json(_run(result, path, was_found))
        return
    spec, outcome = result.spec, result.outcome.replace("_", " ")
    reason = f": {result.reason}" if result.reason else ""
    lines = [
        f"{spec.problem.name} with {spec.candidate}: {outcome}{reason}",
        f"seed {spec.seed}, protocol {spec.protocol.name}, epochs {spec.epochs}, batch size {spec.batch_size}, "
        f"schedule {spec.schedule.title}, decay {spec.decay.coupling} {terminal.number(spec.decay_strength)}",
        short_setting(spec.setting),
    ]
    if result.outcome == Outcome.DIVERGED:
        filled = spec.protocol.fills_diverged
        lines.append(f"Diverged; its curves {'are filled with the values before training' if filled else 'go on'}:")
    terminal.show_text("\n".join(lines))
    if result.curves:
        final = _final_values(result)
        usual = "loss", "loss_without_penalty", "accuracy"
        names = list(dict.fromkeys([*usual, *(name for values in final.values() for name in values)]))
        columns = ["split", *("without penalty" if name == "loss_without_penalty" else name for name in names)]
        rows = [(split, *(terminal.number(values.get(name)) for name in names)) for split, values in final.items()]
        terminal.show_table(columns, rows, right=columns[1:])
    if result.decay_share is not None:
        left = "" if result.shrinkage is None else f"; alone it leaves {result.shrinkage:.4g} of a weight"
        terminal.show_text(f"Decay: {result.decay_share:.3g} of all changes{left}")
    timings = result.timings
    found = ", found in the results and not run again" if was_found else ""
    terminal.show_text(
        f"{timings.total_seconds:.1f} s: training {timings.training_seconds:.1f} s, evaluation "
        f"{timings.evaluation_seconds:.1f} s, compilation {timings.compile_seconds:.1f} s{found}\n{path}"
    )


def _run(result: RunResult, path: Path | None, was_found: bool) -> dict[str, Any]:
    spec = result.spec
    return {
        "problem": spec.problem.name,
        "candidate": spec.candidate,
        "setting": spec.setting,
        "decay": {"coupling": spec.decay.coupling, "strength": spec.decay_strength},
        "seed": spec.seed,
        "epochs": spec.epochs,
        "batch_size": spec.batch_size,
        "schedule": spec.schedule.model_dump(mode="json"),
        "protocol": spec.protocol.name,
        "outcome": result.outcome,
        "reason": result.reason,
        "diverged_epoch": result.diverged_epoch,
        "final": {
            split: {name: value if math.isfinite(value) else None for name, value in values.items()}
            for split, values in _final_values(result).items()
        },
        "shrinkage": result.shrinkage,
        "decay_share": result.decay_share,
        "gradient_evaluations": result.gradient_evaluations,
        "timings": result.timings.model_dump(),
        "was_found": was_found,
        "path": None if path is None else str(path),
    }


def _final_values(result: RunResult) -> dict[str, dict[str, float]]:
    """The last value of each curve, by split and name."""
    names = {"loss": result.curves, "loss_without_penalty": result.losses_without_penalty, "accuracy": result.curves}
    final: dict[str, dict[str, float]] = {}
    for split in ("train", "valid", "test"):
        for name, curves in names.items():
            curve = curves.get(f"{split}_{'accuracies' if name == 'accuracy' else 'losses'}")
            if curve:
                final.setdefault(split, {})[name] = curve[-1]
        for name, curve in result.metrics.items():
            if name.startswith(f"{split}_"):
                final.setdefault(split, {})[name.removeprefix(f"{split}_")] = curve[-1]
    return final


def show_standings(standings: Sequence["Standing"], form: str) -> None:
    """Print a ranking, best first; for programs a number that is not finite becomes null."""
    if form != "table":
        plain = [{"rank": rank} | json.loads(one.model_dump_json()) for rank, one in enumerate(standings, 1)]
        terminal.show_rows(plain, form)
        return
    metrics = [f"{split} {standings[0].metric}" for split in ("valid", "test")]
    # Told where candidates were given different ones.
    works = len({one.gradients for one in standings if one.gradients is not None}) > 1
    columns = ["#", "candidate", "coupling", "best setting", *metrics, "diverged", *["gradients"] * works, "seconds"]
    rows = [
        (
            rank,
            one.candidate,
            one.coupling,
            "no trial completed" if one.setting is None else short_setting(one.setting),
            _mean_and_deviation(one.valid_mean, one.valid_sd),
            _mean_and_deviation(one.test_mean, one.test_sd),
            f"{one.diverged_trials}/{one.trials}",
            *[one.gradients] * works,
            f"{one.seconds:.1f}",
        )
        for rank, one in enumerate(standings, 1)
    ]
    terminal.show_table(columns, rows, right=["#", "diverged", "gradients", "seconds"])
    of_work = " gradients of a run;" if works else ""
    terminal.show_text(
        f"\nMean +- standard deviation over {_seeds(standings)}; diverged trials;{of_work} seconds of all runs."
    )
    on_seconds = frameworks.on_seconds({one.candidate: one.runs[0].spec.optimizer for one in standings if one.runs})
    if on_seconds:
        terminal.show_text(on_seconds)
    for one in standings:
        if one.diverged_seeds:
            counts = f"{one.diverged_seeds} of {len(one.seeds)} seeds diverged"
            values = "before training" if one.runs[0].spec.protocol.fills_diverged else "after the divergence"
            terminal.show_text(f"{one.candidate}: {counts}, and count with their values {values}.")
        if one.unfinished:
            terminal.show_text(f"{one.candidate}: {one.unfinished} runs failed or timed out.")


def _seeds(standings: Sequence["Standing"]) -> str:
    counts = {one.candidate: len(one.seeds) for one in standings}
    if len(set(counts.values())) == 1:
        return f"{len(standings[0].seeds)} seeds"
    return f"the seeds ({', '.join(f'{name} {count}' for name, count in counts.items())})"


def _mean_and_deviation(mean: float | None, deviation: float | None) -> str:
    return terminal.number(mean) + ("" if deviation is None else f" +- {deviation:.2g}")


def short_setting(setting: Mapping[str, Scalar]) -> str:
    """A setting in one line: values by name; the optimizer's own go without its prefix."""
    pairs = (
        (name.removeprefix("optimizer."), terminal.number(value) if isinstance(value, float) else value)
        for name, value in setting.items()
    )
    return ", ".join(f"{name} {value}" for name, value in pairs) or "nothing is searched"
