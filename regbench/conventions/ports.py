"""How a setting of one framework is written in another, and what cannot be carried over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Port:
    """One number of an optimizer.

    Attributes:
        optimizer: which; `keras`, `torch`, `optax`: what it is called there.
        exactly: how to carry it over; empty where the number is the same.
        not_carried: what differs all the same.
    """

    optimizer: str
    keras: str
    torch: str
    optax: str
    exactly: str = ""
    not_carried: str = ""


_SCHEDULE = "under a schedule Keras's velocity keeps old learning rates"

_FIRST_STEPS = "the first steps, where Keras's epsilon counts more"

PORTS = (
    Port("all", "learning_rate", "lr", "learning_rate", not_carried="defaults"),
    Port("SGD", "momentum", "momentum (dampening 0)", "momentum", not_carried=f"{_SCHEDULE}; a dampening"),
    Port("SGD", "nesterov", "nesterov", "nesterov", not_carried=_SCHEDULE),
    Port("Adam, AdamW", "beta_1, beta_2", "betas", "b1, b2"),
    Port(
        "Adam, AdamW",
        "epsilon (1e-7)",
        "eps (1e-8)",
        "eps (1e-8)",
        "eps = epsilon / sqrt(1 - beta_2**t): from about 1 / (1 - beta_2) steps on the same number",
        _FIRST_STEPS,
    ),
    Port("Adam", "amsgrad", "amsgrad", "optax.amsgrad", not_carried="optax takes the maximum of corrected moments"),
    Port(
        "AdamW",
        "weight_decay (0.004)",
        "weight_decay (0.01)",
        "weight_decay (0.0001)",
        not_carried="which weights decay, unless told (`exclude_from_weight_decay`, parameter groups, `mask`)",
    ),
    Port(
        "Nadam",
        "beta_1",
        "betas, momentum_decay (0.004)",
        "b1",
        "momentum_decay=1 is Keras's schedule, a very large one (1e9) is optax's, which is none",
        "PyTorch's default, and from Keras to optax",
    ),
    Port("Adamax", "epsilon (1e-7)", "eps (1e-8)", "eps (1e-8)", not_carried="in Keras it is added to the maximum"),
    Port("Adadelta", "rho (0.95), epsilon (1e-7)", "rho (0.9), eps (1e-6)", "rho (0.9), eps (1e-6)"),
    Port("Adadelta", "learning_rate (0.001)", "lr (1.0)", "learning_rate (none, which is 1)"),
    Port("RMSprop", "rho (0.9)", "alpha (0.99)", "decay (0.9)"),
    Port(
        "RMSprop",
        "epsilon (1e-7)",
        "eps (1e-8)",
        "eps (1e-8)",
        "eps of PyTorch is about the root of the others' where gradients are small",
        "inside of the root in Keras and optax, outside in PyTorch",
    ),
    Port(
        "RMSprop",
        "momentum",
        "momentum",
        "momentum",
        not_carried="under a schedule the buffer of Keras and optax keeps old learning rates",
    ),
    Port("RMSprop", "centered", "centered", "centered"),
    Port(
        "Adagrad", "initial_accumulator_value (0.1)", "initial_accumulator_value (0)", "initial_accumulator_value (0.1)"
    ),
    Port(
        "Adagrad",
        "epsilon (1e-7)",
        "eps (1e-10)",
        "eps (1e-7)",
        "it hardly matters beside an accumulator of 0.1",
        "inside of the root in Keras and optax, outside in PyTorch",
    ),
    Port("Lion", "beta_1, beta_2", "betas (pytorch_optimizer)", "b1, b2"),
    Port(
        "LAMB",
        "weight_decay",
        "weight_decay (pytorch_optimizer)",
        "weight_decay",
        "only 0",
        "Keras and pytorch_optimizer decay outside of the trust ratio",
    ),
    Port("Muon", "rms_rate", "adjust_lr_fn='match_rms_adamw'", "consistent_rms", "0.2 in each", "bfloat16 in PyTorch"),
    Port(
        "Muon",
        "kernel (inputs, outputs)",
        "weight (outputs, inputs)",
        "kernel (inputs, outputs)",
        "transpose; the scale of PyTorch's `original` is then optax's, the root of max(1, outputs / inputs)",
    ),
    Port(
        "Muon",
        "adam_lr_ratio, adam_beta_1, ...",
        "another optimizer (`rest`)",
        "adam_learning_rate, adam_b1, ...",
        not_carried="with Nesterov momentum optax steps the other weights with Nadam's look-ahead, Keras with Adam",
    ),
    Port(
        "Prodigy", "", "d_coef, bias_correction (off)", "estim_lr_coef (correction always on)", "bias_correction=True"
    ),
    Port("ADOPT", "", "clip_lambda", "clip_value_fn", "of the step t in PyTorch, of t - 1 in optax"),
    Port("AdEMAMix", "", "betas (three), alpha", "b1, b2, b3, alpha"),
    Port(
        "Schedule-Free",
        "ScheduleFreeAdamW: see the known faults",
        "eval(), train()",
        "schedule_free_eval_params",
        "the same average is evaluated",
    ),
    Port(
        "L2",
        "kernel_regularizer=L2(l / 2)",
        "weight_decay=l of SGD, Adam, RMSprop, ...",
        "optax.add_decayed_weights(l) before the others",
        "`[decay]` with coupling l2 and strength l",
        "PyTorch's acts on biases and norms too",
    ),
    Port(
        "decoupled decay",
        "weight_decay",
        "weight_decay of AdamW, Lion, Muon, ...",
        "weight_decay",
        "`[decay]` with coupling decoupled; the table above says which are",
        "which weights decay",
    ),
)
