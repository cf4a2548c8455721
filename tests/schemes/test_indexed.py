"""Formulas of the index: exact values, alike in every part of a tensor and on every machine."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init, load_recipe, plan_init, save_recipe
from initkit.distributions import ByFormula, Constant, Source, from_dict
from initkit.errors import OptionError, ReadError, SchemeMismatch
from initkit.schemes import Site, read_scheme


def retention() -> Tensor:
    return (1 - 2.0 ** (-5 - torch.arange(8.0).double())).log()


def hippo() -> Tensor:
    roots = (2 * torch.arange(6.0) + 1).sqrt()
    return -(torch.outer(roots, roots).tril(-1) + torch.diag(torch.arange(1.0, 7.0)))


def sinusoids() -> Tensor:
    angles = torch.outer(torch.arange(50.0), 10000.0 ** -(torch.arange(0, 16, 2) / 16)).double()
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(50, 16)


# What a formula says, and the same by torch.
POINTS = {
    "arange": ("2 + 3*i", (5,), lambda: torch.arange(2, 17, 3)),
    "S4D": ("log(i + 1)", (4, 16), lambda: torch.arange(1, 17).log().expand(4, -1)),
    "RetNet": ("log(1 - 2**-(5 + i))", (8,), retention),
    "HiPPO": ("-where(i > j, sqrt((2*i + 1)*(2*j + 1)), where(i == j, i + 1, 0))", (6, 6), hippo),
    "sinusoids": (
        "where(j % 2 == 0, sin(i*10000**-(j/m)), cos(i*10000**-((j - 1)/m)))",
        (50, 16),
        sinusoids,
    ),
    "rotary": ("10000**(-i/n)", (8,), lambda: 10000.0 ** -(torch.arange(0, 16, 2) / 16)),
}


class One(nn.Module):
    """One bare parameter."""

    def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.empty(shape, dtype=dtype))


@pytest.mark.parametrize("case", POINTS)
def test_a_formula_says_what_published_code_computes(case: str) -> None:
    text, shape, wanted = POINTS[case]
    model = One(*shape)
    apply_init(model, {"x": f"indexed('{text}')"}, seed=0)
    assert torch.allclose(model.x, wanted().float(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", POINTS)
def test_any_shard_holds_the_bits_of_the_whole(case: str) -> None:
    text, shape, _ = POINTS[case]
    whole = read_scheme(f"indexed('{text}')").resolve(Site(shape))
    values = torch.empty(math.prod(shape))
    whole.write(values, Source(0, "x"))
    runs = [(1, 2), (4, 1)]
    part = torch.empty(3)
    whole.write(part, Source(0, "x"), runs)
    assert torch.equal(part, values[[1, 2, 4]])


def test_whole_powers_are_exact() -> None:
    model = One(10, dtype=torch.float64)
    apply_init(model, {"x": "indexed(2**-(i + 5))"}, seed=0)
    assert model.x.tolist() == [2.0 ** -(i + 5) for i in range(10)]


def test_layers_and_the_config_stand_in_a_formula() -> None:
    net = nn.ModuleDict({"blocks": nn.ModuleList(One(1, 1, 8) for _ in range(3))})
    text = "indexed(-5 + 8*(i/(n-1))**(0.7 + 1.3*layer/(n_layers-1)))"
    apply_init(net, {"*.x": text}, seed=0)
    for layer in range(3):
        ratio = layer / 2
        wanted = [-5 + 8 * (i / 7) ** (0.7 + 1.3 * ratio) for i in range(8)]
        assert net.blocks[layer].x.flatten().tolist() == pytest.approx(wanted, rel=1e-6)
    assert check_init(net, {"*.x": text}).ok


def test_a_plan_shows_the_values_and_the_formula_and_is_read_back() -> None:
    step = plan_init(One(8), {"x": "indexed(2**-(i + owner.x.ndim or 1))"})["x"]
    assert (step.start, step.remarks) == (
        "(0.5, 0.25, ..., 0.003906)",
        "2**(-(i + owner.x.ndim))",
    )
    made = json.loads(json.dumps(step.distribution.to_dict()))
    assert from_dict(made, (8,)) == step.distribution


def test_a_recipe_file_carries_a_formula(tmp_path) -> None:
    save_recipe({"x": "indexed('where(i < 2, 0, log(i))', axis=0)"}, tmp_path / "r.toml")
    model = One(4, 2)
    apply_init(model, load_recipe(tmp_path / "r.toml"), seed=0)
    assert model.x[:, 1].tolist() == pytest.approx([0, 0, math.log(2), math.log(3)])


def test_moments_bounds_and_cdf_are_those_of_the_values() -> None:
    made = read_scheme("indexed(i*i - j)").resolve(Site((2, 7, 5)))
    values = torch.empty(70, dtype=torch.float64)
    made.write(values, Source(0, "x"))
    assert made.mean == pytest.approx(float(values.mean()))
    assert made.std == pytest.approx(float(values.std(correction=0)))
    assert made.bounds == (float(values.min()), float(values.max()))
    assert made.cdf(3.0) == pytest.approx(float((values <= 3).double().mean()))
    assert made.whole_numbers


def test_a_formula_without_an_index_is_a_constant() -> None:
    assert read_scheme("indexed(2*n)").resolve(Site((3,))) == Constant(6.0)


def test_scaled_and_mapped_formulas_stay_exact() -> None:
    model = One(3)
    apply_init(model, {"x": "scaled(exp_of(indexed(i)), 2)"}, seed=0)
    assert model.x.tolist() == pytest.approx([2, 2 * math.e, 2 * math.e**2], rel=1e-7)


WRONG = {
    "indexed(log(i))": r"'log\(i\)' is -inf at i=0 \(n=4\)",
    "indexed(i/(n - 4))": r"'i/\(n - 4\)' is nan at i=0 \(n=4\)",
    "indexed(i + j)": r"it needs at least 2 dimensions, and the shape is \[4\]",
    "indexed(i, axis=1)": r"axis 1 is not one of the 1 of \[4\]",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_place_without_a_value_is_named(text: str) -> None:
    with pytest.raises(SchemeMismatch, match=WRONG[text]):
        read_scheme(text).resolve(Site((4,), name="x"))


UNREADABLE = {
    "indexed(i @ 2)": "holds 'i @ 2', which formulas do not know; they know .* sin, cos",
    "indexed(ii)": "has an unknown name 'ii'",
    "indexed(where(i, 1))": "gives where 2 numbers, and it takes 3",
    "indexed(i + j, axis=0)": "axis is for i alone; i and j are the last two axes",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_no_formula_knows_is_refused_where_it_is_written(text: str) -> None:
    with pytest.raises(OptionError, match=UNREADABLE[text]):
        read_scheme(text)


@pytest.mark.parametrize(
    "change",
    [{"formula": "__import__('os')"}, {"axes": [3]}, {"axes": [0, 0, 0]}, {"shape": [9]}],
    ids=str,
)
def test_plain_data_that_were_changed_are_refused(change: dict[str, object]) -> None:
    good = ByFormula((4, 4), "i", (-1,)).to_dict()
    with pytest.raises(ReadError):
        from_dict(good | change, (4, 4))


def test_integer_buffers_take_whole_numbers_alone() -> None:
    model = nn.Module()
    model.register_buffer("ids", torch.zeros(2, 5, dtype=torch.int64))
    apply_init(model, {"ids": "indexed(i // 2)"}, buffers=True, seed=0)
    assert model.ids.tolist() == [[0, 0, 1, 1, 2]] * 2
    assert plan_init(model, {"ids": "indexed(i / 2)"}, buffers=True).problems


def test_a_name_without_a_value_gives_way_to_the_index() -> None:
    plan = plan_init(One(4), {"x": "indexed(config.scale or 2*i)"})
    assert plan["x"].start == "(0, 2, ..., 6)"


def test_a_check_leaves_room_for_the_angles_of_code_in_float32_and_no_more() -> None:
    rules = {"waves": "indexed(sin(2*pi*i*j/m))"}
    time = 2 * math.pi * torch.arange(200)[:, None] * (torch.arange(300) / 300)
    assert check_init({"waves": time.sin()}, rules).ok
    assert not check_init({"waves": (time * 1.0001).sin()}, rules).ok
    decays = {"decays": "indexed(-exp(i/n))"}
    table = -(torch.arange(64) / 64).exp()
    assert check_init({"decays": table}, decays).ok
    assert not check_init({"decays": table * (1 + 1e-5)}, decays).ok
