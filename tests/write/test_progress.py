"""The progress bar counts every element, and asks for tqdm only where it is wanted."""

from __future__ import annotations

import builtins

import pytest
from torch import nn

import initkit
from initkit import apply_init


def test_progress_counts_every_element(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 10))
    apply_init(model, [{"*.bias": 0}, "orthogonal"], seed=0, progress=True)
    assert "11.1k/11.1k" in capsys.readouterr().err
    apply_init(model, {"*": 0}, seed=0)
    assert capsys.readouterr().err == ""


def test_progress_without_tqdm_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **options: object) -> object:
        if name == "tqdm":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(initkit.OptionError) as caught:
        apply_init(nn.Linear(2, 2), {"*": 0}, seed=0, progress=True)
    assert str(caught.value) == ("progress=True needs tqdm: pip install 'torch-initkit[progress]'")
