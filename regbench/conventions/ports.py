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

PORTS = (
    Port("SGD", "learning_rate", "lr", "learning_rate"),
    Port("SGD", "momentum", "momentum (dampening 0)", "momentum", "", _SCHEDULE),
    Port("SGD", "nesterov", "nesterov", "nesterov", "", _SCHEDULE),
    Port("Adam", "beta_1, beta_2", "betas", "b1, b2"),
    Port(
        "Adam",
        "epsilon (1e-7)",
        "eps (1e-8)",
        "eps (1e-8)",
        "eps = epsilon / sqrt(1 - beta_2**t): from about 1 / (1 - beta_2) steps on the same number",
        "the first steps, where Keras's epsilon counts more",
    ),
    Port("Adam", "amsgrad", "amsgrad", "optax.amsgrad", "", "optax takes the maximum of corrected moments"),
    Port(
        "Nadam", "beta_1", "betas, momentum_decay 0.004", "b1", "", "the momentum schedule: no setting makes them equal"
    ),
    Port("RMSprop", "rho (0.9)", "alpha (0.99)", "decay (0.9)"),
    Port(
        "RMSprop",
        "epsilon (1e-7)",
        "eps (1e-8)",
        "eps (1e-8)",
        "",
        "inside of the root in Keras and optax, outside in PyTorch",
    ),
    Port(
        "RMSprop",
        "momentum",
        "momentum",
        "momentum",
        "",
        "under a schedule the buffer of Keras and optax keeps old learning rates",
    ),
    Port(
        "Adagrad", "initial_accumulator_value (0.1)", "initial_accumulator_value (0)", "initial_accumulator_value (0.1)"
    ),
    Port("Lion", "beta_1, beta_2", "betas (pytorch_optimizer)", "b1, b2"),
    Port("Muon", "rms_rate", "adjust_lr_fn='match_rms_adamw'", "consistent_rms", "0.2 in each", "bfloat16 in PyTorch"),
    Port(
        "Muon",
        "kernel (inputs, outputs)",
        "weight (outputs, inputs)",
        "kernel (inputs, outputs)",
        "transpose; the scale of PyTorch's `original` is then optax's, the root of max(1, outputs / inputs)",
    ),
    Port(
        "Prodigy", "", "d_coef, bias_correction (off)", "estim_lr_coef (correction always on)", "bias_correction=True"
    ),
    Port(
        "all",
        "weight_decay",
        "weight_decay",
        "weight_decay",
        "see the table above",
        "which weights decay: `mask` in optax only",
    ),
)
