"""A network, its optimizer and its data, compiled; used again by runs that differ only in what variables hold."""

import re
import warnings
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from regbench.catalog import own_code
from regbench.engine import environment
from regbench.engine.build import build_optimizer, build_regularizer, has_schedule
from regbench.engine.captures import check_arrays
from regbench.engine.decay_meter import DecayMeter
from regbench.engine.decays import is_undone, shrinkage
from regbench.engine.evaluate import Evaluation, Evaluator
from regbench.engine.forms import decays_itself, settle_epochs
from regbench.engine.hosting import GuestTraining
from regbench.engine.kept import Kept
from regbench.engine.keys import program_key, training_key
from regbench.engine.network import build_model, check_model
from regbench.engine.objective import Objective, Regularizer
from regbench.engine.reading import Reading, read
from regbench.engine.splits import Batches, Samples, Splits, dataset_of, evaluated, weighted
from regbench.engine.train import Training
from regbench.errors import DefinitionError
from regbench.records import Guest, Kernel, RunSpec

_programs: Kept["Program"] = Kept()
_told: set[str] = set()
"""Networks of which it was said that XLA cannot compile them."""

_OF_GRAPH = re.compile(r"\{\{.*?\}\}|\S*_body_\S* ")
"""What TensorFlow says of the place of an operation in a graph that nobody sees."""


def forget() -> None:
    """Let the next run of this process compile anew, as in one that has run nothing."""
    _programs.clear()


class Program:
    """What is compiled for a network, and the samples it trains on."""

    def __init__(self, spec: RunSpec, splits: Splits, regularizer: Regularizer) -> None:
        """Build the network and lay out the data; nothing is compiled before the first call."""
        dataset = dataset_of(spec.problem)
        # With other numbers than any run's, so that `check_arrays` sees what is drawn and is no weight.
        with environment.seeded(spec.seed + 1):
            model = build_model(spec.problem, dataset)
        check_model(spec.problem, dataset, model)
        self.objective = Objective(spec, dataset, model, regularizer)
        self._evaluated = spec.batch_size, bool(splits.drawn)
        self.evaluator = Evaluator(self.objective, *self._evaluated)
        self.trainings: Kept[Training] = Kept()
        self._lay_out(splits)

    def _lay_out(self, splits: Splits) -> None:
        self._drawn = splits.drawn
        train = weighted(splits.train, self.objective.problem)
        weights = None if train.weights is None else tf.constant(train.weights)
        self.train = Samples(tf.constant(train.inputs), tf.constant(train.targets), weights=weights)

    def take_samples(self, splits: Splits) -> None:
        """Train on these samples from now on; they have the shape of the ones before."""
        if splits.drawn != self._drawn:
            self._lay_out(splits)

    def leave_xla(self) -> bool:
        """Compile anew, with less of XLA than before; False where there is none of it."""
        if not self.objective.leave_xla():
            return False
        self.evaluator = Evaluator(self.objective, *self._evaluated)
        self.trainings.clear()
        return True

    def training(
        self, spec: RunSpec, optimizer: keras.optimizers.Optimizer, reading: Reading, guest: Guest | None = None
    ) -> Training:
        """A training whose compiled step can take the numbers of the optimizer, which is built and of this reading."""
        kind, is_of_steps = Training if guest is None else GuestTraining, spec.schedule.is_of_steps
        return self.trainings.take(
            training_key(spec, optimizer),
            lambda training: training.trace.fits(reading),
            lambda: kind(self.objective, optimizer, _own_code(spec), self.objective.meter(spec), is_of_steps),
        )


