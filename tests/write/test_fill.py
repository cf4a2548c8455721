"""Filling writes in chunks on several threads, and no number shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from models import Lookups, Recurrent, tied_lm
from torch import nn

from initkit import Plan, apply_init, model_digest, plan_init
from initkit.write import fill

SCHEMES = (
    "normal(std=0.5)",
    "uniform(-1, 3)",
    "trunc_normal(std=0.02, cutoff=2)",
    "zero_mask_uniform",
    "constant(2)",
    "orthogonal",
    "eye",
    "sparse(sparsity=0.3)",
    "blocks(0, 'normal(std=1)')",
    "blocks('orthogonal', 'uniform(0, 1)')",
    "log_uniform(0.01, 1)",
)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_and_threads_change_no_number(
    scheme: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.empty(30, 14)
    apply_init({"w": whole}, {"w": scheme}, seed=1)
    monkeypatch.setattr(fill, "CHUNK", 11)
    before, others = torch.get_num_threads(), threading.active_count()
    try:
        torch.set_num_threads(threads)
        for other in (
            torch.empty(30, 14),
            torch.empty(14, 30).t(),
            torch.empty(60, 28)[::2, ::2],
        ):
            apply_init({"w": other}, {"w": scheme}, seed=1)
            assert torch.equal(other, whole)
        assert threading.active_count() == others
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("build", [tied_lm, Lookups, Recurrent])
def test_models_are_the_same_in_small_chunks(
    build: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]
    one, two = build(), build()
    apply_init(one, rules, seed=0, idle="ignore")
    monkeypatch.setattr(fill, "CHUNK", 100)
    apply_init(two, rules, seed=0, idle="ignore")
    assert model_digest(one) == model_digest(two)


def test_matrix_distributions_inside_blocks_are_written() -> None:
    lstm = nn.LSTM(4, 4)
    rules = {"weight_*": "blocks('orthogonal', 'orthogonal', 'eye', 'normal(std=1)')", "*": 0}
    apply_init(lstm, rules, seed=0)
    first, second, third, _ = lstm.weight_hh_l0.detach().chunk(4)
    for block in (first, second):
        assert torch.allclose(block @ block.T, torch.eye(4), atol=1e-6)
    assert not torch.equal(first, second)
    assert torch.equal(third, torch.eye(4))


@pytest.mark.parametrize("tie", ["parameter", "alias", "view", "overlap"])
def test_padding_rows_of_all_embeddings_over_one_memory_end_zero(tie: str) -> None:
    memory = torch.empty(9, 6) if tie == "overlap" else torch.empty(6, 6)
    a, b = nn.Embedding(6, 6, padding_idx=1), nn.Embedding(6, 6, padding_idx=4)
    a.weight = nn.Parameter(memory[:6])
    others = {"alias": memory, "view": memory.T, "overlap": memory[3:]}
    b.weight = a.weight if tie == "parameter" else nn.Parameter(others[tie])
    model = nn.ModuleDict({"a": a, "b": b})
    plan = plan_init(model, {"*": "normal"})
    (step,) = plan
    assert step.padding_rows == (1, 4) and "rows 1, 4" in step.remarks
    again = Plan.from_json(plan.to_json())
    assert again.digest() == plan.digest() and again["a.weight"].padding == (1, 4)
    again.apply(model, seed=0)
    assert not a.weight[1].any() and not b.weight[4].any()
    assert int((a.weight == 0).sum()) <= 12
