"""The readers on real data, where they lie beside the repository."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regbench import datasets
from regbench.datasets import State

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real MNIST and CIFAR-10 (once through JPEG) in DeepOBS's layout."""
    prepare = SHARED / "prepare.py"
    if not prepare.exists():
        pytest.skip("the real image data are not beside the repository")
    pytest.importorskip("PIL", reason="laying out the real images needs pillow")
    target = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, str(prepare), str(target)], check=True)
    return target


def test_real_mnist_is_the_official_one(data_dir: Path) -> None:
    (finding,) = datasets.verify(["mnist"], data_dir)
    assert (finding.state, finding.details) == (State.OFFICIAL, ("the content equals the official files",))


def test_real_mnist_has_the_known_statistics(data_dir: Path) -> None:
    data = datasets.load("mnist", data_dir)
    assert data.train_targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.train_targets).tolist() == counts
    # 0.1307 and 0.3081 are the mean and the standard deviation that everyone normalizes MNIST with, to four digits.
    assert data.train_inputs.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert data.train_inputs.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_real_cifar10_through_jpeg_differs_from_the_official_one(data_dir: Path) -> None:
    (finding,) = datasets.verify(["cifar10"], data_dir)
    assert finding.state is State.DIFFERS
    assert finding.details[0].startswith("differs from the official files: data_batch_1.bin")


def test_real_cifar10_has_the_known_statistics(data_dir: Path) -> None:
    data = datasets.load("cifar10", data_dir)
    assert np.bincount(data.train_targets).tolist() == [5000] * 10
    assert np.bincount(data.test_targets).tolist() == [1000] * 10
    # The channel means of the original; JPEG rounds values, which moves a mean by less than one grey value.
    means = data.train_inputs.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(means, 255 * np.array([0.4914, 0.4822, 0.4465]), atol=1.0)
