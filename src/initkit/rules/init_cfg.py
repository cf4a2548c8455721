"""Schemes whose options stand beside their name, as in other libraries' configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import RuleError, shown
from ..numbers import read_call
from ..python_text import python_text
from ..schemes import canonical_name, has_options, meant_by, plain_name
from .slips import names_rules

PAGE = "the page 'Coming from elsewhere' of the documentation has the others"

# MMEngine's own defaults, where they differ from those of the scheme of that name.
_TYPES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "constant": ("constant", {}),
    "normal": ("normal", {}),
    "trunc_normal": ("trunc_normal", {}),
    "uniform": ("uniform", {}),
    "xavier": ("xavier", {"distribution": "normal"}),
    "kaiming": (
        "kaiming",
        {"mode": "fan_out", "nonlinearity": "relu", "distribution": "normal"},
    ),
    "caffe2_xavier": ("kaiming", {"a": 1, "distribution": "uniform"}),
}
_OPTIONS = {"val": "value", "a": "low", "b": "high"}
_ALLENNLP = frozenset(("a", "b", "gain", "mean", "mode", "nonlinearity", "sparsity", "std", "val"))
_BESIDE = frozenset(("type", "layer", "override", "bias", "bias_prob", "name"))


def refuse_init_cfg(table: Mapping[Any, Any]) -> None:
    """Raise, with the rule to write instead, for a dict that names its scheme under ``type``.

    So do MMEngine's ``init_cfg`` and AllenNLP's parameters.
    """
    name = table.get("type")
    if not isinstance(name, str) or not all(isinstance(key, str) for key in table):
        return
    plain = plain_name(name)
    known = plain in _TYPES or canonical_name(plain) is not None or bool(meant_by(name))
    # A parameter may be called type and start as a scheme of that name, beside other parameters.
    options = table.keys() - {"type"}
    apart = plain != name and all(map(str.isidentifier, options))
    if known and (apart or (options and options <= _ALLENNLP)):
        raise _refusal(plain, table)


def refuse_pulled_apart(value: object) -> None:
    """Raise, with the text to write instead, for a scheme whose options stand beside its name."""
    if isinstance(value, Mapping):
        refuse_init_cfg(value)
    if isinstance(value, tuple | list) and len(value) > 1 and all(map(_is_scheme, value)):
        raise _several(value)
    for name, options in _apart(value):
        if isinstance(name, str) and (texts := _texts(name, options)):
            raise _pulled_apart(value, f"{name}({', '.join(texts)})")


def _is_scheme(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return canonical_name(read_call(value).name) is not None
    except RuleError:
        return False


def _several(value: Sequence[str]) -> RuleError:
    error = RuleError(f"a rule has one scheme, not several: {shown(value)}")
    parts = ", ".join(repr(one) for one in value)
    error.hint = f"; blocks({parts}) starts equal parts of a tensor by one each"
    error.either = ((value, value[0]), (value, f"blocks({parts})"))
    return error


def _apart(value: object) -> Iterator[tuple[object, object]]:
    """Yield what may be a scheme's name in a value, each with what stands beside it."""
    if isinstance(value, Mapping):
        for key in _NAMES_OF_SCHEMES & value.keys():
            yield value[key], {other: one for other, one in value.items() if other != key}
        if len(value) == 1:
            yield from value.items()
    elif isinstance(value, tuple | list) and len(value) > 1:
        alone = len(value) == 2 and isinstance(value[1], Mapping)
        yield value[0], value[1] if alone else value[1:]


_NAMES_OF_SCHEMES = {"name", "init", "initializer", "method", "func", "_target_"}


def _texts(name: str, options: object) -> list[str]:
    """Return options as they stand in a call of a scheme; none where they, or it, are none."""
    if isinstance(options, Mapping):
        known = has_options(plain_name(name), options)
        return [f"{key}={python_text(one)}" for key, one in options.items()] if known else []
    if not isinstance(options, tuple | list) or not names_rules(name):
        return []
    numbers = any(isinstance(one, int | float) for one in options)
    return [python_text(one) for one in options] if numbers else []


def _pulled_apart(value: object, meant: str) -> RuleError:
    error = RuleError(
        "the options of a scheme stand in one text with its name, as in 'normal(std=0.02)', "
        f"not beside it: {shown(value)}"
    )
    error.mends = ((value, meant),)
    return error


def _refusal(plain: str, table: Mapping[str, Any]) -> RuleError:
    meant = _translated(plain, table)
    error = RuleError(f"{dict(table)!r} is how other libraries write it")
    error.hint = f"; write {python_text(meant)}; {PAGE}"
    error.mends = ((table, meant),)
    return error


def _translated(plain: str, table: Mapping[str, Any]) -> str | dict[str, Any]:
    scheme = scheme_meant(plain, table)
    if table.get("layer") is None and "bias" not in table and "bias_prob" not in table:
        return scheme
    own = {"weight": scheme, "bias": bias_meant(table)}
    kinds = layers_meant(table)
    return {f"type:{kinds}": own} if kinds else own


def layers_meant(table: Mapping[str, Any]) -> str:
    """Return the class names under ``layer`` as a type key has them; "" for none."""
    layers = table.get("layer")
    return "|".join([layers] if isinstance(layers, str) else layers or ())


def bias_meant(table: Mapping[str, Any]) -> object:
    """Return how biases start: 0 where nothing is said."""
    if "bias_prob" in table:
        return f"prior_bias(p={table['bias_prob']})"
    return table.get("bias", 0)


def scheme_meant(plain: str, table: Mapping[str, Any]) -> str:
    """Return the scheme in call syntax, with the other library's defaults."""
    name, defaults = _TYPES.get(plain, (plain, {}))
    given = {key: value for key, value in table.items() if key not in _BESIDE}
    options = {**defaults, **given}
    if "distribution" in defaults:
        name = f"{name}_{options.pop('distribution')}"
        options["fans"] = "tensor"  # those of torch.nn.init, which these call
    else:
        options = {_OPTIONS.get(key, key): value for key, value in options.items()}
    text = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"{name}({text})" if text else name
