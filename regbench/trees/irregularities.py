"""Kinds of irregularities in results trees: the meaning of each, and the rule by which it is treated.

A file of which no run can be read has one of `NO_RUN`; the run of any other file counts, marked with its kinds.
"""

from typing import NamedTuple

LEAK = "validation_overlaps_training"

NO_RUN = {
    "stray_file": "no result file by its name; it is not opened",
    "linked_folder": "a symbolic link to a folder; it is not followed",
    "unreadable": "it cannot be read or listed",
    "too_large": "larger than a result file can be; it is not read",
    "not_json": "its content is not JSON",
    "not_a_result": "its JSON is not a run: a key is missing or holds something of another type",
    "altered": "it is not what was written (its checksum differs); the run does not count",
    "impossible_value": "an accuracy is not from 0 to 1 (in percent, or damaged); the run does not count",
    "damaged_manifest": "its content is no record of a search; the runs of that search go by what they say themselves",
    "failed_run": "regbench's note of a run that crashed; there is nothing to read",
}
MARKED = {
    "repeated_seed": "the same seed of the same setting again; the newest complete run counts, the others are left out",
    "split_setting": "one setting in several folders; it is one setting, by the values in the files",
    "rounded_values": "values that differ from those of the setting only beyond the 11th digit; it is one setting",
    "mixed_specs": "runs of one setting whose definitions differ otherwise (a file was edited in between); kept",
    "cut_short": "fewer evaluations than promised; kept, but not reported",
    "uneven_curves": "curves of different lengths, or longer than promised; read as far as all go and as promised",
    "not_finite": "a loss or an accuracy is NaN, infinite or null; after training began such a loss means diverged",
    "diverged_flat": "all losses end as the values before training, as DeepOBS 1.2 fills curves after a divergence",
    "diverged_absurd": "a loss of more than a million times that before training, or than 1; diverged (our rule)",
    "no_validation": "no curves of the validation split; where they decide, the test split does",
    "missing_curve": "no curve of the training loss or of the test loss",
    "accuracies_dropped": "no accuracies on a problem that has them: DeepOBS drops all when one is exactly 0",
    "other_instance": "quadratic_deep with another Hessian than the problem's: another problem; apart, never claimed",
    LEAK: "CIFAR-10 or SVHN by DeepOBS 1.2, which draws validation anew from what it trains on; "
    "a winner that it chose is marked, and claims nothing",
    "space_of_2020": "from the space of Crowded Valley's release of 2020 (momentum or rho itself); apart from 2021",
    "space_of_2021": "from the space of Crowded Valley's release of 2021 (their distance to 1); apart from 2020",
    "old_ramp": "the schedule ltr comes down a step earlier than as published (format version 1 of regbench); apart",
    "minibatch_twice": "each loss of a step was logged twice; these lists are not used",
    "two_dialects": "keys of two dialects; those of the newer one count",
    "repeated_key": "a key stands twice in one object; the last counts, as for every reader of JSON",
}
KINDS = NO_RUN | MARKED


class Irregularity(NamedTuple):
    """Something irregular in one file."""

    kind: str
    detail: str


class NoRunError(Exception):
    """There is no run in a file; `irregularity` says why."""

    def __init__(self, kind: str, detail: str) -> None:
        """Keep kind and detail as an irregularity."""
        super().__init__(kind, detail)
        self.irregularity = Irregularity(kind, detail)
