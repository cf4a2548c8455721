"""``@initialized``: initialise every instance of a class once, after its outermost ``__init__``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Self, TypeVar, Unpack

from torch import nn

from ..errors import OptionError, RuleError, shown
from ..plan import DecoratorOptions, takes
from ..rules import Rules, read_rules
from ..spelling import clearly_nearest
from .apply import apply_init
from .recorded_rules import init_reports, record_rules
from .report import Report

M = TypeVar("M", bound=nn.Module)

_under_way: set[int] = set()
"""The ids of instances whose outermost ``__init__`` runs, which keeps them alive."""


def _refuse_seed(_: object, error: OptionError) -> None:
    """Say of a seed, or of what is meant for one, why there is none."""
    seeds = ("seed", "generator")
    if error.option in seeds or clearly_nearest(error.option, seeds):
        raise OptionError(
            "@initialized takes no seed, which would make every instance a copy; "
            "torch.manual_seed governs",
            option=error.option,
        ) from None


@takes(DecoratorOptions, on_error=_refuse_seed, owner="@initialized")
def initialized(rules: Rules, **options: Unpack[DecoratorOptions]) -> Callable[[type[M]], type[M]]:
    """Initialise every instance of the decorated class by ``rules``, once, when it is complete.

    It runs after the outermost ``__init__``, that of a subclass included; of decorated classes that
    inherit from each other only the most derived one's rules apply. ``options`` are those of
    :func:`initkit.apply_init` but the seed: each instance draws its own from torch's global
    generator, so ``torch.manual_seed`` governs. Unpickling, copying and ``__new__`` alone
    initialise nothing. Under ``torch.device("meta")``, and where the constructor makes no
    parameters yet, the rules are only recorded, and :func:`initkit.materialize` carries them out.
    The report is the instance's ``init_report``.

    Raises :class:`ReadError` for rules that cannot be read.

    >>> from torch import nn
    >>> @initialized({"fc.weight": "xavier_uniform", "fc.bias": 0})
    ... class Net(nn.Module):
    ...     def __init__(self, width):
    ...         super().__init__()
    ...         self.fc = nn.Linear(width, 2)
    >>> net = Net(8)
    >>> net.fc.bias.tolist(), net.init_report.written
    ([0.0, 0.0], ['fc.weight', 'fc.bias'])
    """
    if isinstance(rules, type):
        message = f"@initialized needs rules: write @initialized('resnext') above {rules.__name__}"
        raise RuleError(message)
    read_rules(rules)

    def decorate(cls: type[M]) -> type[M]:
        thing: Any = cls
        if not (isinstance(thing, type) and issubclass(thing, nn.Module)):
            raise RuleError(f"@initialized decorates nn.Module subclasses, not {shown(thing)}")
        # A base that is decorated has wrapped construction already; only the rules are new.
        first = not hasattr(thing, "_initkit_rules")
        _set(thing, "_initkit_rules", (rules, options))
        if first:
            _set(thing, "__new__", _new_after(cls))
            _set(thing, "__signature__", _SignatureOfInit())
            _set(thing, "init_report", _ReportOfInstance())
        return cls

    return decorate


def _set(cls: Any, name: str, value: object) -> None:
    # Any, since mypy knows no such attributes of a class and lets nobody assign __new__.
    setattr(cls, name, value)


class _ReportOfInstance:
    """What the decorator did to an instance; None for a copy. TorchScript compiles properties."""

    def __get__(self, instance: nn.Module | None, owner: type) -> Report | Self | None:
        return self if instance is None else init_reports.get(instance)


class _SignatureOfInit:
    """The signature of a class is that of its ``__init__``, not of the ``__new__`` put before."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        init: Any = vars(owner).get("__init__", owner.__init__)  # type: ignore[misc]
        signature = inspect.signature(init)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def _new_after(cls: type) -> Callable[..., Any]:
    """Return a ``__new__`` that makes sure that the class it makes has a wrapped ``__init__``.

    A dataclass or a subclass puts its own ``__init__`` in place after the decorator ran.
    """
    before: Any = cls.__new__

    @functools.wraps(before)
    def __new__(kind: type, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807  it becomes one
        # object.__new__ refuses the constructor's arguments where a class overrides __new__.
        made = before(kind) if before is object.__new__ else before(kind, *args, **kwargs)
        if isinstance(made, cls):  # of this class, or of a subclass that a factory chose
            _wrap(type(made))
        return made

    return __new__


def _wrap(cls: type) -> None:
    """Give ``cls`` an ``__init__`` of its own that initialises when it is the outermost one."""
    own: Any = vars(cls).get("__init__")
    # Asked of the class's own __init__: one inherited from a wrapped base belongs to the base.
    if getattr(own, "_initkit_class", None) is cls:
        return
    inner: Any = own if own is not None else cls.__init__  # type: ignore[misc]

    @functools.wraps(inner)
    def __init__(self: nn.Module, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807  likewise
        inherited: Any = super
        # Without an __init__ of its own the next is found at each call: a base may get another.
        run = functools.partial(own, self) if own else inherited(cls, self).__init__
        # A base's __init__, reached by super(), or the same one called again: not the outermost.
        if id(self) in _under_way or type(self) is not cls:
            run(*args, **kwargs)
            return
        _under_way.add(id(self))
        try:
            run(*args, **kwargs)
        finally:
            _under_way.discard(id(self))
        _initialise(self)

    __init__._initkit_class = cls  # type: ignore[attr-defined]
    cls.__init__ = __init__  # type: ignore[misc]


def _initialise(module: nn.Module) -> None:
    rules, options = _rules_of(type(module))
    # A module whose parameters hold no values, or are made later (in a ``configure_model``), cannot
    # be written: the rules wait on it.
    bare = not any(inner._parameters for inner in module.modules()) and not (
        options.get("buffers") and any(True for _ in module.buffers())
    )
    if bare or any(p.is_meta for p in module.parameters()):
        record_rules(module, rules, options, bare=bare)
        return
    init_reports[module] = apply_init(module, rules, **options)


def _rules_of(cls: type) -> tuple[Rules, DecoratorOptions]:
    """Return the rules of the most derived decorated class."""
    found: tuple[Rules, DecoratorOptions] = cls._initkit_rules  # type: ignore[attr-defined]
    return found
