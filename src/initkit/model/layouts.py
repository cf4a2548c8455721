"""What the parameters of known modules are: their axes and fans, and what torch draws for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from ..errors import LayoutError
from ..numbers import Fans, Layout, is_count, module_fans, tensor_fans
from ..spelling import did_you_mean
from ..wording import checks_calls
from .bias_names import bare_name, is_bias_of
from .originals import kind_of, number_of
from .parameter_facts import ParameterInfo, Role
from .torch_draws import (
    Draw,
    Shape,
    bilinear_bias,
    bilinear_weight,
    constant,
    default_bias,
    default_weight,
    normal,
    recurrent,
    the_value,
    xavier,
)

_Transformer = nn.Transformer
Count: TypeAlias = int | str
"""A number, or the name of the module's attribute that holds it."""


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: rows are keys of caches
class ParameterRow:
    """What is known about the parameters ``key`` (a glob) of one module type."""

    key: str
    role: Role
    axes: str | None = None
    draw: Draw | None = None
    groups: Count = 1
    blocks: Count = 1
    # A bias's weight: its key, or what is replaced in the bias's own, and by what.
    of: str | tuple[str, str] | None = None
    value: str | None = None  # an attribute that the draw reads
    padding: bool = False
    needs: str | None = None  # an attribute that tells this type from its namesakes
    origin: str | None = None  # whose registration this is; None for the table below
    guessed: bool = False  # whether only its shape tells that it is a bias
    gates: tuple[str, ...] = ()

    def parameter_info(self, owner: nn.Module, key: str, shape: Shape) -> ParameterInfo | None:
        sibling, sibling_layout = _sibling(self, owner, key) if self.of else (None, None)
        if self.guessed and not is_bias_of(shape, sibling, self._weight_layout(owner, sibling)):
            return None
        row: Any = number_of(owner, "padding_idx") if self.padding else None
        value: Any = number_of(owner, self.value) if self.value else 0
        return _info(
            self,
            shape,
            self._count(owner, self.groups),
            self._count(owner, self.blocks),
            0 if value is None else value,
            row,
            sibling,
            sibling_layout,
        )

    @property
    def decided_by_shape(self) -> bool:
        """Whether the shape decides all info, so that nothing is read off the module."""
        counts = isinstance(self.groups, int) and isinstance(self.blocks, int)
        return counts and not (self.of or self.value or self.padding)

    def weight_key(self, key: str) -> str:
        """Return the key of the weight that a bias belongs to."""
        assert self.of is not None
        return self.of if isinstance(self.of, str) else key.replace(*self.of, 1)

    def _weight_layout(self, owner: nn.Module, shape: Shape | None) -> Layout | None:
        known = parameter_info(owner, self.weight_key(self.key), shape) if shape else None
        return known.layout if known is not None else None

    def _count(self, owner: nn.Module, count: Count) -> int:
        if not isinstance(count, str):
            return count
        value = number_of(owner, count)
        if isinstance(value, int) and is_count(value):
            return value
        if value is None and self.origin is None:  # no operation of a trace tells it
            return 1
        raise LayoutError(
            f"the layout registered for {self.origin} takes a count from {count!r}, "
            "which must be an attribute with a positive int"
        )


# Rows compare by identity and shapes are tuples: like layers, of which a model has many, share one
# ParameterInfo. A row that was registered anew is another key, so no entry grows old.
@lru_cache(maxsize=8192)
def _info_by_shape(row: ParameterRow, shape: Shape) -> ParameterInfo | None:
    assert isinstance(row.groups, int)
    assert isinstance(row.blocks, int)
    return _info(row, shape, row.groups, row.blocks, 0, None, None, None)


