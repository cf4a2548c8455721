"""Mamba."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import config_says, tied_to_embedding
from ._transformers import published

_PAPER = "Gu & Dao 2023, Mamba (arXiv:2312.00752)"
_STEPS = (
    "inverse_softplus_of(log_uniform(config.time_step_min or 0.001, config.time_step_max or 0.1, "
    "floor=config.time_step_floor or 0.0001))"
)
_COUNT = "log_of(arange(start=1))"
_LAYERS = "(config.n_layer or config.num_hidden_layers or n_layers)"
RESIDUAL = f"scaled(torch_default, 1/sqrt({_LAYERS}))"


def original(
    initializer_range: float,
    dt_min: float,
    dt_max: float,
    dt_floor: float,
    a_log: str,
    dt: str,
) -> list[Any]:
    """Return the rules that Mamba and Mamba 2 share; ``a_log`` and ``dt`` differ."""
    embedding = f"normal(std={initializer_range})"
    steps = f"inverse_softplus_of(log_uniform({dt_min}, {dt_max}, floor={dt_floor}))"
    return [
        Rule(embedding, name="*.weight", type="Linear", where=tied_to_embedding),
        {
            "*.A_log": a_log,
            "*.D": 1,
            dt: steps,
            "*.out_proj.weight": RESIDUAL,
            "*.mlp.fc2.weight": RESIDUAL,
            "type:Linear": {"bias": 0},
            "type:Embedding": {"weight": embedding},
            "type:*RMSNorm*|*LayerNorm": {"weight": 1, "bias": 0},
        },
    ]


def _original(
    *,
    initializer_range: float = 0.02,
    dt_min: float = 0.001,
    dt_max: float = 0.1,
    dt_floor: float = 1e-4,
    dt_scale: float = 1.0,
) -> list[Any]:
    numbers = (initializer_range, dt_min, dt_max, dt_floor)
    bound = f"{dt_scale}*shape[1]**-0.5"
    projection = {"*.dt_proj.weight": f"uniform(-({bound}), {bound})"}
    return [*original(*numbers, _COUNT, "*.dt_proj.bias"), projection, REST]


STATE_SPACE: list[Any] = [
    Rule(RESIDUAL, name="*.out_proj.weight", where=config_says("rescale_prenorm_residual", True)),
    {
        "*.A_log": _COUNT,
        "*.D": 1,
        "*.dt_bias": _STEPS,
        "*.dt_proj.bias": _STEPS,
        "*.out_proj.weight": "torch_default",
        "*.conv1d.weight": "torch_default",
    },
]
"""What Mamba and Mamba 2 share in transformers."""
_STEP = "(config.time_step_scale or 1)*shape[1]**-0.5"
_PROJECTION = "*.dt_proj.weight"
HF: list[Any] = [
    Rule(
        f"constant(value={_STEP})",
        name=_PROJECTION,
        where=config_says("time_step_init_scheme", "constant"),
    ),
    {_PROJECTION: f"uniform(-({_STEP}), {_STEP})"},
    *STATE_SPACE,
]

RECIPES = (
    Recipe(
        "mamba/original",
        rules=_original,
        marks=(
            "*.A_log",
            "*.dt_proj.weight",
        ),
        summary="A_log = log(1..N), D 1, softplus(dt bias) log-uniform in [0.001, 0.1], dt weight "
        "U(1/sqrt(rank)), embedding N(0, 0.02); out_proj torch's default by 1/sqrt(layers).",
        source="state-spaces/mamba: mamba_ssm/modules/mamba_simple.py, models/mixer_seq_simple.py",
        paper=_PAPER,
        fits=("mamba_ssm", "transformers"),
        notes="the rest is torch's default, the convolution's bias too. With attention or MLP "
        "blocks the language model still divides by sqrt(layers), not sqrt(2 layers)",
        padding=False,
    ),
    published(
        "mamba",
        *HF,
        marks=(
            "*.A_log",
            "*.dt_proj.weight",
        ),
        summary="A_log, D, dt as the original; embedding, in_proj and x_proj N(0, 0.1); biases 0.",
        paper=_PAPER,
        notes="initializer_range is 0.1, the convolution's bias 0, and out_proj is not scaled by "
        "depth unless rescale_prenorm_residual: another start than state-spaces/mamba's",
    ),
)
ALIASES = {"mamba": "mamba/original"}
