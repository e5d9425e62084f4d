"""Libraries of other frameworks, whose optimizers are named `library:optimizer`. None of them is loaded here."""

TORCH, OPTAX = "torch", "optax"

FRAMEWORKS = {
    "torch": TORCH,
    "torch.optim": TORCH,
    "pytorch_optimizer": TORCH,
    "optax": OPTAX,
    "optax.contrib": OPTAX,
}
"""The framework of each library."""

PACKAGES = {TORCH: ("torch", "pytorch_optimizer"), OPTAX: ("optax", "jax")}
"""What the extra of each framework installs, which is named as the framework."""


def library_of(name: str) -> str:
    """The library of a name `library:optimizer`; empty where it is no library's."""
    library, colon, _ = name.partition(":")
    return library if colon and library in FRAMEWORKS else ""