# All that is read off the module is an argument, so that the answer may be kept.
@lru_cache(maxsize=8192)
def _info(
    row: ParameterRow,
    shape: Shape,
    groups: int,
    blocks: int,
    value: float,
    padding: int | None,
    sibling: Shape | None,
    sibling_layout: Layout | None,
) -> ParameterInfo | None:
    layout = Layout(tuple(row.axes.split()), groups, blocks) if row.axes else None
    fits = layout is None or layout.fits(shape)
    # A subclass may give a weight another shape, and then the table knows nothing of it; a layout
    # that the user has registered is returned all the same, so that its misfit becomes an error.
    if not fits and row.origin is None:
        return None
    default = row.draw(shape, sibling, value) if row.draw and fits else None
    if padding is not None and padding < 0:
        padding += shape[0]
    fans_beside = None
    if sibling is not None and sibling_layout is not None:
        fans_beside = module_fans(sibling, sibling_layout)
        blocks = 1 if sibling_layout.copies else sibling_layout.blocks
    gates = row.gates if fits else ()
    return ParameterInfo(row.role, layout, default, padding, fans_beside, blocks, gates)


def _sibling(row: ParameterRow, owner: nn.Module, key: str) -> tuple[Shape | None, Layout | None]:
    """Find the shape and the layout of the weight that a bias belongs to."""
    weight = row.weight_key(key)
    shape = _shape(owner, weight)
    known = parameter_info(owner, weight, shape) if shape is not None else None
    if shape is None or known is None or known.layout is None or not known.layout.fits(shape):
        return shape, None
    return shape, known.layout


def _shape(owner: nn.Module, key: str) -> Shape | None:
    """Read the shape of a parameter without computing it, parametrized or not."""
    stores, modules = owner._parameters, owner._modules
    # Raw tensors of the weight's own shape: `weight_v` and `original1` of a weight norm, whose
    # `weight_g` and `original0` are lengths; `weight_orig` of pruning and of spectral norm.
    # Looked for with `in`, since a scripted module's are no real dictionaries.
    chained = "parametrizations" in modules
    chain = getattr(modules["parametrizations"], key, None) if chained else None
    found = (
        *(stores[name] for name in (key, f"{key}_v", f"{key}_orig") if name in stores),
        *(getattr(chain, name, None) for name in ("original1", "original")),
    )
    tensor = next((t for t in found if t is not None), None)
    if tensor is None or nn.parameter.is_lazy(tensor):
        return None
    return tuple(tensor.shape)


_BIAS = ("bias", "weight")
_ZERO, _ONE = constant(0.0), constant(1.0)
_TORCH_DEFAULT_BIAS = ParameterRow("bias", "bias", draw=default_bias, of=_BIAS)
_RECURRENT = partial(
    ParameterRow, role="weight", axes="out in", draw=recurrent, value="hidden_size"
)
_MHA = partial(ParameterRow, role="weight", axes="out in", draw=partial(xavier, "uniform"))


def _recurrent_rows(gates: tuple[str, ...] = ()) -> tuple[ParameterRow, ...]:
    blocks = len(gates) or 1
    return (
        _RECURRENT("weight_ih*", blocks=blocks, gates=gates),
        _RECURRENT("weight_hh*", blocks=blocks, gates=gates),
        # torch draws all from U(-1/sqrt(hidden), 1/sqrt(hidden)), whatever their fans are.
        _RECURRENT("weight_hr*"),  # the projection of an LSTM has no gates
        ParameterRow(
            "bias_?h*", "bias", draw=recurrent, value="hidden_size", of=_BIAS, gates=gates
        ),
    )


_LINEAR = ParameterRow("weight", "weight", "out in", default_weight)
_NORM = (
    ParameterRow("weight", "norm weight", draw=_ONE),
    ParameterRow("bias", "norm bias", draw=_ZERO),
    ParameterRow("running_mean", "buffer", draw=_ZERO),
    ParameterRow("running_var", "buffer", draw=_ONE),
    ParameterRow("num_batches_tracked", "buffer", draw=_ZERO),
)
_EMBEDDING = (ParameterRow("weight", "weight", "out in", partial(normal, 1.0), padding=True),)
# In the order in which torch stacks them.
_LSTM = _recurrent_rows(("input", "forget", "cell", "output"))
_GRU = _recurrent_rows(("reset", "update", "new"))
_RNN = _recurrent_rows()

