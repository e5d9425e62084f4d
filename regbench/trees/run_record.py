"""One run as its result file tells it: a record with the values of the columns of `frames.RUNS`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from regbench.errors import printable
from regbench.records import OLD_RAMP, Coupling, Role, code_of, digest_of, problem_definition
from regbench.store import deepobs
from regbench.trees import dialects, fields, run_curves
from regbench.trees.content import Content
from regbench.trees.dialects import RunDefinition
from regbench.trees.instances import instance_of
from regbench.trees.irregularities import Irregularity, NoRunError
from regbench.trees.problem_facts import KnownProblems, ProblemFacts
from regbench.trees.run_curves import Curve, Ending, RunCurves
from regbench.trees.settings import setting_text
from regbench.trees.studies import about_the_study


@dataclass(slots=True)
class ReadRun:
    """The content of one result file; the fields are columns of `frames.RUNS`, documented there.

    `setting_key` is the setting with rounded numbers. `metric` and `goal` are None where nothing says what decides.
    `values`: `final_...` and `best_...`. `setting_digest`: of our files, "" for others. `facts`: what was known of the
    problem when the file was read.
    """

    dialect: str
    problem: str
    optimizer: str
    candidate: str
    coupling: str
    decay: float
    setting: str
    setting_key: str
    protocol: str
    schedule: str
    release: str
    instance: str
    epochs: int
    batch_size: int
    seed: int
    outcome: str
    outcome_inferred: bool
    diverged_epoch: float
    metric: str | None
    goal: str | None
    values: dict[str, float]
    loss_has_penalty: bool
    epochs_to_convergence: float
    training_seconds: float
    step_seconds: float
    digest: str
    setting_digest: str
    problem_digest: str
    data_digest: str
    code: str
    network: str
    search: str
    role: str
    trial: float
    sampler: str
    budget: float
    study_seed: float
    facts: ProblemFacts | None
    irregular: list[Irregularity]


class _Target(NamedTuple):
    """The metric and goal of a problem, and the value that counts as converged."""

    metric: str | None
    goal: str | None
    convergence: float | None


def read_run(content: Content, known: KnownProblems) -> ReadRun:
    """The run in a result file.

    Args:
        content: of the file.
        known: where problems are looked up.

    Raises:
        NoRunError: the file holds no run.
    """
    try:
        return _read_run(content, known)
    except RecursionError as error:
        raise NoRunError("not_a_result", "nested too deeply") from error


def read_metric_curves(content: Content) -> dict[str, Curve]:
    """The curves in a result file by metric; errors as for `read_run`."""
    return _curves(content.table).values


def _read_run(content: Content, known: KnownProblems) -> ReadRun:
    table = content.table
    full_name = fields.read_name(table, "testproblem")
    problem = full_name.removesuffix(dialects.NO_DECAY) or full_name
    facts = known.find(problem)
    epochs = fields.read_integer(table, "num_epochs", 0)
    batch_size = fields.read_integer(table, "batch_size", 1)
    is_ours = "regbench" in table
    ours = fields.read_table(table, "regbench") if is_ours else {}
    definition = (
        dialects.our_definition(table, ours)
        if is_ours
        else dialects.foreign_definition(table, full_name, facts, epochs)
    )
    if is_ours and deepobs.is_altered(table):
        raise NoRunError("altered", "")
    curves, sources = _curves(table), _sources(ours)
    target = _target(facts, ours)
    is_1_2 = definition.protocol != "deepobs-1.1"
    ending = _our_ending(ours) if is_ours else run_curves.infer_ending(curves, epochs, may_be_filled=is_1_2)
    training_seconds, step_seconds = _seconds(ours, content.steps) if is_ours else (math.nan, math.nan)
    setting, setting_key = setting_text(definition.hyperparameters, definition.coupling, definition.decay)
    irregular = [Irregularity("old_ramp", "")] if definition.schedule == OLD_RAMP else []
    irregular += [*curves.irregular, *_about_the_ending(ending, curves, epochs), *_about_the_keys(content)]
    instance = ""
    if not is_ours:
        instance = "" if _has_penalty(definition, ours) else instance_of(problem, batch_size, curves.values)
        irregular += _missing(curves, target.metric)
        irregular += about_the_study(problem, instance, curves.values, may_leak=is_1_2)
    return ReadRun(
        dialect=definition.dialect,
        problem=problem,
        optimizer=definition.optimizer,
        candidate=definition.candidate,
        coupling=definition.coupling,
        decay=definition.decay,
        setting=setting,
        setting_key=setting_key,
        protocol=definition.protocol,
        schedule=definition.schedule,
        release=definition.release,
        instance=instance,
        epochs=epochs,
        batch_size=batch_size,
        seed=fields.read_integer(table, "random_seed", -fields.LARGEST_INTEGER),
        outcome=ending.outcome,
        outcome_inferred=not is_ours,
        diverged_epoch=ending.diverged_epoch,
        metric=target.metric,
        goal=target.goal,
        values=run_curves.final_and_best(curves, target.metric, target.goal),
        loss_has_penalty=_has_penalty(definition, ours),
        epochs_to_convergence=_epochs_to_convergence(curves, target, epochs, ending.outcome),
        training_seconds=training_seconds,
        step_seconds=step_seconds,
        digest=fields.read_name(ours, "digest") if is_ours else "",
        setting_digest=fields.read_name(ours, "setting_digest") if is_ours else "",
        problem_digest=_problem_digest(ours),
        data_digest=ours.get("data_digest", "") if isinstance(ours.get("data_digest", ""), str) else "",
        code=code_of(sources),
        network=code_of({name: sources[name] for name in sources.keys() & {_model(ours)}}),
        **_search(ours),
        facts=facts,
        irregular=irregular,
    )


def _curves(table: Mapping[str, Any]) -> RunCurves:
    ours = fields.read_table_if_any(table, "regbench")
    without_penalty = fields.read_table_if_any(ours, "losses_without_penalty")
    further = fields.read_table_if_any(ours, "metrics")
    return run_curves.read_curves(table, fields.read_integer(table, "num_epochs", 0), without_penalty, further)


def _problem_digest(ours: Mapping[str, Any]) -> str:
    """Of the problem's definition, by which problems of one name are told apart; empty for runs of others."""
    if not ours:
        return ""
    definition = problem_definition(fields.read_table(fields.read_table(ours, "spec"), "problem"))
    try:
        return digest_of(definition)
    except ValueError as error:
        raise NoRunError("not_a_result", "`problem` must hold finite numbers") from error


