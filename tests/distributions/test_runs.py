"""Whatever runs of a tensor a shard holds, they are to the bit those of the whole tensor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initkit.distributions import ByFormula, Distribution, Rows, Source, tail
from initkit.schemes import Site, read_scheme

SOURCE = Source(0, "w")
SHAPE = (12, 6, 4)
FORMS = (
    "blocks(normal, 'uniform(2, 3)', 0, sizes=(1, 7, 4))",
    "blocks(normal, 'uniform(2, 3)', 0, dim=1, sizes=(1, 4, 1))",
    "blocks(normal, 'indexed(i)', dim=-1, sizes=(1, 3))",
    "blocks(blocks(normal, 'indexed(i + 10*j)', dim=1, sizes=(2, 4)), blocks(0, normal, dim=2))",
    "blocks(normal, blocks(1, blocks(normal, 'uniform(2, 3)'), sizes=(1, 2)), sizes=(9, 3))",
    "blocks('orthogonal(fans=tensor)', normal, 'orthogonal(fans=tensor)', dim=2, sizes=(1, 2, 1))",
    "trunc_normal(low=5, high=6)",
    "trunc_normal(low=-30, high=-7)",
    "trunc_normal(low=0, high=1e-6)",
    "blocks('trunc_normal(low=5, high=6)', 'trunc_normal(low=-9, high=-8)', dim=1, sizes=(1, 5))",
    "indexed(-5 + 8*(i/(n-1))**1.3 + j)",
    "indexed(2**-(i + 5), axis=1)",
    "scaled(blocks(normal, 'indexed(i)', dim=1), -2)",
    "shifted(blocks(normal, 'trunc_normal(low=5, high=6)', sizes=(5, 7)), 3)",
    "rounded(blocks('uniform(-4, 4)', 'indexed(i/3)', dim=1, sizes=(2, 4)), 0.5)",
    "exp_of(blocks(normal, 'uniform(1, 2)', dim=2))",
    "product('trunc_normal(low=5, high=6)', 'indexed(1/sqrt(i + 1))')",
    "sum(indexed(i + 10*j), 'trunc_normal(low=5, high=6)')",
    "sum(sum(uniform, normal), product(normal, 'uniform(1, 2)'))",
    "icnr(blocks(normal, 'uniform(2, 3)', sizes=(1, 2)), factor=4)",
)
SOME_ROWS = (
    "normal",
    "orthogonal(fans=tensor)",
    "indexed(i + 10*j)",
    "trunc_normal(low=5, high=6)",
    "blocks(normal, 'trunc_normal(low=5, high=6)', 0, sizes=(1, 3, 1))",
    "blocks(normal, 'indexed(i)', dim=1, sizes=(2, 4))",
)


def assert_any_runs_are_a_part_of_the_whole(made: Distribution, data: st.DataObject) -> None:
    assert not made.misfit(SHAPE)
    numel = 12 * 6 * 4
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    whole = torch.full((numel,), 7.0, dtype=dtype)
    made.write(whole, SOURCE)
    cuts = sorted(data.draw(st.sets(st.integers(0, numel), min_size=2, max_size=8)))
    runs = [(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    part = torch.full((sum(length for _, length in runs),), 7.0, dtype=dtype)
    made.write(part, SOURCE, runs)
    assert torch.equal(part, torch.cat([whole[a : a + length] for a, length in runs]))


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("form", FORMS)
def test_blocks_and_what_is_made_of_them(form: str, data: st.DataObject) -> None:
    assert_any_runs_are_a_part_of_the_whole(read_scheme(form).resolve(Site(SHAPE)), data)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("form", SOME_ROWS)
def test_some_rows_of_a_tensor(form: str, data: st.DataObject) -> None:
    part = read_scheme(form).resolve(Site(SHAPE, shape_only=True).rows(3, 8))
    assert_any_runs_are_a_part_of_the_whole(Rows(part, 3, 8, SHAPE), data)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("rest", ["normal", "orthogonal(fans=tensor)", "indexed(i)"])
def test_the_rows_of_a_file_and_those_behind_them(
    rest: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "rows.pt"
    if not path.exists():
        torch.save({"w": torch.arange(5.0 * 6 * 4).view(5, 6, 4)}, path)
    form = f"pretrained({str(path)!r}, rows='overlap', rest={rest!r})"
    made = read_scheme(form).resolve(Site(SHAPE, name="w", shape_only=True))
    assert_any_runs_are_a_part_of_the_whole(made, data)


@pytest.mark.parametrize(
    ("form", "owner", "name"),
    [
        ("trunc_normal(low=5, high=6)", tail, "quantile"),
        ("indexed(i + 1)", ByFormula, "values"),
    ],
)
def test_many_short_runs_are_reckoned_together(
    form: str, owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard of columns has as many runs as the tensor has rows."""
    made = read_scheme(form).resolve(Site((1000, 8)))
    calls: list[None] = []
    inner = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given: (calls.append(None), inner(*given))[1])
    made.write(torch.empty(2000), SOURCE, [(8 * row, 2) for row in range(1000)])
    assert 0 < len(calls) < 4
