"""``@initialized``: once per instance, after the outermost ``__init__``, and nowhere else."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from initkit import initialized
from initkit.errors import OptionError, PlanError, RuleError, UnknownNameError


@initialized({"*.weight": 1, "*.bias": 0})
class Net(nn.Module):
    """A net with one layer."""

    def __init__(self, width: int = 4, *, extra: bool = False) -> None:
        """Build the layers."""
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.extra = extra


class Sub(Net):
    def __init__(self) -> None:
        super().__init__(3)
        self.head = nn.Linear(3, 2)


class Plain(Net):
    pass


@initialized({"*.weight": 7, "*.bias": 8})
class Derived(Net):
    def __init__(self) -> None:
        super().__init__(3)
        self.head = nn.Linear(3, 2)


def values(module: nn.Module) -> dict[str, set[float]]:
    return {n: set(p.detach().flatten().tolist()) for n, p in module.named_parameters()}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """Every module that is initialised, in order."""
    from initkit.write import decorator

    seen: list[nn.Module] = []
    real = decorator.apply_init

    def spy(model: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(model)
        return real(model, *args, **kwargs)

    monkeypatch.setattr(decorator, "apply_init", spy)
    return seen


def test_an_instance_is_initialised_once_when_it_is_complete(runs: list[nn.Module]) -> None:
    net = Net()
    assert values(net) == {"fc.weight": {1}, "fc.bias": {0}}
    assert runs == [net]


def test_an_undecorated_subclass_is_initialised_after_its_own_init(runs: list[nn.Module]) -> None:
    net = Sub()
    assert values(net)["head.weight"] == {1}
    assert runs == [net]


def test_a_subclass_without_an_init_is_initialised_once(runs: list[nn.Module]) -> None:
    net = Plain(5)
    assert values(net)["fc.weight"] == {1}
    assert runs == [net]


def test_only_the_most_derived_rules_apply(runs: list[nn.Module]) -> None:
    net = Derived()
    assert values(net)["fc.weight"] == values(net)["head.weight"] == {7}
    assert runs == [net]


def test_a_parent_comes_last_and_leaves_what_it_does_not_cover() -> None:
    @initialized({"head.*": 5})
    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.child = Net()
            self.head = nn.Linear(2, 2)

    parent = Parent()
    assert values(parent)["child.fc.weight"] == {1}
    assert values(parent)["head.weight"] == {5}
    assert parent.init_report.uncovered == ["child.fc.weight", "child.fc.bias"]


def test_multiple_inheritance_initialises_once_after_all_parents(runs: list[nn.Module]) -> None:
    class Mixin:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.mixed = nn.Linear(2, 2)

    class Both(Mixin, Net):
        pass

    net = Both(3)
    assert values(net)["mixed.weight"] == values(net)["fc.weight"] == {1}
    assert runs == [net]
    assert Mixin.__init__.__qualname__.endswith("Mixin.__init__")


def test_two_decorated_parents_give_way_to_the_first(runs: list[nn.Module]) -> None:
    @initialized({"*": 3})
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(2, 2)

    class Both(Other, Net):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.fc = nn.Linear(2, 2)

    net = Both()
    assert values(net)["fc.weight"] == {3}
    assert runs == [net]


def test_a_dataclass_module_is_initialised_whichever_decorator_comes_first(
    runs: list[nn.Module],
) -> None:
    @initialized({"*": 3})
    @dataclasses.dataclass(eq=False)
    class Inner(nn.Module):
        width: int = 2

        def __post_init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(self.width, 2)

    @dataclasses.dataclass(eq=False)
    @initialized({"*": 4})
    class Outer(nn.Module):
        width: int = 2

        def __post_init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(self.width, 2)

    a, b = Inner(3), Outer(3)
    assert values(a)["fc.weight"] == {3}
    assert values(b)["fc.weight"] == {4}
    assert runs == [a, b]


def test_a_subclass_that_new_chooses_is_initialised_once(runs: list[nn.Module]) -> None:
    @initialized({"*": 1})
    class Norm(nn.Module):
        def __new__(cls, kind: str = "layer") -> Any:
            return super().__new__(Layer if kind == "layer" else cls)

        def __init__(self, kind: str = "layer") -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)

    class Layer(Norm):
        pass

    first, second = Norm(), Norm(kind="other")
    assert [type(first), type(second)] == [Layer, Norm]
    assert runs == [first, second]


def test_options_of_an_init_may_have_any_name(runs: list[nn.Module]) -> None:
    @initialized({"*": 1})
    class Named(nn.Module):
        def __init__(this, *, kind: str, self: int, cls: int, args: int) -> None:  # noqa: N805
            super().__init__()
            this.fc, this.given = nn.Linear(2, 2), (kind, self, cls, args)

    net = Named(kind="relu", self=1, cls=2, args=3)
    assert runs == [net]
    assert net.given == ("relu", 1, 2, 3)


def test_an_init_that_raises_initialises_nothing_and_the_next_one_works(
    runs: list[nn.Module],
) -> None:
    @initialized({"*": 3})
    class Picky(nn.Module):
        def __init__(self, ok: bool) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            if not ok:
                raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        Picky(False)
    assert runs == []
    assert values(Picky(True))["fc.weight"] == {3}


def test_an_alternative_init_inside_init_initialises_once(runs: list[nn.Module]) -> None:
    @initialized({"*": 3})
    class Twice(nn.Module):
        def __init__(self, width: int = 0) -> None:
            if not width:
                self.__init__(4)  # type: ignore[misc]
                return
            super().__init__()
            self.fc = nn.Linear(width, 2)

    net = Twice()
    assert runs == [net]


def test_copies_pickles_and_new_alone_are_left_alone(runs: list[nn.Module]) -> None:
    net = Net()
    with torch.no_grad():
        net.fc.weight.fill_(9)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert values(other)["fc.weight"] == {9}
        assert other.init_report is None
    bare = Net.__new__(Net)
    nn.Module.__init__(bare)
    assert runs == [net]


def test_signature_name_and_docs_survive() -> None:
    assert str(inspect.signature(Net)).startswith("(width: 'int' = 4, *, extra: 'bool' = False)")
    assert Net.__name__ == "Net"
    assert Net.__doc__ == "A net with one layer."
    assert Net.__init__.__doc__ == "Build the layers."
    assert Net.__init__.__name__ == "__init__"
    assert str(inspect.signature(Plain)) == str(inspect.signature(Net))
    assert isinstance(Net(), Net)


def test_the_report_is_reachable_and_names_what_was_written() -> None:
    net = Net()
    assert net.init_report.written == ["fc.weight", "fc.bias"]


@initialized({"*.weight": "normal", "*.bias": 0})
class Random(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)


def test_each_instance_has_a_seed_of_its_own_and_manual_seed_governs() -> None:
    torch.manual_seed(0)
    a, b = Random(), Random()
    assert not torch.equal(a.fc.weight, b.fc.weight)
    torch.manual_seed(0)
    again = Random()
    assert torch.equal(a.fc.weight, again.fc.weight)
    assert a.init_report.seed == again.init_report.seed


def test_on_meta_nothing_is_written_and_the_rules_are_recorded(runs: list[nn.Module]) -> None:
    with torch.device("meta"):
        net = Random()
    assert net.fc.weight.is_meta
    assert runs == []
    assert net.init_report is None


def test_options_are_those_of_apply_init_but_the_seed() -> None:
    for option in ("seed", "generator"):
        with pytest.raises(OptionError, match=r"takes no seed, .* torch.manual_seed governs"):
            initialized("resnext", **{option: 0})
    with pytest.raises(OptionError, match="idle must be one of 'error', 'ignore', not 'never'"):
        initialized("resnext", idle="never")  # type: ignore[arg-type]
    with pytest.raises(
        OptionError, match="has no option 'strickt'\n.*strickt=True\n.* strict=True"
    ):
        initialized("resnext", strickt=True)

    @initialized({"fc.weight": 0}, strict=True)
    class Strict(Net):
        pass

    with pytest.raises(PlanError, match="no rule covers fc.bias"):
        Strict()


def test_bad_rules_are_refused_when_the_class_is_made() -> None:
    with pytest.raises(UnknownNameError, match="resnxt"):
        initialized("resnxt")
    with pytest.raises(RuleError, match=r"write @initialized\('resnext'\) above Net"):
        initialized(Net)  # type: ignore[arg-type]
    with pytest.raises(RuleError, match="decorates nn.Module subclasses"):
        initialized("resnext")(int)  # type: ignore[type-var]


def test_a_misspelt_seed_is_told_that_there_is_none_even_without_rules() -> None:
    with pytest.raises(OptionError, match="takes no seed"):
        initialized(sede=0)  # type: ignore[call-arg]
    with pytest.raises(OptionError, match="has no option 'stirct'\n  as written:   stirct=True"):
        initialized(stirct=True)  # type: ignore[call-arg]
