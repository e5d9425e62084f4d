"""What holds the place of an optimizer of another framework in a compiled step: it hands the gradients out."""

from __future__ import annotations

from typing import Any

import keras

from regbench.errors import DefinitionError
from regbench.optimizers import OptimizerWrapper
from regbench.records import Coupling, Guest, RunSpec


class Host(keras.optimizers.Optimizer):
    """Stands where a guest is named, alone or in wrappers, and takes no step.

    What wrappers do before the step (decay, transforms of the gradient) is compiled around it; the gradients that
    arrive here are handed to the guest when the compiled function has returned.

    Attributes:
        momentum: the guest's, for the coupling `decoupled_momentum`.
    """

    def __init__(self, guest: Guest) -> None:
        super().__init__(learning_rate=guest.learning_rate or 0.0, name="host")
        self.momentum = float(guest.momentum)
        self._hand_out(())

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Remember the gradients; without variables, they are those of all that it was built for."""
        self._hand_out(tuple(zip(grads, trainable_variables or self._trainable_variables, strict=True)))

    def take(self, variables: list[Any]) -> list[Any]:
        """The gradients of these variables, None for those that got none; they are forgotten here."""
        by_variable = {id(variable): gradient for gradient, variable in vars(self)["handed"]}
        self._hand_out(())
        return [by_variable.get(id(variable)) for variable in variables]

    def _hand_out(self, pairs: tuple[Any, ...]) -> None:
        self.__dict__["handed"] = pairs  # Keras takes variables in an attribute for the optimizer's own


def host_in(optimizer: Any) -> Host:
    """The host inside of wrappers."""
    while isinstance(optimizer, OptimizerWrapper):
        optimizer = optimizer.inner_optimizer
    host: Host = optimizer
    return host


def check_host(spec: RunSpec, optimizer: Any, guest: Guest, is_decoupled: bool) -> None:
    """Refuse what cannot be done around a guest.

    Raises:
        DefinitionError: a wrapper acts after the step, or a decay or a schedule wants what the guest has not.
    """
    while isinstance(optimizer, OptimizerWrapper):
        kind = type(optimizer)
        is_around = kind._backend_update_step is not OptimizerWrapper._backend_update_step
        is_around = is_around or getattr(kind, "gradients_per_step", 1) > 1
        if is_around or kind.after_step is not OptimizerWrapper.after_step:
            raise DefinitionError(
                f"optimizer: `{type(optimizer).__name__}` must not be around {guest.part.name}: it acts on the weights "
                "after the step, and a guest steps when all that surrounds it is done"
            )
        optimizer = optimizer.inner_optimizer
    needs_rate = spec.schedule.name != "none" or (is_decoupled and spec.decay.coupling != Coupling.DECOUPLED_CONSTANT)
    if guest.learning_rate is None and needs_rate:
        raise DefinitionError(
            f"optimizer: {guest.part.name} has no learning rate, which the schedule {spec.schedule.name} with the "
            f"coupling {spec.decay.coupling.value} needs"
        )
    check_decay(guest, is_decoupled)


def check_decay(guest: Guest, is_decoupled: bool) -> None:
    """Refuse a decay that would move the weights of a guest between its steps, where it may not.

    Raises:
        DefinitionError: so it is.
    """
    if is_decoupled and guest.refuses_decay:
        raise DefinitionError(f"decay.coupling: must be none or l2 with {guest.part.name}: {guest.refuses_decay}")
