"""Exact values as a scheme: what it takes, how it is written, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from initkit import Plan, apply_init, check_init, load_recipe, plan_init, save_recipe, verify_report
from initkit.errors import FileError, OptionError, PlanError, ReadError
from initkit.schemes import Scaled, Table, read_scheme

DTYPES = (
    torch.float32,
    torch.bfloat16,
    torch.float16,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.int64,
    torch.uint8,
    torch.bool,
)


def bits(tensor: Tensor) -> bytes:
    return bytes(tensor.contiguous().view(-1).view(torch.uint8).tolist())


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=12),
    dtype=st.sampled_from(DTYPES),
)
def test_any_bits_come_back_from_the_text_that_a_file_holds(
    words: list[int], dtype: torch.dtype
) -> None:
    raw = torch.tensor(words * 2).view(torch.uint8)
    values = (raw % 2).bool() if dtype is torch.bool else raw.view(dtype)
    values = values[~values.isnan()] if not dtype.is_complex else values.nan_to_num(1.0)
    if not values.numel():
        return
    scheme = Table(values)
    again = read_scheme(scheme.spell())
    assert again == scheme
    assert hash(again) == hash(scheme)
    assert bits(again.values.tensor) == bits(values)


def test_a_reader_sees_a_few_values_and_of_many_what_tells_them_apart() -> None:
    assert str(Table([0.5, -0.0])) == "table([0.5, -0.0])"
    assert str(Table(torch.tensor([0.1, 1.0]))) == "table([0.1, 1], dtype='float32')"
    assert str(Table([[True], [False]])) == "table([[True], [False]])"
    assert str(Table(torch.arange(40).view(8, 5))) == "table(8x5 int64, e7a2a98c)"
    long = Scaled(Table(torch.arange(40)), 2.0)
    assert str(long).startswith("scaled(table(40 int64, ")
    assert read_scheme(long.spell()) == long


def test_the_values_are_a_copy_and_equal_by_their_bits() -> None:
    mine = torch.tensor([0.0, 1.0])
    scheme = Table(mine)
    mine[0] = 7
    assert str(scheme) == "table([0, 1], dtype='float32')"
    assert scheme != Table(torch.tensor([-0.0, 1.0]))
    assert scheme != Table(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert scheme == Table(torch.tensor([0, 1]), dtype="float32")


class Buffers(nn.Module):
    """Places for every kind of number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 2))
        self.low = nn.Parameter(torch.empty(3, 2, dtype=torch.bfloat16))
        self.register_buffer("ids", torch.zeros(4, dtype=torch.long))
        self.register_buffer("mask", torch.zeros(2, 2, dtype=torch.bool))
        self.register_buffer("freqs", torch.zeros(3, dtype=torch.complex64))


IDS = torch.tensor([0, -1, 2**60 + 1, 7])
FREQS = torch.tensor([1 + 0j, 0.5 + 0.5j, -1j])
WEIGHT = torch.tensor([[0.1, 0.2], [0.3, -0.4], [5.0, 0.0]])
RULES = {
    "weight": Table(WEIGHT),
    "low": Table(WEIGHT),
    "ids": Table(IDS),
    "mask": "eye",
    "freqs": Table(FREQS),
}


def test_buffers_of_integers_truths_and_complex_numbers_get_their_values_to_the_bit() -> None:
    model = Buffers()
    plan = plan_init(model, RULES, buffers=True)
    report = plan.apply(model, seed=0)
    assert torch.equal(model.weight, WEIGHT)
    assert torch.equal(model.low, WEIGHT.bfloat16())
    assert torch.equal(model.ids, IDS)
    assert torch.equal(model.mask, torch.eye(2, dtype=torch.bool))
    assert torch.equal(model.freqs, FREQS)
    assert check_init(model, plan).ok
    assert check_init(model, report).ok


@pytest.mark.parametrize("name", ["weight", "low", "ids", "freqs"])
def test_one_other_value_fails_the_check(name: str) -> None:
    model = Buffers()
    plan = plan_init(model, RULES, buffers=True)
    plan.apply(model, seed=0)
    with torch.no_grad():
        getattr(model, name).view(-1)[2] += 1  # of ids the one that float64 does not hold
    (failure,) = check_init(model, plan).failures
    assert (failure.name, failure.kind) == (name, "structure")
    assert "1 elements differ" in failure.text


