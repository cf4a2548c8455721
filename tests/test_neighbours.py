"""The page on other libraries is true: each of its sections runs where its library is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from initkit import PlanError, apply_init, plan_init

PAGE = Path(__file__).parents[1] / "docs" / "neighbours.md"
SECTIONS = {
    title: "".join(re.findall(r"^```python\n(.*?)^```", body, re.MULTILINE | re.DOTALL))
    for title, _, body in (part.partition("\n") for part in PAGE.read_text().split("\n## "))
}
PREAMBLE = SECTIONS.pop("# With other libraries")
NEEDS = {
    "Lightning": "lightning",
    "transformers": "accelerate",  # without which its Trainer does nothing
    "accelerate": "accelerate",
    "skorch": "skorch",
    "timm": "timm",
    "Hydra and OmegaConf": "omegaconf",
    "Hydra's command line": "hydra",
}
# transformers and timm take seconds to import, as do those that import them.
HEAVY = ("Lightning", "transformers", "accelerate", "skorch", "timm")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty folder, and no group of processes left behind."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")  # what other libraries warn of is theirs
@pytest.mark.parametrize(
    "section",
    [
        pytest.param(title, marks=[pytest.mark.models] if title in HEAVY else [])
        for title, code in SECTIONS.items()
        if code
    ],
)
def test_a_section_works_as_written(section: str, folder: Path) -> None:
    if section in NEEDS:
        pytest.importorskip(NEEDS[section])
    exec(compile(PREAMBLE + SECTIONS[section], f"{PAGE.name}: {section}", "exec"), {})


def test_every_library_named_has_a_section() -> None:
    assert NEEDS.keys() <= SECTIONS.keys()


# ---- quantised tensors, by stand-ins of the same class names


def quantised(base: type, module: str, name: str, **attributes: object) -> type:
    return type(name, (base,), {"__module__": module, **attributes})


def parameter(values: torch.Tensor, kind: type) -> torch.Tensor:
    """Return a frozen parameter of a class that is one, or that a parameter may hold."""
    if issubclass(kind, nn.Parameter):
        return kind(values, requires_grad=False)
    return nn.Parameter(values.as_subclass(kind), requires_grad=False)


AFFINE = quantised(torch.Tensor, "torchao.dtypes.affine", "AffineQuantizedTensor")
INT8 = quantised(AFFINE, "torchao.quantization", "Int8Tensor")
NF4 = quantised(nn.Parameter, "bitsandbytes.nn.modules", "Params4bit", bnb_quantized=True)
BYTES = quantised(nn.Parameter, "bitsandbytes.nn.modules", "Int8Params", CB=object())
QUANTO = quantised(torch.Tensor, "optimum.quanto.tensor.qbytes", "WeightQBytesTensor")
OWN = quantised(AFFINE, "my.project", "Mine")


@pytest.mark.parametrize("value", [0, "normal(std=0.02)"])
@pytest.mark.parametrize(
    ("kind", "library"),
    [
        (AFFINE, "torchao"),
        (INT8, "torchao"),
        (OWN, "torchao"),
        (NF4, "bitsandbytes"),
        (BYTES, "bitsandbytes"),
        (QUANTO, "optimum"),
    ],
    ids=lambda x: x.__name__ if isinstance(x, type) else x,
)
def test_a_quantised_weight_is_refused_by_its_librarys_name(kind, library, value) -> None:
    layer = nn.Linear(4, 4)
    layer.weight = parameter(torch.ones(4, 4), kind)
    before = layer.bias.detach().clone()
    message = f"weight: it is quantized by {library}, and {kind.__name__} holds codes, no values"
    for model in (layer, layer.state_dict(keep_vars=True)):
        with pytest.raises(PlanError, match=message + "; initialise the model before it"):
            apply_init(model, {"weight": value, "bias": 0}, seed=0)
    assert torch.equal(layer.bias, before)
    assert not plan_init(layer, {"weight": "keep", "bias": 0}).problems


def test_codes_of_whole_numbers_are_refused_even_where_a_number_would_fit() -> None:
    kind = quantised(nn.Parameter, "bitsandbytes.nn.modules", "Params4bit", quant_state=None)
    layer = nn.Linear(4, 4)
    layer.weight = kind(torch.zeros(8, 1, dtype=torch.uint8), requires_grad=False)
    with pytest.raises(PlanError, match="quantized by bitsandbytes"):
        apply_init(layer, {"weight": 0, "bias": 0}, seed=0)


def test_what_bitsandbytes_has_not_quantised_yet_is_written() -> None:
    kind = quantised(nn.Parameter, "bitsandbytes.nn.modules", "Params4bit", bnb_quantized=False)
    layer = nn.Linear(4, 4)
    layer.weight = kind(torch.ones(4, 4), requires_grad=False)
    apply_init(layer, {"weight": 0, "bias": 0}, seed=0)
    assert not layer.weight.any()


def test_a_wrapper_that_trains_in_full_precision_is_written() -> None:
    kind = quantised(torch.Tensor, "torchao.float8.fsdp_utils", "WeightWithDynamicCast")
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(torch.ones(4, 4).as_subclass(kind))
    apply_init(layer, {"weight": 0, "bias": 0}, seed=0)
    assert not layer.weight.any()
