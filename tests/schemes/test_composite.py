"""Schemes made of other schemes: blocks along any dimension, nested blocks, gates by name."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import Plan, apply_init, check_init, distributions, plan_init, register_layout
from initkit.errors import OptionError, SchemeMismatch
from initkit.schemes import Site, read_scheme


def test_blocks_give_the_forget_gate_its_bias() -> None:
    lstm = nn.LSTM(5, 7)
    apply_init(lstm, {"bias_ih_l0": "blocks(0, 1, 0, 0)", "*": "keep"}, seed=0)
    assert lstm.bias_ih_l0.view(4, 7).mean(1).tolist() == [0, 1, 0, 0]


def test_fused_projections_start_in_parts_with_the_fans_of_each() -> None:
    fused = nn.Linear(8, 24, bias=False)
    rules = {"weight": "blocks(xavier_uniform, xavier_uniform, 0)"}
    got = plan_init(fused, rules)["weight"].distribution
    assert isinstance(got, distributions.Blocks)
    assert got.parts[0].high == pytest.approx(math.sqrt(6 / 16))
    assert got.parts[2] == distributions.Constant(0.0)


def test_blocks_of_one_constant_are_that_constant() -> None:
    got = plan_init(nn.Linear(2, 4), {"*": "blocks(1, 1)"})["bias"].distribution
    assert got == distributions.Constant(1.0)


def test_gates_go_by_name_in_torchs_order() -> None:
    lstm, gru = nn.LSTM(3, 4, num_layers=2, bidirectional=True), nn.GRUCell(3, 4)
    rules = {"bias_ih*": "gates(forget=1)", "bias_hh*": "gates(0.5, cell=2)", "*": "keep"}
    apply_init(lstm, rules, seed=0)
    assert lstm.bias_ih_l1_reverse.view(4, 4).mean(1).tolist() == [0, 1, 0, 0]
    assert lstm.bias_hh_l0.view(4, 4).mean(1).tolist() == [0.5, 0.5, 2, 0.5]
    apply_init(gru, {"bias_hh": "gates(update=-1)", "*": "keep"}, seed=0)
    assert gru.bias_hh.view(3, 4).mean(1).tolist() == [0, -1, 0]


def test_a_forget_gate_at_one_stays_open_where_the_others_are_shut() -> None:
    """What torch itself computes with the biases shows which gate is which."""
    cell = nn.LSTMCell(2, 3)
    far = "gates(forget=50, input=-50, cell=0, output=50)"
    apply_init(cell, {"bias_ih": far, "*": 0}, seed=0)
    memory = torch.tensor([[0.3, -0.7, 2.0]])
    hidden, after = cell(torch.zeros(1, 2), (torch.zeros(1, 3), memory))
    assert torch.allclose(after, memory)
    assert torch.allclose(hidden, memory.tanh())


def test_gates_of_weights_start_in_their_own_way() -> None:
    step = plan_init(nn.LSTM(5, 4), {"weight_hh*": "gates(orthogonal, forget=0)", "*": "keep"})
    parts = step["weight_hh_l0"].distribution.parts
    assert parts[1] == distributions.Constant(0.0)
    assert parts[0] == distributions.Orthogonal((4, 4), 1.0, (1, 4, 4))


GATES = {
    "gates(reset=1)": "LSTM has the gates input, forget, cell, output, and no 'reset'",
    "blocks(0, 1)": r"2 blocks are not the 4 gates \(input, forget, cell, output\) of LSTM; write "
    r"blocks\(s0, s1, \.\.\.\) of 4 schemes, or gates\(forget=\.\.\.\)",
}


@pytest.mark.parametrize("text", GATES)
def test_a_wrong_gate_is_a_problem_of_the_plan(text: str) -> None:
    (problem,) = plan_init(nn.LSTM(5, 4), {"bias_ih*": text, "*": "keep"}).problems
    assert re.search(GATES[text], problem.sentence)


def test_other_modules_name_no_gates() -> None:
    (problem,) = plan_init(nn.Linear(2, 4), {"bias": "gates(forget=1)", "*": "keep"}).problems
    assert (
        "Linear names no gates that initkit knows; blocks(...) cuts any tensor" in problem.sentence
    )
    assert (
        "and order=('input', 'forget', 'cell', 'output') says which stand in it" in problem.sentence
    )
    (problem,) = plan_init(nn.LSTM(2, 4).state_dict(), {"bias_ih*": "gates", "*": "keep"}).problems
    assert "a state_dict names no gates" in problem.sentence


class Cell(nn.Module):
    """A recurrent cell of one's own, whose gates stand as forget, input, output, cell."""

    def __init__(self, width: int = 3, hidden: int = 4) -> None:
        super().__init__()
        self.x2h, self.h2h = nn.Linear(width, 4 * hidden), nn.Linear(hidden, 4 * hidden)
        self.kernel = nn.Parameter(torch.empty(width, 4 * hidden))


