"""What guests need is told before anything is loaded, with its version; none of it must be installed here."""

import tomllib
from pathlib import Path

import pytest

from regbench.catalog import frameworks
from regbench.catalog.libraries import OPTAX, PACKAGES, TORCH
from regbench.errors import DefinitionError
from regbench.execution import workers
from regbench.guests import versions
from regbench.records import Part

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(monkeypatch):
    """What is there, by name: its version."""
    there = {}
    monkeypatch.setattr(versions, "find_spec", lambda name: there.get(name))
    monkeypatch.setattr(versions, "version_of", lambda name: there[name])
    return there


@pytest.mark.parametrize(
    ("there", "framework", "package", "message"),
    [
        (
            {},
            TORCH,
            "torch",
            "optimizers of torch need the packages torch and pytorch_optimizer: pip install 'regbench[torch]'",
        ),
        (
            *({"torch": "2.14.0+cpu"}, TORCH, "pytorch_optimizer"),
            "optimizers of pytorch_optimizer need the packages torch and pytorch_optimizer: "
            "pip install 'regbench[torch]'",
        ),
        (
            *({"torch": "2.9.1+cpu"}, TORCH, "torch"),
            "optimizers of torch need torch 2.14 or later: pip install --upgrade 'regbench[torch]'. "
            "Received: '2.9.1+cpu'",
        ),
        (
            *({"torch": "2.13.0", "pytorch_optimizer": "4.1.0"}, TORCH, "pytorch_optimizer"),
            "optimizers of pytorch_optimizer need torch 2.14 or later: pip install --upgrade 'regbench[torch]'. "
            "Received: '2.13.0'",
        ),
        (
            *({"optax": "0.2.7", "jax": "0.10.2"}, OPTAX, "optax"),
            "optimizers of optax need optax 0.2.8 or later: pip install --upgrade 'regbench[optax]'. Received: '0.2.7'",
        ),
        (
            {"optax": "0.2.8"},
            OPTAX,
            "optax",
            "optimizers of optax need the packages optax and jax: pip install 'regbench[optax]'",
        ),
        (
            *({"optax": "0.2.8", "jax": "0.9.9rc1"}, OPTAX, "optax"),
            "optimizers of optax need jax 0.10 or later: pip install --upgrade 'regbench[optax]'. Received: '0.9.9rc1'",
        ),
    ],
)
def test_what_is_missing_or_too_old_is_told_with_its_command(installed, there, framework, package, message):
    installed.update(there)
    with pytest.raises(DefinitionError) as caught:
        versions.check_package(framework, package)
    assert str(caught.value) == message


def test_what_will_do_will_do(installed):
    installed.update({"torch": "2.14.0+cpu", "pytorch_optimizer": "4.10", "optax": "0.10", "jax": "1.0"})
    for framework, packages in PACKAGES.items():
        for package in packages:
            versions.check_package(framework, package)


def test_versions_are_those_that_the_extras_ask_for():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = dict(one.split(">=") for framework in PACKAGES for one in extras[framework])
    assert asked == versions._LEAST
    assert {framework: tuple(one.split(">=")[0] for one in extras[framework]) for framework in PACKAGES} == PACKAGES


def test_worker_needs_the_versions_of_the_framework_of_its_run(monkeypatch):
    wanted = workers.versions() | {"torch": "2.14.1", "pytorch_optimizer": "none"}
    monkeypatch.setattr(workers, "_version_if_any", {"torch": "2.14.1", "pytorch_optimizer": "none"}.get)
    workers.versions.cache_clear()
    try:
        workers.check_versions(wanted, "worker here", TORCH)
        workers.check_versions(workers.versions(), "worker here")
        workers.versions.cache_clear()
        monkeypatch.setattr(workers, "_version_if_any", lambda name: "none")
        with pytest.raises(
            DefinitionError, match=r"versions on worker here must be .*'torch': '2.14.1'.*Received: .*'none'"
        ):
            workers.check_versions(wanted, "worker here", TORCH)
        workers.check_versions(workers.versions(), "worker here")
    finally:
        workers.versions.cache_clear()


def test_seconds_across_frameworks_are_labelled():
    optimizers = {"a": Part(name="adam"), "b": Part(name="torch:Adam"), "c": Part(name="optax:adam")}
    assert frameworks.on_seconds(optimizers) == (
        "Seconds across frameworks compare implementations, not methods (Keras: a; PyTorch: b; optax: c)."
    )
    assert frameworks.on_seconds({"a": Part(name="adam"), "d": Part(name="sgd")}) == ""
    around = {"b": Part(name="torch:Adam"), "w": Part(name="clipped", arguments={"inner_optimizer": Part(name="sgd")})}
    assert "(Keras: w; PyTorch: b)" in frameworks.on_seconds(around)
