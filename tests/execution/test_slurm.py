"""Jobs of SLURM: the file that describes them, the script they become, and that those that end are replaced.

The commands of SLURM are stood in for by scripts that start processes; `scripts/slurm_drill.py` does it on a real one.
"""

import os
import subprocess
import sys
import time

import dask
import pytest

from regbench.errors import DefinitionError
from regbench.execution import slurm
from regbench.execution.slurm import new_cluster, slurm_cluster
from regbench.execution.slurm_jobs import Jobs, job_options, read_jobs

ENOUGH = 'jobs = 2\nwalltime = "01:00:00"\n'


@pytest.fixture
def write(tmp_path):
    """Writes a file of jobs."""

    def write(text):
        path = tmp_path / "slurm.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def cluster_of(path, warn=lambda _: None):
    return slurm_cluster(read_jobs(path), path, warn=warn)


def test_all_keys_are_read(write):
    text = """
        jobs = 8
        walltime = "1-12:00:00"
        cores_per_job = 16
        workers_per_job = 4
        gpus_per_job = 4
        memory_gib_per_job = 62.5
        partition = "gpu"
        account = "optimizers"
        directives = ["--constraint=a100"]
        prologue = ["module load cuda"]
        python = "/opt/regbench/bin/python"
        interface = "ib0"
        local_directory = "/scratch"
        log_directory = "logs"
    """
    jobs = read_jobs(write(text))
    assert jobs.model_fields_set == set(Jobs.model_fields)
    assert (jobs.jobs, jobs.gpus_per_job, jobs.memory_gib_per_job, jobs.directives) == (
        8,
        4,
        62.5,
        ("--constraint=a100",),
    )


@pytest.mark.parametrize(
    "walltime", ['"90"', '"90:00"', '"01:30:00"', '"2-0"', '"2-00:30"', '"2-00:30:00"', "01:30:00"]
)
def test_walltime_may_be_spelled_as_slurm_does(walltime, write):
    assert read_jobs(write(f"jobs = 1\nwalltime = {walltime}\n")).walltime == walltime.strip('"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('walltime = "60"', "jobs: this key is required."),
        ("jobs = 2", "walltime: this key is required."),
        (ENOUGH + "gpus_per_jobs = 1", "gpus_per_jobs: there is no such key. Did you mean `gpus_per_job`?"),
        (ENOUGH + "zzz = 1", "zzz: there is no such key."),
        ('jobs = 0\nwalltime = "60"', "jobs: Input should be greater than or equal to 1. Received: 0"),
        ('jobs = "2"\nwalltime = "60"', "jobs: Input should be a valid integer. Received: '2'"),
        ('jobs = true\nwalltime = "60"', "jobs: Input should be a valid integer. Received: True"),
        ("jobs = 2\nwalltime = 60", "walltime: Input should be a valid string. Received: 60"),
        ('jobs = 2\nwalltime = "an hour"', "walltime: String should match pattern"),
        (ENOUGH + "memory_gib_per_job = -1", "memory_gib_per_job: Input should be greater than 0. Received: -1"),
        (ENOUGH + "memory_gib_per_job = inf", "memory_gib_per_job: "),
        (ENOUGH + 'directives = "-x"', "directives: Input should be a valid array. Received: '-x'"),
        (ENOUGH + 'prologue = ["a", 1]', "prologue.1: Input should be a valid string. Received: 1"),
        (ENOUGH + 'directives = ["a\\nrm b"]', "directives.0: String should match pattern"),
        (ENOUGH + 'partition = ""', "partition: String should have at least 1 character. Received: ''"),
        ("jobs = ", "not valid TOML"),
    ],
)
def test_file_that_does_not_hold_together_is_refused(text, message, write):
    path = write(text)
    with pytest.raises(DefinitionError) as refused:
        read_jobs(path)
    assert str(refused.value).startswith(f"{path}: {message}")
    assert "\n" not in str(refused.value)


def test_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match=r"none\.toml: cannot be read: No such file or directory"):
        read_jobs(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "threads", "in_script"),
    [
        (ENOUGH, None, 1),
        (ENOUGH + "cores_per_job = 8", None, 8),
        (ENOUGH + "cores_per_job = 8\nworkers_per_job = 3", None, 2),
        (ENOUGH + "cores_per_job = 8\nworkers_per_job = 4", 1, 1),
    ],
)
def test_workers_share_the_cores_of_their_job(text, threads, in_script, write):
    path = write(text)
    assert (
        f"export TF_NUM_INTRAOP_THREADS={in_script}"
        in job_options(read_jobs(path), path, threads)["job_script_prologue"]
    )


