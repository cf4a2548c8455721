"""TD3: an actor, two critics, and a target of each that starts as a copy."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "td3/sb3",
        rules=[
            {
                "*actor_target.*": "copy_of('*actor.*')",
                "*critic_target.*": "copy_of('*critic.*')",
            },
            REST,
        ],
        summary="torch's defaults; both target networks copies of the others.",
        source="DLR-RM/stable-baselines3: stable_baselines3/td3/policies.py",
        paper="Fujimoto et al. 2018, Addressing Function Approximation Error in Actor-Critic "
        "Methods (arXiv:1802.09477)",
        fits=("stable-baselines3",),
        marks=("*actor_target.*",),
    ),
)
ALIASES = {"td3": "td3/sb3", "td3/stable-baselines3": "td3/sb3"}
