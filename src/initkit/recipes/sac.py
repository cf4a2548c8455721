"""SAC: soft actor-critic, from vectors and from images."""

from __future__ import annotations

from ..rules import REST, Recipe

_PAPER = "Haarnoja et al. 2018, Soft Actor-Critic (arXiv:1801.01290)"

RECIPES = (
    Recipe(
        "sac/sb3",
        rules=[{"*critic_target.*": "copy_of('*critic.*')"}, REST],
        summary="torch's defaults; the target of the critics a copy of them.",
        source="DLR-RM/stable-baselines3: stable_baselines3/sac/policies.py",
        paper=_PAPER,
        fits=("stable-baselines3",),
        marks=("*critic_target.*",),
        notes="without state-dependent exploration, whose log_std has a start of its own",
    ),
    Recipe(
        "sac/cleanrl",
        rules=[
            {"type:Conv2d|Linear": {"weight": "kaiming_normal(fans='tensor')", "bias": 0}},
            REST,
        ],
        summary="Every layer He's normal, the last as well; biases 0.",
        source="vwxyzjn/cleanrl: cleanrl/sac_atari.py (SoftQNetwork, Actor)",
        paper=f"{_PAPER}; Christodoulou 2019, for discrete actions (arXiv:1910.07207)",
        fits=("cleanrl",),
        marks=("type:Conv2d",),
        notes="of images; sac_continuous_action.py, td3 and dqn of the same repository keep "
        "torch's defaults",
    ),
)
ALIASES = {"sac": "sac/sb3", "sac/stable-baselines3": "sac/sb3"}
