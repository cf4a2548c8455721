"""Tensors that hold another's values are named, with how they are related."""

from __future__ import annotations

import torch
from checked import RULES, net, only_failure, started
from torch import nn

from initkit import check_init


def test_one_weight_sits_in_for_another_of_one_model() -> None:
    model = started(net(50, 50, 50))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight * 0.5)
    kinds = {f.name: f.kind for f in check_init(model, RULES).failures}
    assert kinds == {"1.weight": "std"}
    also = check_init(model, RULES).failures[0].also
    assert "it holds 0.5 times the values of 0.weight" in also


def test_layers_copied_by_transformer_encoder_are_clones() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32), 2, enable_nested_tensor=False
    )
    found = {f.name: f.text for f in check_init(model).failures}
    assert found["layers.1.linear1.weight"] == (
        "it holds the same values as layers.0.linear1.weight"
    )


def test_a_transposed_copy_and_a_symmetric_matrix_are_found() -> None:
    model = started(net(70, 60, 70))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight.T)
    failure = only_failure(model)
    assert failure.text == "it holds the same values, transposed, as 0.weight"
    square = started(net(60, 60))
    with torch.no_grad():
        square[0].weight.copy_(square[0].weight.triu() + square[0].weight.triu(1).T)
    assert only_failure(square).text == "it holds the same values, transposed, as itself"