def _sources(ours: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the user's own code that took part, by its name."""
    told = fields.read_table_if_any(fields.read_table_if_any(ours, "origin"), "sources")
    return {name: fields.read_name(told, name) for name in told}


def _model(ours: Mapping[str, Any]) -> str:
    """The name of what built the network."""
    problem = fields.read_table_if_any(fields.read_table_if_any(ours, "spec"), "problem")
    name = fields.read_table_if_any(problem, "model").get("name")
    return name if isinstance(name, str) else ""


def _search(ours: Mapping[str, Any]) -> dict[str, Any]:
    """The search that made a run, in the words of `searches.SEARCH_COLUMNS`."""
    told = fields.read_table_if_any(ours, "origin")
    if not told:
        nothing = math.nan
        return {"search": "", "role": "", "trial": nothing, "sampler": "", "budget": nothing, "study_seed": nothing}
    role = fields.read_word(told, "role", tuple(Role))
    by_hand = role == Role.BY_HAND
    number = fields.read_number_if_any(told, "number") if role == Role.TRIAL else None
    budget, seed = (fields.read_number_if_any(told, name) for name in ("budget", "seed"))
    return {
        "search": role if by_hand else fields.read_name(told, "search"),
        "role": role,
        "trial": math.nan if number is None else number,
        "sampler": "" if by_hand else fields.read_name(told, "sampler"),
        "budget": math.nan if budget is None else budget,
        "study_seed": math.nan if seed is None else seed,
    }


def _our_ending(ours: Mapping[str, Any]) -> Ending:
    outcome = fields.read_word(ours, "outcome", ("completed", "diverged", "timed_out"))
    epoch = fields.read_number_if_any(ours, "diverged_epoch")
    return Ending(outcome, math.nan if epoch is None else epoch)


def _target(facts: ProblemFacts | None, ours: Mapping[str, Any]) -> _Target:
    """The target by the facts of the problem, else by a file of ours."""
    if facts is not None:
        return _Target(facts.metric, facts.goal, facts.convergence)
    if not ours:
        return _Target(None, None, None)
    problem = fields.read_table(fields.read_table(ours, "spec"), "problem")
    return _Target(
        fields.read_name(problem, "metric"),
        fields.read_word(problem, "goal", ("maximize", "minimize")),
        fields.read_number_if_any(problem, "convergence"),
    )


def _epochs_to_convergence(curves: RunCurves, target: _Target, epochs: int, outcome: str) -> float:
    curve = curves.values.get(f"test_{target.metric}")
    if curve is None or target.goal is None or target.convergence is None:
        return math.nan
    epoch = run_curves.first_reaching(curve, target.convergence, target.goal)
    if epoch is not None:
        return epoch
    return math.nan if outcome in ("cut_short", "timed_out") else epochs + 1


def _has_penalty(definition: RunDefinition, ours: Mapping[str, Any]) -> bool:
    """Whether the losses of a run contain a penalty term that cannot be taken out."""
    if not ours:
        return definition.may_have_penalty
    has_one = definition.coupling == Coupling.L2 or fields.read_table(ours, "spec").get("regularizer") is not None
    return has_one and not ours.get("losses_without_penalty")


def _seconds(ours: Mapping[str, Any], steps: int | None) -> tuple[float, float]:
    """Seconds of training, and of one of its steps."""
    training = fields.read_number(fields.read_table(ours, "timings"), "training_seconds")
    return training, training / steps if steps else math.nan


def _about_the_ending(ending: Ending, curves: RunCurves, epochs: int) -> list[Irregularity]:
    irregular = [] if ending.why is None else [ending.why]
    evaluations = len(next(iter(curves.values.values())))
    if evaluations < epochs + 1:
        irregular.append(Irregularity("cut_short", f"{evaluations} of {epochs + 1} evaluations"))
    return irregular


def _missing(curves: RunCurves, metric: str | None) -> list[Irregularity]:
    irregular = []
    if not {"valid_loss", "valid_accuracy"} & curves.values.keys():
        irregular.append(Irregularity("no_validation", ""))
    if metric == "accuracy" and not any(name.endswith("accuracy") for name in curves.values):
        irregular.append(Irregularity("accuracies_dropped", ""))
    return irregular


def _about_the_keys(content: Content) -> list[Irregularity]:
    irregular = []
    if content.minibatch_twice:
        irregular.append(Irregularity("minibatch_twice", ""))
    both = [
        f"`{newer}` and `{older}`"
        for newer, older in dialects.NEWER_AND_OLDER
        if newer in content.table and older in content.table
    ]
    if both:
        irregular.append(Irregularity("two_dialects", ", ".join(both)))
    if content.repeated_keys:
        irregular.append(Irregularity("repeated_key", ", ".join(printable(key[:40]) for key in content.repeated_keys)))
    return irregular