# The key is a class, or the name of one where importing it would cost. A subclass finds its base.
_TABLE: dict[type | str, tuple[ParameterRow, ...]] = {
    nn.Linear: (_LINEAR, _TORCH_DEFAULT_BIAS),
    # The out_proj of MultiheadAttention, which sets that bias to zero.
    NonDynamicallyQuantizableLinear: (_LINEAR, ParameterRow("bias", "bias", draw=_ZERO, of=_BIAS)),
    _ConvNd: (
        ParameterRow("weight", "weight", "out in ...", default_weight, groups="groups"),
        _TORCH_DEFAULT_BIAS,
    ),
    _ConvTransposeNd: (
        ParameterRow("weight", "weight", "in out ...", default_weight, groups="groups"),
        _TORCH_DEFAULT_BIAS,
    ),
    nn.Bilinear: (
        ParameterRow("weight", "weight", "out in in", bilinear_weight),
        ParameterRow("bias", "bias", draw=bilinear_bias, of=_BIAS),
    ),
    nn.Embedding: _EMBEDDING,
    nn.EmbeddingBag: _EMBEDDING,
    nn.MultiheadAttention: (
        _MHA("in_proj_weight", blocks=3),
        _MHA("[qkv]_proj_weight"),
        ParameterRow("in_proj_bias", "bias", draw=_ZERO, of=_BIAS, blocks=3),
        # One more key and value for every sequence: drawn, unlike any other bias.
        ParameterRow("bias_[kv]", "bias", draw=partial(xavier, "normal")),
    ),
    **dict.fromkeys((nn.LSTM, nn.LSTMCell), _LSTM),
    **dict.fromkeys((nn.GRU, nn.GRUCell), _GRU),
    **dict.fromkeys((nn.RNN, nn.RNNCell), _RNN),
    _NormBase: _NORM,
    nn.LayerNorm: _NORM,
    nn.GroupNorm: _NORM,
    nn.RMSNorm: _NORM,
    nn.PReLU: (ParameterRow("weight", "slope", draw=the_value, value="init"),),
    # GPT-2's transposed Linear in transformers.
    "Conv1D": (
        ParameterRow("weight", "weight", "in out", partial(normal, 0.02), needs="nf"),
        ParameterRow("bias", "bias", draw=_ZERO, of=_BIAS, needs="nf"),
    ),
}
_REGISTERED: dict[type | str, tuple[ParameterRow, ...]] = {}
# The row of each class and key met so far, and whether a shape decides its info. A class stands for
# all its modules, since what a row ``needs`` tells classes apart and not modules; registering a
# layout empties it.
_row_of: dict[tuple[type, str], tuple[ParameterRow | None, bool]] = {}


def parameter_info(
    owner: nn.Module, key: str, shape: Sequence[int], parents: Iterable[nn.Module] = ()
) -> ParameterInfo | None:
    """Say what is known about a module's own parameter, or None where the module is unknown.

    ``key`` is the parameter's public name in ``owner`` and ``shape`` its public shape. A subclass
    counts as its nearest known base. ``parents`` are the modules around ``owner``: nn.Transformer
    draws the matrices of its children anew. A layout from :func:`register_layout` is returned
    whether it fits the shape or not: to use one that does not is an error.

    >>> parameter_info(nn.Conv2d(16, 32, 3, groups=4), "weight", (32, 4, 3, 3)).layout
    Layout(axes=('out', 'in', '...'), groups=4, blocks=1)
    >>> parameter_info(nn.Linear(16, 32), "bias", (32,)).default
    DefaultDistribution(kind='uniform', value=0.25)
    """
    row, by_shape = _row_of.get((kind_of(owner), key)) or _remember_row(owner, key)
    if row is None:
        return None
    size = tuple(shape)
    known = _info_by_shape(row, size) if by_shape else row.parameter_info(owner, key, size)
    # nn.Transformer._reset_parameters: xavier_uniform_ for all that has more than one dimension.
    if known is not None and len(size) > 1:
        for parent in parents:
            if isinstance(parent, _Transformer):
                return replace(known, default=xavier("uniform", size, None, 0))
    return known


