"""How many gradients a step of an optimizer of another framework takes, where that is not one."""

GRADIENTS_OF_GUESTS: dict[str, int | None] = {
    **dict.fromkeys((f"pytorch_optimizer:{name}" for name in ("SAM", "GSAM", "WSAM", "BSAM", "FriendlySAM")), 2),
    "pytorch_optimizer:LookSAM": None,
    "torch:LBFGS": None,
}
"""By name; None where it decides in each step. What a run has had is on record (`RunResult.gradient_evaluations`)."""
