"""PPO."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import last_layer

_PAPER = "Schulman et al. 2017, PPO (arXiv:1707.06347)"
_BODY = "orthogonal(gain=sqrt(2), fans='tensor')"
_ONE = "orthogonal(fans='tensor')"
_SMALL = "orthogonal(gain=0.01, fans='tensor')"
_RECURRENT = {"type:LSTM|GRU|RNN|LSTMCell|GRUCell": {"weight*": _ONE, "bias*": 0}}
_LAYERS = {"type:Linear|Conv1d|Conv2d|Conv3d": {"weight": _BODY, "bias": 0}}
_POLICY = r"re:(.*\.)?(pi|policy|policy_head|actor|actor_mean|action_net|logits|mu)(\.\d+)?\.weight"
_VALUE = r"re:(.*\.)?(vf|value|value_head|value_net|critic|v)(\.\d+)?\.weight"


def _ends(policy: str, value: str) -> list[Any]:
    """Return the rules of the last layers of policy and value, then all others."""
    return [
        Rule(_SMALL, name=policy, type="Linear", where=last_layer),
        Rule(_ONE, name=value, type="Linear", where=last_layer),
        _LAYERS,
        _RECURRENT,
        {r"re:(.*\.)?(actor_logstd|logstd|log_std|action_log_std)": 0},
        REST,
    ]


RECIPES = (
    Recipe(
        "ppo/openai",
        rules=_ends(_POLICY, _VALUE),
        summary="Orthogonal: sqrt(2) in the body, 0.01 for the policy, 1 for the value; biases 0.",
        source="openai/baselines: baselines/a2c/utils.py, common/models.py, common/policies.py",
        paper=_PAPER,
        fits=("plain torch",),
        notes="convolutions are matrices of out rows. Policy and value are found by name (pi, "
        "actor, ...; vf, critic, ...), the last layer where they are a Sequential",
        padding=False,
    ),
    Recipe(
        "ppo/cleanrl",
        rules=_ends(
            r"re:(.*\.)?actor(_mean)?(\.\d+)?\.weight", r"re:(.*\.)?critic(\.\d+)?\.weight"
        ),
        summary="Orthogonal: sqrt(2) in the body, 0.01 for the actor, 1 for the critic and LSTM; "
        "biases and log std 0.",
        source="vwxyzjn/cleanrl: cleanrl/ppo.py, ppo_continuous_action.py, ppo_atari_lstm.py",
        paper=f"{_PAPER}; Huang et al. 2022, The 37 Implementation Details of PPO",
        fits=("cleanrl",),
        notes="the LSTM has no forget bias",
    ),
    Recipe(
        "ppo/sb3",
        rules=[
            {
                "*.action_net.weight": _SMALL,
                "*.value_net.weight": _ONE,
                "*.log_std": 0,
            },
            _LAYERS,
            REST,
        ],
        marks=(
            "*action_net.weight",
            "*value_net.weight",
        ),
        summary="Orthogonal: sqrt(2) in extractors, 0.01 for action_net, 1 for value_net; biases "
        "0.",
        source="DLR-RM/stable-baselines3: stable_baselines3/common/policies.py",
        paper=_PAPER,
        fits=("stable-baselines3",),
        notes="log_std starts at log_std_init, 0 unless said otherwise; recurrent layers keep "
        "torch's default",
    ),
    Recipe(
        "ppo/ikostrikov",
        rules=[
            {
                "in:CNNBase": {"critic_linear.weight": _ONE},
                "in:Bernoulli": {"linear.weight": _ONE},
                "*.dist.linear.weight": _SMALL,
                "*.fc_mean.weight": _ONE,
                "*._bias": 0,
            },
            _LAYERS,
            _RECURRENT,
            REST,
        ],
        summary="Orthogonal: sqrt(2) in the body and the critic, 1 for a Gaussian's mean, 0.01 for "
        "logits; biases 0.",
        source="ikostrikov/pytorch-a2c-ppo-acktr-gail: a2c_ppo_acktr/model.py, distributions.py",
        paper=_PAPER,
        fits=("ikostrikov/pytorch-a2c-ppo-acktr-gail",),
        notes="the Gaussian policy's last layer has gain 1 where others take 0.01, and an MLP's "
        "critic sqrt(2) where others take 1",
    ),
)
ALIASES = {
    "ppo": "ppo/openai",
    "ppo/baselines": "ppo/openai",
    "ppo/stable-baselines3": "ppo/sb3",
}
