"""What the recipes say of a model, compared with what the model's own code does.

`zoo.py --recipes` runs it over the models of whole libraries. The judge is the code: where a
recording explains a parameter, a recipe is right when it plans the same distribution; where it does
not, when `check_init` cannot tell the fresh values from the plan's.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

from torch import nn

from initkit import Plan, Step, check_init, list_recipes, plan_init
from initkit.distributions import Distribution
from initkit.errors import InitkitError
from initkit.record import record_init
from initkit.suggest import suggest_recipe

VERDICTS = ("right", "wrong", "incomplete", "none")
OTHER_NAMES = {"vit_mae": "mae", "swinv2": "swin_v2"}  # of families that other libraries have too
CLOSE = 1e-4  # of a std: figures of float32 that were reckoned in another order


def score(
    build: Callable[[], nn.Module], library: str, model: str, suggest: bool = True
) -> dict[str, Any]:
    """Judge the first suggestion for a model, and the recipe of its family's name if there is one.

    Without ``suggest`` only the latter, as if it had been suggested. ``model`` is the name that
    the library calls it by: a family's own recipe is the one of the longest part of it, ``deit``
    for ``deit/deit_tiny``.
    """
    recorded = record_init(build)
    assert recorded.model is not None
    result: dict[str, Any] = {
        "tensors": len(recorded),
        "parameters": sum(p.numel() for p in recorded.model.parameters()),
    }
    own = own_recipe(library, model, type(recorded.model).__module__.split(".")[-2])
    result["named"] = judge(recorded, own) | {"recipe": own}
    if not suggest:
        return result | {"first": result["named"], "seconds": 0.0}
    began = time.perf_counter()
    found = suggest_recipe(recorded.model)
    result["seconds"] = round(time.perf_counter() - began, 3)
    named = found[0].recipe if found and found[0].recipe != "torch_default" else None
    result["first"] = judge(recorded, found.rules if named else None)
    if named is not None:
        table = isinstance(found.rules, dict)
        agrees = found.parts.agrees if table else found[0].agrees
        result["first"] |= {"recipe": "by parts" if table else named, "agrees": agrees}
    return result


def own_recipe(library: str, model: str, folder: str = "") -> str | None:
    """Return the recipe of a library that goes by the name of a model there.

    ``folder`` is where transformers keeps its code, whose name is the family's: no cousin serves.
    """
    known, (*above, last) = set(list_recipes()), model.replace("-", "_").split("/")
    parts = last.split("_")
    names = [last, *above, *("_".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))]
    if library == "transformers":
        names = [OTHER_NAMES.get(folder or last, folder or last)]
    return next((n for name in names if (n := f"{name}/{library}") in known), None)


def judge(recorded: Plan, rules: Any) -> dict[str, Any]:
    """Compare what rules plan for a recorded model with the recording.

    The verdict is ``none`` without rules, ``wrong`` where a parameter is planned otherwise than
    the code starts it, ``incomplete`` where rules only leave some open, else ``right``.
    """
    assert recorded.model is not None
    if rules is None:
        return {"verdict": "none", "right": 0, "wrong": [], "open": len(recorded)}
    try:
        plan = plan_init(recorded.model, rules, on_tie_conflict="first")
        plan.check()
    except InitkitError as error:
        wrong = [f"{type(error).__name__}: {error}"[:300]]
        return {"verdict": "wrong", "right": 0, "wrong": wrong, "open": 0}
    steps = {name: step for step in recorded for name in step.names}
    left = [step.name for step in plan if step.status not in ("write", "empty")]
    doubtful = [(s, steps[s.name]) for s in plan if s.status == "write" and s.name in steps]
    doubtful = [(step, seen) for step, seen in doubtful if not same_start(step, seen)]
    failing: set[str] = set()
    if doubtful:  # spelt in another way, or not explained: the values decide
        failing = {f.name for f in check_init(recorded.model, plan).failures}
    wrong = [
        f"{step.name}: {step.start}, and the code {seen.start}"
        for step, seen in doubtful
        if step.name in failing or _moments_differ(step, seen)
    ]
    verdict = "wrong" if wrong else "incomplete" if left else "right"
    right = len(plan) - len(wrong) - len(left)
    found = {"verdict": verdict, "right": right, "wrong": wrong[:20], "open": len(left)}
    return found | ({"tensors wrong": len(wrong)} if wrong else {})


def same_start(step: Step, seen: Step) -> bool:
    """Return whether a planned step says the same as a recorded one that is explained."""
    if seen.distribution is None or step.distribution is None or seen.status != "write":
        return False
    same_rows = set(step.padding_rows) == set(seen.padding_rows)
    return same_rows and same_law(step.distribution, seen.distribution)


def _moments_differ(step: Step, seen: Step) -> bool:
    planned, known = step.distribution, seen.distribution
    if planned is None or known is None or seen.status != "write":
        return False
    return not _alike(planned, known)


def same_law(one: Distribution, other: Distribution) -> bool:
    """Return whether two distributions print alike or agree in class, moments and bounds."""
    return str(one) == str(other) or (type(one) is type(other) and _alike(one, other))


def _alike(one: Distribution, other: Distribution) -> bool:
    if one.random != other.random:
        return False
    if one.std is None or other.std is None:
        return str(one) == str(other)
    size = max(other.std, abs(other.mean or 0.0), 1e-12)
    pairs = [(one.mean or 0.0, other.mean or 0.0), (one.std, other.std)]
    # Bounds that cut nothing are none: a truncated normal of torch ends a hundred stds away.
    far = 8 * size
    pairs += [
        (_within(a, far), _within(b, far)) for a, b in zip(one.bounds, other.bounds, strict=True)
    ]
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=CLOSE * size) for a, b in pairs)


def _within(bound: float, far: float) -> float:
    return max(-far, min(far, bound))


# --------------------------------------------------------------------------------------- report


def scoreboard(results: Mapping[str, dict[str, Any]]) -> str:
    """Return a line for each library: how many models each question was answered right for."""
    heads = ("models", *VERDICTS, "tensors right", "named", "right", "seconds")
    lines = ["library".ljust(22) + "".join(head.rjust(max(len(head) + 2, 8)) for head in heads)]
    for library, found in by_library(results).items():
        cells = figures(found)
        name = library if library == "all" else f"{library} {version(library)}"
        lines.append(
            f"{name:22}"
            + "".join(c.rjust(max(len(h) + 2, 8)) for c, h in zip(cells, heads, strict=True))
        )
    return "\n".join(lines)


def figures(found: Iterable[dict[str, Any]]) -> list[str]:
    """Return the cells of a library: first suggestions by verdict, and the families' recipes."""
    found = list(found)
    count = Counter(r["first"]["verdict"] for r in found)
    tensors = sum(r["tensors"] for r in found)
    right = sum(r["first"]["right"] for r in found)
    named = [r["named"]["verdict"] for r in found if r["named"]["recipe"]]
    return [
        f"{len(found)}",
        *(f"{count[v] / len(found):.1%}" for v in VERDICTS),
        f"{right / tensors:.1%}",
        f"{len(named)}",
        f"{named.count('right')}",
        f"{statistics.median(r['seconds'] for r in found):.2f}",
    ]


