"""Fans: torch's from the shape, and the true ones, counted by brute force on real modules."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from initkit.errors import LayoutError, UnknownNameError
from initkit.model.layouts import parameter_info
from initkit.numbers.fans import Fans, Layout, module_fans, tensor_fans
from initkit.numbers.matrices import matrices_of

sizes = st.integers(1, 6)
shapes = st.lists(st.integers(0, 7), min_size=2, max_size=5).map(tuple)
LAWS = settings(deadline=None, derandomize=True)
FEW = settings(LAWS, max_examples=30)


def torch_fans(shape: tuple[int, ...]) -> Fans:
    return Fans(*nn.init._calculate_fan_in_and_fan_out(torch.empty(shape, device="meta")))


# --- from the shape alone


@LAWS
@given(shapes)
def test_tensor_fans_are_those_of_torch(shape: tuple[int, ...]) -> None:
    assert tensor_fans(shape) == torch_fans(shape)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_tensor_fans_need_two_dimensions_as_in_torch(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"but the shape is {shape}")):
        tensor_fans(shape)


@LAWS
@given(st.integers(0, 999), st.integers(0, 999))
def test_modes_name_the_two_fans_and_their_means(fan_in: int, fan_out: int) -> None:
    fans = Fans(fan_in, fan_out)
    assert fans.of("fan_in") == fan_in
    assert fans.of("fan_out") == fan_out
    assert fans.of("fan_avg") == fans.fan_avg == (fan_in + fan_out) / 2
    assert fans.of("fan_geo_avg") == fans.fan_geo_avg == math.sqrt(fan_in * fan_out)


def test_an_unknown_mode_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Fans(1, 2).of("fan_inn")
    text = str(caught.value)
    assert text.startswith("there is no fan mode 'fan_inn'; did you mean 'fan_in'")
    assert text.endswith("Modes are fan_in, fan_out, fan_avg, fan_geo_avg.")


# --- distributions of layouts


@LAWS
@given(shapes)
def test_out_in_window_is_what_torch_assumes(shape: tuple[int, ...]) -> None:
    assert module_fans(shape, Layout(("out", "in", "..."))) == tensor_fans(shape)


@LAWS
@given(shapes)
def test_in_out_swaps_the_fans(shape: tuple[int, ...]) -> None:
    fans = tensor_fans(shape)
    assert module_fans(shape, Layout.parse("in out ...")) == Fans(fans.fan_out, fans.fan_in)


@LAWS
@given(shapes, sizes)
def test_copies_change_no_fan(shape: tuple[int, ...], copies: int) -> None:
    layout = Layout.parse("E out in ...")
    assert module_fans((copies, *shape), layout) == tensor_fans(shape)
    assert layout.copies == 1


@LAWS
@given(sizes, sizes, sizes, sizes, sizes)
def test_blocks_have_the_fans_of_one_block(
    rows: int, columns: int, window: int, blocks: int, copies: int
) -> None:
    layout = Layout.parse("E out in k", blocks=blocks)
    shape = (copies, blocks * rows, columns, window)
    assert module_fans(shape, layout) == tensor_fans((rows, columns, window))


def test_in_and_out_may_span_several_dimensions() -> None:
    heads = Layout.parse("out out in")
    assert module_fans((4, 16, 64), heads) == Fans(64, 64)


def test_a_depthwise_filter_is_a_copy_with_a_window() -> None:
    assert module_fans((32, 7), Layout.parse("C k")) == Fans(7, 7)


def test_copies_may_stand_behind_in_and_out() -> None:
    assert module_fans((8, 3, 5), Layout.parse("in G out")) == Fans(8, 5)


def test_words_are_parted_by_spaces_or_commas() -> None:
    assert Layout.parse("E, in,out") == Layout.parse(" E in  out ") == Layout(("E", "in", "out"))


def test_a_layout_prints_its_words_and_counts() -> None:
    assert str(Layout.parse("E in out")) == "'E in out'"
    assert (
        str(Layout.parse("out in ...", groups=2, blocks=3)) == "'out in ...' (2 groups, 3 blocks)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input out", "layout 'input out': 'input' is no axis word; did you mean 'in'?"),
        ("Out in", "layout 'Out in': 'Out' is no axis word; did you mean 'out'?"),
        ("out in kh kw", "layout 'out in kh kw': 'kh' is no axis word; did you mean 'k'?"),
        (
            "in 3",
            "layout 'in 3': '3' is no axis word: use in, out, k or a name for independent copies",
        ),
        ("E E in", "layout 'E E in': 'E' stands twice: only in, out and k may repeat"),
        ("out ... in", "layout 'out ... in': '...' must stand last"),
        ("E", "layout 'E' names neither 'in' nor 'out'"),
        ("", "layout '' names neither 'in' nor 'out'"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        Layout.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "2"])
def test_counts_must_be_positive_ints(bad: object) -> None:
    with pytest.raises(LayoutError, match="layout 'out in': groups must be a positive int, not"):
        Layout(("out", "in"), groups=bad)
    with pytest.raises(LayoutError, match="layout 'out in': blocks must be a positive int, not"):
        Layout(("out", "in"), blocks=bad)


@pytest.mark.parametrize(
    ("layout", "shape", "message"),
    [
        ("E in out", (3, 4), "layout 'E in out' names 3 dimensions, but the shape is (3, 4)"),
        (
            "out in ...",
            (3,),
            "layout 'out in ...' names at least 2 dimensions, but the shape is (3,)",
        ),
        ("k", (3, 4), "layout 'k' names 1 dimension, but the shape is (3, 4)"),
    ],
)
def test_a_layout_that_does_not_fit_is_told(
    layout: str, shape: tuple[int, ...], message: str
) -> None:
    assert not Layout.parse(layout).fits(shape)
    for use in (
        lambda: module_fans(shape, Layout.parse(layout)),
        lambda: matrices_of(shape, Layout.parse(layout)),
    ):
        with pytest.raises(LayoutError) as caught:
            use()
        assert str(caught.value) == message


def test_blocks_that_do_not_divide_are_told() -> None:
    with pytest.raises(LayoutError) as caught:
        module_fans((10, 4), Layout(("out", "in"), blocks=3))
    told = (
        "layout 'out in' (3 blocks) cuts dimension 0 into 3 equal parts, but the shape is (10, 4)"
    )
    assert str(caught.value) == told


# --- the true fans, counted: all weights and inputs are 1, so nothing cancels


def counted(module: nn.Module, *inputs: Tensor) -> Fans:
    """Count the weights that an inner output sums over, and the outputs that an inner input moves.

    "Inner" is the middle of every window dimension, where no border cuts the window.
    """
    with torch.no_grad():
        module.weight.fill_(1)
    inputs = tuple(x.clone().fill_(1).requires_grad_() for x in inputs)
    out = module(*inputs)
    middle = tuple(n // 2 for n in out.shape[2:])
    (used,) = torch.autograd.grad(out[(0, 0, *middle)], module.weight)
    moved = torch.autograd.functional.jvp(module, inputs, tuple(map(one_inner, inputs)))[1]
    return Fans(int(used.count_nonzero()), int(moved.count_nonzero()))


def one_inner(x: Tensor) -> Tensor:
    unit = torch.zeros_like(x)
    unit[(0, 0, *(n // 2 for n in x.shape[2:]))] = 1
    return unit


def known_fans(module: nn.Module) -> Fans:
    shape = tuple(module.weight.shape)
    layout = parameter_info(module, "weight", shape).layout
    return module_fans(shape, layout)


@FEW
@given(sizes, sizes)
def test_linear_fans_are_the_connections(fan_in: int, fan_out: int) -> None:
    module = nn.Linear(fan_in, fan_out, bias=False)
    assert known_fans(module) == counted(module, torch.ones(1, fan_in)) == Fans(fan_in, fan_out)


@FEW
@given(sizes, sizes, sizes)
def test_bilinear_fan_in_is_the_product_of_both_inputs(one: int, two: int, fan_out: int) -> None:
    module = nn.Bilinear(one, two, fan_out, bias=False)
    assert known_fans(module) == counted(module, torch.ones(1, one), torch.ones(1, two))


KINDS = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}


@FEW
@given(
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.integers(1, 3),
    sizes,
    st.data(),
)
def test_convolution_fans_are_the_connections_of_an_inner_position(
    dims: int, transposed: bool, groups: int, ins: int, outs: int, data: st.DataObject
) -> None:
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(dims))
    kind = KINDS[dims, transposed]
    module = kind(groups * ins, groups * outs, kernel, groups=groups, bias=False)
    x = torch.ones(1, groups * ins, *(7,) * dims)
    window = math.prod(kernel)
    assert known_fans(module) == counted(module, x) == Fans(ins * window, outs * window)


def test_depthwise_fans_are_the_window() -> None:
    module = nn.Conv2d(16, 16, 3, groups=16, bias=False)
    assert known_fans(module) == counted(module, torch.ones(1, 16, 7, 7)) == Fans(9, 9)


def test_every_gate_has_the_fans_of_a_layer_of_its_own() -> None:
    """An LSTM is four layers side by side: their stacked weights have the fans of one of them."""
    lstm = nn.LSTM(5, 7, proj_size=3)
    for key, alone in [
        ("weight_ih_l0", nn.Linear(5, 7)),
        ("weight_hh_l0", nn.Linear(3, 7)),
        ("weight_hr_l0", nn.Linear(7, 3)),
    ]:
        shape = tuple(getattr(lstm, key).shape)
        assert module_fans(shape, parameter_info(lstm, key, shape).layout) == known_fans(alone)
