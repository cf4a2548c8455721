"""Plans as JSON that comes back equal, and the short digest that tells two plans apart."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import FileError, ReadError
from ..files import parse_json
from ..numbers import check_fields
from .step import Step

FORMAT = "initkit-plan-1"


def steps_digest(steps: Iterable[Step]) -> str:
    """Return a short text that is equal for equal steps, in whatever order they come."""
    # This text is the contract: saved plans and reports carry digests of it.
    rows = sorted(
        json.dumps(
            [
                step.seed_name,
                list(step.shape),
                str(step.dtype),
                step.status,
                step.distribution and step.distribution.to_dict(),
                step.padding,
            ]
        )
        for step in steps
    )
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest()


def write_json(steps: Sequence[Step], data: Mapping[str, Any]) -> str:
    """Return plain data of a plan with these steps as JSON.

    Raises :class:`ReadError` where a function of the user's, or a large table, starts a parameter.
    """
    # Refused as a whole: a plan that came back without a step would leave its parameter as it is.
    uncarried = {s.name: s.distribution.uncarried for s in steps if s.distribution is not None}
    if what := next(filter(None, uncarried.values()), ""):
        names = ", ".join(name for name, why in uncarried.items() if why == what)
        raise ReadError(f"JSON cannot carry {what} that starts {names}")
    return json.dumps(plain_data({"format": FORMAT, **data}), indent=1, allow_nan=False)


def read_json(text: str) -> dict[str, Any]:
    """Return the data that :func:`write_json` wrote, its steps made again.

    Raises :class:`ReadError` for anything else.
    """
    try:
        data: dict[str, Any] = rich_data(parse_json(text))
        if data["format"] != FORMAT:
            raise ReadError(f"this is a {data['format']!r}, and {FORMAT!r} is known here")
        steps = read_steps(data["steps"])
        names = {key: _text(data, key) for key in ("title", "digest")}
        lists = {key: tuple(map(str, data[key])) for key in ("idle", "rules")}
        return {"steps": steps, **lists, **names}
    except FileError as error:
        raise ReadError(f"this is no plan that initkit wrote: {error}") from None
    except (KeyError, TypeError) as error:
        raise ReadError(f"this is no plan that initkit wrote: {error!r}") from error


def _text(data: Mapping[str, Any], key: str) -> str:
    if not isinstance(data[key], str):
        raise ReadError(f"this is no plan that initkit wrote: its {key} is {data[key]!r}")
    return str(data[key])


def read_steps(rows: Iterable[Any]) -> list[Step]:
    """Return the steps of plain data.

    Raises :class:`ReadError` for what initkit did not write: data from files may have been changed,
    so that every field is looked at before anything counts on it.
    """
    steps = []
    for place, row in enumerate(rows):
        try:
            step = Step.from_dict(row)
            check_fields(step)
            _check_sizes(step)
        except Exception as error:
            raise ReadError(f"step {place} is none that initkit wrote: {error!r}") from None
        steps.append(step)
    return steps


def _check_sizes(step: Step) -> None:
    """Raise where a step of sound types cannot be of any tensor."""
    if not step.names or min(step.shape, default=0) < 0 or step.numel >= 2**63:
        raise ReadError(f"names {step.names!r}, shape {list(step.shape)}")
    # A view of an embedding has its padding elsewhere than in a row of its own.
    rows = math.inf if step.tie_kind in ("view", "overlap") else (*step.shape, 0)[0]
    if not all(0 <= row < rows for row in step.padding_rows):
        raise ReadError(f"a padding row {step.padding} in the shape {list(step.shape)}")
    if step.fans is not None:
        check_fields(step.fans)


_ENDLESS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def plain_data(data: Any) -> Any:
    """Return plain data with infinities as {"number": "inf"}, which JSON does not know, and NaN."""
    if isinstance(data, dict):
        return {key: plain_data(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain_data(value) for value in data]
    return {"number": str(data)} if isinstance(data, float) and not math.isfinite(data) else data


def rich_data(data: Any) -> Any:
    """Return what :func:`plain_data` was made of."""
    if isinstance(data, dict):
        if data.keys() == {"number"} and isinstance(data["number"], str):
            return _ENDLESS[data["number"]]
        return {key: rich_data(value) for key, value in data.items()}
    return [rich_data(value) for value in data] if isinstance(data, list) else data
