"""Running statistics are reset on request, and listed where they are off."""

from __future__ import annotations

import torch
from torch import nn

from initkit import (
    apply_init,
)


def test_running_statistics_of_a_meta_model_are_reset() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    apply_init(model, "torch_default", seed=0, device="cpu")
    assert model[1].running_mean.tolist() == [0.0] * 3
    assert model[1].running_var.tolist() == [1.0] * 3
    assert int(model[1].num_batches_tracked) == 0


def trained() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False))
    model(torch.randn(8, 3))
    return model


def test_a_trained_models_statistics_are_listed_and_reset_on_request() -> None:
    model = trained()
    report = apply_init(model, "torch_default", seed=0)
    off = [f"{i}.{key}" for i in (1, 2) for key in model[1]._buffers]
    assert report.buffers_off_reset == off
    said = f"running statistics not reset (reset_buffers=True does it): {', '.join(off)}"
    assert said in report.text()
    report = apply_init(model, "torch_default", seed=0, reset_buffers=True)
    assert report.buffers_off_reset == []
    assert model[1].running_var.tolist() == [1.0] * 4
    assert int(model[2].num_batches_tracked) == 0


def test_statistics_of_modules_that_were_not_written_are_not_listed() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))
    model(torch.randn(8, 3))
    assert apply_init(model, "torch_default", seed=0, only="1").buffers_off_reset == []
