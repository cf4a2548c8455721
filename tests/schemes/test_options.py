"""Options are read as their annotations declare, in the user's own classes, too."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from initkit import distributions
from initkit.errors import OptionError
from initkit.numbers import Formula
from initkit.schemes import Scheme, Site

SOURCE = """
from dataclasses import dataclass
from typing import Literal

from initkit.distributions import Constant
from initkit.formula import Number
from initkit.schemes import Scheme


@dataclass(frozen=True, kw_only=True)
class Mine(Scheme, name="mine"):
    std: Number = 1.0
    mean: Number | None = None
    half: float = 0.5
    count: int = 1
    sign: bool = False
    kind: Literal["even", "odd"] = "even"
    other: object = None

    def resolve(self, site):
        return Constant(self.number(site, "std"))
"""


@pytest.fixture(params=["", "from __future__ import annotations"], ids=["types", "texts"])
def mine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """Return a user's class, in a module that may or may not defer annotations."""
    module = ModuleType("users_own")
    monkeypatch.setitem(sys.modules, "users_own", module)
    exec(compile(request.param + SOURCE, "users_own", "exec", dont_inherit=True), vars(module))
    return module.Mine


READ: dict[str, tuple[object, object]] = {
    "std": ("0.02/sqrt(n_layers)", Formula("0.02/sqrt(n_layers)")),
    "mean": (None, None),
    "half": ("sqrt(0.25)", 0.5),
    "count": (2.0, 2),
    "sign": (True, True),
    "kind": ("odd", "odd"),
    "other": ("anything", "anything"),
}


@pytest.mark.parametrize("option", READ)
def test_an_option_becomes_what_its_annotation_says(mine: type[Any], option: str) -> None:
    given, wanted = READ[option]
    got = getattr(mine(**{option: given}), option)
    assert got == wanted and type(got) is type(wanted)


AS_NUMBER = "annotate it as Number, and read it with self.number(site, 'half')"
REFUSED: list[tuple[str, object, str]] = [
    ("std", True, "mine: std must be a number or a formula, not True"),
    ("std", "1 +", "mine: std cannot be read: cannot read the formula '1 +'"),
    ("std", float("inf"), "mine: std must be finite"),
    ("std", None, "mine: std cannot be read: std must be a number or a formula, not None"),
    ("mean", float("nan"), "mine: mean must be a number, not NaN"),
    ("half", "fan_in", f"mine: half is a number here, not the formula 'fan_in': {AS_NUMBER}"),
    ("count", 1.5, "mine: count must be a whole number, not 1.5"),
    ("sign", 1, "mine: sign must be True or False, not 1"),
    ("kind", "evn", "mine: kind must be one of even, odd, not 'evn'; did you mean 'even'?"),
]


@pytest.mark.parametrize(("option", "value", "message"), REFUSED)
def test_a_wrong_value_is_refused_in_the_words_of_the_user(
    mine: type[Any], option: str, value: object, message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        mine(**{option: value})
    assert str(caught.value) == message
    assert (caught.value.owner, caught.value.option) == ("mine", option)


def test_annotations_whose_names_are_out_of_reach_are_left_alone() -> None:
    """In a class inside a function only ``Number`` is known, wherever it was imported."""
    from initkit.formula import Number

    class Hidden:
        pass

    @dataclass(frozen=True)
    class Local(Scheme):
        std: Number
        other: Hidden | None = None

        def resolve(self, site: Site) -> distributions.Distribution:
            return distributions.Constant(self.number(site, "std"))

    hidden, local = Hidden(), Local
    six: Any = local("2 * 3", hidden)  # type: ignore[arg-type]
    assert six.std == Formula("2 * 3") and six.other is hidden
    assert six.resolve(Site((2,))) == distributions.Constant(6.0)


def test_a_class_may_say_of_itself_only_what_schemes_have() -> None:
    with pytest.raises(TypeError, match="Odd: a scheme has no sauce"):
        type("Odd", (Scheme,), {}, sauce="a paper")
