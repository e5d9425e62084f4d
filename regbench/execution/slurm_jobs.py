"""The jobs of SLURM in which a search is computed: the file that describes them, and what dask-jobqueue is told."""

import json
import math
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from regbench.catalog.reading import describe
from regbench.errors import DefinitionError
from regbench.records import Record

Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, StringConstraints(min_length=1)]
Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\n]*$")]
# SLURM's "minutes", "minutes:seconds", "hours:minutes:seconds" and "days-hours[:minutes[:seconds]]".
Walltime = Annotated[str, StringConstraints(pattern=r"^(\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2})$")]


class Jobs(Record):
    """The jobs in which the runs of a search are computed; what is not given is left to SLURM and dask-jobqueue.

    Args:
        jobs: how many there are at a time; one that ends is replaced.
        walltime: as SLURM spells it. A run must fit into it.
        cores_per_job: shared evenly by the workers of the job.
        workers_per_job: each computes one run at a time.
        gpus_per_job: shared in turn by the workers of the job, each of which sees one.
        memory_gib_per_job: `--mem`; without it the job asks for no memory.
        partition: `--partition`.
        account: `--account`.
        directives: further arguments of `sbatch`, each a line `#SBATCH ...`.
        prologue: shell lines before the workers start: modules, environments, variables.
        python: the interpreter that has regbench on the nodes.
        interface: the network interface by which driver and workers speak, such as `ib0`.
        local_directory: scratch space of the workers on the nodes.
        log_directory: where the jobs' output goes.
    """

    jobs: Count
    walltime: Walltime
    cores_per_job: Count = 1
    workers_per_job: Count = 1
    gpus_per_job: Count | None = None
    memory_gib_per_job: Annotated[float, Field(gt=0)] | None = None
    partition: Text | None = None
    account: Text | None = None
    directives: tuple[Line, ...] = ()
    prologue: tuple[Line, ...] = ()
    python: Text | None = None
    interface: Text | None = None
    local_directory: Text | None = None
    log_directory: Text | None = None


def read_jobs(path: Path) -> Jobs:
    """Read the file of `--cluster slurm:FILE.toml`.

    Raises:
        DefinitionError: it cannot be read, or does not hold together.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        # A walltime without quotes is a time to TOML, and reads the same.
        return Jobs.model_validate_json(json.dumps(table, default=str))
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path}: not valid TOML: {error}") from error
    except ValidationError as invalid:
        raise DefinitionError(f"{path}: {describe(invalid, Jobs)}") from invalid


def job_options(jobs: Jobs, path: Path, threads: int | None = None) -> dict[str, Any]:
    """What `SLURMCluster` is told; `path` is for messages.

    Raises:
        DefinitionError: the workers of a job need more cores than it has.
    """
    import dask
    from distributed.security import Security

    threads = threads or max(1, jobs.cores_per_job // jobs.workers_per_job)
    if threads * jobs.workers_per_job > jobs.cores_per_job:
        raise DefinitionError(
            f"{path}: cores_per_job: must be at least {threads * jobs.workers_per_job}, for {jobs.workers_per_job} "
            f"workers of {threads} threads. Received: {jobs.cores_per_job!r}"
        )
    memory = jobs.memory_gib_per_job
    environment = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": 1, "TF_CPP_MIN_LOG_LEVEL": 3}
    directives = [f"--gres=gpu:{jobs.gpus_per_job}"] if jobs.gpus_per_job else []
    return {
        "cores": jobs.workers_per_job,  # Dask's: one thread a worker, because a worker computes one run at a time
        "processes": jobs.workers_per_job,
        "job_cpu": jobs.cores_per_job,
        "memory": "1GiB",  # Dask insists on a limit, which we take away again below
        "job_mem": None if memory is None else f"{math.ceil(memory * 1024)}M",
        "job_directives_skip": ["--mem="] if memory is None else [],
        "job_extra_directives": [*directives, *jobs.directives],
        "walltime": jobs.walltime,
        "queue": jobs.partition,
        "account": jobs.account,
        "job_name": "regbench",
        "job_script_prologue": [*jobs.prologue, *(f"export {key}={value}" for key, value in environment.items())],
        # Dask would stop giving runs to a worker that holds much memory, and the search would hang.
        "worker_extra_args": ["--memory-limit", "0", "--no-dashboard"],
        "python": None if jobs.python is None else shlex.quote(jobs.python),
        "interface": jobs.interface,
        "local_directory": jobs.local_directory,
        "log_directory": jobs.log_directory,
        "security": Security() if dask.config.get("distributed.comm.require-encryption") else None,
        # Any free port: two searches may run at the same time. It need not be seen from other machines.
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
    }
