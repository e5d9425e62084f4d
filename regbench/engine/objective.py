"""What is minimised: the loss of the network on prepared samples, and the penalty on its weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from regbench.datasets import Dataset
from regbench.engine import environment
from regbench.engine.captures import check_captures
from regbench.engine.decay_meter import DecayMeter
from regbench.engine.inputs import DRAWS, augment, preprocess
from regbench.engine.losses import hits, loss_of
from regbench.engine.network import check_penalties
from regbench.engine.reading import Reading
from regbench.engine.traced import Trace
from regbench.engine.weights import Weight, Weights
from regbench.errors import DefinitionError
from regbench.records import Coupling, RunSpec

Penalty = Callable[[Any], Any]
Regularizer = Penalty | Mapping[str, Penalty] | None


class Objective:
    """A network with its loss.

    Args:
        spec: any run on this network; says whether there are accuracies and an L2 term.
        dataset: says how inputs are prepared.
        model: takes prepared inputs; gives logits or per-sample losses.
        regularizer: gives the penalty of one kernel; or several of them by layer; None for none.
    """

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        model: keras.Model,
        regularizer: Regularizer,
    ) -> None:
        """Find the kernels; the factor of the L2 term is a variable, so that runs may differ in it."""
        self.model = model
        self.weights = Weights(model)
        self.regularizer_trace = Trace(regularizer)
        self.has_accuracy = spec.problem.has_accuracy
        self.is_augmented = dataset.augmentation != "none"
        # XLA's convolutions on a CPU are slow to compile and half as fast as TensorFlow's own.
        self._is_network_of_xla = environment.has_gpu() or not self.has_convolutions()
        self.compile = tf.function(jit_compile=self._is_network_of_xla)
        # XLA also where it does not compile the rest: penalty and update pass over all weights, and many times if each
        # of their operations does so by itself.
        self._is_update_of_xla, self.compile_update = True, tf.function(jit_compile=True)
        self.problem = spec.problem
        self._loss = loss_of(spec.problem)
        self._dataset = dataset
        self._regularized = regularized(regularizer, self.weights)
        # What a penalty carries from step to step, such as the block of a power method; None where it carries nothing.
        self._carried = [
            tf.Variable(penalty.first_block(kernel.value), trainable=False, name="carried")  # type: ignore[attr-defined]
            if _carries(penalty)
            else None
            for penalty, kernel in self._regularized
        ]
        self._has_l2 = has_l2(spec)
        self._decayed = self.weights.decayed(spec.problem, spec.decay)
        self._l2 = tf.Variable(0.0, trainable=False, name="l2")

    def start(self, spec: RunSpec, model: keras.Model, regularizer: Reading) -> None:
        """Take over the weights of `model`, the spec's L2 factor and the numbers of its regularizer."""
        for variable, fresh in zip(self.model.variables, model.variables, strict=True):
            variable.assign(fresh)
        if self._has_l2:
            self._l2.assign(spec.decay_strength)
        self.regularizer_trace.assign(regularizer)
        for (penalty, kernel), block in zip(self._regularized, self._carried, strict=True):
            if block is not None:
                block.assign(penalty.first_block(kernel.value))  # type: ignore[attr-defined]

    def meter(self, spec: RunSpec) -> DecayMeter | None:
        """What counts the decay of a run on this network; None where it has none."""
        if spec.decay.coupling == Coupling.NONE or spec.decay_strength == 0:
            return None
        if has_l2(spec):
            return DecayMeter(self._l2, self._decayed)
        return DecayMeter(None, measures_left=spec.decay.coupling == Coupling.CAUTIOUS)

    def leave_xla(self) -> bool:
        """Compile without XLA from now on: first the network, when asked again the update too; False where both are."""
        if self._is_network_of_xla:
            self._is_network_of_xla, self.compile = False, tf.function()
        elif self._is_update_of_xla:
            self._is_update_of_xla, self.compile_update = False, tf.function()
        else:
            return False
        return True

    def check(self, function: Any, others: Iterable[Any] = ()) -> None:
        """Refuse a compiled function that depends on what ran before, or whose network adds to the loss.

        Args:
            function: concrete, just traced.
            others: variables that runs set, besides those of the network and of its penalty.

        Raises:
            DefinitionError: it does.
        """
        carried = [block for block in self._carried if block is not None]
        known = [*self.model.variables, self._l2, self.regularizer_trace.variable, *carried, *others]
        check_captures(function, known, self.model, f"model `{self.problem.model.name}`")
        check_penalties(self.problem, self.model)

    def prepare(self, inputs: tf.Tensor, augmented: bool, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """From stored inputs (n, ...) to what the network takes; augmented with draws that depend on seed and step."""
        if not augmented:
            return self._preprocess(inputs)
        draws = tf.random.stateless_uniform((tf.shape(inputs)[0], DRAWS), tf.random.fold_in(seed, step))
        return self._augment_and_preprocess(inputs, draws)

    # XLA also where it does not compile the rest: a score of operations, each of which would pass over all pixels.
    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def _augment_and_preprocess(self, inputs: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        return self._preprocess(augment(inputs, self._dataset.augmentation, draws))

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def _preprocess(self, inputs: tf.Tensor) -> tf.Tensor:
        return preprocess(inputs, self._dataset.preprocessing)

    def losses(self, inputs: tf.Tensor, targets: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss and hit (1.0 right, 0.0 wrong) of each sample, without the penalty; both float32 (n,)."""
        return self.values(inputs, targets, training)[:2]

    def loss_of_batch(self, inputs: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
        """The mean loss of a batch in training, without the penalty: a scalar.

        Args:
            inputs: prepared, (n, ...).
            targets: of them.
            weights: how much the loss of each counts, float32 (n,); None for all alike.
        """
        losses = self.losses(inputs, targets, training=True)[0]
        return tf.reduce_mean(losses if weights is None else losses * weights)

    def values(self, inputs: tf.Tensor, targets: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Loss and hit of each sample, and the outputs of the network for them."""
        outputs = self.model(inputs, training=training)
        losses = self._loss(targets, outputs)
        right = hits(self.problem, targets, outputs) if self.has_accuracy else tf.zeros_like(losses)
        return losses, right, outputs

    def penalty(self) -> tf.Tensor:
        """L2 term and regularizer over the kernels, a scalar; it depends on the kernels alone."""
        parts = zip(self._regularized, self._carried, strict=True)
        return self._sum([_value(penalty, kernel.value, block) for (penalty, kernel), block in parts])

    def with_penalty(self, gradients: list[tf.Tensor], advances: bool = True) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The penalty in a training step, and the sum of these gradients and of its own; None for a weight in neither.

        Args:
            gradients: of the loss, one a trainable variable; None where there is none.
            advances: whether what a penalty carries goes on to the next step: once in each.
        """
        with tf.GradientTape() as tape:
            penalty = self.penalty_of_step(advances)
        of_penalty = tape.gradient(penalty, self.model.trainable_variables)
        parts = [[part for part in pair if part is not None] for pair in zip(gradients, of_penalty, strict=True)]
        return penalty, [tf.add_n(pair) if pair else None for pair in parts]

    def penalty_of_step(self, advances: bool = True) -> tf.Tensor:
        """The same in a training step: from what a penalty carries, where it carries anything."""
        parts = []
        for (penalty, kernel), block in zip(self._regularized, self._carried, strict=True):
            if block is None:
                parts.append(penalty(kernel.value))
            else:
                part, following = penalty.carried(kernel.value, block)  # type: ignore[attr-defined]
                if advances:
                    block.assign(following)
                parts.append(part)
        return self._sum(parts)

    def _sum(self, parts: list[tf.Tensor]) -> tf.Tensor:
        penalty = tf.constant(0.0)
        if self._has_l2 and self._decayed:
            penalty += self._l2 * tf.add_n([tf.nn.l2_loss(kernel.value) for kernel in self._decayed])
        return penalty + tf.add_n(parts) if parts else penalty

    def weight_norm(self) -> float:
        """Euclidean norm over all trainable variables."""
        return float(tf.linalg.global_norm([variable.value for variable in self.model.trainable_variables]))

    def kernels(self) -> dict[str, np.ndarray]:
        """The kernels as they are now, by the path of their layer; by their own where a layer has several."""
        kernels = self.weights.kernels
        layers = [kernel.layers[0] for kernel in kernels]
        return {
            layer if layer and layers.count(layer) == 1 else kernel.path: kernel.variable.numpy()
            for layer, kernel in zip(layers, kernels, strict=True)
        }

    def has_convolutions(self) -> bool:
        """Whether any layer convolves."""
        return any(weight.convolves for weight in self.weights)


def _carries(penalty: Penalty) -> bool:
    return getattr(penalty, "carries", False) is True


def _value(penalty: Penalty, kernel: Any, block: Any) -> Any:
    """The penalty of a kernel anywhere but in a step; one from the start of the run needs what it carries here too."""
    if getattr(penalty, "is_of_start", False) is True:
        return penalty.carried(kernel, block)[0]  # type: ignore[attr-defined]
    return penalty(kernel)


def has_l2(spec: RunSpec) -> bool:
    """Whether the loss has an L2 term."""
    return spec.decay.coupling == Coupling.L2 and spec.decay_strength != 0


def regularized(regularizer: Regularizer, weights: Weights) -> list[tuple[Penalty, keras.Variable]]:
    """The kernels that are regularized, each with what gives its penalty.

    Raises:
        DefinitionError: a regularizer is meant for a layer that does not exist or has no kernel, two for the same one.
    """
    if not isinstance(regularizer, Mapping):
        if regularizer is None:
            return []
        whole = [w for w in weights if is_regularized(regularizer, w)]
        if not getattr(regularizer, "last_layer", True):
            whole = [w for w in whole if w is not weights.kernels[-1]]
        return [(regularizer, w.variable) for w in whole]
    found: dict[int, tuple[str, Penalty, keras.Variable]] = {}
    for layer, penalty in regularizer.items():
        for kernel in weights.of_layer(layer, where="regularizer"):
            other = found.setdefault(id(kernel.variable), (layer, penalty, kernel.variable))[0]
            if other != layer:
                raise DefinitionError(
                    f"regularizer.{layer}: must have kernels of its own. Received: `{kernel.path}`, which belongs to "
                    f"regularizer.{other} too"
                )
    return [(penalty, kernel) for _, penalty, kernel in found.values()]


def is_regularized(regularizer: Callable[[Any], Any], weight: Weight) -> bool:
    """Whether a weight is of the kernels that a regularizer is meant for (its `default_kernels`, else all)."""
    match getattr(regularizer, "default_kernels", "both"):
        case "dense":
            return weight.is_kernel and not weight.convolves
        case "convolution":
            return weight.convolves
        case _:
            return weight.is_kernel