def test_gates_of_a_cell_of_ones_own_go_in_the_order_that_the_rule_says() -> None:
    cell, fiog = Cell(), "order=(f, i, o, g)"
    rules = {"x2h.bias": f"gates(forget=1, {fiog})", "h2h.bias": f"gates(cell=2, {fiog})",
             "*.weight": f"gates(xavier_normal, forget=0, {fiog})",
             "kernel": f"gates(1, cell=0, {fiog}, dim=-1)"}  # fmt: skip
    apply_init(cell, rules, seed=0)
    assert cell.x2h.bias.view(4, 4).mean(1).tolist() == [1, 0, 0, 0]
    assert cell.h2h.bias.view(4, 4).mean(1).tolist() == [0, 0, 0, 2]
    assert cell.kernel.view(3, 4, 4).mean((0, 2)).tolist() == [1, 1, 1, 0]
    plan = plan_init(cell, rules)
    # The fans of one gate, as of torch's own cell.
    ours = plan["h2h.weight"].distribution.parts[1]
    theirs = plan_init(nn.LSTMCell(3, 4), {"weight*": "xavier_normal", "*": 0})["weight_hh"]
    assert ours == theirs.distribution
    assert Plan.from_json(plan.to_json()).steps == plan.steps
    assert check_init(cell, rules).ok


def test_the_letter_z_is_the_gate_that_its_neighbours_tell() -> None:
    assert read_scheme("gates(order=ifzo)").order == ("input", "forget", "cell", "output")
    assert read_scheme("gates(order=zrn)").order == ("update", "reset", "new")


def test_an_order_is_for_modules_whose_gates_nobody_knows() -> None:
    assert not plan_init(nn.GRU(3, 4), {"*": "gates(update=1, order=rzn)"}).problems
    for order in ("fiog", "ifgo', dim='1", "rzn"):
        rules = {"weight_hh": f"gates(order='{order}')".replace("'1'", "1"), "*": "keep"}
        (problem,) = plan_init(nn.LSTMCell(3, 4), rules).problems
        wanted = "the gates of LSTMCell are input, forget, cell, output, in this order; leave out"
        assert wanted in problem.sentence


WRONG_ORDERS = {
    "gates(forget=1, order='rzn')": "order is reset, update, new, without the gate 'forget'",
    "gates(order='ifxo')": r"lists gates once each, by letter or by name \(i input, f forget, ",
    "gates(order='ifgc')": "lists gates once each",
    "gates(order=4)": "lists gates once each, .*, not 4",
    "gates(forget=1, dim=1)": "dim goes with order=: torch stacks gates in rows",
}


@pytest.mark.parametrize("text", WRONG_ORDERS)
def test_orders_are_read_where_they_are_written(text: str) -> None:
    with pytest.raises(OptionError, match=WRONG_ORDERS[text]):
        read_scheme(text)


@pytest.mark.parametrize("width", [12, 6])
def test_a_packed_bias_is_cut_as_its_weight_is(width: int) -> None:
    attention = nn.MultiheadAttention(12, 2, kdim=width)
    (problem,) = plan_init(attention, {"in_proj_bias": "blocks(0, 1)", "*": "keep"}).problems
    assert "2 blocks are not the 3 equal parts of MultiheadAttention; write blocks(s0" in str(
        problem
    )
    assert not plan_init(attention, {"in_proj_bias": "blocks(0, 1, 0)", "*": "keep"}).problems


