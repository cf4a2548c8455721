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
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from torch import nn

from initkit import Plan, Step, check_init, describe_recipe, list_recipes, plan_init
from initkit.distributions import Distribution
from initkit.errors import InitkitError
from initkit.record import record_init
from initkit.rules import recipes_for
from initkit.suggest import Suggestions, suggest_recipe

VERDICTS = ("right", "wrong", "incomplete", "none")
STANDINGS = ("right", "marked", "confidently wrong", "none")
CLOSE = 1e-4  # of a std: figures of float32 that were reckoned in another order


def score(
    build: Callable[[], nn.Module], library: str, model: str, suggest: bool = True
) -> dict[str, Any]:
    """Judge the first suggestion for a model, and the recipe that follows its own code if one does.

    Without ``suggest`` only the latter, as if it had been suggested. ``model`` is the name that
    the library calls it by.
    """
    recorded = record_init(build)
    assert recorded.model is not None
    result: dict[str, Any] = {
        "tensors": len(recorded),
        "parameters": sum(p.numel() for p in recorded.model.parameters()),
    }
    own = own_recipe(library, model, type(recorded.model).__module__)
    result["named"] = judge(recorded, own) | {"recipe": own}
    if not suggest:
        return result | {"first": result["named"], "seconds": 0.0}
    began = time.perf_counter()
    found = suggest_recipe(recorded.model)
    result["seconds"] = round(time.perf_counter() - began, 3)
    return result | {"first": judge_first(recorded, found)}


def judge_first(recorded: Plan, found: Suggestions) -> dict[str, Any]:
    """Judge what is suggested first, and say what it claims of itself.

    Torch's defaults are a suggestion where they claim to hold, and else the word for having none.
    """
    best = found[0] if found else None
    if best is None or (best.recipe == "torch_default" and best.agrees != 1):
        return judge(recorded, None)
    table = not isinstance(found.rules, str)
    agrees = found.parts.agrees if table else best.agrees
    judged = judge(recorded, found.rules)
    claims = {
        "recipe": "by parts" if table else best.recipe,
        "agrees": agrees,
        "claims": agrees == 1 or (agrees is None and not table and best.covers == 1),
    }
    return judged | claims


def standing(first: Mapping[str, Any]) -> str:
    """Return the verdict on a first suggestion, and of one that is not true whether it says so."""
    verdict = str(first["verdict"])
    if verdict in ("right", "none"):
        return verdict
    return "confidently wrong" if first.get("claims") else "marked"


def own_recipe(library: str, model: str, place: str) -> str | None:
    """Return the recipe of a library that follows a model's own code.

    ``place`` is the Python module that defines the model. Of several recipes that follow it, that
    one counts which goes by the name of the code's folder or by a part of the model's, the longest
    first: ``deit`` for ``deit/deit_tiny``.
    """
    own = [r.name for r in recipes_for(place) if r.name.endswith(f"/{library}")]
    if not own:
        return None
    folder, (*above, last) = place.split(".")[-2], model.replace("-", "_").split("/")
    parts = last.split("_")
    heads = ["_".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]
    tails = ["_".join(parts[start:]) for start in range(1, len(parts))]
    # A size may follow its family at once, as in ``densenet169``.
    bare = [name.rstrip("0123456789") for name in (last, *heads)]
    names = [f"{name}/{library}" for name in (folder, last, *tails, *above, *heads, *bare)]
    called = next((name for name in names if name in list_recipes()), None)
    if len(own) == 1 and (called is None or describe_recipe(called).name not in own):
        return own[0]
    return called


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
    # Exact values and rows of zeros are what check_init has compared one by one.
    if not (planned.random or known.random) or {*step.padding_rows} != {*seen.padding_rows}:
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
    heads = ("models", *STANDINGS, "tensors right", "named", "right", "seconds")
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
    """Return the cells of a library: first suggestions by standing, and the families' recipes."""
    found = list(found)
    count = Counter(standing(r["first"]) for r in found)
    tensors = sum(r["tensors"] for r in found)
    right = sum(r["first"]["right"] for r in found)
    named = [r["named"]["verdict"] for r in found if r["named"]["recipe"]]
    return [
        f"{len(found)}",
        *(f"{count[s] / len(found):.1%}" for s in STANDINGS),
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
    own = ("library", "models", *(f"own recipe {v}" for v in VERDICTS), "tensors right")
    lines = [f"Measured in {when}, with torch {version('torch')}.", "", *_head(own)]
    for library, found in by_library(results).items():
        right = sum(r["named"]["right"] for r in found) / sum(r["tensors"] for r in found)
        told = [r["named"]["verdict"] if r["named"]["recipe"] else "none" for r in found]
        lines.append(_row([*_shares(library, told, VERDICTS), f"{right:.1%}"]))
    lines += ["", *_head(("library", "models", *(f"first suggestion {s}" for s in STANDINGS)))]
    for library, found in by_library(results).items():
        lines.append(_row(_shares(library, [standing(r["first"]) for r in found], STANDINGS)))
    lines += ["", *_head(("model", "recipe", "what differs"))]
    for key, result in sorted(results.items()):
        for label, name in (("", "named"), ("suggested: ", "first")):
            if "error" not in result and result[name]["verdict"] not in ("right", *_skip(name)):
                lines.append(_differing(key, label, result[name]))
    return "\n".join(lines) + "\n"


def _skip(name: str) -> tuple[str, ...]:
    """Families whose name no recipe has are named where nothing is suggested for them either."""
    return ("none",) if name == "named" else ()


def _differing(key: str, label: str, found: Mapping[str, Any]) -> str:
    what = found["wrong"][0] if found["wrong"] else f"{found['open']} tensors without a rule"
    recipe = f"{label}`{found['recipe']}`" if found.get("recipe") else f"{label}none"
    return _row([f"`{key}`", recipe, what.replace("|", "\\|")[:140]])


def _shares(library: str, told: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Return the cells of a library: how many models it has, and of how many each is said."""
    count = Counter(told)
    name = library if library == "all" else f"{library} {version(library)}"
    return [name, str(len(told)), *(f"{count[k]} ({count[k] / len(told):.1%})" for k in kinds)]


def _head(cells: Sequence[str]) -> list[str]:
    rule = ["---" if cell in ("library", "model", "recipe") else "---:" for cell in cells]
    return [_row(cells), _row([*rule[:-1], "---" if cells[-1] == "what differs" else "---:"])]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
