"""A network, its optimizer and its data, compiled; used again by runs that differ only in what variables hold."""

import json

import numpy as np
import tensorflow as tf

from regbench.engine import environment
from regbench.engine.build import baked_arguments, build_model, build_optimizer, build_regularizer, decays
from regbench.engine.evaluate import Evaluation, Evaluator
from regbench.engine.objective import Objective, has_l2
from regbench.engine.splits import Batches, Samples, Splits, dataset_of, evaluated
from regbench.engine.train import Training
from regbench.records import Kernel, RunSpec

KEPT = 4
"""How many programs a process keeps; each holds a network, its optimizer and the data of its problem."""

_programs: dict[str, "Program"] = {}


class Program:
    """What is compiled for a network, and the samples it trains on."""

    def __init__(self, spec: RunSpec, splits: Splits) -> None:
        """Build the network and lay out the data; nothing is compiled before the first call."""
        dataset = dataset_of(spec.problem)
        model = build_model(spec.problem, dataset)
        self.objective = Objective(spec, dataset, model, build_regularizer(spec), decays(spec.problem))
        self.evaluator = Evaluator(self.objective, spec.batch_size)
        self.train = Samples(tf.constant(splits.train.inputs), tf.constant(splits.train.targets))
        self._trainings: dict[str, Training] = {}

    def training(self, spec: RunSpec) -> Training:
        """The training with the spec's optimizer: the last one, where only variables differ, else a new one."""
        key = json.dumps([baked_arguments(spec), spec.decay.coupling, spec.decay_strength != 0], sort_keys=True)
        if key not in self._trainings:
            self._trainings = {key: Training(self.objective, build_optimizer(spec))}
        return self._trainings[key]


class PreparedRun:
    """One run at its start: a program with the run's initial weights, hyperparameters and order of the samples."""

    def __init__(self, spec: RunSpec, splits: Splits) -> None:
        """Take a program that an earlier run left, or make one; then set every variable that a run may change."""
        self._spec = spec
        self._program = program = _program_for(spec, splits)
        with environment.seeded(spec.seed):
            program.objective.start(spec, build_model(spec.problem, dataset_of(spec.problem)))
        self._training = program.training(spec)
        self._training.start(build_optimizer(spec))
        self._order = Batches(splits.train, spec.batch_size, spec.seed, spec.protocol.reshuffle)
        first_epoch = self._order.epoch(0)
        self._first_batches = tf.constant(first_epoch)
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
        """Compile what is not compiled yet; changes no variable."""
        self._training.compile(self._program.train, self._first_batches, self._evaluation_seed)
        for chunks, is_augmented in self._chunks:
            self._program.evaluator.compile(chunks, is_augmented, self._evaluation_seed)

    def train(self, epoch: int, learning_rate_factor: float) -> np.ndarray:
        """Train one epoch (counting from 0); the loss with the penalty term before each step."""
        # Made anew only where it changes: in small problems what surrounds the compiled call counts too.
        batches = self._first_batches if self._order.is_repeated else tf.constant(self._order.epoch(epoch))
        seed = self._seed(epoch) if self._program.objective.is_augmented else self._evaluation_seed
        return self._training.epoch(self._program.train, batches, seed, learning_rate_factor)

    def evaluate(self) -> dict[str, Evaluation]:
        """Evaluate every split."""
        evaluations: dict[str, Evaluation] = {}
        for chunks, is_augmented in self._chunks:
            evaluations |= self._program.evaluator.evaluate(chunks, is_augmented, self._evaluation_seed)
        return evaluations

    def weight_norm(self) -> float:
        """Euclidean norm over all trainable variables."""
        return self._program.objective.weight_norm()

    def kernels(self) -> dict[str, Kernel]:
        """The kernels as they are now, by layer."""
        return {layer: Kernel.from_array(kernel) for layer, kernel in self._program.objective.kernels().items()}

    def _seed(self, epoch: int) -> tf.Tensor:
        """Of the augmentation in an epoch; the epoch after the last stands for all evaluations."""
        state = np.random.SeedSequence([self._spec.seed, epoch]).generate_state(2) >> 1
        return tf.constant(state.astype(np.int32))


def _program_for(spec: RunSpec, splits: Splits) -> Program:
    key = json.dumps(
        {
            "problem": spec.problem.model_dump(mode="json"),
            "regularizer": spec.regularizer and spec.regularizer.model_dump(mode="json"),
            "l2": has_l2(spec),
            "protocol": spec.protocol.model_dump(mode="json"),
            "batch_size": spec.batch_size,
            "data": splits.digest,
        },
        sort_keys=True,
    )
    program = _programs.pop(key, None) or Program(spec, splits)
    _programs[key] = program  # now the last in order of use
    while len(_programs) > KEPT:
        del _programs[next(iter(_programs))]
    return program
