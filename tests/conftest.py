"""What every test shares: torchvision made importable, seeds, and skips that CI does not accept."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

import pytest
import torch
from fake_pyplot import pyplot as pyplot  # noqa: PLC0414  a fixture, for all tests

MODEL_PACKAGES = ("transformers", "timm", "torchvision")
REQUIRE_MODELS = os.environ.get("CI_REQUIRE_MODELS") == "1"
# A torchvision built for CUDA cannot load its compiled operators beside a CPU torch. It takes that
# calmly but for two operators that it expects to find declared: so they are declared here.
_DECLARED: list[torch.library.Library] = []


def declare_torchvision_ops() -> None:
    """Let torchvision, and what imports it, load without its compiled operators."""
    if _DECLARED or importlib.util.find_spec("torchvision") is None:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)


class NoExtension(MetaPathFinder):
    """Refuse the compiled parts of initkit, as on a machine that has no compiler."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in ("initkit.stream._kernel", "initkit.check._pass"):
            raise ModuleNotFoundError(f"{fullname} is blocked by --no-extension", name=fullname)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-extension", action="store_true", help="test without the C extension")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-extension"):
        sys.meta_path.insert(0, NoExtension())
    declare_torchvision_ops()
    # What is printed fits the terminal, and must not differ from one terminal to another.
    os.environ["COLUMNS"] = "80"
    missing = [name for name in MODEL_PACKAGES if importlib.util.find_spec(name) is None]
    if REQUIRE_MODELS and missing:
        pytest.exit(f"CI_REQUIRE_MODELS=1, but not installed: {', '.join(missing)}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    return _refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    return _refuse_skip(report)


def _refuse_skip(report):
    """Turn "skipped: no timm" into a failure where the model packages are promised."""
    if REQUIRE_MODELS and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if any(name in reason for name in MODEL_PACKAGES):
            report.outcome, report.longrepr = "failed", f"CI_REQUIRE_MODELS=1 refuses: {reason}"
    return report


@pytest.fixture(autouse=True)
def _same_draws() -> Iterator[None]:
    """Give every test the same global generator, default dtype and device."""
    torch.manual_seed(0)
    yield
    assert torch.get_default_dtype() is torch.float32, "a test left another default dtype behind"