def test_a_plan_in_json_and_a_recipe_file_hold_small_tables_to_the_bit(tmp_path: Path) -> None:
    model = Buffers()
    plan = plan_init(model, RULES, buffers=True)
    again = Plan.from_json(plan.to_json())
    assert [s.distribution for s in again] == [s.distribution for s in plan]
    for name in ("rules.toml", "rules.json"):
        loaded = load_recipe(save_recipe(RULES, tmp_path / name))
        assert plan_init(model, loaded, buffers=True).digest() == plan.digest()


LARGE = "the table of 4,900 values (4,096 at most; a scheme of the index such as sinusoids has no"


def test_a_large_table_is_planned_and_written_and_no_file_carries_it(tmp_path: Path) -> None:
    values = torch.randn(70, 70, generator=torch.Generator().manual_seed(0))
    model = {"pos": torch.empty(70, 70)}
    rules = {"pos": Table(values)}
    report = apply_init(model, rules, seed=0)
    assert torch.equal(model["pos"], values)
    with pytest.raises(ReadError) as json:
        report.plan.to_json()
    assert str(json.value) == f"JSON cannot carry {LARGE} limit) that starts pos"
    with pytest.raises(FileError) as file:
        save_recipe(rules, tmp_path / "rules.toml")
    assert str(file.value).endswith(f"a file cannot carry {LARGE} limit)")
    rows = verify_report(model, report.save(tmp_path / "report.json")).rows
    assert rows == (("pos", "as initialised"),)  # by the digest of its values
    other = plan_init(model, {"pos": Table(values + 1)})
    assert other.digest() != report.plan.digest()


def test_shape_and_numbers_that_do_not_fit_are_problems_of_the_plan() -> None:
    rules = {
        "weight": "table([1, 2])",
        "low": Table(FREQS.repeat(2).view(3, 2)),
        "ids": "table([0, 0.5, 1, 2])",
        "mask": "table([[0, 2], [0, 1]])",
        "freqs": "table([1, 2, 3])",
    }
    problems = [p.sentence for p in plan_init(Buffers(), rules, buffers=True).problems]
    held = "it holds values of shape [2], and the shape is [3, 2]"
    freqs = "table of 3x2 complex64 values (2061a70c) needs complex numbers"
    ids = "table (0, 0.5, 1, 2) needs floating point; write 'keep'"
    assert problems == [
        f"weight: table([1, 2]) cannot start it (rule 'weight'): {held}",
        f"low: its dtype is torch.bfloat16, and {freqs} (rule 'low')",
        f"ids: its dtype is torch.int64, and {ids} (rule 'ids')",
        "mask: its dtype is torch.bool, which cannot hold 2 (rule 'mask')",
    ]
    with pytest.raises(PlanError):
        apply_init(Buffers(), rules, buffers=True)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([[1], [1, 2]], "table: values must be a tensor, or lists of numbers of one length: "),
        ("abc", "table: values must be a tensor, or lists of numbers of one length: "),
        ([], "table: values must hold at least one"),
        (torch.tensor([torch.nan]), "table: values hold NaN, which starts nothing"),
        (torch.empty(2, device="meta"), "table: values are on the meta device, which holds none"),
    ],
)
def test_what_is_no_table_is_refused_where_it_is_written(values: object, text: str) -> None:
    with pytest.raises(OptionError) as error:
        Table(values)
    assert str(error.value).startswith(text)


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(OptionError) as error:
        read_scheme("table([1], dtype='flaot32')")
    text = "table: dtype must be the name of one, such as 'float32', not 'flaot32'"
    assert str(error.value) == text


def test_a_table_is_scaled_mapped_and_one_of_blocks_as_any_scheme() -> None:
    model = {"a": torch.empty(4), "b": torch.empty(2), "c": torch.empty(2, dtype=torch.complex64)}
    rules = {
        "a": "blocks(table([1, 2]), scaled(table([1, 2]), 3))",
        "b": "log_of(table([1, 2]))",
        "c": Table(FREQS[:2]).scaled(2),
    }
    apply_init(model, rules, seed=0)
    assert model["a"].tolist() == [1, 2, 3, 6]
    assert torch.allclose(model["b"], torch.tensor([1.0, 2.0]).log())
    assert torch.equal(model["c"], FREQS[:2] * 2)
    assert check_init(model, rules).ok


def test_a_logarithm_of_complex_numbers_is_refused() -> None:
    model = {"c": torch.empty(2, dtype=torch.complex64)}
    scheme = read_scheme(f"log_of({Table(FREQS[:2] + 2 + 2j).spell()})")
    (problem,) = plan_init(model, {"c": scheme}).problems
    assert "log is defined for real numbers here" in problem.sentence
