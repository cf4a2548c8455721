"""Configurations of other libraries, turned into rules; they are read and never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import FileError, InitkitError, RuleError, UnknownNameError
from ..files import as_path, parse_json, read_text
from ..schemes import canonical_name, plain_name, read_scheme
from .init_cfg import bias_meant, layers_meant, scheme_meant
from .read import read_rules
from .recipe import Recipe

Table = dict[str, Any]


def convert_config(path: str | Path) -> Recipe:
    """Return the rules that another library's configuration comes to.

    ``.py`` is a configuration of MMEngine, whose every ``init_cfg`` becomes rules below the path of
    its keys; ``.json`` one of AllenNLP, with its ``initializer``. Python is read as literals, and
    no line of it is run. What has no translation keeps its values, and stands in ``notes``.
    Raises :class:`FileError` for what cannot be read, with its place.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "resnet.py")
    >>> _ = Path(path).write_text("init_cfg = [dict(type='Kaiming', layer='Conv2d')]")
    >>> print(convert_config(path))
    resnet
      Conv2d.weight  kaiming_normal(mode='fan_out', nonlinearity='relu', fans='tensor')
      Conv2d.bias    0
    """
    file = as_path(path)
    converter = _CONVERTERS.get(file.suffix)
    if converter is None:
        raise FileError(f"{file}: a configuration ends in .py (MMEngine) or .json", path=file)
    text, notes = read_text(file), list[str]()
    try:
        rules = converter(text, notes)
        read_rules(rules)
    except InitkitError as error:
        raise FileError(f"{file}: {error}", path=file) from None
    return Recipe(file.stem, rules=rules, notes="; ".join(dict.fromkeys(notes)))


# ---------------------------------------------------------------------------------- MMEngine


def _from_mmengine(text: str, notes: list[str]) -> list[Table]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise RuleError(f"it is no Python: {error}") from None
    names = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "_base_" in names:
        notes.append("_base_ is not followed: convert those files, too")
    found = list(_Literals(names).init_cfgs())
    if not found:
        raise RuleError("there is no init_cfg in it")
    # A module's own comes before those of its parts, and what comes later wins there.
    found.sort(key=lambda each: -len(each[0]))
    return [
        {".".join(path): table} if path else table
        for path, config in found
        for table in _init_cfg_rules(config, ".".join(path), notes)
    ]


class _Literals:
    """The assignments of a file, of which dicts, lists, numbers and texts are read."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names
        self._open: list[str] = []  # names being looked up, so that no two go in a circle

    def init_cfgs(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield every ``init_cfg`` with the keys that lead to it."""
        for name in ["model"] if "model" in self.names else self.names:
            if name != "init_cfg":
                yield from self._within(self.names[name], ())
        if "init_cfg" in self.names:
            yield (), self.value(self.names["init_cfg"])

    def _within(self, node: ast.expr, path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
        if isinstance(node, ast.Name) and node.id in self.names and node.id not in self._open:
            self._open.append(node.id)
            yield from self._within(self.names[node.id], path)
            self._open.pop()
        elif isinstance(node, ast.List | ast.Tuple):
            for i, part in enumerate(node.elts):
                yield from self._within(part, (*path, str(i)))
        for key, value in self._items(node):
            if key == "init_cfg":
                yield path, self.value(value)
            else:
                yield from self._within(value, path if key is None else (*path, str(key)))

    def _items(self, node: ast.expr) -> Iterator[tuple[Any, ast.expr]]:
        """Yield keys and values of a dict in either spelling; the key None is for ``**other``."""
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield (None if key is None else self.value(key)), value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "dict":
            for word in node.keywords:
                yield word.arg, word.value

    def value(self, node: ast.expr) -> Any:
        """Return what a literal says. Raises :class:`RuleError` for what would have to be run."""
        if isinstance(node, ast.Name) and node.id in self.names and node.id not in self._open:
            self._open.append(node.id)
            try:
                return self.value(self.names[node.id])
            finally:
                self._open.pop()
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(part) for part in node.elts]
        if isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and not node.args):
            items = list(self._items(node))
            if items or isinstance(node, ast.Dict):
                read = [(key, self.value(value)) for key, value in items]
                return {k: v for key, value in read for k, v in _spread(key, value)}
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            what = ast.unparse(node)
            text = f"line {node.lineno}: {what} is no literal; write its value in its place"
            raise RuleError(text) from None


def _spread(key: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    if key is None and isinstance(value, dict):
        yield from value.items()
    else:
        yield key, value


def _init_cfg_rules(config: Any, path: str, notes: list[str]) -> list[Table]:
    """Return the tables of one ``init_cfg``, which there is a dict, a list of them, or None."""
    configs = config if isinstance(config, list) else [config] if config else []
    tables = [table for each in configs for table in _from_init_cfg(each, path, notes)]
    return tables[::-1]  # of two that fit, the later one wins there


def _from_init_cfg(config: Any, path: str, notes: list[str]) -> Iterator[Table]:
    """Yield the tables of one dict, the weaker first."""
    if not (isinstance(config, dict) and isinstance(config.get("type"), str)):
        raise RuleError(f"an init_cfg is a dict with a type, not {config!r}")
    override = config.get("override") or []
    overrides = override if isinstance(override, list) else [override]
    if plain_name(config["type"]) == "pretrained":
        where = f" of {path}" if path else ""
        notes.append(f"pretrained{where}: load {config.get('checkpoint')!r}")
        return
    layers, own = layers_meant(config), _own(config)
    if layers:
        yield {f"type:{layers}": own}
    elif not overrides:
        yield {f"*.{key}": value for key, value in own.items()}
    plain = {key: value for key, value in config.items() if key not in ("override", "layer")}
    for each in overrides:
        given = each if "type" in each else plain | each
        name = given.get("name")
        if not isinstance(name, str):
            raise RuleError(f"an override has a name, unlike {each!r}")
        yield {name: {f"*.{key}": value for key, value in _own(given).items()}}


def _own(config: Mapping[str, Any]) -> Table:
    return {"weight": _known(config["type"], config), "bias": bias_meant(config)}


def _known(name: str, config: Mapping[str, Any]) -> str:
    text = scheme_meant(plain_name(name), config)
    try:
        read_scheme(text)
    except UnknownNameError:
        raise RuleError(f"{dict(config)!r} has no translation: {name!r} is unknown here") from None
    return text


# ---------------------------------------------------------------------------------- AllenNLP

# Those with other names or other options here; the rest are torch.nn.init's.
_ALLENNLP = {
    "zero": "zeros",
    "block_orthogonal": "orthogonal",  # gates are blocks of their own already
    "lstm_hidden_bias": "gates(forget=1)",
    "uniform_unit_scaling": "variance_scaling(mode='fan_out', distribution='uniform')",
    "prevent": "keep",
}
_RENAMED = {"val": "value"}
_BOUNDS = {"a": "low", "b": "high"}


def _from_allennlp(text: str, notes: list[str]) -> list[Table]:
    found = list(_initializers(parse_json(text), ()))
    if not found:
        raise RuleError("there is no initializer in it")
    return [
        {part: table} if part else table
        for path, config in found
        for table in _applicator(config, notes)
        # Models there keep a part under its name in the configuration, or under that with a _.
        for part in dict.fromkeys((".".join(path), ".".join(f"_{key}" for key in path)))
    ]


def _initializers(data: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every initializer with the keys that lead to it; a model's, run last, before parts'."""
    if isinstance(data, list) and not path:
        yield (), data
    if not isinstance(data, dict):
        return
    if "regexes" in data:
        yield path, data
    if data.get("initializer"):
        yield path, data["initializer"]
    for key, value in data.items():
        if key != "initializer":
            yield from _initializers(value, path if key == "model" else (*path, key))


def _applicator(config: Any, notes: list[str]) -> list[Table]:
    if isinstance(config, list):
        config = {"regexes": config}
    prevented = [{_searched(regex): "keep"} for regex in config.get("prevent_regexes") or []]
    pairs = config.get("regexes") or []
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise RuleError(f"an initializer is a list of pairs, not {pair!r}")
    return prevented + [{_searched(regex): _initializer(to, notes)} for regex, to in pairs]


def _initializer(config: Any, notes: list[str]) -> str:
    options = {"type": config} if isinstance(config, str) else dict(config)
    name = options.pop("type", None)
    if name == "pretrained":
        notes.append(f"pretrained: load {options.get('weights_file_path')!r}")
        return "keep"
    if name in _ALLENNLP:
        if set(options) - {"split_sizes", "gain"} or (options.get("gain", 1) != 1):
            raise RuleError(f"{config!r} has no translation with its options")
        return _ALLENNLP[name]
    if not isinstance(name, str) or canonical_name(name) is None:
        raise RuleError(f"{config!r} has no translation: {name!r} is unknown here")
    renamed = _RENAMED | (_BOUNDS if name == "uniform" else {})
    options = {renamed.get(key, key): value for key, value in options.items()}
    if name.startswith(("xavier", "kaiming")):
        options["fans"] = "tensor"  # those of torch.nn.init, which they call
    text = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"{name}({text})" if text else name


def _searched(regex: str) -> str:
    """Return the key that matches the whole of a name in which an expression is found.

    >>> [_searched(regex) for regex in ("weight_hh", ".*bias$", "^fc|out")]
    ['re:.*weight_hh.*', 're:.*bias', 're:.*(?:^fc|out).*']
    """
    flags = re.match(r"\(\?[aiLmsux]+\)", regex)
    start = flags.group() if flags else ""
    body = regex[len(start) :]
    if "|" in body or body.endswith("\\$"):
        return f"re:{start}.*(?:{body}).*"
    first = "" if body.startswith(("^", ".*")) else ".*"
    last = "" if body.endswith(("$", ".*")) else ".*"
    return f"re:{start}{first}{body.removeprefix('^').removesuffix('$')}{last}"


_CONVERTERS = {".py": _from_mmengine, ".json": _from_allennlp}