@pytest.mark.parametrize(
    ("text", "threads", "message"),
    [
        (ENOUGH, 2, "must be at least 2, for 1 workers of 2 threads. Received: 1"),
        (ENOUGH + "workers_per_job = 4", None, "must be at least 4, for 4 workers of 1 threads. Received: 1"),
    ],
)
def test_job_must_have_cores_for_its_workers(text, threads, message, write):
    path = write(text)
    with pytest.raises(DefinitionError) as refused:
        job_options(read_jobs(path), path, threads)
    assert str(refused.value) == f"{path}: cores_per_job: {message}"


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(DefinitionError, match=r"pip install 'regbench\[jobqueue\]'"):
        new_cluster({})


def test_search_must_be_started_where_jobs_can_be_submitted(write, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DefinitionError, match="there is no `sbatch` here"), cluster_of(write(ENOUGH)):
        pass


needs_jobqueue = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import dask_jobqueue"], capture_output=True, check=False).returncode != 0,
    reason="dask-jobqueue is not installed (the extra `jobqueue`)",
)


def script_of(path, threads=None):
    with new_cluster(job_options(read_jobs(path), path, threads)) as cluster:
        return cluster.job_script()


@needs_jobqueue
def test_job_asks_for_what_the_file_says(write, tmp_path):
    text = f"""
        jobs = 2
        walltime = "02:00:00"
        cores_per_job = 16
        workers_per_job = 4
        gpus_per_job = 4
        memory_gib_per_job = 0.5
        partition = "gpu"
        account = "optimizers"
        directives = ["--constraint=a100"]
        prologue = ["module load cuda"]
        python = "/opt/my envs/bin/python"
        local_directory = "/scratch"
        log_directory = "{tmp_path}/logs"
    """
    lines = script_of(write(text)).splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        "#SBATCH -J regbench",
        f"#SBATCH -e {tmp_path}/logs/regbench-%J.err",
        f"#SBATCH -o {tmp_path}/logs/regbench-%J.out",
        "#SBATCH -p gpu",
        "#SBATCH -A optimizers",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=16",
        "#SBATCH --mem=512M",
        "#SBATCH -t 02:00:00",
        "#SBATCH --gres=gpu:4",
        "#SBATCH --constraint=a100",
    ]
    shell = [line for line in lines[1:] if line and not line.startswith("#")]
    assert shell[:-1] == [
        "module load cuda",
        "export TF_NUM_INTRAOP_THREADS=4",
        "export TF_NUM_INTEROP_THREADS=1",
        "export TF_CPP_MIN_LOG_LEVEL=3",
    ]
    assert shell[-1].startswith("'/opt/my envs/bin/python' -m distributed.cli.dask_worker tcp://")
    for option in ("--nthreads 1", "--nworkers 4", "--nanny", "--local-directory /scratch", "--death-timeout 60"):
        assert f" {option} " in shell[-1]
    assert shell[-1].endswith(" --memory-limit 0 --no-dashboard")  # the last one counts; Dask's own stands before


@needs_jobqueue
def test_job_asks_for_no_more_than_the_file_says(write):
    lines = script_of(write(ENOUGH)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("#SBATCH")] == ["-J", "-n", "--cpus-per-task=1", "-t"]
    assert " -m distributed.cli.dask_worker " in lines[-1]
    assert lines[-1].startswith(sys.executable)


@needs_jobqueue
def test_ctrl_c_does_what_it_did_before():
    script = """
import signal
from pathlib import Path
from regbench.execution.slurm import new_cluster
from regbench.execution.slurm_jobs import Jobs, job_options

before = signal.getsignal(signal.SIGINT)
if __name__ == "__main__":
    with new_cluster(job_options(Jobs(jobs=1, walltime="60"), Path("slurm.toml"))):
        print(signal.getsignal(signal.SIGINT) is before)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"


@needs_jobqueue
def test_jobs_speak_tls_where_dask_must(write, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=regbench"]
    try:
        subprocess.run([*make, "-keyout", key, "-out", certificate], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    pair = {"key": str(key), "cert": str(certificate)}
    tls = {f"distributed.comm.tls.{role}": pair for role in ("scheduler", "worker", "client")}
    required = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": str(certificate)}
    with dask.config.set(tls | required):
        worker = script_of(write(ENOUGH)).splitlines()[-1]
    assert " tls://" in worker
    assert f"--tls-ca-file {certificate}" in worker
    assert f"--tls-key {key}" in worker


SBATCH = """#!/bin/sh
# A process group in place of a job; what it is told stands in a temporary file that is soon removed.
set -eu
[ ! -e "$STAND_IN/full" ] || { echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; }
number=$$
cp "$1" "$STAND_IN/script-$number"
touch "$STAND_IN/jobs/$number"
setsid sh -c 'echo $$ > "$STAND_IN/jobs/$0"; bash "$STAND_IN/script-$0"; rm -f "$STAND_IN/jobs/$0"' "$number" \
    > "$STAND_IN/output-$number" 2>&1 < /dev/null &
