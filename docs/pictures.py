"""Write the pictures that the README and the gallery show: `python docs/pictures.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "examples"))

from resnext29 import ResNeXt29  # noqa: E402  (it lies in examples/)
from tied_lm import TiedLM  # noqa: E402

from initkit import Plan, apply_init, check_init, deferred, plan_init, probe_init  # noqa: E402
from initkit.render import Picture  # noqa: E402

LANGUAGE_MODEL = {
    "blocks.*.{proj,down}.weight": "normal(std=0.02/sqrt(2*n_layers))",
    "*.bias": 0,
    "*norm*.weight": 1,
    "*": "normal(std=0.02)",
}


def language_model(**exceptions: str) -> Plan:
    """Return the plan of a language model of twelve blocks, after GPT-2."""
    with deferred():
        model = TiedLM(layers=12)
    return plan_init(model, exceptions | LANGUAGE_MODEL)


def gpt2() -> Picture:
    """Draw the start of GPT-2: what ends a residual branch is smaller."""
    return language_model().pictures()[0]


def odd_layer() -> Picture:
    """Draw the same with one layer ten times too large."""
    return language_model(**{"blocks.7.up.weight": "normal(std=0.2)"}).pictures()[0]


def torch_default() -> Picture:
    """Draw what torch gives a language model by itself."""
    with deferred():
        model = TiedLM(layers=12)
    return plan_init(model, "torch_default").pictures()[0]


def resnext() -> Picture:
    """Draw a grouped convolutional network, whose fans are those of the shape."""
    with deferred():
        model = ResNeXt29()
    return plan_init(model, "resnext").pictures()[0]


def fading_signal() -> Picture:
    """Draw what becomes of a signal in twenty layers of torch's default."""
    torch.manual_seed(0)
    layers = [
        torch.nn.Sequential(torch.nn.Linear(64, 64, bias=False), torch.nn.ReLU()) for _ in range(20)
    ]
    model = torch.nn.Sequential(*layers)
    apply_init(model, "torch_default", seed=0)
    return probe_init(model, torch.randn(64, 64)).pictures()[0]


def not_as_planned() -> Picture:
    """Draw a layer that is too wide, and one of another distribution."""
    torch.manual_seed(0)
    wide, other = torch.nn.Linear(256, 256), torch.nn.Linear(256, 256)
    model = torch.nn.Sequential(wide, other)
    rules = {"*.weight": "normal(std=0.02)", "*": 0}
    apply_init(model, rules, seed=0)
    with torch.no_grad():
        wide.weight.mul_(1.3)
        torch.nn.init.uniform_(other.weight, -0.03, 0.03)
    return check_init(model, rules).pictures()[0]


PICTURES: dict[str, Callable[[], Picture]] = {
    "gpt2": gpt2,
    "odd-layer": odd_layer,
    "torch-default": torch_default,
    "resnext": resnext,
    "fading-signal": fading_signal,
    "not-as-planned": not_as_planned,
}


def write_pictures(folder: Path, *names: str) -> None:
    """Write pictures as SVG files; all of them where none is named."""
    folder.mkdir(exist_ok=True)
    for name in names or PICTURES:
        (folder / f"{name}.svg").write_text(PICTURES[name]().document())


if __name__ == "__main__":
    write_pictures(HERE / "images", "odd-layer")
