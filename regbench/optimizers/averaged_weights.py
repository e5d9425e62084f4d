"""Averages of the weights along a training, to be evaluated in their place."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from regbench.optimizers.evaluated_apart import EvaluatedApart


@keras.saving.register_keras_serializable(package="regbench")
class AveragedWeights(EvaluatedApart):
    """Keeps an average of the inner optimizer's weights, which is evaluated; the training knows nothing of it.

    The weights after the step t = start + period, start + 2 period, ... are its samples w_1, w_2, ...

        momentum=None: the mean of them,  a_n = a_{n-1} + (w_n - a_{n-1}) / n
        else (Polyak): a_1 = w_1,  a_n = momentum a_{n-1} + (1 - momentum) w_n

    As long as there is no sample, the weights themselves are evaluated. The weights that are trained are those of the
    inner optimizer, to the bit.

    The model holds the weights that are trained. When `fit` ends, or after `show()`, it holds the average; `train_on()`
    puts them back, bit for bit (before another `fit`, too). Statistics of batch normalization belong to the weights
    that were trained: compute them anew at the average, by some passes in training mode. regbench's engine does so.

    Example:
        >>> optimizer = AveragedWeights(keras.optimizers.SGD(0.05, momentum=0.9), period=100, start=7500)
        >>> model.compile(optimizer, loss="mse")
        >>> model.fit(inputs, targets)
        >>> model.evaluate(inputs, targets)  # the average

    Args:
        inner_optimizer: The optimizer of the weights.
        momentum: In [0, 1) for a moving average; None for the mean.
        start: After how many steps the samples begin, at least 0.
        period: Steps from one sample to the next, at least 1. SWA takes one an epoch.
        steps_in_unit: In what unit `start` and `period` are: 1 for steps, the steps in an epoch for epochs. regbench's
            engine gives it the latter.
        name: Name of the optimizer.
        **kwargs: See `OptimizerWrapper`.

    Reference:
        Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018, Algorithm 1,
        https://arxiv.org/abs/1803.05407 (the mean); Polyak, Juditsky, "Acceleration of stochastic approximation by
        averaging", 1992

    Departure:
        The learning rate is that of the inner optimizer and its schedule; SWA has a constant or cyclic one of its own.
        A moving average that begins with its first sample needs no correction of a bias.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str | dict[str, Any],
        momentum: float | None = None,
        start: int = 0,
        period: int = 1,
        steps_in_unit: int = 1,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inner_optimizer, name=name, **kwargs)
        if momentum is not None and not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1), or None for a mean. Received: momentum={momentum!r}")
        for argument, value, least in (("start", start, 0), ("period", period, 1), ("steps_in_unit", steps_in_unit, 1)):
            if not (value >= least and value == int(value)):
                raise ValueError(f"`{argument}` must be an integer, at least {least}. Received: {argument}={value!r}")
        self.momentum = None if momentum is None else float(momentum)
        # Floats like all hyperparameters: a compiled step can then take other ones where floats are its inputs.
        self._start, self._period, self.steps_in_unit = float(start), float(period), float(steps_in_unit)

    def build(self, variables: list[Any]) -> None:
        """Creates the average and the number of its samples."""
        if self.built:
            return
        super().build(variables)
        self._samples = self.add_variable((), dtype="int32", name="samples")

    @property
    def has_others(self) -> bool:
        """Whether the average has a sample."""
        return int(self._samples) > 0

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        step = self.iterations + 1
        unit = ops.cast(self.steps_in_unit, step.dtype)
        past = step - unit * ops.cast(self._start, step.dtype)
        is_due = ops.logical_and(past > 0, ops.equal(past % (unit * ops.cast(self._period, step.dtype)), 0))
        count = ops.convert_to_tensor(self._samples)
        wide = keras.backend.result_type(keras.config.floatx(), "float32")
        # a_n = a_{n-1} + rate (w_n - a_{n-1}), of which the first is w_1
        later = 1 / ops.cast(count + 1, wide) if self.momentum is None else ops.cast(1 - self.momentum, wide)
        rate = ops.where(is_due, ops.where(ops.equal(count, 0), ops.ones((), wide), later), ops.zeros((), wide))
        for variable, average in zip(self._trainable_variables, self._others, strict=True):
            difference = ops.convert_to_tensor(variable) - ops.convert_to_tensor(average)
            self.assign_add(average, ops.cast(rate, variable.dtype) * difference)
        self.assign(self._samples, count + ops.cast(is_due, count.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config()
        del config["apply_to"]
        return config | {
            "momentum": self.momentum,
            "start": int(self._start),
            "period": int(self._period),
            "steps_in_unit": int(self.steps_in_unit),
        }
