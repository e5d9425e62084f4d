"""All runs of a results tree, and what is irregular in it.

The rules by which runs belong together:

* A setting is what has the same values to 11 significant digits (as DeepOBS prints them), whatever the folders are
  called; it is shown with the values of its lowest seed.
* Of several runs of one seed of one setting the newest complete one counts; the moment is that in the file's name.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from regbench.errors import ResultsError
from regbench.records import Manifest
from regbench.store import manifests
from regbench.trees import cache as result_cache
from regbench.trees.content import parse, read_bytes
from regbench.trees.irregularities import Irregularity, NoRunError
from regbench.trees.problem_facts import KnownProblems, ProblemFacts
from regbench.trees.run_record import ReadRun, read_run
from regbench.trees.scan import FoundFile, Scan, scan
from regbench.trees.studies import about_the_space

_MOMENT = re.compile(r"__(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)\.json$", re.ASCII)
_PACKED = tuple(field.name for field in fields(ReadRun))
_TRANSIENT = ("unreadable",)


@dataclass(slots=True)
class TreeRun:
    """A run and where it lies: its `path`, and `file`, the path below the tree's root, fit for printing."""

    path: str
    file: str
    moment: datetime | None
    run: ReadRun
    superseded: bool = False


class Tree(NamedTuple):
    """The runs of a tree by path.

    `others`: what holds no run, by path below the root; `files`: how many there are; `searches`: on record.
    """

    root: str
    runs: list[TreeRun]
    others: list[tuple[str, Irregularity]]
    files: int
    searches: list[Manifest]


def read_tree(path: str | os.PathLike[str], *, cache: bool = True) -> Tree:
    """Read all runs of a tree, at whatever level it is given.

    Args:
        path: a folder, or a single file.
        cache: use what is known of files that did not change.

    Raises:
        ResultsError: there is no such folder or file, or it cannot be listed.
        DefinitionError: the file of one of its problems does not hold together.
    """
    scanned = scan(path)
    runs, others = _read_files(scanned, cache)
    searches, damaged = _read_manifests(scanned)
    others += damaged
    _settle_metrics(runs)
    _settle_spaces(runs)
    _mark_groups(runs)
    return Tree(
        scanned.root, runs, sorted([*scanned.others, *others]), len(scanned.files) + len(scanned.others), searches
    )


def _read_files(scanned: Scan, cache: bool) -> tuple[list[TreeRun], list[tuple[str, Irregularity]]]:
    known_problems = KnownProblems()
    recalled = result_cache.recall(scanned.root, scanned.files) if cache else result_cache.Recalled({}, True)
    fresh: dict[str, Any] = {}
    runs: list[TreeRun] = []
    others: list[tuple[str, Irregularity]] = []
    for file in scanned.files:
        answer = _unpack(recalled.contents.get(file.path), known_problems)
        if answer is None:
            answer = _read_file(file, known_problems)
            if isinstance(answer, ReadRun) or answer.kind not in _TRANSIENT:
                fresh[file.path] = _pack(answer)
        if isinstance(answer, ReadRun):
            runs.append(TreeRun(file.path, file.file, _moment(file.path), answer))
        else:
            others.append((file.file, answer))
    if cache and (fresh or not recalled.is_current):
        result_cache.remember(scanned.root, scanned.files, fresh)
    return runs, others


def _read_manifests(found: Scan) -> tuple[list[Manifest], list[tuple[str, Irregularity]]]:
    """The records of searches; one that is copied to two places counts once, the further one."""
    by_digest: dict[str, Manifest] = {}
    damaged = []
    for file in found.manifests:
        try:
            manifest = manifests.read(Path(file.path))
        except ResultsError as error:
            damaged.append((file.file, Irregularity("damaged_manifest", str(error))))
            continue
        known = by_digest.get(manifest.digest)
        if known is None or known.progress() < manifest.progress():
            by_digest[manifest.digest] = manifest
    return list(by_digest.values()), damaged


def _read_file(file: FoundFile, known: KnownProblems) -> ReadRun | Irregularity:
    try:
        return read_run(parse(read_bytes(file.path)), known)
    except NoRunError as error:
        return error.irregularity


