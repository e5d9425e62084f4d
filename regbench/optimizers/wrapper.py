"""What all wrappers of optimizers share: an optimizer whose step is the step of another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import keras

from regbench.optimizers.kernels import are_hidden_kernels, is_kernel

Selection = Literal["all", "kernels", "hidden"] | Callable[[Any], bool]


class OptimizerWrapper(keras.optimizers.Optimizer):
    """An optimizer that changes what happens around the step of an inner optimizer.

    A subclass overrides `transform` (of a gradient), `before_step` or `after_step`; as it is, the wrapper is the inner
    optimizer. Wrappers nest in any order; the outermost one sees the gradient first.

    Arguments of `keras.optimizers.Optimizer` act where they are set. On the inner optimizer, `clipnorm` clips
    the transformed gradient and `use_ema` averages the weights as the inner optimizer leaves them; on the wrapper, the
    gradient that arrives and the weights after the whole step. The learning rate belongs to the inner optimizer.

    Two things must be outermost, because behind a non-linear transform they would mean something else; set elsewhere
    they are refused:

    * Gradient accumulation: `gradient_accumulation_steps` of the outermost wrapper, which then steps (decays,
      synchronises) once for each mean gradient. A learning-rate schedule counts these steps; in an optimizer
      that is not wrapped Keras makes it count the batches.
    * Loss scaling: `loss_scale_factor` of the outermost wrapper, or a `keras.optimizers.LossScaleOptimizer` around
      it (mixed precision adds one by itself).

    Args:
        inner_optimizer: The optimizer to wrap: an instance, a name or a config, as in `model.compile`.
        apply_to: The variables concerned: `"all"`; `"kernels"`, by their names (neither biases nor the parameters of
            a normalization, see `is_kernel`); `"hidden"`, the kernels of rank 2 or more without embeddings and without
            the last one, which is that of the outputs; or a function of a variable that returns a boolean, called once
            for each variable. To save the optimizer, register the function with
            `keras.saving.register_keras_serializable`.
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.Optimizer` other than `learning_rate` and `weight_decay`.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        apply_to: Selection = "all",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        inner_optimizer = keras.optimizers.get(inner_optimizer)
        _check_inner_optimizer(inner_optimizer)
        if apply_to not in ("all", "kernels", "hidden") and not callable(apply_to):
            raise ValueError(
                f'`apply_to` must be "all", "kernels", "hidden" or a function. Received: apply_to={apply_to!r}'
            )
        for argument in ("learning_rate", "weight_decay"):
            if kwargs.get(argument) is not None:
                raise ValueError(
                    f"`{argument}` must be set on the inner optimizer. Received: {argument}={kwargs[argument]!r}"
                )
        # Keras wants a learning rate here; it is never read (see the property).
        super().__init__(learning_rate=0.0, name=name, **kwargs)
        self._check_single_replica()
        self.inner_optimizer = inner_optimizer
        self.apply_to = apply_to

    def transform(self, gradient: Any, variable: Any) -> Any:
        """Returns what the inner optimizer gets in place of the gradient (which may be sparse)."""
        del variable
        return gradient

    def before_step(self, variable: Any, learning_rate: Any) -> None:
        """Changes a variable just before the inner optimizer's step."""

    def after_step(self, variable: Any) -> None:
        """Changes a variable just after the inner optimizer's step."""

    def build(self, variables: list[Any]) -> None:
        """Builds the inner optimizer and settles which variables are concerned."""
        if self.built:
            return
        self.inner_optimizer.build(variables)
        super().build(variables)
        if self.apply_to == "hidden":
            self._is_selected = tuple(are_hidden_kernels(variables))
        else:
            self._is_selected = tuple(self._selects(variable) for variable in variables)

    def _selects(self, variable: Any) -> bool:
        if callable(self.apply_to):
            return bool(self.apply_to(variable))
        return self.apply_to == "all" or is_kernel(variable)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        # The one hook that Keras runs once a step for all variables, after accumulation, clipping and unscaling.
        selected = [self._is_selected[self._get_variable_index(variable)] for variable in trainable_variables]
        concerned = [
            variable for variable, is_selected in zip(trainable_variables, selected, strict=True) if is_selected
        ]
        for variable in concerned:
            self.before_step(variable, learning_rate)
        gradients = [
            self.transform(gradient, variable) if is_selected else gradient
            for gradient, variable, is_selected in zip(grads, trainable_variables, selected, strict=True)
        ]
        self.inner_optimizer.apply(gradients, trainable_variables)
        for variable in concerned:
            self.after_step(variable)

    def _check_single_replica(self) -> None:
        # Each replica would transform its own part of the gradient before TensorFlow adds the parts up.
        strategy = getattr(self, "_distribution_strategy", None)
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            raise ValueError(
                f"`{type(self).__name__}` must run on one replica under `tf.distribute`. "
                f"Received: a strategy of {strategy.num_replicas_in_sync} replicas"
            )

    @property
    def variables(self) -> list[keras.Variable]:
        """The wrapper's own variables, then those of the inner optimizer."""
        return super().variables + self.inner_optimizer.variables

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def exclude_from_weight_decay(self, var_list: list[Any] | None = None, var_names: list[str] | None = None) -> None:
        """Excludes variables from the inner optimizer's own `weight_decay`."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Lets the inner optimizer, then the wrapper, replace the weights by their moving average."""
        self.inner_optimizer.finalize_variable_values(var_list)
        super().finalize_variable_values(var_list)

    def set_weights(self, weights: list[Any]) -> None:
        """Sets all `variables`, those of the inner optimizer too."""
        own = len(super().variables)
        super().set_weights(weights[:own])
        self.inner_optimizer.set_weights(weights[own:])

    def get_config(self) -> dict[str, Any]:
        """The wrapper's arguments."""
        config = super().get_config()
        del config["learning_rate"], config["weight_decay"]
        return config | {
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "apply_to": _serialized_selection(self.apply_to),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Builds the wrapper and its inner optimizer from `get_config()`."""
        nested = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("inner_optimizer", "apply_to")
            if isinstance(config.get(name), dict)
        }
        return cls(**(config | nested))


def _check_inner_optimizer(inner_optimizer: Any) -> None:
    if not isinstance(inner_optimizer, keras.optimizers.Optimizer):
        raise ValueError(f"`inner_optimizer` must be a Keras optimizer. Received: inner_optimizer={inner_optimizer!r}")
    if isinstance(inner_optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "`LossScaleOptimizer` must be outermost: LossScaleOptimizer(wrapper(optimizer)). "
            f"Received: inner_optimizer={inner_optimizer.name!r}"
        )
    for argument in ("gradient_accumulation_steps", "loss_scale_factor"):
        value = getattr(inner_optimizer, argument)
        if value is not None:
            raise ValueError(
                f"`{argument}` must be set on the outermost wrapper, not on the optimizer inside it. "
                f"Received: inner_optimizer={inner_optimizer.name!r} with {argument}={value!r}"
            )


def _serialized_selection(apply_to: Selection) -> str | dict[str, Any]:
    if isinstance(apply_to, str):
        return apply_to
    registered = keras.saving.get_registered_object(keras.saving.get_registered_name(apply_to))
    if registered is not apply_to:
        raise ValueError(
            "A function given as `apply_to` must be registered with `keras.saving.register_keras_serializable` "
            f"to be saved. Received: apply_to={apply_to!r}"
        )
    return keras.saving.serialize_keras_object(apply_to)