def layout_row(owner: nn.Module | None, key: str) -> tuple[object, bool]:
    """Return the row of the table that a parameter belongs to, or None where it has none.

    And whether the row and the shape decide all info, but for what nn.Transformer draws anew.
    """
    if owner is None:
        return None, True
    return _row_of.get((kind_of(owner), key)) or _remember_row(owner, key)


def _remember_row(owner: nn.Module, key: str) -> tuple[ParameterRow | None, bool]:
    row = _find_row(owner, key)
    entry = _row_of[kind_of(owner), key] = row, row is None or row.decided_by_shape
    return entry


def _find_row(owner: nn.Module, key: str) -> ParameterRow | None:
    # The nearest class with a row for this key decides, whoever wrote it; of one class's rows the
    # user's come first.
    for cls in kind_of(owner).__mro__:
        for table in (_REGISTERED, _TABLE):
            for row in (*table.get(cls, ()), *table.get(cls.__name__, ())):
                if fnmatchcase(key, row.key) and (not row.needs or hasattr(owner, row.needs)):
                    return row
    weight = _weight_beside(owner, key)
    return None if weight is None else ParameterRow(key, "bias", of=weight, guessed=True)


def _weight_beside(owner: nn.Module, key: str) -> str | None:
    """Return the weight of a registered layout that a parameter is the bias of by its name."""
    rows = [row for cls in kind_of(owner).__mro__ for table in (cls, cls.__name__)
            for row in _REGISTERED.get(table, ()) if row.role == "weight"]  # fmt: skip
    named = bare_name(key, "bias", "b")
    if not rows or named is None:
        return None
    found = [k for k in owner._parameters if any(fnmatchcase(k, row.key) for row in rows)]
    alike = [k for k in found if bare_name(k, "weight", "w") == named or k == named]
    # `bias` alone is that of the only weight, whatever it is called.
    return next(iter(alike or (found if len(found) == 1 and not named else ())), None)


@checks_calls
def fans(
    of: nn.Module | Tensor | Sequence[int],
    key: str = "weight",
    *,
    layout: str | Layout | None = None,
) -> Fans:
    """Return the fans of a module's weight, or of a tensor or shape.

    Of a module they are the true ones, per channel group and per gate; ``key`` names the parameter.
    Of a tensor, a shape, or a matrix of an unknown module they are ``torch.nn.init``'s, unless
    ``layout`` says what its dimensions are. Raises :class:`~initkit.errors.LayoutError` for a
    vector, and where more dimensions belong to a module that initkit does not know.

    >>> fans(nn.ConvTranspose2d(64, 32, 4))
    Fans(fan_in=1024, fan_out=512)
    >>> fans((64, 32, 4, 4)), fans((8, 64, 256), layout="E in out")
    (Fans(fan_in=512, fan_out=1024), Fans(fan_in=64, fan_out=256))
    """
    if isinstance(of, nn.Module):
        shape = _shape(of, key)
        known = parameter_info(of, key, shape) if shape is not None and layout is None else None
        if known is not None and known.sibling is not None:
            raise LayoutError(
                f"{type(of).__name__}.{key} is a bias, which has no fans of its own, but those of "
                "its weight"
            )
        layout = known.layout if known else layout
        if shape is None or (layout is None and len(shape) != 2):
            raise LayoutError(_unknown(of, key, shape))
    else:
        shape = tuple(of.shape if isinstance(of, Tensor) else of)
    if layout is None:
        return tensor_fans(shape)
    return module_fans(shape, layout if isinstance(layout, Layout) else Layout.parse(layout))


