"""Plans as JSON that comes back equal, and the short digest that tells two plans apart."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ReadError
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

    Raises :class:`ReadError` where a function of the user's starts a parameter.
    """
    # Refused as a whole: a plan that came back without a step would leave its parameter as it is.
    own = [
        step.name
        for step in steps
        if step.distribution is not None and not step.distribution.serializable
    ]
    if own:
        raise ReadError(f"JSON cannot carry the function that starts {', '.join(own)}")
    return json.dumps(plain_data({"format": FORMAT, **data}), indent=1, allow_nan=False)


def read_json(text: str) -> dict[str, Any]:
    """Return the data that :func:`write_json` wrote, its steps made again.

    Raises :class:`ReadError` for anything else.
    """
    try:
        data: dict[str, Any] = rich_data(json.loads(text))
        if data["format"] != FORMAT:
            raise ReadError(f"this is a {data['format']!r}, and {FORMAT!r} is known here")
        steps = [Step.from_dict(step) for step in data["steps"]]
        names = {"title": data["title"], "digest": data["digest"]}
        return {"steps": steps, "idle": tuple(data["idle"]), "rules": tuple(data["rules"]), **names}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A ReadError is a ValueError and arrives here, too.
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"this is no plan that initkit wrote: {error!r}") from error


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
        if set(data) == {"number"}:
            return _ENDLESS[data["number"]]
        return {key: rich_data(value) for key, value in data.items()}
    return [rich_data(value) for value in data] if isinstance(data, list) else data
