"""Every write of a parameter is named in order, with the code that caused it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from initkit import Plan, Write, record_init

HERE = Path(__file__).name


def line_of(function: Callable[..., object], text: str) -> int:
    """Return the line of this file in which a function has a text."""
    lines, first = inspect.getsourcelines(function)
    return next(first + i for i, line in enumerate(lines) if text in line)


def generic(module: nn.Module) -> None:
    """Initialise whatever linear layer comes along."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)  # generic


class Special(nn.Module):
    """A special start that a generic one overwrites."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 4)
        nn.init.zeros_(self.head.weight)  # special
        self.apply(generic)


class Twice(nn.Module):
    """A layer reset once more than needed."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)  # first
        self.layer.reset_parameters()  # again


class Base(nn.Module):
    """A base class that initialises."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4))
        nn.init.normal_(self.weight, std=0.02)  # base


class Scales(Base):
    """A subclass that scales in place what its base drew."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.weight.mul_(0.5)  # scaled


class Tied(nn.Module):
    """A head that takes the embedding's weight, after its own was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4)  # embedding
        self.head = nn.Linear(4, 6, bias=False)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.head.weight, std=0.1)  # through the head


class Rows(nn.Module):
    """One row set by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 4)
        with torch.no_grad():
            self.table.weight[2].fill_(1.0)  # a row


def my_scheme_(tensor: Tensor) -> Tensor:
    """Draw in place, in steps: by its name one write."""
    with torch.no_grad():
        tensor.uniform_(-1, 1)
        tensor.mul_(0.5)
        return tensor.add_(1)


class Helped(nn.Module):
    """A start by a function of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        my_scheme_(self.layer.weight)  # helper


class Copies(nn.Module):
    """A target network that starts as the other one."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(4, 4)
        self.target = nn.Linear(4, 4)
        self.target.load_state_dict(self.q.state_dict())  # loaded


class Cloned(nn.Module):
    """Layers that a deep copy made alike."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Linear(4, 4)  # prototype
        self.layers = nn.ModuleList(copy.deepcopy(first) for _ in range(2))


class Exchanged(nn.Module):
    """Memory that is put in the place of what was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.layer.weight.data = torch.randn(4, 4) * 0.3  # data


class Doubled(nn.Module):
    """A bias that two lines of a loop over parameters set."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        for parameter in self.parameters():
            parameter.detach().zero_()  # zeroed
            parameter.detach().add_(1)  # added


# The class, the parameter, and of each write what was called, what it drew, and a mark on its line.
PLANTED: list[tuple[type[nn.Module], str, list[tuple[str, str, str]]]] = [
    (
        Special,
        "head.weight",
        [
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "nn.Linear(4, 4)"),
            ("zeros_()", "constant 0", "# special"),
            ("xavier_uniform_()", "U(-0.866, 0.866)", "# generic"),
        ],
    ),
    (
        Twice,
        "layer.weight",
        [
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "# first"),
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "# again"),
        ],
    ),
    (
        Scales,
        "weight",
        [("normal_(std=0.02)", "N(0, 0.02)", "# base"), ("mul_(0.5)", "N(0, 0.01)", "# scaled")],
    ),
    (
        Tied,
        "head.weight",
        [
            ("normal_()", "N(0, 1)", "# embedding"),
            ("normal_(std=0.1)", "N(0, 0.1)", "# through the head"),
        ],
    ),
    (
        Rows,
        "table.weight",
        [("normal_()", "N(0, 1)", "nn.Embedding"), ("fill_(1)", "constant 1", "# a row")],
    ),
    (
        Helped,
        "layer.weight",
        [
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "nn.Linear"),
            ("my_scheme_()", "U(0.5, 1.5)", "# helper"),
        ],
    ),
    (
        Copies,
        "target.weight",
        [
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "self.q ="),
            ("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "self.target = "),
            ("copy_()", "U(-0.5, 0.5)", "# loaded"),
        ],
    ),
    (
        Cloned,
        "layers.1.weight",
        [("kaiming_uniform_(a=sqrt(5))", "U(-0.5, 0.5)", "# prototype")],
    ),
    (Exchanged, "layer.weight", [("randn(), mul(0.3)", "N(0, 0.3)", "# data")]),
    (
        Doubled,
        "layer.bias",
        [
            ("uniform_(a=-0.5, b=0.5)", "U(-0.5, 0.5)", "nn.Linear"),
            ("zero_()", "constant 0", "# zeroed"),
            ("add_(1)", "constant 1", "# added"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("cls", "name", "writes"), PLANTED, ids=[row[0].__name__ for row in PLANTED]
)
def test_a_history_names_who_overwrote_what(
    cls: type[nn.Module], name: str, writes: list[tuple[str, str, str]]
) -> None:
    history = record_init(cls)[name].history
    assert [(w.call, w.start) for w in history] == [(call, start) for call, start, _ in writes]
    for write, (_, _, mark) in zip(history, writes, strict=True):
        where = next(
            at for at in (cls, generic, *cls.__mro__[1:-1]) if mark in inspect.getsource(at)
        )
        assert (Path(write.file).name, write.line) == (HERE, line_of(where, mark))


def test_a_write_says_which_method_of_torch_or_of_the_model_called_it() -> None:
    history = record_init(Special)["head.weight"].history
    functions = ["Linear.reset_parameters", "Special.__init__", "generic"]
    assert [w.function for w in history] == functions
    line = line_of(generic, "# generic")
    text = f"xavier_uniform_(): U(-0.866, 0.866), in generic ({HERE}:{line})"
    assert str(history[-1]) == text
    assert record_init(Special)["head.weight"].rule == "generic"


def test_a_write_of_a_part_says_which_part() -> None:
    assert [w.part for w in record_init(Rows)["table.weight"].history] == ["", "row 2"]


def test_a_history_is_kept_by_json_and_shown_by_the_page_alone() -> None:
    plan = record_init(Special)
    again = Plan.from_json(plan.to_json())
    assert again["head.weight"].history == plan["head.weight"].history
    assert isinstance(again["head.weight"].history[0], Write)
    assert again.digest() == plan.digest()
    assert "2. zeros_(): constant 0" in plan.to_html()
    assert "zeros_()" not in str(plan)


def test_a_plan_by_rules_has_no_history() -> None:
    from initkit import plan_init

    plan = plan_init(nn.Linear(2, 2), "xavier_uniform")
    assert plan["weight"].history == ()
    assert "history" not in plan.to_dict()["steps"][0]
