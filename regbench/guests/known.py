"""What is known of the optimizers of the libraries, by the names that they have there."""

SHAPELESS = {
    *("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
    *("ADOPT", "AdEMAMix", "Adan", "Lion", "Prodigy", "ScheduleFreeAdamW", "ScheduleFreeSGD", "ScheduleFreeRAdam"),
}
"""Those of PyTorch that treat every entry alike, whatever the shape of a weight."""

CLOSURES = {"LBFGS"}
"""Those among them that evaluate the loss at other weights; the others would at the weights of the step alone."""

_HESSIAN = "it wants the Hessian, for which the gradient would have to be differentiated again in PyTorch"
REFUSED_OF_TORCH = {
    "SparseAdam": "it takes sparse gradients only, and those here are dense",
    "SophiaH": _HESSIAN,
    "AdaHessian": _HESSIAN,
}
"""Optimizers of PyTorch that cannot be guests, and why."""

_VALUE = "it wants to evaluate the loss within its own step, which JAX compiles and the network is not part of"
REFUSED_OF_OPTAX = {
    "lbfgs": _VALUE,
    "sam": _VALUE,
    "sophia": "it wants the Hessian, for which the loss would have to be differentiated in JAX",
}
"""Those of optax, likewise."""

AVERAGES = (
    "what it evaluates is an average that it keeps apart from the weights that it steps, and a decay would act on the "
    "latter only; l2 acts through the gradient"
)
"""Why no decay may move the weights of Schedule-Free."""
