"""The bundled problem files: what they say holds together with data sets, models and DeepOBS."""

from pathlib import Path

import keras
import numpy as np
import pytest

from regbench import catalog, datasets, models
from regbench.benchmark.tasks import Task
from regbench.engine.run import run
from regbench.records import LOSSES as LOSSES_OF_PROBLEMS
from regbench.records import METRICS, Problem

CLASSIFICATIONS = [
    "cifar100_3c3d",
    "cifar100_allcnnc",
    "cifar100_vgg16",
    "cifar100_vgg19",
    "cifar100_wrn404",
    "cifar10_3c3d",
    "cifar10_cnn",
    "cifar10_vgg16",
    "cifar10_vgg19",
    "digits_2c2d",
    "digits_cnn_sk",
    "digits_cnn_sk_few",
    "digits_mlp",
    "fmnist_2c2d",
    "fmnist_logreg",
    "fmnist_mlp",
    "imagenet_inception_v3",
    "imagenet_vgg16",
    "imagenet_vgg19",
    "mnist1d_cnn",
    "mnist1d_gru",
    "mnist1d_logreg",
    "mnist1d_mlp",
    "mnist_2c2d",
    "mnist_cnn_sk",
    "mnist_cnn_sk_few",
    "mnist_deep_mlp",
    "mnist_logreg",
    "mnist_mlp",
    "mnist_mlp_515",
    "modular_addition",
    "silhouettes_cnn",
    "silhouettes_cnn_few",
    "sparse_parity",
    "svhn_3c3d",
    "svhn_wrn164",
    "tolstoi_char_rnn",
]
AUTOENCODERS = ["fmnist_vae", "mnist_vae"]
BESIDE = ["char_gru", "char_transformer", "deep_linear", "diabetes_mlp", "heavy_tailed_softmax"]
LOSSES = ["convex_quadratic", "quadratic_deep", "two_d_beale", "two_d_branin", "two_d_rosenbrock"]
ADAM = {"optimizer.learning_rate": 0.003, "optimizer.beta_1": 0.9, "optimizer.beta_2": 0.999, "optimizer.epsilon": 1e-7}
LARGE = ("inception_v3", "vgg16", "vgg19", "wide_resnet")
ALL = CLASSIFICATIONS + AUTOENCODERS + LOSSES
SOME_BUILDS = [
    pytest.param(name, marks=pytest.mark.slow) if catalog.problem(name).model.name in LARGE else name for name in ALL
]


def count_classes(problem: Problem) -> int:
    chosen = problem.selection and problem.selection.classes
    return len(chosen) if chosen else datasets.get(problem.dataset).classes


def build(problem: Problem) -> keras.Model:
    input_shape = datasets.get(problem.dataset).input_shape
    return models.build(problem.model.name, problem.model.arguments, input_shape, count_classes(problem))


def test_bundled_problems_are_those_listed_here() -> None:
    bundled = [path.stem for path in catalog.data_folder("testproblems").glob("*.toml")]
    assert sorted(bundled) == sorted(ALL + BESIDE)


def test_all_problems_of_deepobs_are_there() -> None:
    # Modules of deepobs.tensorflow.testproblems in version 1.1.2.
    by_data = {
        "cifar10": "3c3d vgg16 vgg19",
        "cifar100": "3c3d allcnnc vgg16 vgg19 wrn404",
        "fmnist": "2c2d logreg mlp vae",
        "imagenet": "inception_v3 vgg16 vgg19",
        "mnist": "2c2d logreg mlp vae",
        "quadratic": "deep",
        "svhn": "3c3d wrn164",
        "tolstoi": "char_rnn",
        "two_d": "beale branin rosenbrock",
    }
    names = {f"{data}_{network}" for data, networks in by_data.items() for network in networks.split()}
    assert len(names) == 26
    assert names <= set(catalog.problem_names())


