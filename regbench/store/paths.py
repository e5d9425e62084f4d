"""Folder and file names of the results tree, as DeepOBS has them.

`<results>/<testproblem>/<candidate>/<setting>/random_seed__<seed>__<YYYY-mm-dd-HH-MM-SS>.json`

Names are for people: numbers in them are rounded, long ones are shortened. What a run is stands in its file. The folder
of a setting ends in 8 digits of `RunSpec.setting_digest`, so that no two settings share one.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any

from regbench.records import RunSpec
from regbench.store import deepobs

LONGEST = 254  # bytes; file systems end at 255, and names are ASCII
_DIGEST_LENGTH = 8
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?<!\.)")
_ODD_CHARACTER = re.compile(r"[^A-Za-z0-9._+-]")


def run_folder(spec: RunSpec) -> PurePath:
    """Where the runs of a setting lie, below the results folder: `<testproblem>/<candidate>/<setting>`."""
    return PurePath(folder_name(spec.problem.name), folder_name(spec.candidate), setting_name(spec))


def setting_name(spec: RunSpec) -> str:
    """The name of a setting's folder: epochs, batch size, L2 factor, hyperparameters by name, digest."""
    values: dict[str, Any] = {"num_epochs": spec.epochs, "batch_size": spec.batch_size}
    l2_factor = deepobs.l2_factor(spec)
    if l2_factor is not None:
        values["weight_decay"] = l2_factor
    return name_of_values(values | dict(sorted(deepobs.hyperparameters(spec).items())), spec.setting_digest())


def name_of_values(values: Mapping[str, Any], digest: str) -> str:
    """The name of a folder, from values by name and a hexadecimal digest of all that tells it from others."""
    name = "__".join(f"{key}__{_text(value)}" for key, value in values.items())
    return _with_digest(_ODD_CHARACTER.sub("-", name), digest)


def folder_name(name: str) -> str:
    """A problem's or candidate's name, which a user chose, as the name of a folder.

    A plain name stays as it is; any other loses its odd characters and gets a digest of the original.
    """
    if _PLAIN_NAME.fullmatch(name) and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()
    return _with_digest(_ODD_CHARACTER.sub("-", name).lstrip(".-"), digest)


def seed_prefix(seed: int) -> str:
    """What the names of all files of one seed begin with."""
    return f"random_seed__{seed}__"


def run_name(seed: int, moment: datetime, suffix: str) -> str:
    """The name of a run's file; `suffix` with its dot."""
    return f"{seed_prefix(seed)}{moment:%Y-%m-%d-%H-%M-%S}{suffix}"


def moment_of_run(path: PurePath) -> str:
    """When the run of a file was written, as its name says; later moments are greater."""
    return path.stem.rpartition("__")[2]


def format_float(value: float) -> str:
    """A number as DeepOBS prints it: scientific, at most 10 decimals, trailing zeros cut (`1.e-03`)."""
    mantissa, exponent = f"{value:.10e}".split("e")
    return f"{mantissa.rstrip('0')}e{exponent}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return format_float(value) if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return "_".join(_text(element) for element in value)
    return str(value)


def _with_digest(name: str, digest: str) -> str:
    """Shorten the middle of a name so that it fits together with the digest."""
    room = LONGEST - len("__") - _DIGEST_LENGTH
    if len(name) > room:
        end = (room - len("...")) // 2
        name = f"{name[: room - len('...') - end]}...{name[-end:]}"
    return f"{name}__{digest[:_DIGEST_LENGTH]}"
