"""Small models that are as planned, and what a check of them finds."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from initkit import apply_init, check_init

RULES: dict[str, object] = {"*.weight": "normal(std=0.02)", "*.bias": 0}


def net(*widths: int) -> nn.Sequential:
    torch.manual_seed(0)
    widths = widths or (60, 80, 60)
    return nn.Sequential(*[nn.Linear(a, b) for a, b in pairwise(widths)])


def started(model: nn.Module, rules: object = RULES, **options: object) -> nn.Module:
    apply_init(model, rules, seed=0, **options)
    return model


def only_failure(model: object, rules: object = RULES, **options: object):
    failures = check_init(model, rules, **options).failures
    assert len(failures) == 1, "\n".join(map(str, failures))
    return failures[0]