def _unknown(owner: nn.Module, key: str, shape: Shape | None) -> str:
    name = kind_of(owner).__name__
    if shape is None:
        own = [n for n in owner._parameters if _shape(owner, n) is not None]
        near = did_you_mean(key, own) or (f"; it has {', '.join(own)}" if own else "")
        return f"this {name} has no parameter {key!r} with a shape{near}"
    if len(shape) < 2:
        return f"fans need at least two dimensions, but {name}.{key} has the shape {shape}"
    return (
        f"initkit does not know the axes of {name}.{key}, of shape {shape}; "
        f"say them with register_layout({name}, 'E in out', key={key!r}) or with layout='E in out'"
    )


@checks_calls
def register_layout(
    module: type[nn.Module] | str,
    axes: str,
    *,
    key: str = "weight",
    groups: int | str = 1,
    blocks: int | str = 1,
    bias_of: str | None = None,
) -> None:
    """Teach initkit what the dimensions of your own module's weight are.

    ``module`` is the class, or its bare name where importing it would cost; subclasses count too.
    ``axes`` has one word a dimension: ``out``, ``in``, ``k`` (a window), any other word for
    independent copies, and last ``...`` for any number of window dimensions. ``key`` is the
    parameter's name in the module, or a glob. ``groups`` and ``blocks`` say how many channel groups
    and equal matrices the first dimension behind the copies stacks: a number, or the name
    of the module's attribute that holds it. ``bias_of`` names the weight that a bias belongs to,
    whose fans formulas then take for it; a bias called as its weight is, with the shape of its
    outputs, is known by itself. Registering a module and key again replaces the layout.
    Raises :class:`~initkit.errors.LayoutError` for axes that cannot be read, and at use where they
    do not fit a parameter.

    >>> import torch
    >>> class Experts(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.up = nn.Parameter(torch.empty(8, 64, 256))
    >>> register_layout(Experts, "E in out", key="up")
    >>> module_fans((8, 64, 256), parameter_info(Experts(), "up", (8, 64, 256)).layout)
    Fans(fan_in=64, fan_out=256)
    """
    _check_registration(module, key, groups, blocks)
    _check_bias_of(bias_of, key)
    words = Layout.parse(axes).axes
    name = module if isinstance(module, str) else module.__name__
    role: Role = "weight" if bias_of is None else "bias"
    row = ParameterRow(
        key, role, " ".join(words), None, groups, blocks, of=bias_of, origin=f"{name}.{key}"
    )
    others = tuple(r for r in _REGISTERED.get(module, ()) if r.key != key)
    # First, so that a later registration beats an earlier glob that matches the same key.
    _REGISTERED[module] = (row, *others)
    _row_of.clear()


def _check_registration(module: object, key: object, groups: object, blocks: object) -> None:
    is_class = isinstance(module, type) and issubclass(module, nn.Module)
    if not is_class and not (isinstance(module, str) and module.isidentifier()):
        raise LayoutError(
            f"register_layout takes a module class, or the bare name of one, not {module!r}"
        )
    if not isinstance(key, str) or not key or "." in key:
        raise LayoutError(f"key is the parameter's name in its own module, not {key!r}")
    for what, n in (("groups", groups), ("blocks", blocks)):
        if not is_count(n) and not (isinstance(n, str) and n.isidentifier()):
            raise LayoutError(f"{what} is a positive int or the name of an attribute, not {n!r}")


def _check_bias_of(bias_of: object, key: str) -> None:
    if bias_of is not None and (not isinstance(bias_of, str) or bias_of == key):
        raise LayoutError(
            f"bias_of is the name of the weight beside the bias {key!r}, not {bias_of!r}; "
            "key= names the bias"
        )
