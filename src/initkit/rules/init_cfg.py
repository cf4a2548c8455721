"""The dicts of other libraries' configurations, answered with the rule that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RuleError
from ..schemes import canonical_name, meant_by, plain_name

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


def _refusal(plain: str, table: Mapping[str, Any]) -> RuleError:
    return RuleError(
        f"{dict(table)!r} is how other libraries write it; write {_translated(plain, table)}; "
        f"{PAGE}"
    )


def _translated(plain: str, table: Mapping[str, Any]) -> str:
    scheme = scheme_meant(plain, table)
    if table.get("layer") is None and "bias" not in table and "bias_prob" not in table:
        return f'"{scheme}"'
    own = f'{{"weight": "{scheme}", "bias": {_value(bias_meant(table))}}}'
    kinds = layers_meant(table)
    return f'{{"type:{kinds}": {own}}}' if kinds else own


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


def _value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