@pytest.mark.parametrize("name", SOME_BUILDS)
def test_model_of_the_problem_fits_its_data_set(name: str) -> None:
    problem = catalog.problem(name)
    of_place = datasets.get(problem.dataset).target_shape
    expected = (None, *of_place, count_classes(problem)) if problem.has_accuracy else (None,)
    assert build(problem).output_shape == expected


@pytest.mark.parametrize("name", BESIDE)
def test_other_problems_train_and_tell_their_metrics(name: str) -> None:
    problem = catalog.problem(name)
    # Few samples of a small network; the loss goes down from its value before training.
    made = run(Task.of(problem, "adam", epochs=1, batch_size=problem.batch_size).spec(ADAM, seed=42))
    curve = made.metric_curve("valid")
    assert made.outcome == "completed"
    assert curve[1] < curve[0]
    assert (problem.metric, problem.goal) == ("loss", "minimize")
    assert {key.partition("_")[2] for key in made.metrics} == set(problem.further_metrics) == set(problem.metrics)
    if problem.chance is not None:
        assert problem.chance == pytest.approx(curve[0], rel=1e-6)


@pytest.mark.parametrize("name", CLASSIFICATIONS)
def test_classification_is_scored_by_accuracy_and_guesses_one_class_among_all(name: str) -> None:
    problem = catalog.problem(name)
    assert (problem.has_accuracy, problem.metric, problem.goal) == (True, "accuracy", "maximize")
    assert problem.chance == 1 / count_classes(problem)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "convex_quadratic"])
def test_chance_of_a_loss_is_the_validation_loss_before_training(name: str) -> None:
    problem = catalog.problem(name)
    assert (problem.has_accuracy, problem.metric, problem.goal) == (False, "loss", "minimize")
    inputs = datasets.load(problem.dataset).validation_inputs
    whole_batches = len(inputs) // problem.batch_size * problem.batch_size
    losses = build(problem)(inputs[:whole_batches]).numpy()
    # Files give four decimals; each loss has some float32 roundings of its own.
    rounding = 100 * float(np.finfo(np.float32).eps)
    assert problem.chance == pytest.approx(losses.mean(dtype=np.float64), rel=rounding, abs=5e-5)


def test_chance_of_the_convex_quadratic_is_the_expected_loss_before_training() -> None:
    problem = catalog.problem("convex_quadratic")
    assert (problem.has_accuracy, problem.metric, problem.goal) == (False, "loss", "minimize")
    # The start is standard normal: E(w'Qw)/2 - E(b'w) = trace(Q)/2. The file gives four decimals.
    matrix = build(problem).get_layer("convex_quadratic").matrix
    assert problem.chance == pytest.approx(np.trace(matrix, dtype=np.float64) / 2, abs=1e-4)


@pytest.mark.parametrize("data", ["digits", "mnist", "silhouettes"])
def test_prior_is_learned_on_other_classes_than_it_is_used_on(data: str) -> None:
    stem = "silhouettes_cnn" if data == "silhouettes" else f"{data}_cnn_sk"
    first, second = catalog.problem(stem), catalog.problem(f"{stem}_few")
    assert first.selection is not None
    assert second.selection is not None
    chosen = [*first.selection.classes, *second.selection.classes]
    assert sorted(chosen) == list(range(datasets.get(data).classes))
    # The same convolutions, so that the kernels of the one can be a prior for those of the other.
    kernels = [[w.shape for w in build(problem).trainable_weights if w.ndim == 4] for problem in (first, second)]
    assert kernels[0] == kernels[1] == [w for w in kernels[0] if w[:2] == (5, 5)]


def test_deep_mlp_has_thirty_hidden_layers_and_the_others_are_those_of_their_sources() -> None:
    def trainable(name: str) -> int:
        return sum(int(np.prod(weight.shape)) for weight in build(catalog.problem(name)).trainable_weights)

    # Kernels and biases, and scale and offset of each batch normalization.
    assert trainable("mnist_deep_mlp") == 785 * 128 + 29 * 129 * 128 + 30 * 2 * 128 + 129 * 10
    assert trainable("mnist_mlp_515") == 785 * 515 + 516 * 515 + 516 * 10
    # The summary that Keras prints of its example counts as many.
    assert trainable("cifar10_cnn") == 1_250_858


