"""Attributes of modules that are loaded, wholly or in part."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from torch import nn

from initkit import apply_init
from initkit.numbers import loaded


def test_nothing_is_imported_and_nothing_missing_is_an_error() -> None:
    assert loaded("initkit.no_such_module", "thing") is None
    assert "initkit.no_such_module" not in sys.modules
    assert loaded("sys", "modules") is sys.modules


@pytest.mark.parametrize(
    "name",
    [
        "torch.distributed.fsdp",
        "torch.distributed.tensor",
        "torch._subclasses.fake_tensor",
        "torch.nn.utils.prune",
    ],
)
def test_a_module_in_the_middle_of_its_import_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Another thread may be importing it: it stands there, and without its classes."""
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3)), nn.PReLU())
    model[1].register_forward_pre_hook(lambda module, inputs: None)
    assert apply_init(model, {"*": 0.5}, seed=0).written
