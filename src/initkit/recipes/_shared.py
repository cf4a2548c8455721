"""Predicates that several families' rules need: what stands around a parameter."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..model import Slot

HEADS = r"re:(.*\.)?(classification_heads?|classifier)\..*"
"""What stands behind the layers, though its parts may be called as theirs are (out_proj)."""
VISION = (
    r"re:.*(att(n|ention)|blocks\.\d+\.in_proj\.).*",
    r"re:.*(patch|stem|conv_proj|(cls|class|mask)_token|pos_embed).*",
)
"""What every Vision Transformer has, whatever its parts are called: attention, and patches."""
RESIDUAL = r"re:(.*\.)?(v_proj|out_proj|o_proj|fc\d|linear\d|w\d)\.weight"
"""The matrices of a Transformer that its depth scales, as most implementations call them."""


def config_says(option: str, value: object) -> Callable[[Slot], bool]:
    """Return the predicate that the nearest ``config`` with this option has this value."""

    def says(slot: Slot) -> bool:
        # From the inside out: a part of a composite model has a config of its own.
        for module in reversed(slot.lineage):
            config = getattr(module, "config", None)
            if hasattr(config, option):
                return bool(getattr(config, option) == value)
        return False

    # What the rule prints as: `Where` shows a predicate by its name.
    says.__name__ = f"config.{option} == {value!r}"
    return says


def tied_to_embedding(slot: Slot) -> bool:
    """Say whether an Embedding of the model holds the same tensor; layers' own weights never do."""
    return _is_weight_of(slot, nn.Embedding)


def tied_to_linear(slot: Slot) -> bool:
    """Say whether a Linear of the model holds the same tensor, as a tied head does."""
    return _is_weight_of(slot, nn.Linear)


def _is_weight_of(slot: Slot, kind: type[nn.Embedding | nn.Linear]) -> bool:
    # The search is through the whole model, so the cheap questions come first. Tied weights are one
    # object in published code, so identity tells them.
    return (
        slot.layer is None
        and bool(slot.lineage)
        and any(
            isinstance(module, kind) and module.weight is slot.tensor
            for module in slot.lineage[0].modules()
        )
    )


def between_encoder_and_decoder(slot: Slot) -> bool:
    """Say whether a module around the slot has both an encoder and a decoder."""
    return any({"encoder", "decoder"} <= module._modules.keys() for module in slot.lineage)


def last_layer(slot: Slot) -> bool:
    """Say whether the slot's module is the last with parameters of those numbered beside it."""
    parts = slot.lineage[-2]._modules if len(slot.lineage) > 1 else {}
    if not all(name.isdigit() for name in parts):
        return True
    # Layers without parameters, such as activations, may stand behind the last that has some.
    bearing = [part for part in parts.values() if part is not None and [*part.parameters()]]
    return not bearing or bearing[-1] is slot.owner


def in_matrix_of(kind: str) -> Callable[[Slot], bool]:
    """Return the predicate that the slot is a tensor of two axes or more inside such a module."""

    def inside(slot: Slot) -> bool:
        within = any(type(module).__name__ == kind for module in slot.lineage)
        return within and len(slot.shape) > 1

    inside.__name__ = f"matrix in {kind}"
    return inside
