"""What the families of timm share: its starts, by module type, and its own layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..model import Slot
from ..rules import REST, Recipe
from .vit import POOL, SCALES, TRUNC

SOURCE = "huggingface/pytorch-image-models 1.0.31: timm/models/{}.py"
CUT = "trunc_normal(std=0.02, cutoff=2)"
"""N(0, 0.02) cut at two sigma; timm's ``trunc_normal_tf_``."""

LAYERS: list[Any] = [
    POOL,
    SCALES,
    {
        "*relative_position_bias_table": TRUNC,
        "type:GlobalResponseNorm|GlobalResponseNorm2d": {"weight": 0, "bias": 0},
        "type:EvoNorm*": {"v": 1},
        "*.attention_biases": 0,
        "type:*Norm*|Affine": {"weight": 1, "bias": 0},
    },
]
"""timm's own layers: attention pooling, LayerScale, position biases, norms."""
_LAYER = "type:Conv1d|Conv2d|Conv3d|Linear"


def start(kinds: str, weight: str, bias: object = 0) -> dict[str, Any]:
    """Return the rule of a module type; a bias of None stays torch's."""
    rule: dict[str, Any] = {"weight": weight}
    return {f"type:{kinds}": rule if bias is None else rule | {"bias": bias}}


TRUNC_LINEAR = start("Linear", TRUNC)
TRUNC_BOTH = start("Conv2d|Linear", TRUNC)
CUT_LINEAR = start("Linear", CUT)
CUT_BOTH = start("Conv2d|Linear", CUT)


def blocks_of(kind: str, least: int) -> Callable[[Slot], bool]:
    """Return the predicate that the model has at least so many blocks of a class."""

    def count(slot: Slot) -> bool:
        return sum(type(module).__name__ == kind for module in slot.lineage[0].modules()) >= least

    count.__name__ = f"{least} or more {kind}"
    return count


def has_shortcut(slot: Slot) -> bool:
    """Tell whether the block around a convolution and its norm adds its input to its result."""
    return len(slot.lineage) > 2 and getattr(slot.lineage[-3], "shortcut", None) is not None


def kin(summary: str, base: list[Any], families: Mapping[str, tuple[str, Any]]) -> list[Recipe]:
    """Return the recipes of families that start alike: name -> (paper, own rules).

    What a family has of its own comes first, then timm's layers, then the ``base`` that all share,
    then torch's defaults.
    """
    return [family(name, [own, base], paper, summary) for name, (paper, own) in families.items()]


def family(name: str, rules: list[Any], paper: str, summary: str, **more: Any) -> Recipe:
    """Return the recipe of a family of timm, from its own rules and then those that it shares.

    The ``file`` is called like the family, and any layer is a mark of it, unless ``more`` says.
    """
    own, *base = rules
    file = more.pop("file", name.partition("-")[0])
    family, dash, variant = name.partition("-")
    return Recipe(
        f"{family}/timm{dash}{variant}",
        rules=[own, *LAYERS, *base, REST],
        summary=summary,
        source=SOURCE.format(file),
        paper=paper,
        fits=("timm",),
        marks=more.pop("marks", (_LAYER,)),
        **more,
    )
