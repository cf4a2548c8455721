"""Groups that one rule starts as one: found by their stars, drawn under one name, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Rule,
    apply_init,
    check_init,
    load_recipe,
    plan_init,
    register_scheme,
    save_recipe,
    verify_report,
)
from initkit.errors import FillError, OptionError
from initkit.schemes import read_scheme, unregister_scheme

ADAPTERS = "*.{base,down,up}.weight"


class Lora(nn.Module):
    """A layer with low-rank adapters beside it."""

    def __init__(self, rank: int = 4) -> None:
        super().__init__()
        self.base = nn.Linear(12, 16, bias=False)
        self.down, self.up = nn.Linear(12, rank, bias=False), nn.Linear(rank, 16, bias=False)


class Attention(nn.Module):
    """Attention with four matrices, or with a packed one."""

    def __init__(self, width: int = 32, *, packed: bool = True) -> None:
        super().__init__()
        names = {"qkv": 3, "proj": 1} if packed else dict.fromkeys("qkvo", 1)
        for name, count in names.items():
            setattr(self, name, nn.Linear(width, count * width, bias=False))


class Rotation(nn.Module):
    """An invertible 1x1 convolution in its factors."""

    def __init__(self, size: int = 6, *, apart: bool = False) -> None:
        super().__init__()
        for name in "plu":
            setattr(self, name, nn.Parameter(torch.zeros(size, size)))
        for name in ("sign", "log") if apart else ():
            setattr(self, name, nn.Parameter(torch.zeros(size)))


def twice(kind: Any, **options: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(kind(**options), kind(**options))


def said(model: nn.Module, rules: Any, **options: Any) -> str:
    return str(plan_init(model, rules, **options).problems[0])


def whole(layer: Lora, scaling: float = 1.0) -> Tensor:
    return (layer.base.weight + scaling * layer.up.weight @ layer.down.weight).detach()


# ------------------------------------------------------------------------------- built-in schemes


@pytest.mark.parametrize("scheme", ["pissa", "olora", "pissa(scaling=2)", "olora(scaling=0.5)"])
def test_adapters_and_the_rest_add_up_to_the_weight_that_there_was(scheme: str) -> None:
    model = twice(Lora)
    before = [layer.base.weight.detach().clone() for layer in model]
    apply_init(model, {ADAPTERS: scheme}, seed=0)
    scaling = float(getattr(read_scheme(scheme), "scaling"))  # noqa: B009
    for layer, weight in zip(model, before, strict=True):
        torch.testing.assert_close(whole(layer, scaling), weight)
    assert check_init(model, {ADAPTERS: scheme}).ok


def test_pissa_takes_the_principal_part() -> None:
    model = Lora()
    values = torch.linalg.svdvals(model.base.weight.detach())
    apply_init(model, {"{base,down,up}.weight": "pissa"}, seed=0)
    torch.testing.assert_close(
        torch.linalg.svdvals((model.up.weight @ model.down.weight).detach())[:4], values[:4]
    )
    torch.testing.assert_close(torch.linalg.svdvals(model.base.weight.detach())[:8], values[4:])


def test_olora_takes_the_first_columns_of_an_orthonormal_factor() -> None:
    model = Lora()
    q, r = torch.linalg.qr(model.base.weight.detach())
    apply_init(model, {"{base,down,up}.weight": "olora"}, seed=0)
    torch.testing.assert_close(model.up.weight.detach().abs(), q[:, :4].abs(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.down.weight.detach().abs(), r[:4].abs(), atol=1e-5, rtol=1e-5)


def test_a_scheme_may_draw_the_weight_which_is_then_the_one_that_it_always_draws() -> None:
    model, plain = twice(Lora), twice(Lora)
    apply_init(model, {ADAPTERS: "pissa(weight='normal(std=0.5)')"}, seed=3)
    apply_init(plain, {"*.base.weight": "normal(std=0.5)", "*": "keep"}, seed=3)
    for mine, other in zip(model, plain, strict=True):
        torch.testing.assert_close(whole(mine), other.base.weight.detach())


@pytest.mark.parametrize("packed", [True, False])
def test_mimetic_products_are_near_the_identity_as_the_paper_has_them(packed: bool) -> None:
    width, heads = 64, 4
    model = twice(Attention, width=width, packed=packed)
    rules = {"*.{qkv,proj}.weight" if packed else "*.{q,k,v,o}.weight": "mimetic(heads=4)"}
    apply_init(model, rules, seed=0)
    assert check_init(model, rules).ok
    first = model[0]
    with torch.no_grad():
        q, k, v = (
            first.qkv.weight.chunk(3)
            if packed
            else (first.q.weight, first.k.weight, first.v.weight)
        )
        o = first.proj.weight if packed else first.o.weight
        # alpha Z - beta: of the elements of Z/sqrt(width) the mean square is alpha^2 / width.
        rest = (o @ v).double() + 0.4 * torch.eye(width)
        assert float(rest.std()) == pytest.approx(0.4 / width**0.5, rel=6 / width)
        # The nearest matrix of rank width/heads to 0.7 Z + 0.7: its trace is a good part of it.
        for a, b in zip(q.chunk(heads), k.chunk(heads), strict=True):
            assert float((a.mT @ b).trace()) > 0.7 * width / heads
            assert int(torch.linalg.matrix_rank(a.mT @ b)) == width // heads
    with torch.no_grad():
        o.mul_(1.1)
    assert not check_init(model, rules).ok


@pytest.mark.parametrize("apart", [False, True])
def test_the_factors_of_glow_are_those_of_a_rotation(apart: bool) -> None:
    model = twice(Rotation, apart=apart)
    rules = {"*.{p,l,u,sign,log}" if apart else "*.{p,l,u}": "glow_lu"}
    apply_init(model, rules, seed=0)
    assert check_init(model, rules).ok
    with torch.no_grad():
        one = model[0]
        upper = one.u + torch.diag(one.sign * one.log.exp()) if apart else one.u
        rotation = one.p @ one.l @ upper
        torch.testing.assert_close(rotation @ rotation.T, torch.eye(6))
        assert torch.equal(one.l.triu(), torch.eye(6))
        one.u.mul_(1.1)
    text = check_init(model, rules).failures[0].text
    assert text.endswith(", as P L U, a random rotation")


@pytest.mark.parametrize("apart", [False, True])
def test_the_triangles_of_glow_are_those_that_were_written(apart: bool) -> None:
    rules = {"*.{p,l,u,sign,log}" if apart else "*.{p,l,u}": "glow_lu"}
    spoilt = {
        "L": lambda one: one.l.add_(10 * torch.ones(6, 6).triu(1)),
        "U": lambda one: one.u.add_(1e-7 * torch.ones(6, 6).tril(-1)),
    }
    if apart:  # the diagonal stands in tensors of its own
        spoilt["U "] = lambda one: one.u.add_(torch.eye(6))
    for name, spoil in spoilt.items():
        model = twice(Rotation, apart=apart)
        apply_init(model, rules, seed=0)
        with torch.no_grad():
            spoil(model[0])
        (failure,) = check_init(model, rules).failures
        assert f"entries of {name.strip()} are not the zeros" in failure.text


# ------------------------------------------------------------------------- seeds, order, and ties


def test_numbers_depend_on_the_group_alone() -> None:
    model, other = twice(Rotation), twice(Rotation)
    apply_init(model, {"*.{p,l,u}": "glow_lu"}, seed=1)
    apply_init(other, {"0.*": 0, "1.{p,l,u}": "glow_lu"}, seed=1)
    assert torch.equal(model[1].l, other[1].l)
    assert not torch.equal(model[0].l, model[1].l)
    # registered in another order, and alone
    reversed_ = nn.Module()
    for name in "ulp":
        setattr(reversed_, name, nn.Parameter(torch.zeros(6, 6)))
    around = nn.ModuleList([nn.Identity(), reversed_])
    apply_init(around, {"*.{p,l,u}": "glow_lu"}, seed=1)
    assert all(torch.equal(getattr(reversed_, n), getattr(model[1], n)) for n in "plu")


def test_a_layer_that_is_shared_is_one_group() -> None:
    layer = Lora()
    before = layer.base.weight.detach().clone()
    model = nn.Sequential(layer, layer)
    apply_init(model, {ADAPTERS: "pissa"}, seed=0)
    torch.testing.assert_close(whole(layer), before)


class TwoAdapters(nn.Module):
    """A weight with two adapters beside it, of different ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(12, 16, bias=False)
        self.a = nn.ModuleDict({n: nn.Linear(12, r, bias=False) for n, r in (("x", 2), ("y", 3))})
        self.b = nn.ModuleDict({n: nn.Linear(r, 16, bias=False) for n, r in (("x", 2), ("y", 3))})


