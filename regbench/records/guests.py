"""What the engine and an optimizer of another framework tell each other; neither knows the other's framework.

Arrays cross as whatever has `__dlpack__` (the DLPack protocol), so that they share memory.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from regbench.records.definitions import Part


class Kind(StrEnum):
    """What a weight is, as far as its layout goes.

    `matrix`: the kernel of a dense layer, (inputs, outputs). `convolution`: (height, width, inputs, outputs), with
    fewer or more axes in space. `other`: whatever is laid out alike in all frameworks, such as biases and embeddings.
    """

    MATRIX = "matrix"
    CONVOLUTION = "convolution"
    OTHER = "other"


class Guest(Protocol):
    """An optimizer of another framework, for one run: the engine has the network and its gradients, the guest its step.

    Attributes:
        part: of the candidate, which it was made for.
        learning_rate: at the start; None where it has none that could be scheduled.
        momentum: its decay rate of the first moment, 0 where it has none; for the coupling `decoupled_momentum`.
        values: of its arguments, given or by default.
        versions: of its libraries, for the record.
        refuses_decay: why no decay may move its weights between its steps; empty where it may.
        notices: what whoever named it should know, a line each.
    """

    part: Part
    learning_rate: float | None
    momentum: float
    values: Mapping[str, Any]
    versions: Mapping[str, str]
    refuses_decay: str
    notices: Sequence[str]

    def start(self, weights: Sequence[Any], kinds: Sequence[Kind], seed: int) -> None:
        """Begin anew at these weights, with fresh state; `seed` is for what it draws."""

    def step(
        self,
        loss: Any,
        gradients: Sequence[Any],
        factor: float,
        evaluate: Callable[[Sequence[Any]], tuple[Any, Sequence[Any]]],
        moved: Sequence[Any] | None,
    ) -> Sequence[Any]:
        """Take a step.

        Args:
            loss: on the batch with its penalty, a scalar array.
            gradients: of it, one a weight; None where the loss does not depend on a weight.
            factor: of the schedule, on the learning rate.
            evaluate: gives loss and gradients on the same batch at other weights.
            moved: the weights, where something else has moved them since the last step.

        Returns:
            The new weights.

        Raises:
            DefinitionError: it changed the shape or the type of a weight, or wants what cannot be given.
        """

    def evaluated(self) -> Sequence[Any] | None:
        """The weights that are to be evaluated, where they are not those that are trained."""