class PreparedRun:
    """One run at its start: a program with the run's initial weights, hyperparameters and order of the samples."""

    def __init__(self, spec: RunSpec, splits: Splits, guest: Guest | None = None) -> None:
        """Take a program that an earlier run left, or make one; then set every variable that a run may change."""
        self._spec, self._guest = spec, guest
        rules = spec.protocol
        self._order = Batches(splits.train, spec.batch_size, spec.seed, rules.reshuffle, rules.whole_batches)
        regularizer = build_regularizer(spec)
        penalty = read(regularizer)
        self._program = program = _programs.take(
            program_key(spec, splits, regularizer),
            lambda program: program.objective.regularizer_trace.fits(penalty),
            lambda: Program(spec, splits, regularizer),
        )
        program.take_samples(splits)
        rules = spec.protocol
        self._order = Batches(splits.train, spec.batch_size, spec.seed, rules.reshuffle, rules.whole_batches)
        with environment.seeded(spec.seed):
            model = build_model(spec.problem, dataset_of(spec.problem))
            check_arrays(program.objective.model, model, f"model `{spec.problem.model.name}`")
            program.objective.start(spec, model, penalty)
            # Here because an optimizer may draw too, and once the weights are there, which its state may be a copy of.
            self._optimizer = self._new_optimizer()
        self._take_training()
        first_epoch = self._order.epoch(0)
        self._first_batches = tf.constant(first_epoch)
        self._last_batch = tf.constant(self._order.last(0)) if self._order.rest else None
        self._evaluation_seed = self._seed(spec.epochs)
        plain = evaluated(splits, spec.protocol, spec.batch_size, first_epoch)
        # What is evaluated in the same way goes into one call: for small problems calls are what takes the time.
        augmented = {}
        if spec.protocol.augmented_train_evaluation and program.objective.is_augmented:
            augmented["train"] = plain.pop("train")
        self._chunks = [(program.evaluator.chunks(group), group is augmented) for group in (augmented, plain) if group]

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._order.steps

    @property
    def learning_rate(self) -> float:
        """Before any schedule, as the optimizer holds it (float32)."""
        return self._training.learning_rate

    def compile(self) -> None:
        """Compile what is not compiled yet; changes no variable.

        What XLA cannot compile is compiled without it, with one warning a network in this process.
        """
        refused = None
        while True:
            try:
                self._compile()
                break
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                if not self._program.leave_xla():
                    raise
                refused = refused or _OF_GRAPH.sub("", str(error).partition("\n")[0])
                self._take_training()
        name = self._spec.problem.model.name
        if refused and name not in _told:
            _told.add(name)
            warnings.warn(
                f"model `{name}`: XLA cannot compile it or its optimizer, so that TensorFlow "
                f"runs it alone, which may be slower: {refused}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _compile(self) -> None:
        self._training.compile(self._program.train, self._first_batches, self._evaluation_seed, self._last_batch)
        for chunks, is_augmented in self._chunks:
            self._program.evaluator.compile(chunks, is_augmented, self._evaluation_seed)

    @property
    def gradient_evaluations(self) -> int:
        """How many gradients the run has had."""
        return self._training.evaluations

    @property
    def meter(self) -> DecayMeter | None:
        """What has counted the decay; None where there is none."""
        return self._training.meter

    def shrinkage(self) -> float | None:
        """What the decay alone leaves of a weight; None too where an optimizer decays at another point or rate."""
        if decays_itself(self._optimizer):
            return None
        return shrinkage(self._spec, self.learning_rate, self.steps, self.meter)

    def is_undone(self) -> bool:
        """Whether an optimizer of the user's own undoes the decay, by a step from where the run is now."""
        if self._guest is not None or not own_code.names_in(self._spec.optimizer):
            return False
        self._training.give_state(self._optimizer)
        return is_undone(self._optimizer, self._program.objective.model.trainable_variables)

    def train(self, epoch: int, factors: Sequence[float]) -> np.ndarray:
        """Train one epoch (counting from 0); the loss with the penalty term before each step.

        `factors` are those of its steps on the learning rate.
        """
        self._begin(epoch)
        # Made anew only where it changes: in small problems what surrounds the compiled call counts too.
        batches = self._first_batches if self._order.is_repeated else tf.constant(self._order.epoch(epoch))
        seed = self._seed(epoch) if self._program.objective.is_augmented else self._evaluation_seed
        losses = self._training.epoch(self._program.train, batches, seed, factors)
        if self._order.rest:
            last_batch = tf.constant(self._order.last(epoch))
            last = self._training.last_step(self._program.train, last_batch, seed, factors[-1], batches)
            losses = np.concatenate([losses, last])
        return losses

    def _begin(self, epoch: int) -> None:
        """Set what a schedule sets at the beginning of an epoch, besides the learning rate."""
        if has_schedule(self._spec.regularizer):
            regularizer, trace = read(build_regularizer(self._spec, epoch)), self._program.objective.regularizer_trace
            if not trace.fits(regularizer):
                raise DefinitionError(
                    f"{self._spec.candidate}: regularizer: must take every number of its schedule by the same formula; "
                    f"with that of epoch {epoch} it takes another"
                )
            trace.assign(regularizer)
        if self._spec.schedule.restart and epoch in self._spec.schedule.epochs:
            self._training.train_on()
            with environment.seeded(self._spec.seed):
                optimizer = self._new_optimizer()
            self._training.start(optimizer, read(optimizer))
            self._begin_guest()

    def evaluate(self) -> dict[str, Evaluation]:
        """Evaluate every split."""
        evaluations: dict[str, Evaluation] = {}
        for chunks, is_augmented in self._chunks:
            evaluations |= self._program.evaluator.evaluate(chunks, is_augmented, self._evaluation_seed)
        return evaluations

    def margins(self) -> dict[str, float]:
        """Of each split that is evaluated without augmentation, the mean margin of its samples."""
        chunks = next((chunks for chunks, is_augmented in self._chunks if not is_augmented), None)
        return {} if chunks is None else self._program.evaluator.margins(chunks, self._evaluation_seed)

    def weight_norm(self) -> float:
        """Euclidean norm over all trainable variables."""
        return self._program.objective.weight_norm()

    def kernels(self) -> dict[str, Kernel]:
        """The kernels as they are now, by layer."""
        return {layer: Kernel.from_array(kernel) for layer, kernel in self._program.objective.kernels().items()}

    def _new_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of this run in its first state, built for the network."""
        weights = self._program.objective.weights
        optimizer = build_optimizer(self._spec, weights, self._guest, self._order.steps)
        settle_epochs(optimizer, self._order.steps)
        optimizer.build(self._program.objective.model.trainable_variables)
        return optimizer

    def _take_training(self) -> None:
        """A training that an earlier run left, or a new one, with the state of this run's optimizer."""
        step = read(self._optimizer)
        self._training = self._program.training(self._spec, self._optimizer, step, self._guest)
        self._training.start(self._optimizer, step)
        self._training.begin_run()
        self._begin_guest()

    def _begin_guest(self) -> None:
        if self._guest is not None and isinstance(self._training, GuestTraining):
            self._training.begin(self._guest, self._spec.seed)

    def _seed(self, epoch: int) -> tf.Tensor:
        """Of the augmentation in an epoch; the epoch after the last stands for all evaluations."""
        state = np.random.SeedSequence([self._spec.seed, epoch]).generate_state(2) >> 1
        return tf.constant(state.astype(np.int32))


def _own_code(spec: RunSpec) -> str:
    names = own_code.names_in(*own_code.parts_of(spec.problem), spec.optimizer, spec.regularizer)
    return f"own code {', '.join(f'`{name}`' for name in sorted(names))}" if names else ""