class Packed(nn.Module):
    """A cell whose weight and bias have names of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(16, 3))
        self.shift = nn.Parameter(torch.empty(16))


def test_a_registered_bias_is_cut_as_its_weight_is() -> None:
    register_layout(Packed, "out in", key="kernel", blocks=4)
    register_layout(Packed, "out", key="shift", bias_of="kernel")
    (problem,) = plan_init(Packed(), {"shift": "blocks(0, 1)", "*": "keep"}).problems
    assert "2 blocks are not the 4 equal parts of Packed" in problem.sentence
    rule = "gates('normal(std=1/fan_out)', forget=1, order='ifgo')"
    plan = plan_init(Packed(), {"*": rule})
    assert plan["shift"].distribution.parts == plan["kernel"].distribution.parts
    assert plan["shift"].distribution.parts[0].std == pytest.approx(1 / 4)


def test_one_rule_starts_the_blocks_of_a_packed_weight_and_of_its_bias() -> None:
    attention = nn.MultiheadAttention(12, 2)
    plan = plan_init(attention, {"in_proj_*": "blocks('normal(std=1/fan_out)', 0, 1)", "*": "keep"})
    weight, bias = plan["in_proj_weight"].distribution, plan["in_proj_bias"].distribution
    assert weight.parts == bias.parts
    assert bias.parts[0].std == pytest.approx(1 / 12)


def test_a_packed_projection_is_cut_as_it_is_packed() -> None:
    attention = nn.MultiheadAttention(12, 2)
    two = {"in_proj_weight": "blocks(normal, 0)", "*": "keep"}
    (problem,) = plan_init(attention, two).problems
    assert "2 blocks are not the 3 equal matrices of MultiheadAttention" in problem.sentence
    assert not plan_init(attention, {"*weight": "blocks(1, 2, 3, 4, 5, 6)", "*": "keep"}).problems


class Grouped(nn.Module):
    """Grouped-query attention with one matrix for queries, keys and values."""

    def __init__(self, heads: int = 4, kv_heads: int = 2, size: int = 3) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, size
        self.config = {"n_kv": kv_heads, "heads": 99}
        self.qkv = nn.Linear(heads * size, (heads + 2 * kv_heads) * size)


SIZES = "sizes=('around.heads*around.size', 'around.kv_heads*around.size', 6)"


def test_blocks_of_unequal_sizes_go_by_formulas_and_have_fans_of_their_own() -> None:
    model = Grouped()
    rules = {"qkv.weight": f"blocks(xavier_normal, 'normal(std=1/fan_out)', eye, {SIZES})",
             "qkv.bias": f"blocks(1, 2, 'indexed(i)', {SIZES})"}  # fmt: skip
    apply_init(model, rules, seed=0)
    plan = plan_init(model, rules)
    queries, keys, values = plan["qkv.weight"].distribution.parts
    assert queries.std == pytest.approx(math.sqrt(2 / 24))
    assert keys.std == pytest.approx(1 / 6)
    assert values == distributions.Eye((6, 12), (1, 6, 12))
    assert plan["qkv.weight"].start == "12: N(0, 0.2887) | 6: N(0, 0.1667) | 6: identity"
    assert model.qkv.bias.tolist() == [1] * 12 + [2] * 6 + [0, 1, 2, 3, 4, 5]
    assert torch.equal(model.qkv.weight[18:], torch.eye(6, 12))
    assert check_init(model, rules).ok
    assert Plan.from_json(plan.to_json()).steps == plan.steps


def test_the_bias_of_unequal_blocks_has_the_fans_of_its_weights_blocks() -> None:
    rule = f"blocks('normal(std=1/fan_out)', 'normal(std=1/fan_out)', 0, {SIZES})"
    plan = plan_init(Grouped(), {"*": rule})
    weight, bias = plan["qkv.weight"].distribution, plan["qkv.bias"].distribution
    assert weight.parts == bias.parts
    assert [part.std for part in bias.parts] == pytest.approx([1 / 12, 1 / 6, 0])


def test_a_bare_name_in_sizes_is_an_attribute_around_or_in_its_config() -> None:
    """The nearest module decides, and goes before its config."""
    bare = "sizes=(heads*size, 'n_kv*size', n_kv*size)"
    found = plan_init(Grouped(), {"*": f"blocks(0, 1, 2, {bare})"})
    assert found["qkv.bias"].distribution.sizes == (12, 6, 6)
    rule = "blocks(0, 1, 2, sizes=(headz*size, 6, 6))"
    (problem,) = plan_init(Grouped(), {"*bias": rule, "*": "keep"}).problems
    wanted = "headz has no value: no module around 'qkv.bias' nor its config has it; did you mean"
    assert f"{wanted} 'heads'" in problem.sentence


def test_elsewhere_a_bare_name_is_answered_with_the_name_that_a_formula_takes() -> None:
    with pytest.raises(OptionError, match="the model's own: config.d_model, around.d_model"):
        read_scheme("normal(std=1/d_model)")


WRONG_SIZES = {
    "blocks(0, 1, sizes=(2, 3))": r"sizes \(2, 3\) are 5 together, and dimension 0 has 4 entries",
    "blocks(0, 1, sizes=(0, 4))": r"sizes are whole numbers from 1 on, not \(0, 4\)",
    "blocks(0, 1, sizes=('shape[1]/4', 2))": r"whole numbers from 1 on, not \(1\.5, 2\)",
    "blocks(0, 1, dim=2)": r"\[4, 6\] has no dimension 2",
    "blocks(0, 1, 2, 3, dim=1)": "dimension 1 has 6 entries, which are no 4 equal blocks",
}


@pytest.mark.parametrize("text", WRONG_SIZES)
def test_sizes_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(SchemeMismatch, match=WRONG_SIZES[text]):
        read_scheme(text).resolve(Site((4, 6), name="w"))


def test_options_of_blocks_are_read_where_they_are_written() -> None:
    with pytest.raises(OptionError, match="sizes has a number or a formula for each of the 2"):
        read_scheme("blocks(0, 1, sizes=(2, 2, 2))")
    with pytest.raises(OptionError, match="takes schemes or numbers, and the options dim and si"):
        read_scheme("blocks(0, 1, axis=1)")
    for text in ("blocks(0, blocks(1, normal, dim=1), dim=-1)", "gates(normal, forget=1, new=eye)",
                 "blocks(0, 1, sizes=(2, 'config.heads*3'))", "blocks(0, sizes=(4,))"):  # fmt: skip
        assert read_scheme(str(read_scheme(text))) == read_scheme(text)


NESTED = (
    "blocks(blocks(normal, 'uniform(2, 3)', dim=1), blocks('indexed(i)', orthogonal, dim=1, "
    "sizes=(2, 6)), blocks(0, blocks(sparse(sparsity=0.5), 'log_of(uniform(1, 2))', dim=1)))"
)


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(0, 24 * 8), min_size=2, max_size=8))
def test_nested_blocks_hold_the_same_bits_in_any_shard(cuts: set[int]) -> None:
    made = read_scheme(NESTED).resolve(Site((24, 8)))
    source, ends = distributions.Source(0, "w"), sorted(cuts)
    whole = torch.full((24 * 8,), torch.nan)
    made.write(whole, source)
    assert not whole.isnan().any()
    runs = [(a, b - a) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    part = torch.full((sum(n for _, n in runs),), torch.nan)
    made.write(part, source, runs)
    assert torch.equal(part, torch.cat([whole[a : a + n] for a, n in runs]))


def test_blocks_of_columns_draw_what_the_whole_would_but_matrices_draw_apart() -> None:
    layer = nn.Linear(64, 64, bias=False)
    apply_init(layer, {"weight": "normal"}, seed=0)
    whole = layer.weight.detach().clone()
    apply_init(layer, {"weight": "blocks(normal, orthogonal, orthogonal, normal, dim=1)"}, seed=0)
    blocks = layer.weight.detach().chunk(4, 1)
    assert torch.equal(blocks[0], whole[:, :16])
    assert torch.equal(blocks[3], whole[:, 48:])
    for block in blocks[1:3]:
        assert torch.allclose(block.T @ block, torch.eye(16), atol=1e-5)
    # Neither repeats the other, nor what a neighbour drew.
    correlation = torch.corrcoef(torch.stack([block.flatten() for block in blocks]))
    assert float((correlation - torch.eye(4)).abs().max()) < 5 / math.sqrt(1024)


def test_a_shuffled_block_is_found() -> None:
    layer = nn.Linear(8, 300, bias=False)
    rules = {"weight": "blocks(normal, 'uniform(-1, 1)', dim=1, sizes=(2, 6))"}
    apply_init(layer, rules, seed=0)
    assert check_init(layer, rules).ok
    with torch.no_grad():
        layer.weight.copy_(layer.weight.flip(1))
    assert "in block" in str(check_init(layer, rules))
