"""Lines that no decoder reads, and what their authors may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterator


def forms_of_toml(line: str) -> Iterator[str]:
    """Yield what a line of TOML may have been meant to be.

    >>> next(forms_of_toml('*.weight = "normal"'))
    '"*.weight" = "normal"'
    """
    for pattern, meant in _TOML:
        if (form := re.sub(pattern, meant, line, count=1)) != line:
            yield form


def forms_of_json(line: str, column: int) -> Iterator[str]:
    """Yield what a line of JSON may have been meant to be, that fails at a column.

    >>> next(forms_of_json("{'bias': 0}", 2))
    '{"bias": 0}'
    """
    if '"' not in line:
        yield line.replace("'", '"')
    for pattern, meant in _JSON:
        if (form := re.sub(pattern, meant, line)) != line:
            yield form
    yield f"{line[: column - 1]}, {line[column - 1 :]}".rstrip(" ")


def misled_by(text: str, line: int, column: int) -> tuple[int, int]:
    r"""Return where a slip stands that a decoder notices at a line and column, or at the end.

    >>> misled_by('{"a": 0,\n}', 2, 1), misled_by("a = 'b\n", 0, 0)
    ((1, 9), (1, 7))
    """
    lines = text.splitlines()
    if not line:  # a quote that the decoder looked for up to the end
        odd = [n for n, one in enumerate(lines, 1) if one.count("'") % 2 or one.count('"') % 2]
        return (odd[-1], len(lines[odd[-1] - 1]) + 1) if odd else (0, 0)
    at_start = line <= len(lines) and not lines[line - 1][: column - 1].strip()
    before = next((n for n in range(line - 1, 0, -1) if lines[n - 1].strip()), 0)
    if not at_start or not before or lines[line - 1].strip()[:1] not in ("}", "]", '"'):
        return line, column
    ends_well = lines[before - 1].rstrip().endswith(("{", "[", ","))
    if ends_well and lines[line - 1].strip()[:1] == '"':
        return line, column
    return before, len(lines[before - 1].rstrip()) + 1


_TOML = (
    (r"""^((?![\[{\s])(?:(?!:\s)[^"'=])+?)\s*=\s*""", r'"\1" = '),  # a glob without quotes
    (r"""^("[^"]*"|'[^']*'|[\w.-]+)\s*:\s*""", r"\1 = "),
    (r"""^([^"'=:\[{\s][^"'=:]*?)\s*:\s*""", r'"\1" = '),
    (r"""^"([^"=]*?)\s*=""", r'"\1" ='),  # a quote that does not end
    (r"""^(.*=\s*)("[^"]*)$""", r'\1\2"'),
    (r"""^(.*=\s*)('[^']*)$""", r"\1\2'"),
    (r"=\s*(None|null|nil)\s*$", '= "keep"'),
    (r"=\s*True\b", "= true"),
    (r"=\s*False\b", "= false"),
    (r"=\s*True\b", "= 1"),
    (r"=\s*False\b", "= 0"),
    (r"=\s*(-?)\.(\d)", r"= \g<1>0.\2"),
    (r"[,;]\s*$", ""),
    (r"^(\[[^\]]*)$", r"\1]"),
    (r"""=\s*([^"'\[{\s][^"']*)$""", r'= "\1"'),  # a text without quotes
)
_JSON = (
    (r"\s*(//|#).*$", ""),
    (r",(?=\s*([}\]]|$))", ""),
    (r"\b(None|nil)\b", '"keep"'),
    (r"\bTrue\b", "true"),
    (r"\bFalse\b", "false"),
    (r"(?<=[:\s])(-?)\.(?=\d)", r"\g<1>0."),
    (r"""("[^":,]*)(,?)\s*$""", r'\1"\2'),
    (r"(?<=[{,\s])([\w.*]+)(?=\s*:)", r'"\1"'),
)
