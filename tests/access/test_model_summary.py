"""A summary shows what is there, is indexed like the model, and changes nothing."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import FOREIGN, ZOO
from torch import Tensor, nn

from initkit import TargetError, apply_init, summary
from initkit.model import same_bits

CONSEQUENCE = "an optimizer won't train it, .to() won't move it, state_dict() won't save it"


class Planted(nn.Module):
    """A model that hides something of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = nn.Parameter(torch.ones(2, 2))
        self.weight2 = torch.rand(2, 2)
        self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.scales = {"a": nn.Parameter(torch.ones(2))}


def perceptron() -> nn.Sequential:
    """Return two layers with an activation between them."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def blocks(count: int, width: int = 4) -> nn.Module:
    """Return many blocks that are alike."""
    return nn.ModuleDict(
        {"h": nn.ModuleList(nn.Sequential(nn.Linear(width, width)) for _ in range(count))}
    )


def test_rows_are_the_parameters_that_torch_lists() -> None:
    model = perceptron()
    assert [(row.name, row.shape) for row in summary(model)] == [
        (name, tuple(p.shape)) for name, p in model.named_parameters()
    ]


@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8],
    ids=str,
)
def test_values_are_those_that_torch_computes(dtype: torch.dtype) -> None:
    values = (torch.randn(700, 900, dtype=torch.float64) * 3 + 20).to(dtype)
    row = summary({"w": values})["w"]
    exact = values.double()
    assert row.min == exact.min().item() and row.max == exact.max().item()
    # float32 sums within chunks of a quarter million: some 1e-6 of the size.
    assert row.mean == pytest.approx(exact.mean().item(), rel=1e-5)
    assert row.std == pytest.approx(exact.std(correction=0).item(), rel=1e-4)


def test_truths_and_complex_numbers_are_measured_too() -> None:
    rows = summary({"b": torch.tensor([True, False]), "z": torch.tensor([1 + 2j, 3 + 4j])})
    assert (rows["b"].mean, rows["b"].max) == (0.5, 1.0)
    assert (rows["z"].min, rows["z"].max, rows["z"].mean) == (1.0, 4.0, 2.5)


def test_a_constant_is_told_as_one() -> None:
    row = summary({"w": torch.full((3, 3), 0.5)})["w"]
    assert row.constant == 0.5 and row.values == "all 0.5"


def test_nan_and_infinities_are_counted_and_said() -> None:
    row = summary({"w": torch.tensor([1.0, math.nan, math.nan, math.inf])})["w"]
    assert (row.nans, row.infinities) == (2, 1)
    assert row.values == "2 NaN, 1 infinite" and row.values in str(
        summary({"w": torch.tensor([1.0, math.nan, math.nan, math.inf])})
    )


def test_without_values_none_is_read() -> None:
    row = summary(perceptron(), values=False)["0.weight"]
    assert row.mean is row.std is row.min is row.max is row.constant is None and row.values == ""


def test_buffers_come_on_request() -> None:
    model = nn.BatchNorm1d(3)
    assert [row.name for row in summary(model)] == ["weight", "bias"]
    rows = {row.name: row.kind for row in summary(model, buffers=True)}
    assert rows["running_mean"] == "buffer" and rows["weight"] == "parameter"


def test_a_row_says_what_is_known_of_memory() -> None:
    model = nn.Embedding(10, 4, padding_idx=2).half()
    row = summary(model)["weight"]
    assert (row.dtype, row.device, row.owner, row.trainable) == (
        torch.float16,
        "cpu",
        "Embedding",
        True,
    )
    assert row.bytes == 80 and row.padding == 2 and row.version == model.weight._version
    assert row.remarks == "row 2 is padding"


def test_ties_are_one_row_with_all_names() -> None:
    model = perceptron()
    model[2].bias = nn.Parameter(torch.zeros(8))
    model[2].bias = model[0].bias
    row = summary(model)["2.bias"]
    assert row is not None and row.names == ("0.bias", "2.bias") and row.tie == "parameter"
    assert row.remarks == "= 2.bias" and len(summary(model)) == 3


def test_the_rule_that_started_a_parameter_is_told() -> None:
    model = perceptron()
    assert summary(model)["0.weight"].started_by == ""
    apply_init(model, {"*.weight": "normal(std=0.1)", "*.bias": "keep"}, seed=0)
    found = summary(model)
    assert found["0.weight"].started_by == "*.weight" and found["0.bias"].started_by == ""
    assert "started by" in str(found)
    apply_init(model[2], {"weight": 0, "bias": 1})  # the last one counts, through any module
    assert summary(model)["2.weight"].started_by == "weight"
    assert summary(model)["0.weight"].started_by == "*.weight"
    assert summary(model[2])["bias"].started_by == "bias"


# ------------------------------------------------------------------------------------- indexing


def test_a_name_gives_the_row() -> None:
    assert summary(perceptron())["2.weight"].shape == (1, 8)


def test_a_glob_gives_the_rows_that_match() -> None:
    found = summary(blocks(3))["h.*.0.weight"]
    assert [row.name for row in found] == [f"h.{i}.0.weight" for i in range(3)]


@pytest.mark.parametrize("index", [0, 1, 2, -1, -3])
def test_a_number_gives_the_layer_with_names_relative_to_it(index: int) -> None:
    model = perceptron()
    found = summary(model)[index]
    assert str(found) == str(summary(model[index]))


def test_a_path_gives_the_module_and_goes_on_from_there() -> None:
    model = blocks(3)
    found = summary(model)["h"][-1][0]
    assert [row.name for row in found] == ["weight", "bias"] and found.title == "Linear"
    assert [row.name for row in summary(model)["h.1"]] == ["0.weight", "0.bias"]


def test_a_state_dict_is_indexed_by_its_numbers() -> None:
    found = summary(perceptron().state_dict())
    assert [row.name for row in found[-1]] == ["weight", "bias"]
    assert found["0.weight"].kind == "entry" and found[0]["weight"].shape == (8, 4)


@pytest.mark.parametrize(
    ("model", "key", "text"),
    [
        (perceptron, 3, "Sequential has 3 layers, and none of number 3"),
        (
            lambda: nn.Linear(2, 2),
            0,
            "Linear has no numbered layers; give a name, a glob or a",
        ),
        (
            perceptron,
            "0.wieght",
            "Sequential has no parameter '0.wieght'; did you mean '0.weight', '2.weight' or",
        ),
        (Planted, "weight2", "Planted has no parameter 'weight2'; weight2 is a plain tensor of"),
        (
            Planted,
            "layers.0.*",
            "Planted has no parameter 'layers.0.*'; layers[0] is a Linear in",
        ),
        (perceptron, 1.5, "a summary is indexed by a name, a glob or a number, not 1.5"),
    ],
)
def test_what_is_not_there_is_said(model: Callable[[], nn.Module], key: Any, text: str) -> None:
    with pytest.raises(TargetError) as caught:
        summary(model())[key]
    assert _beginning(str(caught.value), text)


def _beginning(whole: str, text: str) -> bool:
    """Say whether a text begins so; of several near names any order will do."""
    return whole.startswith(text.partition(";")[0]) and text.partition(";")[2][:20] in whole


# ------------------------------------------------------------------------- what the list misses


def test_what_should_train_is_a_problem_and_a_constant_a_note() -> None:
    found = summary(Planted())
    assert not found.ok and [text.partition(" ")[0] for text in found.problems] == [
        "layers[0]",
        "layers[1]",
        "scales['a']",
    ]
    assert [text.partition(" ")[0] for text in found.notes] == ["weight2"]
    text = found.text()
    assert "  ! layers[0] is a Linear in a list of Planted, not registered" in text
    assert "note: weight2 is a plain tensor of Planted, not a parameter" in text
    assert text.count(CONSEQUENCE) == 4


def test_a_sound_model_has_no_problem() -> None:
    assert summary(perceptron()).ok and "!" not in str(summary(perceptron()))


# ------------------------------------------------------------------------------------ gradients


def test_before_a_backward_there_is_none_yet() -> None:
    model = perceptron()
    found = summary(model)
    assert all(row.gradient is None for row in found) and found.notes == []
    assert found.text().splitlines()[0].endswith("gradients: none yet")


def test_after_a_backward_none_zero_and_frozen_are_told_apart() -> None:
    model = nn.ModuleDict({name: nn.Linear(1, 1, bias=False) for name in ("a", "b", "c", "d")})
    model["d"].requires_grad_(False)
    x = torch.ones(1, 1)
    (model["a"](x) * 3 + model["b"](x) * 0 + model["d"](x)).sum().backward()
    found = summary(model)
    assert [row.gradient for row in found] == [3.0, 0.0, None, None]
    assert [row.gradient_state for row in found] == ["rms 3", "zero", "none", "frozen"]
    assert found.notes == [
        "got no gradient: c.weight",
        "got a gradient that is exactly zero: b.weight",
        "frozen: d.weight",
    ]
    unread = summary(model, values=False)
    assert [row.gradient_state for row in unread] == ["there", "there", "none", "frozen"]


def test_a_gradient_too_small_to_square_is_not_called_zero() -> None:
    weight = nn.Parameter(torch.ones(4))
    weight.grad = torch.full((4,), 1e-30)
    assert summary({"w": weight})["w"].gradient == pytest.approx(1e-30)


def test_the_rms_of_a_gradient_is_the_root_of_its_mean_square() -> None:
    weight = nn.Parameter(torch.ones(4000))
    weight.grad = torch.randn(4000) + 5
    expected = weight.grad.double().square().mean().sqrt().item()
    assert summary({"w": weight})["w"].gradient == pytest.approx(expected, rel=1e-5)


# ----------------------------------------------------------------------------- kinds of tensors


def sparse() -> dict[str, Tensor]:
    """Return an entry with most zeros left out."""
    return {"w": torch.eye(4).to_sparse()}


def quantised() -> dict[str, Tensor]:
    """Return an entry of whole numbers with a scale."""
    return {"w": torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8)}


def mixed() -> nn.Module:
    """Return a model of which some of each kind is strange."""
    model = nn.ModuleDict({"lazy": nn.LazyLinear(3), "meta": nn.Linear(2, 2, device="meta")})
    model["empty"] = nn.Linear(0, 3) if False else nn.Embedding(0, 3)
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_scripted_and_cyclic_models_are_shown() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2)))
    assert [row.name for row in summary(scripted)[0]] == ["weight", "bias"]
    model, layer = nn.Module(), nn.Linear(1, 1)
    model.layer, layer.above = layer, model  # type: ignore[assignment]
    assert [row.name for row in summary(model)] == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("make", [sparse, mixed], ids=lambda make: make.__name__)
def test_strange_tensors_are_shown_without_an_error(make: Callable[[], Any]) -> None:
    found = summary(make(), buffers=True)
    assert len(found) >= 1 and str(found) and found.to_html() and found.to_dict()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_quantised_tensor_shows_the_values_it_stands_for() -> None:
    assert summary(quantised())["w"].max == pytest.approx(1, abs=1e-6)


def test_lazy_and_meta_parameters_are_named_as_such() -> None:
    found = summary(mixed())
    assert found["lazy.weight"].remarks == "lazy" and found["lazy.weight"].numel == 0
    assert found["meta.weight"].remarks == "no values yet" and found["meta.weight"].mean is None


@pytest.mark.parametrize("name", ZOO)
def test_models_of_the_zoo_are_shown_and_left_as_they_were(name: str) -> None:
    model = ZOO[name]()
    before = copy.deepcopy(model.state_dict())
    versions = [tensor._version for tensor in model.state_dict().values()]
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    found = summary(model, buffers=True)
    assert str(found) and found.to_html() and json.dumps(found.to_dict(), default=str)
    assert found.ok and random.equal(torch.get_rng_state())
    assert versions == [tensor._version for tensor in model.state_dict().values()]
    assert modes == [module.training for module in model.modules()]
    # Some of the zoo leave memory as it came, NaN included, which equals nothing.
    assert all(same_bits(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.models
@pytest.mark.parametrize("name", FOREIGN)
def test_published_models_are_shown_without_a_problem(name: str) -> None:
    found = summary(FOREIGN[name]())
    assert found.ok and str(found)


# ----------------------------------------------------------------------------------------- text


def test_repeated_layers_fold_and_what_differs_stands_out() -> None:
    model = blocks(48)
    apply_init(model, {"*.weight": "normal(std=0.02)", "*.bias": 0}, seed=0)
    with torch.no_grad():
        model["h"][7][0].weight.mul_(10)
    lines = summary(model).table().splitlines()[2:]
    names = [line.split()[0] for line in lines]
    assert names == ["h.{0..6,8..47}.0.weight", "h.{0..47}.0.bias", "h.7.0.weight"]
    assert lines[1].split()[1] == "x48"
    assert len(summary(model).table(fold=False).splitlines()) == 2 + 96


def test_every_line_opens_to_its_rows() -> None:
    found = summary(blocks(20))
    rows = [row for fold in found.folds for row in fold.rows]
    assert sorted(row.name for row in rows) == sorted(row.name for row in found)
    assert all([row.name for row in fold.rows] == fold.names for fold in found.folds)
    assert "h.13.0.bias" in found.to_html()


def test_few_rows_are_not_folded() -> None:
    assert "2.weight" in str(summary(perceptron()))


def test_the_text_of_a_small_model() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    apply_init(model, {"0.weight": "eye", "0.bias": 0, "1.weight": "keep"})
    assert str(summary(model)) == (
        "Sequential: 3 parameters, 7 elements, 28 B; float32 on cpu; gradients: none yet\n"
        "name      shape  module  values             min  max  started by\n"
        "--------  -----  ------  -----------------  ---  ---  ----------\n"
        "0.weight  2x2    Linear  mean 0.5, std 0.5  0    1    0.weight\n"
        "0.bias    2      Linear  all 0                        0.bias\n"
        "1.weight  1      PReLU   all 0.25"
    )


def test_the_text_of_a_row() -> None:
    model = nn.Linear(2, 2)
    apply_init(model, {"weight": "eye", "bias": 0})
    assert str(summary(model)["weight"]) == (
        "weight: 2x2 float32 on cpu, Linear parameter\n"
        "  values    mean 0.5, std 0.5, 0 to 1\n"
        "  gradient  none\n"
        "  started   by rule 'weight'\n"
        f"  memory    16 B, version {model.weight._version}"
    )


def test_ten_thousand_parameters_are_one_screen_and_take_little_time() -> None:
    model = blocks(5_000)
    began = time.process_time()
    text = summary(model, values=False).text()
    assert time.process_time() - began < 5  # a tenth of that on an idle machine
    assert len(text.splitlines()) == 5


def test_the_text_of_a_lazy_row_claims_no_shape() -> None:
    assert str(summary(nn.LazyLinear(3))["weight"]).startswith("weight: ? float32 on cpu")


def test_a_path_to_what_is_not_registered_says_so() -> None:
    model = nn.Module()
    model.layers = [nn.Linear(2, 2)]  # type: ignore[assignment]
    with pytest.raises(TargetError, match=r"no parameter 'layers'; layers\[0\] is a Linear in a"):
        summary(model)["layers"]


def test_what_a_numbered_layer_holds_beside_parameters_is_counted() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    assert [row.name for row in summary(model)[1][-1]] == ["weight", "bias"]
    assert len(summary(model)[0]) == 0
