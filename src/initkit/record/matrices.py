"""Operations on whole matrices: decompositions and norms."""

from __future__ import annotations

from ..distributions import Normal, Orthogonal
from .expression import QR_Q, QR_R, QR_SIGNS, Expression, opaque
from .memory import Held
from .movement import copy_of
from .operation import Handler, Operation


def _qr(op: Operation) -> list[Held]:
    held = op.memory.read(op.args[0])
    q, _ = op.result
    normal = (
        isinstance(held, Expression)
        and isinstance(held.distribution, Normal)
        and not held.distribution.mean
    )
    if not normal or q.dim() != 2 or q.shape != op.args[0].shape:
        mixed = opaque("qr", *op.memory.present(held))
        return [mixed, mixed]
    assert isinstance(held, Expression)
    rows, columns = q.shape
    haar = Expression("Haar", (held,), Orthogonal((rows, columns), 1.0, (1, rows, columns)))
    # Q alone is not Haar-distributed: its signs are LAPACK's.
    return [
        Expression(QR_Q, (haar,), None, held.draws),
        Expression(QR_R, (held,), None, held.draws),
    ]


def _sign(op: Operation) -> Held:
    tensor = op.args[0]
    held = op.memory.read(tensor)
    if isinstance(held, Expression) and held.op == QR_R and tensor.dim() == 1:
        return Expression(QR_SIGNS, (held,), None, held.draws)
    return op.memory.combine("sign", held)


def _weight_norm(op: Operation) -> list[Held]:
    """Return what v g / |v| holds: v itself, as long as g is still the norm of v."""
    v, g = (op.memory.read(t) for t in op.args[:2])
    same = isinstance(v, Expression) and isinstance(g, Expression) and g.op == "norm_except_dim"
    if same and g.draws == v.draws:  # type: ignore[union-attr]
        return [copy_of(v), g]  # type: ignore[arg-type]
    return [opaque("weight_norm", *op.held())] * 2


HANDLERS: dict[str, Handler] = {
    "linalg_qr": _qr,
    "sign": _sign,
    "_weight_norm_interface": _weight_norm,
}