def by_library(results: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the models that were judged, by library, and of several libraries all."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, result in results.items():
        if "error" not in result:
            groups.setdefault(key.partition(":")[0], []).append(result)
    if len(groups) > 1:
        groups["all"] = [result for found in groups.values() for result in found]
    return groups


def in_words(result: Mapping[str, Any]) -> str:
    """Return one model's result in a line."""
    if "error" in result:
        return str(result["error"])[:150]

    def told(found: Mapping[str, Any]) -> str:
        wrong = f" ({found['wrong'][0]})" if found["wrong"] else ""
        return f"{found.get('recipe') or '-'} {found['verdict']}{wrong}"

    return f"first: {told(result['first'])}; named: {told(result['named'])}"


def page(results: Mapping[str, dict[str, Any]], when: str) -> str:
    """Return the scoreboard as a page of the documentation, with what is not right by name."""
    head = ("library", "models", "own recipe right", "wrong", "incomplete", "none", "tensors right")
    lines = [f"Measured in {when}, with torch {version('torch')}.", "", _row(head)]
    lines.append(_row(["---", *["---:"] * (len(head) - 1)]))
    for library, found in by_library(results).items():
        count = Counter(r["named"]["verdict"] if r["named"]["recipe"] else "none" for r in found)
        right = sum(r["named"]["right"] for r in found) / sum(r["tensors"] for r in found)
        name = library if library == "all" else f"{library} {version(library)}"
        cells = [f"{count[v]} ({count[v] / len(found):.1%})" for v in VERDICTS]
        lines.append(_row([name, str(len(found)), *cells, f"{right:.1%}"]))
    lines += ["", _row(("model", "recipe", "what differs")), _row(("---", "---", "---"))]
    for key, result in sorted(results.items()):
        named = result.get("named", {})
        if named and named["verdict"] != "right":
            what = (
                named["wrong"][0] if named["wrong"] else f"{named['open']} tensors without a rule"
            )
            recipe = f"`{named['recipe']}`" if named["recipe"] else "none"
            lines.append(_row([f"`{key}`", recipe, what.replace("|", "\\|")[:140]]))
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
