"""Runs one spec: TensorFlow lives here only.

A run minimises an objective over the weights w of a network, one step a batch:

    objective(w; batch) = mean loss of the network on the batch + penalty(w)
    penalty(w) = strength / 2 * sum of squares of the kernels (coupling l2) + regularizer(w)

    prepare the batch: scale, augment (draws from the seed of the run, the epoch and the step), standardize
    g = gradient of the objective, through the network in training mode (dropout acts, statistics are learned)
    w <- w - factor * w   (kernels only) before the optimizer's step, with the gradient at the old w:
         decoupled: learning_rate * strength; decoupled_momentum: that / (1 - momentum); decoupled_constant: strength
    w <- optimizer(w, g)  wrappers change g, outermost first; the schedule scales the learning rate epoch by epoch

What is recorded. Of every step: the objective on its batch before it. Before training and after every epoch: mean loss,
accuracy and penalty of each split in inference mode, with and without the penalty, always on the same samples. A loss
that is not finite or absurd ends the run as diverged.

What is compiled. A `Program` is a network with its objective, its evaluation and its data; a `Training` is the step of
an optimizer on it, an epoch a call. Both are kept and used again, *warm*, for every run that differs only in what
variables hold: weights, the optimizer's state, learning rate, L2 factor, and the numbers of optimizer and regularizer
(`traced`). The key of what is kept is the run's identity less a stated list of these (`keys.HELD`), so a field that
is new or forgotten compiles anew. A warm run and a cold one give the same curves, bit for bit.

Which weights are kernels, and which decay: `weights`. What of own networks and optimizers is refused, because it would
be wrong in silence: `network`, `captures`, `settings`.

Story of a run: `run`. Names to objects: `build`, `network`. Data: `splits`, `inputs`. Global state: `environment`.
"""
