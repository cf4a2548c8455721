"""A model by its parts: which recipe explains which subtree, and what none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..model import Slot, adapter_part
from ..rules import Recipe, follows
from .evidence import Kind

STAYS = "keep"
"""What a table says of a part that nothing explains: it keeps what its own code wrote."""
_MOSTLY = 0.9  # of a module: what makes it of another family than the model around it


@dataclass(slots=True)
class Node:
    """One module on the way to parameters: what stands below it, and whose code it is."""

    path: str
    place: str = ""
    names: list[str] = field(default_factory=list)
    places: Counter[str] = field(default_factory=Counter)
    children: dict[str, Node] = field(default_factory=dict)


def tree(kinds: Sequence[Kind], slots: Mapping[str, Slot]) -> Node:
    """Return the modules of a model, each with the names below it and the places of their code."""
    root = Node("")
    for kind in kinds:
        for name in kind.names:
            if not adapter_part(slots[name]):
                _add(root, name, kind.places)
    return root


def _add(root: Node, name: str, places: Sequence[str]) -> None:
    node, parts = root, name.split(".")[:-1]
    for depth in range(len(parts) + 1):
        if depth < len(places):
            node.place = node.place or places[depth]
        node.names.append(name)
        node.places.update({place for place in places[depth:] if place})
        if depth < len(parts):
            path = f"{node.path}.{parts[depth]}" if node.path else parts[depth]
            node = node.children.setdefault(parts[depth], Node(path))


@dataclass(frozen=True, slots=True)
class Explained:
    """What explains a model: path -> recipe from the inside out, and the names left over."""

    rows: tuple[tuple[str, str], ...]
    open: tuple[str, ...]


class Explainer:
    """Find for every subtree the recipe that explains all of it.

    ``explains`` are the names that each recipe explains, best recipes first; ``anyones`` are those
    that may explain what is nobody's code; ``least`` is the share of a subtree that must be of a
    recipe's code where its values cannot be asked.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        explains: Mapping[str, frozenset[str]],
        anyones: frozenset[str],
        least: float,
    ) -> None:
        self.recipes, self.explains, self.anyones, self.least = recipes, explains, anyones, least
        self.sizes: dict[str, int] = {}

    def explain(self, root: Node) -> Explained:
        """Return the rows of a table, and what they leave open."""
        self.sizes = {path: len(node.names) for path, node in _nodes(root)}
        rows = self._folded(root, dict(self._cover(root)))
        named = [(path, recipe) for path, recipe in rows.items() if recipe]
        star = _star(named, self.sizes)
        kept = [row for row in named if row[1] != star or _is_inside(row[0], named)]
        left = [path for path, recipe in rows.items() if not recipe]
        return Explained((*kept, *([("", star)] if star else ())), tuple(left))

    def _cover(self, node: Node, around: str = "") -> Iterator[tuple[str, str]]:
        """Yield path -> recipe of the subtrees that one explains, "" where none does.

        ``around`` is whose code holds the node: a plain layer is that one's.
        """
        best = self._best(node) or (self._best(node, around) if not node.children else None)
        if best is not None:
            yield from self._other_code(node, best)
            yield node.path, best.name
            return
        if not node.children:  # a layer is one: half of it explained is not explained
            yield node.path, ""
            return
        around = node.place or around
        for child in node.children.values():
            yield from self._cover(child, around)
        below = {name for child in node.children.values() for name in child.names}
        for name in node.names:
            if name not in below:
                alone = Node(name, node.place, [name], Counter({node.place: 1}))
                found = self._best(alone)
                yield name, found.name if found is not None else ""

    def _other_code(self, node: Node, around: Recipe) -> Iterator[tuple[str, str]]:
        """Yield the parts below a node whose class is of another family's code."""
        for child in node.children.values():
            found = self._best(child, child.place) if child.place else None
            if found is not None and found is not around and not follows(around, child.place):
                yield from self._other_code(child, found)
                yield child.path, found.name
            else:
                yield from self._other_code(child, around)

    def _folded(self, root: Node, rows: dict[str, str]) -> dict[str, str]:
        """Return rows with one for a module where those below it say one thing, or nothing.

        A module half of which is open, and the rest nobody's code, is open as a whole.
        """
        for path, node in reversed(list(_nodes(root))):  # children before what holds them
            below = {row: recipe for row, recipe in rows.items() if _is_below(row, path)}
            if path in rows or not below:
                continue
            said = {*below.values()}
            sizes = {row: self.sizes.get(row, 1) for row, recipe in below.items() if not recipe}
            open_ = (
                "" in said
                and said <= {"", *self.anyones}
                and 2 * sum(sizes.values()) >= len(node.names)
            )
            outer = [row for row in below if not any(_is_below(row, other) for other in below)]
            inside = sum(self.sizes.get(row, 1) for row in outer)
            if (len(said) == 1 and self._is_whole(node, inside, *said)) or (open_ and path):
                for row in below:
                    del rows[row]
                rows[path] = "" if open_ else said.pop()
        return rows

    def _is_whole(self, node: Node, inside: int, said: str) -> bool:
        """Tell whether rows of so many parameters stand for a module, but for a stem or a head.

        What they leave is another row's, around the module, and the recipe explains it as well.
        """
        names = len(node.names)
        return inside == names or (
            _MOSTLY * names <= inside and {*node.names} <= self.explains.get(said, frozenset())
        )

    def _best(self, node: Node, place: str = "") -> Recipe | None:
        """Return the recipe that explains all of a subtree, and most of whose code it is.

        Where it is nobody's code, those that hold for any will do.
        """
        names = frozenset(node.names)
        if not names:
            return None
        able = (r for r in self.recipes if names <= self.explains[r.name])
        if place:
            able = (recipe for recipe in able if follows(recipe, place))
        shares = [(self._share(recipe, node), recipe) for recipe in able]
        known = [(s, r) for s, r in shares if s > 0 or place or r.name in self.anyones]
        share, best = max(known, key=lambda pair: pair[0], default=(0.0, None))
        return best if share >= self.least else None

    def _share(self, recipe: Recipe, node: Node) -> float:
        own = (count for place, count in node.places.items() if follows(recipe, place))
        return max(own, default=0) / len(node.names)


def _nodes(node: Node) -> Iterator[tuple[str, Node]]:
    yield node.path, node
    for child in node.children.values():
        yield from _nodes(child)


def _is_below(path: str, module: str) -> bool:
    return path.startswith(f"{module}.") if module else True


def _star(rows: Sequence[tuple[str, str]], sizes: Mapping[str, int]) -> str:
    """Return the recipe that stands for all that is left: the whole's, or that of most rows."""
    count: dict[str, list[int]] = {}
    for path, recipe in rows:
        count.setdefault(recipe, []).append(sizes.get(path, 1))
    whole = next((recipe for path, recipe in rows if path == ""), "")
    return whole or max(count, key=lambda name: (len(count[name]), sum(count[name])), default="")


def _is_inside(path: str, rows: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a row stands within the part of another, which would take it."""
    return any(other and _is_below(path, other) for other, _ in rows)
