"""Configurations of other libraries become rules, and none of their code is run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from initkit import FileError, load_recipe, plan_init, save_recipe
from initkit.rules.convert import _searched, convert_config

MMENGINE = """
import os
norm = ['_BatchNorm', 'GroupNorm']
conv = dict(type='Kaiming', layer='Conv2d')
backbone = dict(type='ResNet', init_cfg=[conv, dict(type='Constant', val=1, layer=norm)])
model = dict(
    type='Detector', pretrained=os.environ['CKPT'], backbone=backbone, neck=None,
    heads=[dict(init_cfg=dict(
        type='Normal', layer='Conv2d', std=0.01,
        override=dict(name='cls', bias_prob=0.01)))],
    init_cfg=[
        {'type': 'Pretrained', 'checkpoint': 'a.pth'},
        dict(type='XavierInit', layer='Conv2d'),
        dict(type='Xavier', layer='Conv2d', distribution='uniform')])
"""


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8))
        head = nn.ModuleDict({"reg": nn.Conv2d(8, 4, 1), "cls": nn.Conv2d(8, 4, 1)})
        self.heads = nn.ModuleList([head])
        self.other = nn.Conv2d(8, 8, 1)


def convert(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    recipe = convert_config(tmp_path / name)
    saved = load_recipe(save_recipe(recipe, tmp_path / "rules.toml"))
    assert saved.rows == recipe.rows
    return saved


def test_every_init_cfg_becomes_rules_below_its_keys(tmp_path: Path) -> None:
    recipe = convert(tmp_path, "detector.py", MMENGINE)
    assert recipe.notes == "pretrained: load 'a.pth'"
    starts = {step.name: step.start for step in plan_init(Detector(), recipe)}
    assert starts == {
        "backbone.0.weight": "N(0, 0.1667)",  # sqrt(2 / (8 * 9))
        "backbone.0.bias": "constant 0",
        "backbone.1.weight": "constant 1",
        "backbone.1.bias": "constant 0",
        "heads.0.reg.weight": "N(0, 0.01)",
        "heads.0.reg.bias": "constant 0",
        "heads.0.cls.weight": "N(0, 0.01)",
        "heads.0.cls.bias": "constant -4.595",  # -log((1 - 0.01) / 0.01)
        "other.weight": "U(-0.6124, 0.6124)",  # of two that fit the later: sqrt(6 / 16)
        "other.bias": "constant 0",
    }


def test_a_configuration_is_read_and_never_run(tmp_path: Path) -> None:
    text = "raise SystemExit\ninit_cfg = dict(type='Normal', layer='Linear', std=std())"
    with pytest.raises(FileError, match=r"mine\.py: line 2: std\(\) is no literal; write its"):
        convert(tmp_path, "mine.py", text)
    recipe = convert(tmp_path, "mine.py", text.replace("std()", "2e-2"))
    assert recipe.rows == [("Linear.weight", "normal(std=0.02)"), ("Linear.bias", "0")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.py", "model = dict(a=1)", "a.py: there is no init_cfg in it"),
        ("a.py", "model = dict(", "a.py: it is no Python: "),
        ("a.py", "a = b\nb = a\ninit_cfg = a", "a.py: line 2: a is no literal"),
        ("a.py", "init_cfg = dict(type='Mine', layer='Linear')", "'Mine' is unknown here"),
        ("a.py", "init_cfg = [3]", "an init_cfg is a dict with a type, not 3"),
        ("a.py", "init_cfg=dict(type='Normal', override=dict(std=1))", "an override has a name"),
        ("a.yaml", "", "a.yaml: a configuration ends in .py (MMEngine) or .json"),
        ("a.json", "{}", "a.json: there is no initializer in it"),
        ("a.json", '[["w", {"type": "mine"}]]', "'mine' is unknown here"),
        ("a.json", '[["w"]]', "an initializer is a list of pairs, not ['w']"),
        ("a.json", '[["w", {"type": "zero", "mean": 1}]]', "has no translation with its options"),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path: Path, name, text, message) -> None:
    with pytest.raises(FileError, match=re.escape(message)):
        convert(tmp_path, name, text)


ALLENNLP = {
    "dataset_reader": {"type": "x"},
    "model": {
        "encoder": {"initializer": {"regexes": [["weight", "orthogonal"]]}},
        "initializer": {
            "regexes": [
                ["linear.*weight", {"type": "xavier_uniform", "gain": 2.0}],
                [".*bias$", {"type": "zero"}],
                ["out|extra", {"type": "uniform", "a": -0.5, "b": 0.5}],
                ["scale", {"type": "constant", "val": 3}],
            ],
            "prevent_regexes": ["frozen"],
        },
    },
}


def test_allennlps_expressions_are_searched_and_its_first_match_decides(tmp_path: Path) -> None:
    model = nn.Module()
    model._encoder = nn.Linear(4, 4)
    model.my_linear_layer, model.out = nn.Linear(4, 4), nn.Linear(4, 2)
    model.linear_frozen, model.scale = nn.Linear(4, 4), nn.Parameter(nn.Linear(1, 1).weight)
    recipe = convert(tmp_path, "config.json", json.dumps(ALLENNLP))
    plan = plan_init(model, recipe)
    assert {step.name: step.start for step in plan if step.status == "write"} == {
        "scale": "constant 3",
        "_encoder.weight": "orthogonal",
        "_encoder.bias": "constant 0",
        "my_linear_layer.weight": "U(-1.732, 1.732)",  # 2 * sqrt(6 / 8)
        "my_linear_layer.bias": "constant 0",
        "out.weight": "U(-0.5, 0.5)",
        "out.bias": "constant 0",
    }


@given(
    st.sampled_from(["a", "^a", "b$", ".*b", "a.*", "a|b$", "^a$", r"b\$", "(?i)A", "(?i)^B|c"]),
    st.text("abcAB$.", max_size=6),
)
@example(".*a|b", "ab")
def test_the_whole_matches_where_a_search_finds(regex: str, name: str) -> None:
    whole = _searched(regex).removeprefix("re:")
    assert bool(re.fullmatch(whole, name)) is bool(re.search(regex, name))
