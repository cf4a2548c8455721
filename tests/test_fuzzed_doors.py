"""Whatever comes through a door, what goes out is a result or an error of initkit's own."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from initkit import (
    apply_init,
    check_init,
    find_tied_parameters,
    load_recipe,
    model_digest,
    plan_init,
    save_recipe,
    verify_report,
)
from initkit.errors import InitkitError
from initkit.plan import Plan
from initkit.plan.serialization import rich_data, steps_digest
from initkit.plan.step import Step
from initkit.write.report import checksum

FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RULES = {"0.weight": "trunc_normal(std=0.1)", "0.bias": "uniform", "1.weight": "normal", "*": 0}


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Embedding(5, 4, padding_idx=1), nn.LayerNorm(4))


# ------------------------------------------------------------------------------ rules of any kind

huge = st.sampled_from([10**400, -(10**400), 10**4000, 2**64, 1e308, float("inf"), float("nan")])
atoms = (
    huge | st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3)
    | st.text(max_size=5) | st.sampled_from(["keep", "normal", "normal(std=1e400)", "1e400", "("])
    | st.sampled_from([re.compile("a"), re.compile(b"a"), nn.Linear, torch.zeros(2), object()])
)  # fmt: skip
keys = st.text(max_size=5) | st.sampled_from(
    ["*", "0.*", "re:(", "re:0.+", "in:Linear", "type:", "a\0", "\ud800", b"x", 3, nn.Linear, ()]
)
anything = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@FUZZ
@given(rules=anything)
def test_rules_of_any_kind_are_planned_or_refused(rules: Any) -> None:
    try:
        str(plan_init(net(), rules))
    except InitkitError as error:
        str(error).encode()


@FUZZ
@given(
    rules=st.dictionaries(st.text(), anything, max_size=2),
    suffix=st.sampled_from([".json", ".toml"]),
)
def test_rules_of_any_kind_are_saved_so_that_they_come_back_or_refused(
    rules: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    try:
        path = save_recipe(rules, tmp_path / f"mine{suffix}")
    except InitkitError:
        return
    assert len(load_recipe(path).rows) == len(load_recipe(save_recipe(rules, path)).rows)
    if suffix == ".json":
        json.loads(path.read_text(), parse_constant=pytest.fail)


def test_rules_that_contain_themselves_are_refused() -> None:
    table: dict[str, Any] = {}
    table["*"] = table
    tables: list[Any] = []
    tables.append(tables)
    for rules in (table, tables, [table], {"a": tables}):
        with pytest.raises(InitkitError, match="these rules contain themselves"):
            plan_init(net(), rules)


def test_rules_that_share_tables_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initkit.rules.read._MOST", 1000)
    table: Any = {"weight": 0}
    for _ in range(64):
        table = [table, table]
    with pytest.raises(InitkitError, match="these rules are more than 1,000; write globs"):
        plan_init(net(), table)


# ------------------------------------------------------------------------------- files of any kind

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from([10**400, "kaiming_normal", "normal(std=)", "re:(", "type:", "1e999"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["rules", "scheme", "name", "type", "layout", "*"]),
        inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@FUZZ
@given(data=json_like, text=st.text(max_size=12))
def test_recipe_files_of_any_content_are_read_or_refused(
    data: Any, text: str, tmp_path: Path
) -> None:
    for name, content in (
        ("a.json", json.dumps({"rules": data})),
        ("b.json", json.dumps(data)),
        ("c.json", text),
        ("d.toml", text),
        ("e.toml", f"[rules]\n{text}"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8", errors="replace")
        with contextlib.suppress(InitkitError):
            str(load_recipe(tmp_path / name))


JUNK = [None, True, -1, 0, 2**63, 10**30, 10**400, -1.5, "", "nn", "uint4", "Normal", []]
JUNK += [[1], [[]], {}, {"number": "inf"}, {"number": []}, {"kind": "NonElementwise"}, [-1], ["a"]]
JUNK += [{"kind": "Normal"}, {"kind": "UserFunction", "function": "os.system"}, [10**11, 10**11]]


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in entries:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(data))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


def _made() -> tuple[Any, Any]:
    plan = plan_init(net(), RULES)
    return json.loads(plan.to_json()), plan


PLAN, WHOLE = _made()
ENTRIES = net().state_dict()


@pytest.mark.parametrize("turn", range(len(JUNK)))
def test_a_plan_that_was_changed_anywhere_is_applied_or_refused_whole(turn: int) -> None:
    # Each turn changes a quarter of all places; over the turns each place meets six kinds of junk.
    for number, path in enumerate(_places(PLAN)):
        if number % 4 != turn % 4:
            continue
        changed = _with(PLAN, path, JUNK[(number // 4 + turn) % len(JUNK)])
        try:
            # who changes a plan may make its digest anew
            steps = [Step.from_dict(row) for row in rich_data(changed)["steps"]]
            changed["digest"] = steps_digest(steps)
        except Exception:
            pass
        entries = {name: t.clone() for name, t in ENTRIES.items()}
        before = {name: t.clone() for name, t in entries.items()}
        try:
            plan = Plan.from_json(json.dumps(changed))
            assert str(plan) and plan.to_html() and plan.to_json() is not None
            plan.diff(WHOLE)
            plan.apply(entries, seed=0)
        except InitkitError:
            assert all(torch.equal(before[name], t) for name, t in entries.items())


def test_a_report_that_was_changed_anywhere_is_compared_or_refused(tmp_path: Path) -> None:
    model = net()
    path = apply_init(model, RULES, seed=0).save(tmp_path / "r.json")
    saved = json.loads(path.read_text())
    for number, place in enumerate(_places(saved)):
        for turn in (0, 7):
            changed = _with(saved, place, JUNK[(number + turn) % len(JUNK)])
            path.write_text(json.dumps({**changed, "checksum": checksum(changed)}))
            with contextlib.suppress(InitkitError):
                assert str(verify_report(model, path))


# ----------------------------------------------------------------------------- tensors of any kind


def _fake() -> Tensor:
    with FakeTensorMode():
        return torch.zeros(3)


def _nested() -> Tensor:
    return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


TENSORS: Mapping[str, Any] = {
    "nested": _nested,
    "fake": _fake,
    "negative": lambda: torch.zeros(3, dtype=torch.complex64).conj().imag,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "on meta": lambda: torch.zeros(3, device="meta"),
    "empty": lambda: torch.zeros(0, 3),
    "expanded": lambda: torch.zeros(1).expand(9),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", TENSORS)
def test_a_tensor_of_any_kind_is_started_or_refused(kind: str) -> None:
    tensor = TENSORS[kind]()
    name = "a\ud800"
    for door in (
        lambda: plan_init({name: tensor}, {"*": "keep"}).to_json(),
        lambda: apply_init({name: tensor}, {"*": 1}, seed=10**5000),
        lambda: apply_init({name: tensor}, {"*": "normal"}, seed=0),
        lambda: check_init({name: tensor}, {"*": 1}),
        lambda: check_init({name: tensor}),
        lambda: find_tied_parameters({name: tensor}),
        lambda: model_digest({name: tensor}),
    ):
        try:
            str(door()).encode()
        except InitkitError as error:
            str(error).encode()


ENDLESS = 10**5000  # which Python would not print


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        (ENDLESS, {}),
        ([ENDLESS], {}),
        ({ENDLESS: 0}, {}),
        ({"*": ENDLESS}, {}),
        ({"*": 0}, {"only": ENDLESS}),
        ({"*": 0}, {"only": [ENDLESS]}),
        ({"*": 0}, {"prefix": ENDLESS}),
        ({"*": 0}, {"idle": ENDLESS}),
    ],
    ids=range(8),
)
def test_an_int_of_thousands_of_digits_is_refused_everywhere(rules: Any, options: Any) -> None:
    with pytest.raises(InitkitError):
        apply_init(net(), rules, seed=0, **options)


def test_a_seed_that_nobody_would_print_is_the_same_modulo_two_to_the_64() -> None:
    one, two = {"a": torch.zeros(3)}, {"a": torch.zeros(3)}
    seed = 10**5000 + 7
    report = apply_init(one, {"*": "normal"}, seed=seed)
    apply_init(two, {"*": "normal"}, seed=seed % 2**64)
    assert torch.equal(one["a"], two["a"])
    assert report.seed == seed % 2**64
