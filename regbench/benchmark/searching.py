"""The search: tune every candidate with the same budget, choose its winner, run the winner with further seeds.

What was run is found in the results tree and not run again: a call that was interrupted goes on where it stopped when
it is made again. `searches.Search` says which runs those are.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from regbench import catalog, execution
from regbench.benchmark import completion, estimate
from regbench.benchmark.changes import checked_changes
from regbench.benchmark.data import tell_memory
from regbench.benchmark.decay_effect import unseen_decay
from regbench.benchmark.equal_work import with_equal_work
from regbench.benchmark.events import Progress, Warn, numbered
from regbench.benchmark.finding import Baselines, bundle_of
from regbench.benchmark.recording import SearchRecord
from regbench.benchmark.running import check_data, conditions
from regbench.benchmark.searches import Search, searches_of
from regbench.benchmark.standings import Done, Standing, as_one, ranked, standing
from regbench.benchmark.trying import check_builds
from regbench.errors import DefinitionError
from regbench.execution import Machine, Workers
from regbench.records import TUNING_SEED, Candidate, Problem, Protocol, Role, RunResult, Schedule
from regbench.store.bundle import Bundle
from regbench.store.folder import Folder
from regbench.tuning import tune


def search(
    problem: str | Problem,
    candidates: str | Candidate | Sequence[str | Candidate],
    *,
    budget: str | int = "medium",
    sampler: str = "random",
    ranges: str | Path | None = None,
    seed: int = TUNING_SEED,
    reruns: int | None = None,
    searches: int = 1,
    epochs: int | None = None,
    equal: str = "epochs",
    batch_size: int | None = None,
    schedule: Schedule | str = "none",
    protocol: str | Protocol = "deepobs",
    workers: Workers | int = 0,
    retries: int = execution.RETRIES,
    results: str | Path = "results",
    baselines: Baselines = "bundled",
    fresh: bool = False,
    data_dir: str | Path | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> list[Standing]:
    """Give every candidate the same tuning budget on a problem, and rank the winners over further seeds.

    Args:
        problem: a test problem, or the name of one.
        candidates: candidates or their names, or one of them; `base+part` as in `catalog.candidate`.
        budget: "one_shot" (the defaults), "small", "medium", "large", or a number of trials.
        sampler: "random" (the published points of each budget, those of "large" from narrowed ranges after the 50th),
            "narrowed", "tpe", "qmc" or "grid".
        ranges: of the trials of "large" after the 50th: "published", or a TOML file; those that the ten best of the
            search's own first 50 leave unless given.
        seed: of the draws, and of every trial's training.
        reruns: seeds `seed + 1` ... that the winner is run with; the protocol's number unless given.
        searches: how many searches of each candidate, with study seeds `seed`, `seed + 1000`, ...; together they are
            one entry of a comparison, of which more can be said. Each runs its winner with two further seeds unless
            `reruns` is given.
        epochs: the problem's own number unless given; likewise `batch_size`.
        equal: "epochs", or "gradients": a candidate of which a step takes several gradients then gets so many times
            fewer epochs.
        schedule: name of a learning-rate schedule, or a `Schedule` (needed for `step`).
        protocol: an evaluation protocol, or the name of one.
        workers: where runs are computed; a number means so many processes on this machine, 0 this process.
        retries: how often a run is tried again that the machine lost: its process died, memory or disk failed.
        results: results tree; what is in it is not run again.
        baselines: "bundled" copies runs that come with regbench into the tree in place of making them; "none" makes
            them all here.
        fresh: search also where code, definition or space changed since a search that is on record; what was made by
            other code is then made anew, beside what is there.
        data_dir: data folder; None searches the usual places.
        max_seconds: give up a run after the epoch that ends later than this.
        progress: called with every run that is there.
        warn: called with a line on every file in the results tree that had to be skipped.

    Returns:
        One standing a candidate, best first.

    Raises:
        RegbenchError: the input is at fault; the message says what, in one line.
        KeyboardInterrupt: Ctrl-C was pressed. The first finishes the runs that have begun, the second stops at once.
    """
    declared: Iterable[Search] = searches_of(
        candidates,
        problem=problem,
        budget=budget,
        sampler=sampler,
        ranges=ranges,
        seed=seed,
        reruns=catalog.FEW_RERUNS if reruns is None and searches > 1 else reruns,
        epochs=epochs,
        batch_size=batch_size,
        schedule=schedule,
        protocol=protocol,
    )
    if retries < 0:
        raise DefinitionError(f"`retries` must not be negative. Received: retries={retries!r}")
    workers = Workers(workers) if isinstance(workers, int) else workers
    declared = with_equal_work(list(declared), equal, workers)
    all_searches = [one for search in declared for one in search.declared_as_one(searches)]
    told_of_candidates = check_builds([one.task for one in all_searches], workers)
    dataset = all_searches[0].task.problem.dataset
    if workers.cluster is None:  # the workers of a cluster have data of their own
        check_data(dataset, data_dir)
        tell_memory(dataset, warn)
    folder = Folder(results, warn)
    for line in told_of_candidates:
        folder.warn(line)
    bundle = bundle_of(baselines, folder.warn)
    told = conditions(
        data_dir,
        max_seconds,
        data_are_elsewhere=workers.cluster is not None,
        sources={name: digest for one in all_searches for name, digest in one.sources.items()},
    )
    all_searches = [checked_changes(one, folder, told, fresh) for one in all_searches]
    folder.check_writable()
    with execution.machine(workers, told, retries=retries, finish=True, warn=folder.warn) as machine:
        done = [_search_one(one, folder, bundle, machine, progress) for one in all_searches]
    each = [done[start : start + searches] for start in range(0, len(done), searches)]
    return ranked([as_one(together) for together in each])


def _search_one(
    search: Search, folder: Folder, bundle: Bundle | None, machine: Machine, progress: Progress | None
) -> Done:
    """Tune, choose, re-run."""
    name = catalog.current_name(search.task.candidate.name)
    record = SearchRecord(search, folder)
    study = search.study()
    trials = _tune(search, study, record, folder, bundle, machine, numbered(progress, name, "trials", study.trials))

    position = tune.best(trials, search.task.problem.goal)
    best = [] if position is None else [trials[position].spec]
    reruns = search.reruns(best)
    record.choose(position, reruns)

    of_winner = [search.origin(Role.TRIAL, position or 0)] * len(best)
    # Read again, with the curves.
    winners = completion.complete(best, folder, machine, lambda *_: None, bundle=bundle, origins=of_winner)
    origins = [search.origin(Role.RERUN, number) for number in range(len(reruns))]
    report = numbered(progress, name, "re-runs", len(reruns))
    again = completion.complete(reruns, folder, machine, report, bundle=bundle, origins=origins)
    record.close([*trials, *again])
    estimate.record([*trials, *again])

    completion.tell_different_data([*trials, *again], folder)
    winner = winners[0] if winners else None
    if unseen := unseen_decay([*winners, *again]):
        folder.warn(unseen)
    return Done(search, standing(search, trials, winner, again), winner)


def _tune(
    search: Search,
    study: tune.Study,
    record: SearchRecord,
    folder: Folder,
    bundle: Bundle | None,
    machine: Machine,
    report: completion.Report,
) -> list[RunResult]:
    """All trials, in their order, in brief.

    A sampler that learns is asked for as many trials at a time as are computed at a time, and told of all of them
    before it is asked again: so its questions do not depend on which worker was faster, or on an interruption.
    """

    def keep_and_report(result: RunResult, was_found: bool) -> None:
        record.keep(result)
        report(result, was_found)

    results: list[RunResult] = []
    for numbers in study.rounds(machine.capacity):
        settings = [study.ask(number) for number in numbers]
        specs = [search.trial(setting) for setting in settings]
        record.narrow(study.ranges)
        record.add_trials(specs)
        origins = [search.origin(Role.TRIAL, number) for number in numbers]
        of_round = completion.complete(
            specs, folder, machine, keep_and_report, bundle=bundle, origins=origins, brief=True
        )
        once: set[str] = set()
        for result in of_round:
            digest = result.spec.digest()
            if digest in once:  # a draw from few choices came again
                report(result, True)
            once.add(digest)
        for number, setting, result in zip(numbers, settings, of_round, strict=True):
            study.tell(number, setting, tune.score_of(result), tune.loss_of(result))
        results += of_round
    return results