# DeepOBS 1.2 (DEFAULT_TEST_PROBLEMS_SETTINGS and convergence performances); L2 factors from the problems' classes.
@pytest.mark.parametrize(
    ("name", "epochs", "batch_size", "l2", "convergence"),
    [
        ("quadratic_deep", 100, 128, 0.0, 87.7032),
        ("mnist_logreg", 50, 128, 0.0, None),
        ("mnist_mlp", 100, 128, 0.0, None),
        ("mnist_2c2d", 100, 128, 0.0, None),
        ("fmnist_logreg", 50, 128, 0.0, None),
        ("fmnist_mlp", 100, 128, 0.0, None),
        ("fmnist_2c2d", 100, 128, 0.0, 0.919809),
        ("cifar10_3c3d", 100, 128, 0.002, 0.828331),
        ("svhn_3c3d", 100, 128, 0.002, None),
        ("cifar100_3c3d", 100, 128, 0.002, None),
        ("cifar10_vgg16", 100, 128, 0.0005, None),
        ("cifar10_vgg19", 100, 128, 0.0005, None),
        ("cifar100_vgg16", 100, 128, 0.0005, None),
        ("cifar100_vgg19", 100, 128, 0.0005, None),
        ("cifar100_allcnnc", 350, 256, 0.0005, 0.525604),
        ("cifar100_wrn404", 100, 128, 0.0005, None),
        ("svhn_wrn164", 160, 128, 0.0005, 0.950199),
        ("imagenet_vgg16", 100, 128, 0.0005, None),
        ("imagenet_vgg19", 100, 128, 0.0005, None),
        ("imagenet_inception_v3", 100, 32, 0.0005, None),
        ("tolstoi_char_rnn", 200, 50, 0.0, 0.604586),
        ("mnist_vae", 50, 64, 0.0, 73.4982),
        ("fmnist_vae", 100, 64, 0.0, 92.9776),
    ],
)
def test_defaults_are_those_of_deepobs(
    name: str, epochs: int, batch_size: int, l2: float, convergence: float | None
) -> None:
    problem = catalog.problem(name)
    assert (problem.epochs, problem.batch_size) == (epochs, batch_size)
    assert (problem.l2, problem.convergence) == (l2, convergence)


def test_readme_documents_every_key_and_model() -> None:
    readme = (catalog.data_folder("testproblems") / "README.md").read_text(encoding="utf-8")
    rows = {
        name for line in readme.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")[1::2]
    }
    measures = LOSSES_OF_PROBLEMS.keys() | METRICS.keys() | {"my_module:my_loss", "my_module:my_metric"}
    # `name` is no key: it is the name of the file.
    assert rows == (set(Problem.model_fields) - {"name"}) | set(models.names()) | measures


def test_example_in_the_readme_is_a_problem(tmp_path: Path) -> None:
    readme = (catalog.data_folder("testproblems") / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "example.toml"
    path.write_text(readme.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    problem = catalog.read_problem(path)
    assert build(problem).output_shape == (None, 10)


@pytest.mark.parametrize("name", ["digits_mlp", pytest.param("digits_2c2d", marks=pytest.mark.slow)])
def test_plain_sgd_learns_the_digits_in_one_default_run(name: str) -> None:
    problem = catalog.problem(name)
    data = datasets.load(problem.dataset)
    keras.utils.set_random_seed(0)
    model = build(problem)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2), loss, metrics=["accuracy"], jit_compile=name == "digits_mlp")
    model.fit(data.train_inputs, data.train_targets, problem.batch_size, problem.epochs, verbose=0)
    accuracy = model.evaluate(data.test_inputs, data.test_targets, verbose=0)[1]
    # 0.95 expected, less four standard errors of a share of 0.95 among 300.
    assert accuracy > 0.9
