"""Rules as TOML or JSON files, read and written; loading one never imports or runs anything.

A file holds what a :class:`~initkit.Recipe` holds: ``name``, ``summary``, ``source``, ``paper``,
``fits``, ``notes``, ``code``, ``marks`` and ``rules``. ``rules`` is a table, or a list of tables
and of names of recipes; a table with the key ``scheme`` beside ``name``, ``type``, ``layout``,
``rows``,
``optional`` or ``padding`` is one rule with options. ``recipe.schema.json`` beside this file is its
schema.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import Correction, FileError, InitkitError, ReadError, RuleError
from ..files import as_path, parse_json, parse_toml, write_text
from ..numbers import Formula
from ..schemes import Constant, Function, Scheme, is_scheme_table, read_scheme
from ..wording import Entry, checks_calls, show
from .catalog import recipe_named
from .init_cfg import refuse_pulled_apart
from .keys import read_key, read_name
from .matchers import Type
from .read import Rules, as_table, each, read_rules, together
from .recipe import Recipe
from .rule import Rule
from .slips import text_for_rules

_TEXTS = ("name", "summary", "source", "paper", "notes")
_LISTS = ("fits", "code", "marks")
_KEYS = (*_TEXTS, *_LISTS, "padding", "rules", "$schema")
_PARSERS: dict[str, Callable[[str], Any]] = {".toml": parse_toml, ".json": parse_json}
_RULE_FLAGS = ("optional", "padding")
_RULE_KEYS = {"scheme", "name", "type", "layout", "rows", *_RULE_FLAGS}


@checks_calls
def load_recipe(path: str | Path) -> Recipe:
    r"""Read a recipe from a ``.toml`` or ``.json`` file.

    Nothing is imported or run: types are class names, schemes are names with options; but nobody
    stops a regular expression (``re:``) that never ends, so read those of untrusted files. In a
    file without a ``name``, a rule that matches nothing is an error, as in a table of your own.
    Raises :class:`FileError`, with file, key and line, for what cannot be read.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "mine.toml")
    >>> _ = Path(path).write_text("[rules]\n'*.weight' = 'normal(std=0.02)'\n'*.bias' = 0\n")
    >>> print(load_recipe(path))
    mine
      *.weight  normal(std=0.02)
      *.bias    0
    """
    file = _File(as_path(path), text_for_rules(path))
    try:
        return file.read()
    except FileError as error:
        for one in error.errors or (error,):
            file.show(one)
        raise


@checks_calls
def save_recipe(rules: Rules, path: str | Path) -> Path:
    """Write rules to a ``.toml`` or ``.json`` file from which :func:`load_recipe` reads the same.

    Types are written as class names. Raises :class:`FileError` for what a file cannot carry:
    functions and predicates.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "mine.json")
    >>> load_recipe(save_recipe({"*.weight": "xavier_uniform", "*.bias": 0}, path)).rows
    [('*.weight', 'xavier_uniform'), ('*.bias', '0')]
    """
    target = as_path(path)
    read_rules(rules)  # what cannot be read is not written
    try:
        data = _recipe_data(rules)
    except ReadError as error:
        key = getattr(error, "key", "")
        raise FileError(f"{target}: {error}", path=target, key=key) from None
    if target.suffix == ".json":
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    elif target.suffix == ".toml":
        text = "\n".join(_toml(data))
    else:
        raise FileError(f"{target}: a recipe file ends in .toml or .json", path=target)
    return write_text(target, text)


# ----------------------------------------------------------------------------------- reading


class _File:
    """One file being read: knows its text, so that errors can name a line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.table = "[rules]" if path.suffix == ".toml" else "the key 'rules'"

    def read(self) -> Recipe:
        """Return the recipe that the file holds."""
        data = self.parse()
        self.check(data)
        texts: dict[str, Any] = {key: data[key] for key in _TEXTS if key in data}
        texts |= {key: tuple(data[key]) for key in _LISTS if key in data}
        try:
            rules = self.rules(data["rules"])
        except RuleError as error:  # several lines of them
            told = self.error(error.message)
            told.errors = error.errors
            raise told from None
        return Recipe(
            **({"name": self.path.stem} | texts),
            rules=rules,
            padding=data.get("padding", True),
            general="name" in data,
            file=str(self.path),
        )

    def show(self, error: InitkitError) -> None:
        """Let an error of a line show it, and the mended line where that reads."""
        if not isinstance(error, FileError) or not error.line:
            return
        lines, at = self.text.splitlines(), error.line
        if at > len(lines):  # of an empty file, or after line breaks that no decoder counts
            return

        def reread(line: str) -> None:
            text = "\n".join([*lines[: at - 1], line, *lines[at:]])
            try:
                _File(self.path, text).read()
            except FileError as error:
                for one in error.errors or (error,):
                    if not isinstance(one, FileError) or one.line in (0, at):
                        raise one from None

        written = lines[at - 1].strip()
        show(error, written, reread)
        if error.shown is not None and error.shown.mended is None:
            forms = [*self._in_place_of(written, error.entry, reread)]
            first = forms[0] if forms else None
            error.shown = Correction(written, first, others=tuple(forms[1:]))

    def _in_place_of(
        self, line: str, told: object, reread: Callable[[str], object]
    ) -> Iterator[str]:
        """Yield the lines for what would do in place of an entry that has a line for itself."""
        if not isinstance(told, Correction) or not isinstance(told.written, Entry):
            return
        comma = "," if line.endswith(",") else ""
        with suppress(FileError):  # it holds a part of the entry, or more than that
            table = _PARSERS[self.path.suffix](
                line if self.path.suffix == ".toml" else f"{{{line.removesuffix(',')}}}"
            )
            if list(table) != [told.written.keys[-1]]:
                return
            for form in (told.mended, *told.others):
                text = file_text(form, self.path.suffix)
                text = f"{text[0] if isinstance(text, list) else text}{comma}"
                reread(text)
                yield text

    def parse(self) -> dict[str, Any]:
        parse = _PARSERS.get(self.path.suffix)
        if parse is None:
            raise self.error("a recipe file ends in .toml or .json")
        try:
            data = parse(self.text)
        except FileError as error:
            raise self.error(str(error), error.key, line=error.line).instead_of(error) from None
        if not isinstance(data, dict):
            raise self.error("a recipe is a table with the key 'rules'")
        return data

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise for what is no recipe, but for its rules."""
        for key in data:
            if key not in _KEYS:
                known = f"a recipe has {', '.join(_KEYS)}"
                way_out = known if "rules" in data else f"put rules under {self.table}"
                raise self.error(f"unknown key {key!r}; {way_out}", key).meaning(key, _KEYS)
        if "rules" not in data:
            raise self.error(f"there are no rules: put them under {self.table}")
        for key in _TEXTS:
            if not isinstance(data.get(key, ""), str):
                raise self.error(f"{key} must be a text, not {data[key]!r}", key)
        for key in _LISTS:
            texts = data.get(key, [])
            if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
                raise self.error(f"{key} must be a list of texts, not {texts!r}", key)
        for mark in data.get("marks", []):
            self._checked({mark: 0}, mark, mark)
        if not isinstance(data.get("padding", True), bool):
            raise self.error(f"padding must be true or false, not {data['padding']!r}", "padding")

    def error(self, what: str, key: str = "", value: object = "", line: int = 0) -> FileError:
        line = self._line(key, value) if key else line
        place = f"{self.path}:{line}" if line else str(self.path)
        return FileError(f"{place}: {what}", path=self.path, key=key, line=line)

    def _line(self, key: str, value: object) -> int:
        """Return the line where a key, with its text if it has one, seems to stand; 0 for none."""
        # A guess by text, since neither decoder tells where a key stood: first where something
        # like a key is followed by = or :, then wherever the key stands in quotes.
        written = {key, json.dumps(key)[1:-1]}
        quoted = "|".join(re.escape(one) for one in written)
        pattern = re.compile(rf"""(^|[\s{{,\[."'])["']?({quoted})["']?\s*[=:\].]""")
        lines = list(enumerate(self.text.splitlines(), 1))
        as_key = [number for number, line in lines if pattern.search(line)]
        text = value if isinstance(value, str) else ""
        within = [n for n, line in lines if text and any(f"{q}{text}{q}" in line for q in "\"'")]
        beside = [number for number in as_key if number in within] or within
        anywhere = (n for n, line in lines if any(f"{q}{key}{q}" in line for q in "\"'"))
        return next(iter(beside), 0) or next(iter(as_key), 0) or next(anywhere, 0)

    def rules(self, value: Any) -> Any:
        """Return a rule table; each entry is read alone, so that an error names its key."""
        if isinstance(value, str):
            return self._checked(value, "rules", value)
        if isinstance(value, list):
            return each(lambda one: self.rules(as_table(one)), ((one,) for one in value))
        if not isinstance(value, dict):
            raise self.error(f"rules are a table or a list of tables, not {value!r}", "rules")
        if "scheme" in value and set(value) <= _RULE_KEYS:
            return self._rule(value)
        return dict(zip(value, each(self._entry, value.items()), strict=True))

    def _rule(self, value: dict[str, Any]) -> Rule:
        options = {key: one for key, one in value.items() if key != "scheme"}
        place = value.get("name") or value.get("type")
        # Where its line is looked for: what was given there may be anything.
        key, given = (str(place), "") if place else ("scheme", value.get("scheme", ""))
        if isinstance(options.get("type"), list):
            options["type"] = tuple(options["type"])
        for flag in _RULE_FLAGS:
            if not isinstance(options.get(flag, False), bool):
                raise self.error(f"{flag} must be true or false", flag)
        try:
            return Rule(value["scheme"], **options)
        except InitkitError as error:
            wrong = [word for mend in error.mends if isinstance(mend, Mapping) for word in mend]
            for option, text in value.items():
                if isinstance(text, str) and any(word in text for word in wrong):
                    key, given = option, text
            said = self.error(error.message, key, given)
            raise said.instead_of(error) from None

    def _entry(self, key: str, value: Any) -> Any:
        """Check one entry of a table; a table under a key is a scope of its own."""
        if isinstance(value, dict | list) and not _is_options(value) and not _is_apart(value):
            value = self.rules(value)
        return self._checked({key: value}, key, value)

    def _checked(self, table: Any, key: str, value: Any) -> Any:
        try:
            read_rules(table)  # read again when the recipe is used: a recipe holds rules as written
        except InitkitError as error:
            raise together([self._told(e, key, value) for e in error.errors or (error,)]) from None
        return value

    def _told(self, error: InitkitError, key: str, value: object) -> FileError:
        told = self.error(error.message, key, value).instead_of(error)
        told.entry = error.shown  # what would do in its place, for who knows the line
        return told


def _is_options(value: Any) -> bool:
    """Whether a table under a key is a scheme with its options, and no rule with those of a rule.

    A rule has more than a scheme in it: a name, a type, a layout.
    """
    return is_scheme_table(value) and (len(value) == 1 or not set(value) <= _RULE_KEYS)


def _is_apart(value: Any) -> bool:
    """Whether a list or table under a key is a scheme with its options beside its name."""
    try:
        refuse_pulled_apart(value)
    except RuleError:
        return True
    return False


def file_text(line: object, path: str) -> object:
    """Return a line of a rule table as the file spells it."""
    line = getattr(line, "entry", line)  # of one that goes before all others
    if not isinstance(line, Entry):
        return line
    table = line.table
    if isinstance(line.value, Rule):
        table = Entry(line.keys, {a.name: a.value for a in line.value.written.arguments}).table
    if path.endswith(".json"):
        text = json.dumps(table, ensure_ascii=False)
        return text[1:-1] if isinstance(table, Mapping) else text
    return [*_pairs(table)] if isinstance(table, Mapping) else _inline(table)


# ----------------------------------------------------------------------------------- writing


# What a file cannot carry is refused below without its name; `save_recipe` adds that once.


def _recipe_data(rules: Rules) -> dict[str, Any]:
    if not isinstance(rules, Recipe):
        return {"rules": _table_data(rules)}
    data: dict[str, Any] = {key: getattr(rules, key) for key in _TEXTS if getattr(rules, key)}
    if not rules.general:
        del data["name"]  # it is the file's own
    data |= {key: list(getattr(rules, key)) for key in _LISTS if getattr(rules, key)}
    if not rules.padding:
        data["padding"] = False
    return {**data, "rules": _own_rules(rules)}


def _own_rules(recipe: Recipe) -> Any:
    """Return a recipe's rules; the name alone where one that ships has predicates of its own.

    Figures that were given stand in the name alone.
    """
    if recipe.figures:
        if recipe_named(recipe.name) is None:
            raise RuleError(f"a file cannot carry the figures of {recipe.label}: register it")
        return recipe.label
    try:
        return _table_data(recipe.table)
    except ReadError:
        if recipe_named(recipe.name) is None:
            raise
        return recipe.label


def _table_data(value: Any) -> Any:
    """Return rules, or what stands under a key, as plain data."""
    if isinstance(value, Rule):
        return _rule_data(value)
    if isinstance(value, Recipe):
        return value.label if not value.given or value.figures else _table_data(value.table)
    if isinstance(value, Mapping) and not is_scheme_table(value):
        return _mapping_data(value)
    if isinstance(value, float):
        return _number_data(value)
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_table_data(as_table(one)) for one in value]
    return _scheme_data(value)


def _mapping_data(table: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        text = key if isinstance(key, str) else read_key(key).spell()
        if text in found:
            message = f"two rules would stand under one key {text!r}; use a list of tables"
            raise FileError(message, path="", key=text)
        found[text] = _table_data(value)
    return found


def _scheme_data(value: Any) -> Any:
    scheme = read_scheme(value)
    own = [s for s in _parts(scheme) if isinstance(s, Function) and not s.label]
    if own:
        raise RuleError(
            f"a file cannot carry the function {own[0]}; register it with "
            "@register_scheme('name') and write its name"
        )
    # A number as a number, and whole ones without a point, as one writes them.
    if isinstance(scheme, Constant) and not isinstance(scheme.value, Formula):
        return int(scheme.value) if scheme.value.is_integer() else _number_data(scheme.value)
    return scheme.spell()


def _number_data(value: float) -> float | str:
    """Return a number; as a text where it is infinite, for which JSON has no number."""
    return value if math.isfinite(value) else str(value)


def _parts(scheme: Scheme) -> Iterator[Scheme]:
    yield scheme
    for part in scheme.inner:
        yield from _parts(part)


def _rule_data(rule: Rule) -> dict[str, Any]:
    if rule.where is not None:
        raise RuleError(f"a file cannot carry the predicate of the rule {rule}; match names")
    data: dict[str, Any] = {"scheme": _scheme_data(rule.scheme)}
    if rule.name is not None:
        data["name"] = read_name(rule.name).spell()
    if rule.type is not None:
        data["type"] = str(Type.of(rule.type))
    if rule.layout is not None:
        axes = getattr(rule.layout, "axes", None)
        data["layout"] = " ".join(axes) if axes else rule.layout
    if rule.rows is not None:
        data["rows"] = str(rule.rows)
    if rule.optional:
        data["optional"] = True
    if not rule.padding:
        data["padding"] = False
    return data


def _toml(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a recipe: its texts, then its rules."""
    for key, value in data.items():
        if key != "rules":
            yield f"{key} = {_inline(value)}"
    rules = data["rules"]
    if isinstance(rules, Mapping):
        yield from ("", "[rules]")
        yield from _pairs(rules)
    elif isinstance(rules, list) and rules and all(isinstance(one, Mapping) for one in rules):
        for one in rules:
            yield from ("", "[[rules]]")
            yield from _pairs(one)
    else:
        yield f"rules = {_inline(rules)}"
    yield ""


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{_string(key)} = {_inline(value)}"


def _inline(value: Any) -> str:
    if isinstance(value, bool):  # before int, which it is
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_pairs(value)) + " }" if value else "{}"
    return "[" + ", ".join(_inline(one) for one in value) + "]"


def _string(text: str) -> str:
    """Return a TOML basic string: JSON's escapes, and DEL, which JSON leaves."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
