"""The fixed tables of the catalogue: budgets, protocols, schedules, and parts to combine candidates with."""

from regbench.records import Argument, Protocol, Range

BUDGETS = {"one_shot": 1, "small": 25, "medium": 50, "large": 75}

NARROWED = "narrowed"
"""The sampler of the budget `large` where none is asked for: medium's trials, then 25 between their best ones."""

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="deepobs",
            summary="DeepOBS 1.2: validation split, one data order per seed, incomplete batches dropped",
            validation=True,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
        ),
        Protocol(
            name="deepobs-1.1",
            summary="DeepOBS 1.1: as the published 1.1 baselines; no validation split, winner by the test set",
            validation=False,
            reshuffle=False,
            every_sample=False,
            augmented_train_evaluation=True,
            reruns=9,
            tuning_seed_counts=True,
            fills_diverged=False,
        ),
        Protocol(
            name="strict",
            summary="validation split, reshuffled every epoch, every sample evaluated, ten fresh seeds for the winner",
            validation=True,
            reshuffle=True,
            every_sample=True,
            augmented_train_evaluation=False,
            reruns=10,
            tuning_seed_counts=False,
        ),
    )
}

FEW_RERUNS = 2
"""Of the winner of each of several searches, unless another number is given: the searches tell more than seeds."""

SCHEDULES = {
    "none": "constant",
    "cosine": "half a cosine down to 0",
    "cosine_wr": "cosine with warm restarts; the first cycle is a tenth of the epochs, each next one twice as long",
    "ltr": "trapezoid: a tenth of the epochs up, flat, a tenth down (as published: epoch 0 at the full rate)",
    "step": "constant pieces, given by epochs and factors",
    "warmup_cosine": "up over the first 5 % of the steps (or --warmup), then half a cosine down to 0; a factor a step",
    "warmup_linear": "up over the first 5 % of the steps (or --warmup), then down to 0 in a line; a factor a step",
    "wsd": "up over the first 5 % of the steps (or --warmup), flat, down to 0 over the last 20 %; a factor a step",
}

DECAY = Range(low=1e-6, high=1e-1, log=True, default=5e-4)
"""What is searched where a candidate is combined with a decay."""

TIMESCALE = Range(low=1.0, high=1e3, log=True, default=30.0)
"""The same for the coupling `timescale`, in epochs. Wang and Aitchison (arXiv 2405.13698) expect the best time between
one epoch, so that no sample is forgotten before it comes again, and the epochs of the run; the upper end is beyond
those of every bundled problem, where hardly any decay is left."""

REGULARIZERS: dict[str, dict[str, Argument]] = {
    "eigenvalue_decay": {"factor": Range(low=1e-4, high=1.0, log=True, default=0.01)},
    "orthogonal": {"factor": Range(low=1e-6, high=1e-1, log=True, default=1e-4)},
    "smooth_kernel": {"factor": Range(low=1e-6, high=1e-1, log=True, default=1e-4), "covariance": 1.0},
    "spectral_norm": {"factor": Range(low=1e-4, high=1.0, log=True, default=0.01)},
    "norm_target": {
        "factor": Range(low=1e-4, high=1.0, log=True, default=0.01),
        "target": Range(low=1.0, high=100.0, log=True, default=10.0),
    },
    "row_norm": {"factor": Range(low=1e-5, high=1e-1, log=True, default=0.01)},
    "l1": {"factor": Range(low=1e-7, high=1e-2, log=True, default=1e-5)},
    "elastic_net": {"factor": Range(low=1e-7, high=1e-2, log=True, default=1e-5), "share": 0.5},
    "group_lasso": {"factor": Range(low=1e-7, high=1e-2, log=True, default=1e-5)},
    "to_initial": {"factor": Range(low=1e-6, high=1e-1, log=True, default=5e-4)},
}
"""What candidates can be combined with, and its arguments; as in the files of those that have one."""

ALIASES = {
    **{f"{base}_l2": f"{base}+l2" for base in ("sgd", "momentum", "nag", "adam")},
    **{f"{base}_decoupled": f"{base}+decoupled" for base in ("sgd", "momentum", "nag", "adam")},
    **{f"{base}_decoupled_momentum": f"{base}+decoupled_momentum" for base in ("momentum", "nag")},
}
"""Former names of combinations, which had files of their own; trees and bundled runs have them still."""