X, Y = "*.{base,a.x,b.x}.weight", "*.{base,a.y,b.y}.weight"


@pytest.mark.parametrize("one_key", [True, False])
def test_a_second_adapter_takes_its_part_of_what_the_first_left(one_key: bool) -> None:
    model, scheme = twice(TwoAdapters), "pissa(scaling=2)"
    weight = model[1].base.weight.detach().double()
    key = "*.{base,a.x,b.x,a.y,b.y}.weight"
    rules = {key: scheme} if one_key else {X: scheme, Y: scheme}
    plan = plan_init(model, rules)
    plan.apply(model, seed=0)
    rest, values = weight, torch.linalg.svdvals(weight)
    for name, rank in (("x", 2), ("y", 5)):
        a, b = (getattr(model[1], side)[name].weight.double() for side in "ab")
        rest = rest - 2 * b @ a
        left = torch.linalg.svdvals(rest)[: len(values) - rank]
        torch.testing.assert_close(left, values[rank:], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(model[1].base.weight.double(), rest, atol=1e-6, rtol=1e-5)
    assert plan["0.a.y.weight"].start == "PiSSA: A, rank 3"
    assert plan["0.base.weight"].start == "PiSSA: the rest of the weight, rank 2 and 3"
    assert check_init(model, rules).ok
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    with torch.no_grad():
        model[0].b["y"].weight[:, 1] *= 1.2
    assert not check_init(model, rules).ok


def test_olora_has_one_adapter() -> None:
    text = said(twice(TwoAdapters), {"*.{base,a.x,b.x,a.y,b.y}.weight": "olora"})
    assert "OLoRA leaves nothing of the weight's first columns for a second adapter" in text


def test_adapters_of_one_weight_may_be_scaled_apart() -> None:
    model, rules = twice(TwoAdapters), {X: "pissa(scaling=4)", Y: "pissa(scaling=0.5)"}
    weight = model[0].base.weight.detach().double()
    plan = plan_init(model, rules)
    plan.apply(model, seed=0)
    layer = model[0]
    took = sum(
        scaling * layer.b[name].weight.double() @ layer.a[name].weight.double()
        for name, scaling in (("x", 4.0), ("y", 0.5))
    )
    torch.testing.assert_close(layer.base.weight.double() + took, weight, atol=1e-6, rtol=1e-5)
    values = torch.linalg.svdvals(weight)
    torch.testing.assert_close(
        torch.linalg.svdvals(layer.base.weight.double())[:7], values[5:], atol=1e-6, rtol=1e-5
    )
    assert check_init(model, plan).ok
    again = Plan.from_json(plan.to_json())
    assert again.digest() == plan.digest() and check_init(model, again).ok
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    # What one scaling for both would have left fails: B' W = 0 and the rest hold of it, too.
    started = {X: "pissa(scaling=4, weight='normal')", Y: "pissa(scaling=0.5)"}
    apply_init(model, {**started, Y: "pissa(scaling=4)"}, seed=0)
    assert check_init(model, {**started, Y: "pissa(scaling=4)"}).ok
    assert not check_init(model, started).ok


def test_the_weight_of_two_adapters_is_said_once() -> None:
    first = {X: "pissa(weight='normal(std=0.1)')"}
    text = said(twice(TwoAdapters), first | {Y: "pissa(weight='normal')"})
    assert f"0.base.weight starts by rule {X!r} already; of pissa over one weight" in text
    assert "the first rule alone says weight=" in text
    assert f"(rule {Y!r})" in text
    assert not plan_init(twice(TwoAdapters), first | {Y: "pissa"}).problems
    same = first | {Y: "pissa(weight='normal(std=0.1)')"}
    assert not plan_init(twice(TwoAdapters), same).problems


class Wide(nn.Module):
    """A layer with adapters, wide enough that its weight is a sample to speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(64, 96, bias=False)
        self.down, self.up = nn.Linear(64, 4, bias=False), nn.Linear(4, 96, bias=False)


def change(name: str, how: Any) -> Any:
    def spoil(layer: Any) -> None:
        weight = getattr(layer, name).weight
        weight.copy_(how(weight))

    return spoil


@pytest.mark.parametrize(
    ("scheme", "spoil", "text"),
    [
        ("pissa(W)", change("base", lambda w: w * 1.1), ", of W + scaling B A, N(0, 0.125)"),
        ("pissa", change("base", lambda w: w * 3), "what is left has a singular value"),
        ("pissa", change("base", lambda w: w + 0.1), "B' W is 0 does not hold"),
        ("pissa(W)", change("base", torch.zeros_like), ", of W + scaling B A, N(0, 0.125)"),
        ("olora(scaling=2, W)", change("base", lambda w: w * 1.1), "B' W = (1 - scaling) A does"),
        ("olora(scaling=2)", change("base", lambda w: w.flip(0)), "B' W = (1 - scaling) A does"),
        ("olora(W)", change("base", torch.zeros_like), ", of W + scaling B A, N(0, 0.125)"),
        ("olora", change("down", lambda w: w * 1.5), "B' W = (1 - scaling) A does not hold"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_adapters_leave_of_a_weight_is_checked(
    scheme: str, spoil: Any, text: str, dtype: torch.dtype
) -> None:
    model = twice(Wide).to(dtype)
    rules = {ADAPTERS: scheme.replace("W", "weight='lecun_normal'")}
    apply_init(model, rules, seed=0)
    assert check_init(model, rules, level=1e-3).ok
    with torch.no_grad():
        spoil(model[0])
    if scheme == "olora":  # with scaling 1 nothing is left along B, whatever it took
        rules = {ADAPTERS: "olora(weight='lecun_normal')"}
        text = "W + scaling B A"
    told = [t for f in check_init(model, rules).failures for t in (f.text, *f.also)]
    assert any(text in one for one in told), told


@pytest.mark.parametrize("scheme", ["pissa", "olora(scaling=2)"])
@pytest.mark.parametrize("start", ["normal(std=0.1)", "orthogonal", "identity"])
def test_a_padding_row_is_zero_before_its_part_is_taken(scheme: str, start: str) -> None:
    model = twice(Wide)
    for layer in model:
        layer.base = nn.Embedding(96, 64, padding_idx=3)
    option = f"weight={start!r}"
    scheme = scheme.replace(")", f", {option})") if "(" in scheme else f"{scheme}({option})"
    rules = {ADAPTERS: scheme}
    apply_init(model, rules, seed=0)
    for layer in model:
        row = layer.base.weight[3] + layer.up.weight[3] @ layer.down.weight
        torch.testing.assert_close(row.detach(), torch.zeros(64))
    plan = plan_init(model, rules)
    assert check_init(model, plan, level=1e-3).ok
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    with torch.no_grad():
        model[0].base.weight[10:40] *= 1.3
    assert not check_init(model, plan).ok


def test_a_weight_that_is_no_sample_is_put_together_as_well() -> None:
    for weight in ("orthogonal", "identity", "uniform(-0.1, 0.1)"):
        model, rules = twice(Wide), {ADAPTERS: f"pissa(weight='{weight}')"}
        apply_init(model, rules, seed=0)
        assert check_init(model, rules, level=1e-3).ok
        with torch.no_grad():
            model[0].base.weight[:48] *= 1.2
        assert not check_init(model, rules).ok


def test_a_parameter_in_two_groups_is_a_problem() -> None:
    model = twice(Lora)
    model[1].base.weight = model[0].base.weight
    assert "starts as one with 0.down.weight, 0.up.weight already" in said(
        model, {ADAPTERS: "pissa"}
    )


def test_a_plan_names_the_others_of_a_group_by_what_tells_them_apart() -> None:
    notes = [step.note for step in plan_init(twice(Lora), {ADAPTERS: "pissa"})]
    assert notes == 2 * [
        "as one with down.weight, up.weight",
        "as one with base.weight, up.weight",
        "as one with base.weight, down.weight",
    ]


def test_of_a_group_of_many_a_plan_names_the_first() -> None:
    plan = plan_init(twice(TwoAdapters), {X: "pissa(scaling=4)", Y: "pissa(scaling=0.5)"})
    assert "0.base.weight: " not in plan[0].note
    assert plan[0].note.endswith("and 1 more")


def test_saved_plans_reports_and_rule_files_carry_groups(tmp_path: Path) -> None:
    model, rules = twice(Lora), {ADAPTERS: "pissa(scaling=2)"}
    report = apply_init(model, rules, seed=0)
    assert Plan.from_json(report.plan.to_json()).steps == report.steps
    path = report.save(tmp_path / "report.json")
    assert verify_report(model, path).proven
    with torch.no_grad():
        model[0].up.weight[0, 0] += 1
    assert verify_report(model, path).changed == ("0.up.weight",)
    loaded = load_recipe(save_recipe(rules, tmp_path / "r.toml"))
    assert plan_init(model, loaded).digest() == report.plan.digest()
    drawn = apply_init(twice(Rotation), {"*.{p,l,u}": "glow_lu"}, seed=0)
    again = twice(Rotation)
    Plan.from_json(drawn.plan.to_json()).apply(again, seed=0)
    assert verify_report(again, drawn.save(tmp_path / "two.json")).proven


def test_a_copy_of_a_member_holds_what_it_holds() -> None:
    model = nn.ModuleDict({"a": Lora(), "target": Lora()})
    rules = {"a.{base,down,up}.weight": "pissa", "target.*": "copy_of('a.*')"}
    apply_init(model, rules, seed=0)
    assert torch.equal(model["a"].up.weight, model["target"].up.weight)
    plan = plan_init(model, rules)
    with pytest.raises(FillError, match=r"follows from a.up.weight, which this model lacks"):
        plan.apply({"target.up.weight": torch.zeros(16, 4)})
    with pytest.raises(FillError, match=r"follows from a.base.weight, which this model lacks"):
        plan.apply({"a.up.weight": torch.zeros(16, 4)})


@pytest.mark.parametrize(
    "rules",
    [
        {Rotation: {"{p,l,u}": "glow_lu"}},
        {"in:Rotation": {"{p,l,u}": "glow_lu"}},
        {"?": {"{p,l,u}": "glow_lu"}},
        [Rule("glow_lu", name="*.{p,l,u}", type=Rotation)],
    ],
    ids=str,
)
def test_every_kind_of_key_tells_groups_apart(rules: Any) -> None:
    model, other = twice(Rotation), twice(Rotation)
    apply_init(model, rules, seed=1)
    apply_init(other, {"*.{p,l,u}": "glow_lu"}, seed=1)
    assert all(map(torch.equal, model.state_dict().values(), other.state_dict().values()))


# ------------------------------------------------------------------------------- users' functions


@pytest.fixture
def pair() -> Iterator[None]:
    @register_scheme("test_pair")
    def pair(a: Tensor, b: Tensor, slot: Any, *, size: float = 1.0) -> None:
        nn.init.normal_(a, std=size)
        b.copy_(-a.mT)
        assert slot.key == "weight"

    yield
    unregister_scheme("test_pair")


@pytest.mark.usefixtures("pair")
def test_a_users_function_of_several_tensors_starts_them_as_one() -> None:
    model = nn.ModuleDict(
        {str(i): nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(4, 3)}) for i in range(2)}
    )
    rules = {"*.{a,b}.weight": "test_pair(size=2)", "*.bias": 0}
    apply_init(model, rules, seed=0)
    for layer in model.values():
        assert torch.equal(layer["b"].weight, -layer["a"].weight.mT)
    assert not torch.equal(model["0"]["a"].weight, model["1"]["a"].weight)
    plan = plan_init(model, rules)
    assert plan["0.a.weight"].start == "test_pair(size=2), as one of 2"
    assert check_init(model, rules).ok
    with pytest.raises(OptionError, match="test_pair has no option sise\n.*sise.*\n.*size"):
        plan_init(model, {"*.{a,b}.weight": "test_pair(sise=2)"})


def test_a_function_that_leaves_a_member_unwritten_is_named_before_anything_is_written() -> None:
    def half(a: Tensor, b: Tensor) -> None:
        a.zero_()

    model = {"x.a": torch.ones(2), "x.b": torch.ones(2)}
    with pytest.raises(FillError, match=r"half\(\).* left elements of x.b unwritten"):
        apply_init(model, {"*.{a,b}": half})
    assert bool((model["x.a"] == 1).all())


def test_braces_are_names_of_their_own_for_every_other_scheme() -> None:
    model = twice(Lora)
    plan = plan_init(model, {"*.{down,up}.weight": "normal(std=2)", "*": 0})
    assert [step.start for step in plan] == ["constant 0", "N(0, 2)", "N(0, 2)"] * 2
    assert (
        plan_init(model, {"0": {"{base,down}.weight": 1}, "*": 0})["0.down.weight"].start
        == "constant 1"
    )


# ------------------------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"*.weight": "pissa"}, "it starts several parameters as one; list them in braces"),
        (
            {"*.{base,up,down}.weight": "pissa"},
            "A must be [rank, 12] and B [16, rank], not [[16, 4]",
        ),
        ({"*.{base,down,ub}.weight": "pissa"}, "the model has no member 3 of the 3 that"),
        ({"?.{base,down,up}.weight": "pissa"}, "0.base.weight and 1.base.weight are both member 1"),
        (
            {"1.up.weight": 0, ADAPTERS: "pissa"},
            "1.up.weight starts as one with 1.base.weight, 1.down.weight, and here it is: constant",
        ),
    ],
)
def test_what_is_no_group_is_said_with_its_names(rules: Any, text: str) -> None:
    model = twice(Lora)
    found = [p.sentence for p in plan_init(model, rules).problems]
    assert any(text in one for one in found), found


def test_a_group_is_written_as_one_or_not_at_all() -> None:
    text = said(twice(Lora), {ADAPTERS: "pissa"}, protect="0.base")
    assert (
        "0.base.weight starts as one with 0.down.weight, 0.up.weight, and here it is: protected"
        in text
    )
    assert not plan_init(twice(Lora), {ADAPTERS: "pissa"}, protect="0").problems


def test_a_rank_beyond_the_weights_is_a_problem() -> None:
    model = twice(Lora, rank=13)
    assert "the rank 13 is larger than that of the weight [16, 12]" in said(
        model, {ADAPTERS: "pissa"}
    )


def test_a_weight_without_values_has_no_principal_part() -> None:
    model = Lora().to("meta")
    with pytest.raises(
        FillError, match="it follows from what the model holds, which cannot be read"
    ):
        apply_init(model, {"{base,down,up}.weight": "pissa"}, device="cpu")


@pytest.mark.usefixtures("pair")
def test_a_key_that_names_another_number_of_tensors_than_a_function_has_is_told_so() -> None:
    model = nn.ModuleDict({name: nn.Linear(3, 3, bias=False) for name in "abc"})
    with pytest.raises(OptionError) as caught:
        plan_init(model, {"{a,b,c}.weight": "test_pair"})
    assert caught.value.message == "test_pair starts 2 tensors as one (a, b), and its key names 3"
    with pytest.raises(OptionError) as caught:
        plan_init(model, {"a.weight": "test_pair", "*": 0})
    assert str(caught.value).startswith(
        "test_pair needs the option b: test_pair(b=...); or, of a scheme over several tensors, a "
        "key names them: '{a,b}'\n"
    )
