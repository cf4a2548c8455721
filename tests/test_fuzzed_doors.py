"""Whatever comes through a door, what goes out is a result or an error of initkit's own."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    summary,
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


JUNK = [None, True, -1, 0, 2**63, 10**30, 10**400, 1e308, -1.5, "", "nn", "uint4", "Normal", []]
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


def _nested(layout: torch.layout) -> Tensor:
    return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=layout)


def _freed() -> Tensor:
    tensor = torch.zeros(3)
    tensor.untyped_storage().resize_(0)
    return tensor


class Opaque(Tensor):
    """A wrapper whose operations all fail, but for those in ``allowed``."""

    allowed: tuple[str, ...] = ()

    @staticmethod
    def __new__(cls) -> Any:
        return Tensor._make_wrapper_subclass(cls, (3,), dtype=torch.float32)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(name in str(func) for name in cls.allowed):
            return cls()
        raise KeyError(f"no {func}")


class Detachable(Opaque):
    """One that can be a parameter, at least."""

    allowed = ("detach",)


def _complex(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.complex64)


TENSORS: Mapping[str, Callable[[], Tensor]] = {
    "jagged": lambda: _nested(torch.jagged),
    "nested": lambda: _nested(torch.strided),
    "fake": _fake,
    "conjugate": lambda: _complex(3).conj(),
    "transposed conjugate": lambda: _complex(3, 2).mH,
    "negative": lambda: _complex(3).conj().imag,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "large and sparse": lambda: torch.sparse_coo_tensor(size=(10**6, 10**6)),
    "CSR": lambda: torch.eye(3).to_sparse_csr(),
    "BSC": lambda: torch.eye(4).to_sparse_bsc((2, 2)),
    "mkldnn": lambda: torch.eye(3).to_mkldnn(),
    "quantized": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    "quantized by channel": lambda: torch.quantize_per_channel(
        torch.zeros(3, 3), torch.ones(3), torch.zeros(3), 0, torch.qint8
    ),
    "zero": lambda: torch._efficientzerotensor(3),  # type: ignore[attr-defined]
    "on meta": lambda: torch.zeros(3, device="meta"),
    "large on meta": lambda: torch.zeros(10**6, 10**6, device="meta"),
    "empty": lambda: torch.zeros(0, 3),
    "a scalar": lambda: torch.zeros(()),
    "freed": _freed,
    "expanded": lambda: torch.zeros(1).expand(9),
    "endless": lambda: torch.zeros(1).expand(10**12),
    "endless integers": lambda: torch.zeros(3, 1, dtype=torch.int64).expand(3, 10**12),
    "endless windows": lambda: torch.zeros(2 * 10**6).as_strided((10**6, 10**6), (1, 1)),
    "opaque": Opaque,
    "detachable": Detachable,
} | {
    str(dtype): lambda dtype=dtype: torch.zeros(3, dtype=torch.uint8).view(dtype)
    for name in dir(torch)
    if isinstance(dtype := getattr(torch, name), torch.dtype)
    and dtype.itemsize == 1
    and dtype not in (torch.qint8, torch.quint8, torch.quint4x2, torch.quint2x4)
}  # fmt: skip


def _entry(tensor: Tensor) -> Any:
    return {"a\ud800": tensor}


def _buffer(tensor: Tensor) -> nn.Module:
    module = nn.Module()
    module.register_buffer("a", tensor)
    return module


def _parameter(tensor: Tensor) -> nn.Module:
    module = nn.Module()
    module.a = nn.Parameter(tensor, requires_grad=False)
    return module


def _summarize(model: Any) -> str:
    if not isinstance(model, nn.Module):
        return ""
    found = summary(model, buffers=True)
    return f"{found} {found.to_dict()} {found.to_html()}"


DOORS: Sequence[Callable[[Any], object]] = (
    lambda model: plan_init(model, {"*": "keep"}, idle="ignore").to_json(),
    lambda model: apply_init(model, {"*": 1}, seed=10**5000, buffers=True),
    lambda model: apply_init(model, {"*": "normal"}, seed=0),
    lambda model: apply_init(model, {"*": "arange"}, seed=0),
    lambda model: apply_init(model, {"*": lambda t: t.fill_(1)}, seed=0),
    lambda model: check_init(model, {"*": 1}),
    lambda model: check_init(model, {"*": "keep"}),
    lambda model: check_init(model, FLOATS),
    lambda model: check_init(model),
    find_tied_parameters,
    model_digest,
    _summarize,
)
FLOATS = plan_init({"a": torch.zeros(3)}, {"*": "normal"})


@pytest.mark.filterwarnings("ignore")  # torch warns of half of these kinds
@pytest.mark.parametrize("model", [_entry, _buffer, _parameter])
@pytest.mark.parametrize("kind", TENSORS)
def test_a_tensor_of_any_kind_is_started_or_refused(
    kind: str, model: Callable[[Tensor], Any], tmp_path: Path
) -> None:
    report = apply_init({"a": torch.zeros(3)}, {"*": "normal"}, seed=0).save(tmp_path / "r.json")
    for door in (*DOORS, lambda model: verify_report(model, report)):
        try:
            made = model(TENSORS[kind]())
        except KeyError:
            return  # torch makes no parameter of what cannot be detached
        try:
            str(door(made)).encode()
        except InitkitError as error:
            str(error).encode()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["freed", "zero", "detachable", "quantized"])
def test_nothing_is_written_where_one_tensor_takes_no_values(kind: str) -> None:
    model = _parameter(TENSORS[kind]())
    model.first = nn.Parameter(torch.zeros(3))
    with pytest.raises(InitkitError, match="a: it"):
        apply_init(model, {"*": "normal"}, seed=0)
    assert not model.first.any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["endless", "endless windows", "quantized", "torch.uint4"])
def test_what_cannot_be_read_is_said_not_to_be_checked(kind: str) -> None:
    assert "not checked: it" in str(check_init(_entry(TENSORS[kind]())))


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
