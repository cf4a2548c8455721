"""``probe_init``: one forward and one backward, and what they say of how a model starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from ..errors import OptionError, TargetError
from ..model import ModelView, preserved
from ..plan import DEFAULTS, Plan, plan_view
from ..rules import Rules
from ..wording import checks_calls
from .findings import Evidence, Thresholds, find_all
from .moments import rms
from .points import ParameterSignal
from .recorder import Recorder
from .remedies import Remedies
from .report import Probe
from .tracer import Memory, first_tensor
from .trunk import find_trunk, read_trunk
from .written import seeded, written

Loss: TypeAlias = Callable[[Any], Tensor] | None


@checks_calls
def probe_init(
    model: nn.Module,
    /,
    *inputs: Any,
    loss: Loss = None,
    rules: Rules | Plan | None = None,
    seed: int = 0,
    backward: bool = True,
    along: int | None = None,
    trunk: str | Iterable[str] | None = None,
    thresholds: Thresholds | None = None,
    **kwargs: Any,
) -> Probe:
    """Run one forward and one backward, and measure what becomes of signal and gradient.

    ``inputs`` and ``kwargs`` are those of the model. What is differentiated is ``loss`` of the
    output, else the output's own ``loss``, else its product with white noise of rms 1, so that the
    rms of a gradient is a gain. With ``rules`` (or a plan) the planned values are written, probed
    and undone; without, the model is probed as it stands, in the mode that it is in. ``seed``
    governs the planned values, the noise, and dropout. ``along`` is the dimension of time in the
    input of a recurrent layer, for its gradient by time step. ``trunk`` are the points that depth
    is counted along, where the repeated block is not what you mean.

    The model is left as it was bit for bit, also when it raises: weights, buffers, gradients,
    modes, hooks, grad mode and all generators. No activation is kept.

    Raises :class:`TargetError` for what is no module, or holds no values here (lazy, on meta,
    sharded), and :class:`PlanError` where rules and model don't fit.

    The thresholds of findings are conventions; :class:`initkit.signal.Thresholds` sets others. The
    theory is that of Poole et al. 2016 and Schoenholz et al. 2017.

    >>> import torch
    >>> layers = [layer for _ in range(20) for layer in (nn.Linear(64, 64), nn.ReLU())]
    >>> x = torch.randn(32, 64)
    >>> probe = probe_init(nn.Sequential(*layers), x, rules={"*.weight": 0.0, "*.bias": 0})
    >>> probe.ok, probe.findings[0].kind
    (False, 'dead')
    >>> rules = {"*.weight": "kaiming_normal(nonlinearity='relu')", "*.bias": 0}
    >>> probe_init(nn.Sequential(*layers), x, rules=rules).ok
    True
    """
    if not isinstance(model, nn.Module):
        raise TargetError(f"a probe needs a module to run, not {type(model).__name__}")
    view = ModelView(model)
    plan = _plan(view, rules)
    recorder = Recorder(view, along)
    with ExitStack() as stack:
        stack.enter_context(written(plan, model, recorder, seed))
        stack.enter_context(preserved(model))
        stack.enter_context(_gradients_of(inputs, kwargs))
        seeded(view, seed)
        stack.enter_context(torch.inference_mode(False))
        torch.set_grad_enabled(backward)
        args, options = tree_map(_usable, (inputs, kwargs))
        with recorder.following():
            output = model(*args, **options)
            scalar = loss(output) if loss is not None else None
            if backward:
                _differentiate(output, scalar, loss is not None, seed)
        del output, scalar
        parameters = [_parameter(m, recorder) for m in _unique(recorder.memories)]
    points = find_trunk(recorder.seen.points, trunk)
    found = read_trunk(points) if len(points) > 1 else None
    remedies = Remedies(view, plan, parameters, recorder.seen.activations)
    limits = thresholds or Thresholds()
    findings = find_all(Evidence(recorder.seen, parameters, found, backward, limits, remedies))
    return Probe(
        recorder.seen,
        tuple(parameters),
        found,
        findings,
        title=view.title,
        mode="train" if model.training else "eval",
        rules=None if isinstance(rules, Plan) else rules,
    )


def _usable(value: object) -> object:
    """Return what autograd may record: a copy of a tensor that inference mode has made."""
    inference = isinstance(value, Tensor) and value.is_inference()
    return value.clone() if isinstance(value, Tensor) and inference else value


def _plan(view: ModelView, rules: Rules | Plan | None) -> Plan | None:
    if rules is None:
        return None
    plan = rules if isinstance(rules, Plan) else plan_view(view, rules, DEFAULTS)
    plan.check()
    return plan


@contextmanager
def _gradients_of(inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[None]:
    """Put back the gradients of inputs, which a backward would add to."""
    leaves = [t for t in tree_leaves((inputs, dict(kwargs))) if isinstance(t, Tensor)]
    before = [(t, t.grad) for t in leaves if t.is_leaf and t.requires_grad]
    for tensor, _ in before:
        tensor.grad = None
    try:
        yield
    finally:
        for tensor, gradient in before:
            tensor.grad = gradient


def _differentiate(output: Any, scalar: object, given: bool, seed: int) -> None:
    """Run the backward of a loss, or of the product with white noise."""
    if given and not (isinstance(scalar, Tensor) and scalar.numel() == 1):
        raise OptionError(f"loss must return one number, not {_what(scalar)}", option="loss")
    target = scalar if given else _own_loss(output)
    noise = None
    if target is None:
        target = first_tensor(output)
        if target is not None:
            noise = _white_noise(target, seed)
    if isinstance(target, Tensor) and target.requires_grad:
        target.backward(noise)  # type: ignore[no-untyped-call]


def _what(thing: object) -> str:
    return f"a tensor of {thing.numel()}" if isinstance(thing, Tensor) else type(thing).__name__


def _own_loss(output: Any) -> Tensor | None:
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    return loss if isinstance(loss, Tensor) and loss.numel() == 1 else None


def _white_noise(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(seed)
    noise = torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32)
    return (noise / rms(noise)).to(like.dtype)


def _unique(memories: Mapping[str, Memory]) -> list[Memory]:
    return list({memory.name: memory for memory in memories.values()}.values())


def _parameter(memory: Memory, recorder: Recorder) -> ParameterSignal:
    """Measure a parameter and its gradient: of a computed weight, those of its main raw tensor."""
    tensor = memory.slot.tensor
    assert tensor is not None
    grads = [t.grad for t in memory.slot.raw if t.grad is not None]
    gradient = next((g for g in grads if g.shape == tensor.shape), grads[0] if grads else None)
    if gradient is not None and gradient.layout is not torch.strided:
        gradient = gradient.to_dense()
    return ParameterSignal(
        memory.name,
        memory.names,
        tuple(memory.slot.shape),
        rms(tensor),
        rms(gradient) if gradient is not None else None,
        recorder.uses[memory.name],
        not any(t.requires_grad for t in memory.slot.raw),
    )