echo "Submitted batch job $number"
"""
SQUEUE = '#!/bin/sh\nls "$STAND_IN/jobs"\n'
SCANCEL = """#!/bin/sh
[ -s "$STAND_IN/jobs/$1" ] || exit 1
group=$(cat "$STAND_IN/jobs/$1")
rm -f "$STAND_IN/jobs/$1"
kill -s KILL -- "-$group"
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Commands in place of SLURM's; returns the folder of its jobs."""
    if not os.access("/usr/bin/setsid", os.X_OK):
        pytest.skip("there is no setsid to start jobs with")
    folder = tmp_path / "commands"
    (folder / "jobs").mkdir(parents=True)
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setattr(slurm, "CHECK_SECONDS", 0.3)
    yield folder / "jobs"
    for job in (folder / "jobs").iterdir():
        subprocess.run(["scancel", job.name], check=False)


def names(jobs):
    return {job.name for job in jobs.iterdir()}


def submitted(jobs):
    """How many jobs there ever were."""
    return len(list(jobs.parent.glob("script-*")))


def wait_until(condition, seconds=1800):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_jobqueue
@pytest.mark.parametrize("workers", [1, 2])
def test_cancelled_job_is_replaced_and_all_end_with_the_context(workers, stand_in, write, tmp_path):
    text = f'jobs = 2\nwalltime = "60"\nworkers_per_job = {workers}\ncores_per_job = {workers}\n'
    said = []
    with cluster_of(write(text + f'log_directory = "{tmp_path}/logs"'), warn=said.append) as cluster:
        wait_until(lambda: len(cluster.scheduler_info["workers"]) == 2 * workers)
        assert len(names(stand_in)) == 2
        cancelled, kept = names(stand_in)
        subprocess.run(["scancel", cancelled], check=True)
        wait_until(lambda: len(names(stand_in) - {cancelled}) == 2)
        assert kept in names(stand_in)
        wait_until(lambda: len(cluster.scheduler_info["workers"]) == 2 * workers)
        assert len(cluster.plan) == 2 * workers
    assert names(stand_in) == set()
    assert said == [f"{tmp_path / 'slurm.toml'}: 2 jobs are submitted; waiting for the first worker"]


@needs_jobqueue
def test_jobs_that_end_before_a_worker_comes_are_no_search(stand_in, write):
    path = write(ENOUGH + 'python = "/no/such/python"')
    where = "the files slurm-*.out of the working directory"
    with pytest.raises(DefinitionError) as refused, cluster_of(path):
        pass
    assert str(refused.value) == f"{path}: all jobs ended before a worker came. Their output is in {where}"
    assert submitted(stand_in) == 2


@needs_jobqueue
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('interface = "none0"', "interface: 'none0' is not a valid network interface"),
        ('log_directory = "slurm.toml/logs"', "log_directory: cannot be made: Not a directory"),
    ],
)
def test_what_this_machine_has_not_is_told(text, message, stand_in, write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = write(ENOUGH + text)
    with pytest.raises(DefinitionError) as refused, cluster_of(path):
        pass
    assert str(refused.value).startswith(f"{path}: {message}")
    assert submitted(stand_in) == 0


@needs_jobqueue
def test_refusal_by_slurm_is_told(stand_in, write):
    (stand_in.parent / "full").touch()
    path = write(ENOUGH)
    with pytest.raises(DefinitionError) as refused, cluster_of(path):
        pass
    assert str(refused.value) == f"{path}: SLURM refused the jobs: sbatch: error: QOSMaxSubmitJobPerUserLimit"


@needs_jobqueue
def test_scheduler_ends_when_no_job_brings_a_worker_any_more(stand_in, write, monkeypatch):
    said = []
    monkeypatch.setattr(slurm, "PATIENCE", 0)
    with cluster_of(write('jobs = 1\nwalltime = "60"'), warn=said.append) as cluster:
        cluster.new_spec["options"]["python"] = "/no/such/python"
        subprocess.run(["scancel", *names(stand_in)], check=True)
        wait_until(lambda: cluster.scheduler.status.name == "closed")
    assert submitted(stand_in) == 3  # the first, and two of which no worker came
    assert "no job is left" in "".join(said)


@needs_jobqueue
def test_refusals_in_mid_search_are_waited_out(stand_in, write, monkeypatch):
    said = []
    monkeypatch.setattr(slurm, "PATIENCE", -1)  # they do not count: nothing was started in vain
    with cluster_of(write('jobs = 1\nwalltime = "60"'), warn=said.append) as cluster:
        (stand_in.parent / "full").touch()
        subprocess.run(["scancel", *names(stand_in)], check=True)
        wait_until(lambda: "QOSMaxSubmitJobPerUserLimit" in "".join(said))
        (stand_in.parent / "full").unlink()
        wait_until(lambda: len(names(stand_in)) == 1 and cluster.scheduler_info["workers"])
