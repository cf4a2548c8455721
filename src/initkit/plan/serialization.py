"""Plans as JSON that comes back equal, and the short digest that tells two plans apart."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import FileError, ReadError
from ..files import parse_json
from ..numbers import check_fields
from .step import Step

FORMAT = "initkit-plan-2"
_BEFORE = "initkit-plan-1"  # the same, with every step written out


def steps_digest(steps: Iterable[Step]) -> str:
    """Return a short text that is equal for equal steps, in whatever order they come."""
    # This text is the contract: saved plans and reports carry digests of it.
    tails: dict[tuple[object, ...], str] = {}
    rows = []
    for step in steps:
        # By its id: equal numbers may have two texts. The steps keep their distributions alive.
        key = step.shape, step.dtype, step.status, id(step.distribution), step.padding
        tail = tails.get(key)
        if tail is None:
            tail = tails[key] = json.dumps(
                [
                    list(step.shape),
                    str(step.dtype),
                    step.status,
                    step.distribution and _decided(step.distribution.to_dict()),
                    step.padding,
                ]
            )[1:]
        rows.append(f"[{json.dumps(step.seed_name)}, {tail}")
    return hashlib.blake2b("\n".join(sorted(rows)).encode(), digest_size=8).hexdigest()


def _decided(data: Any) -> Any:
    """Leave out what was found in files when a plan was saved: finding it reads all of them."""
    if isinstance(data, dict):
        return {key: _decided(value) for key, value in data.items() if key != "content"}
    return [_decided(one) for one in data] if isinstance(data, list) else data


def write_json(steps: Sequence[Step], data: Mapping[str, Any]) -> str:
    """Return plain data of a plan with these steps as JSON, a step a line.

    A step that is an earlier one but for its names says so: ``{"names": ["b"], "like": 0}``.

    Raises :class:`ReadError` where a function of the user's, or a large table, starts a parameter.
    """
    # Refused as a whole: a plan that came back without a step would leave its parameter as it is.
    distributions = {
        id(s.distribution): s.distribution for s in steps if s.distribution is not None
    }
    reasons = {key: d.uncarried for key, d in distributions.items()}
    if what := next(filter(None, reasons.values()), ""):
        names = ", ".join(s.name for s in steps if reasons.get(id(s.distribution)) == what)
        raise ReadError(f"JSON cannot carry {what} that starts {names}")
    lines = [f' "{key}": {_dumps(value)}' for key, value in {"format": FORMAT, **data}.items()]
    rows = ",\n  ".join(_rows(steps))
    return ",\n".join(["{\n" + lines[0], *lines[1:], f' "steps": [\n  {rows}\n ]\n}}'])


def _rows(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the JSON of each step."""
    places: dict[tuple[object, ...], int] = {}
    for place, step in enumerate(steps):
        key = _but_names(step)
        first = places.setdefault(key, place) if key is not None else place
        if first == place:
            yield _dumps(step.to_dict())
            continue
        row: dict[str, Any] = {"names": step.names}
        if step.seed_name != step.names[0]:
            row["seed_name"] = step.seed_name
        yield json.dumps(row | {"like": first})


def _but_names(step: Step) -> tuple[object, ...] | None:
    """Return what is equal for steps that ``Step.renamed`` makes of each other; None if it can't.

    The distribution and the fans by their ids, since equal numbers may have two texts in JSON.
    """
    if step.tie_kind or step.history:
        return None
    decided = step.shape, step.dtype, step.status, id(step.distribution), step.padding
    return *decided, step.scheme, step.rule, id(step.fans), step.fans_from, step.note, step.frozen


def _dumps(data: Any) -> str:
    return json.dumps(plain_data(data), allow_nan=False)


def read_json(text: str) -> dict[str, Any]:
    """Return the data that :func:`write_json` wrote, its steps made again.

    Raises :class:`ReadError` for anything else.
    """
    try:
        data: dict[str, Any] = parse_json(text)
        if data["format"] not in (FORMAT, _BEFORE):
            known = f"{_BEFORE!r} and {FORMAT!r} are known here"
            raise ReadError(f"this is a {data['format']!r}, and {known}")
        steps = read_steps(data["steps"])
        names = {key: _text(data, key) for key in ("title", "digest")}
        lists = {key: tuple(map(str, data[key])) for key in ("idle", "rules")}
        lists["problems"] = tuple(map(str, data.get("problems", ())))  # printed, and never saved
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
    steps: list[Step] = []
    for place, row in enumerate(rows):
        try:
            steps.append(_like(row, steps) if "like" in row else _step(row))
        except Exception as error:
            raise ReadError(f"step {place} is none that initkit wrote: {error!r}") from None
    return steps


def _step(row: Any) -> Step:
    step = Step.from_dict(rich_data(row))
    check_fields(step)
    _check_sizes(step)
    return step


def _like(row: Mapping[str, Any], above: Sequence[Step]) -> Step:
    """Return a step above under the names of a row."""
    place, names = row["like"], row["names"]
    texts = [*names, row.get("seed_name", names[0])]
    if type(place) is not int or place < 0 or type(names) is not list:
        raise TypeError(f"names {names!r} like {place!r}")
    if not all(type(text) is str for text in texts):
        raise TypeError(f"names {texts!r}")
    like = above[place]
    if _but_names(like) is None:
        raise ValueError(f"step {place} is tied, or has a history, and no other is like it")
    return like.renamed(tuple(names), texts[-1])


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
        if not all(0 <= fan < 2**63 for fan in (step.fans.fan_in, step.fans.fan_out)):
            raise ReadError(f"the fans {step.fans.fan_in} and {step.fans.fan_out}")


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
