"""The tie report says what is tied, how large the model truly is, and what follows."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn import Parameter

from initkit import plan_init
from initkit.errors import TargetError
from initkit.ties.report import MEANING, tie_report


def tied() -> nn.Module:
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5))
    model[1].weight = model[0].weight
    return model


def test_the_text_has_counts_a_row_for_each_name_and_what_follows() -> None:
    model = tied()
    model.register_buffer("mirror", model[0].weight.data.t())
    lines = tie_report(model).text().splitlines()
    assert lines[0] == "1 tie; 20 elements (80 bytes), as parameters() says"
    assert [line.split() for line in lines[3:6]] == [
        ["view", "mirror", "3x5", "float32", "Sequential", "(buffer)", "15"],
        ["=", "0.weight", "5x3", "float32", "Embedding", "15"],
        ["=", "1.weight", "5x3", "float32", "Linear", "15"],
    ]
    assert lines[6] == f"view: {MEANING['view']}" and len(lines) == 7


def test_elements_are_counted_once_a_place_in_memory() -> None:
    model = nn.Module()
    base = torch.zeros(10)
    model.a, model.b = Parameter(base[:6]), Parameter(base[4:])
    model.c = Parameter(torch.zeros(1, 3).expand(4, 3), requires_grad=False)
    report = tie_report(model)
    assert report.counted == sum(p.numel() for p in model.parameters()) == 24
    assert (report.elements, report.bytes) == (13, 52)
    assert "13 elements (52 bytes), parameters() says 24" in str(report)


@pytest.mark.parametrize("kind", ["alias", "view", "overlap"])
def test_separate_objects_come_with_their_consequences(kind: str) -> None:
    said = MEANING[kind]
    assert "gradient of its own" in said and "an optimizer steps" in said
    assert ".half()" in said and "deepcopy" in said


def test_what_the_report_says_of_aliases_is_true() -> None:
    weight = Parameter(torch.ones(2))
    model = nn.Module()
    model.a, model.b = weight, Parameter(weight.data)
    (model.a.sum() + model.b.sum()).backward()
    assert model.a.grad is not model.b.grad
    torch.optim.SGD(model.parameters(), lr=0.25).step()
    assert torch.equal(model.a, torch.full((2,), 0.5))
    assert tie_report(model).groups[0].kind == "alias"
    assert tie_report(model.half()).groups == ()


def test_reuse_is_reported_where_inputs_are_given() -> None:
    linear = nn.Linear(3, 3, bias=False)
    model = nn.Sequential(linear, linear)
    assert tie_report(model).reused is None
    lines = str(tie_report(model, torch.ones(1, 3))).splitlines()
    assert lines[-2:] == [
        "one forward uses 1 parameter more than once:",
        "  0.weight: 2 times: linear in 0, call 1; linear in 0, call 2",
    ]
    assert str(tie_report(nn.Linear(3, 3), torch.ones(1, 3))).endswith(
        "one forward uses no parameter more than once"
    )


def test_the_dict_is_plain_data() -> None:
    data = json.loads(json.dumps(tie_report(tied(), torch.tensor([1])).to_dict()))
    assert data["groups"][0]["names"] == ["0.weight", "1.weight"]
    assert [slot["owner"] for slot in data["groups"][0]["slots"]] == ["Embedding", "Linear"]
    assert data["reused"]["0.weight"]["uses"][1] == {
        "module": "1",
        "call": 1,
        "operation": "linear",
    }


def test_the_page_shows_every_name() -> None:
    page = tie_report(tied(), torch.tensor([1])).to_html()
    assert page.startswith("<!doctype html>")
    assert all(
        text in page for text in ("0.weight", "1.weight", "Embedding", "linear in 1, call 1")
    )
    assert "<h2>Ties</h2>" in tie_report(nn.Linear(2, 2))._repr_html_()


def test_the_page_draws_a_bracket_around_each_tie_and_sorts_by_it() -> None:
    one = nn.Linear(2, 2, bias=False)
    page = tie_report(nn.Sequential(one, one, one)).to_html()
    cells = ['<td data-o="0">\u250c module', '<td data-o="1">\u2502', '<td data-o="2">\u2514']
    assert [cell in page for cell in cells] == [True] * 3


def test_a_model_without_ties_says_so() -> None:
    assert str(tie_report(nn.Linear(2, 3))) == (
        "no ties; 9 elements (36 bytes), as parameters() says"
    )


def test_lazy_parameters_have_no_size_yet() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(3))
    model[1].weight = model[0].weight
    report = tie_report(model)
    assert report.elements == 0 and "lazy" in str(report)
    assert report.to_dict()["groups"][0]["slots"][0]["shape"] is None
    with pytest.raises(TargetError, match="0.weight is lazy and would take its shape"):
        tie_report(model, torch.ones(1, 3))


def test_the_page_has_an_arc_between_the_names_of_each_tie() -> None:
    one, other = nn.Linear(2, 2, bias=False), nn.Linear(3, 3, bias=False)
    report = tie_report(nn.ModuleList([one, one, other, other, one]))
    picture = report.pictures()[0]
    assert picture.svg.count("<path") == 3  # two between three names, one between two
    assert ">4.weight</text>" in picture.svg and picture.svg in report.to_html()


def test_of_no_ties_there_is_no_picture_and_of_very_many_one_arc_counts_those_in_step() -> None:
    one = nn.Linear(2, 2, bias=False)
    assert tie_report(nn.Linear(2, 2)).pictures() == []
    (picture,) = tie_report(nn.ModuleList([one] * 100)).pictures()
    assert ">{0..99}.weight<" in picture.svg and ">1 tie of 100 names<" in picture.svg
    layers = [nn.PReLU() for _ in range(31)]
    model = nn.ModuleDict({"a": nn.ModuleList(layers), "b": nn.ModuleList(layers)})
    (picture,) = tie_report(model).pictures()
    assert ">a.{0..30}.weight<" in picture.svg and ">31 ties of 2 names<" in picture.svg


def test_many_names_of_one_tie_are_one_line_that_opens_to_all() -> None:
    layer = nn.Linear(4, 4)
    model = nn.ModuleDict({"layers": nn.ModuleList([layer] * 12), "head": nn.Linear(4, 4)})
    model["head"].weight = layer.weight
    text = tie_report(model).text(120)
    (first, second) = (line for line in text.splitlines() if ".weight" in line)
    assert first.startswith("parameter  layers.{0..11}.weight     12")
    assert second.startswith("=          head.weight ")
    (bias,) = (line for line in text.splitlines() if ".bias" in line)
    assert bias.startswith("module") and "layers.{0..11}.bias       12" in bias
    page = tie_report(model).to_html()
    assert all(f"layers.{i}.bias" in page for i in range(12))


def test_how_many_ties_a_line_has_is_told_apart_from_how_many_names_one_has() -> None:
    model = nn.ModuleDict({"a": nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(11))})
    model["b"] = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(11))
    for one, other in zip(model["a"], model["b"], strict=True):
        other.weight = one.weight
    model["c"] = nn.ModuleList([nn.Linear(4, 4, bias=False)] * 6)
    rows = [line.split()[:4] for line in tie_report(model).text(120).splitlines()[3:6]]
    assert rows == [
        ["parameter", "11", "a.{0..10}.weight", "4x4"],
        ["=", "b.{0..10}.weight", "4x4", "float32"],
        ["module", "c.{0..5}.weight", "6", "4x4"],
    ]
    said = [line for line in plan_init(model, {"*": 0}).text(120).splitlines() if "tied" in line]
    assert said == [
        "tied: a.{0..10}.weight = b.{0..10}.weight (11 ties of 2 names)",
        "tied: c.{0..5}.weight (1 tie of 6 names)",
    ]
