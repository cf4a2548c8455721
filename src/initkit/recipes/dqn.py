"""DQN: networks of action values, and a target that starts as a copy."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "dqn/sb3",
        rules=[{"*q_net_target.*": "copy_of('*q_net.*')"}, REST],
        summary="torch's defaults; the target network a copy of the other.",
        source="DLR-RM/stable-baselines3: stable_baselines3/dqn/policies.py",
        paper="Mnih et al. 2015, Human-level control through deep reinforcement learning",
        fits=("stable-baselines3",),
        marks=("*q_net_target.*",),
        notes="neither the layers of an MLP nor those of NatureCNN are started anew, for all that "
        "PPO's are orthogonal there",
    ),
)
ALIASES = {"dqn": "dqn/sb3", "dqn/stable-baselines3": "dqn/sb3"}