def _pack(answer: ReadRun | Irregularity) -> list[Any]:
    return list(answer) if isinstance(answer, Irregularity) else [getattr(answer, name) for name in _PACKED]


def _unpack(packed: list[Any] | None, known: KnownProblems) -> ReadRun | Irregularity | None:
    """Restore a packed run or irregularity; None where the facts of its problem have changed since."""
    if packed is None:
        return None
    if len(packed) == len(Irregularity._fields):
        return Irregularity(*packed)
    run = ReadRun(*packed)
    run.facts = None if run.facts is None else ProblemFacts(*run.facts)
    run.irregular = [Irregularity(*one) for one in run.irregular]
    return run if known.find(run.problem) == run.facts else None


def _moment(path: str) -> datetime | None:
    match = _MOMENT.search(path)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _settle_metrics(runs: Iterable[TreeRun]) -> None:
    """On a problem of which nothing is known, accuracies decide where any run has them."""
    with_accuracy = {one.run.problem for one in runs if "final_test_accuracy" in one.run.values}
    for one in runs:
        if one.run.metric is None:
            has_accuracy = one.run.problem in with_accuracy
            one.run.metric, one.run.goal = ("accuracy", "maximize") if has_accuracy else ("loss", "minimize")


def _settle_spaces(runs: Iterable[TreeRun]) -> None:
    """Runs that do not tell their space were drawn from the same as the others of their search, if these agree."""
    searches: dict[tuple[Any, ...], list[ReadRun]] = defaultdict(list)
    for one in runs:
        run = one.run
        searches[run.dialect, run.problem, run.candidate, run.coupling, run.schedule].append(run)
    for members in searches.values():
        usual = about_the_space(run.release for run in members)
        for run in members:
            run.release = run.release or usual
            if run.release:
                run.irregular.append(Irregularity(f"space_of_{run.release}", ""))


def _mark_groups(runs: Iterable[TreeRun]) -> None:
    settings: dict[tuple[Any, ...], list[TreeRun]] = defaultdict(list)
    for one in runs:
        run = one.run
        of_problem = (run.problem, run.instance, run.protocol, run.schedule, run.epochs, run.batch_size)
        entry = (*of_problem, run.candidate, run.coupling, run.release)
        # Where it is on record what made a run, it is also told which runs are of one setting, to the last bit.
        # Own code and data that changed make another run of what has the same values.
        setting = (run.setting_digest, run.code, run.data_digest) if run.role else (run.setting_key,)
        settings[*entry, *setting].append(one)
    for members in settings.values():
        if len(members) > 1:
            _unify(members)
            _mark_splits(members)
            _mark_repeats(members)


def _unify(members: list[TreeRun]) -> None:
    setting = min(members, key=_age).run.setting
    for one in members:
        if one.run.setting != setting:
            one.run.irregular.append(Irregularity("rounded_values", f"it has {one.run.setting}"))
            one.run.setting = setting


def _mark_splits(members: list[TreeRun]) -> None:
    folders = {os.path.dirname(one.path) for one in members}  # noqa: PTH120  strings are quick
    if len(folders) > 1:
        for one in members:
            one.run.irregular.append(Irregularity("split_setting", f"in {len(folders)} folders"))
    specs = {one.run.setting_digest for one in members if one.run.setting_digest}
    if len(specs) > 1:
        for one in members:
            one.run.irregular.append(Irregularity("mixed_specs", f"of {len(specs)} definitions"))


def _mark_repeats(members: list[TreeRun]) -> None:
    seeds: dict[int, list[TreeRun]] = defaultdict(list)
    for one in members:
        seeds[one.run.seed].append(one)
    for repeats in seeds.values():
        *older, counted = sorted(repeats, key=lambda one: (_is_complete(one.run), _age(one)[1:]))
        for one in older:
            one.superseded = True
            one.run.irregular.append(Irregularity("repeated_seed", f"seed {one.run.seed}; {counted.file} counts"))


def _age(one: TreeRun) -> tuple[int, datetime, str]:
    return one.run.seed, one.moment or datetime.min, one.path


def _is_complete(run: ReadRun) -> bool:
    return run.outcome in ("completed", "diverged")
