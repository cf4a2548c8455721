"""Recipes of recurrent networks, reinforcement learning, depth schemes and muP."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from recipe_checks import check_facts, check_model
from torch import nn

import initkit
from initkit.errors import InitkitError

# ----------------------------------------------------------------------- recurrent networks


class Tagger(nn.Module):
    """A two-layer bidirectional network with an embedding and a head."""

    def __init__(self, kind: str = "LSTM", **options: object) -> None:
        super().__init__()
        self.words = nn.Embedding(60, 20, padding_idx=0)
        self.net = getattr(nn, kind)(20, 24, num_layers=2, bidirectional=True, **options)
        self.cell = getattr(nn, f"{kind}Cell")(20, 24)
        self.head = nn.Linear(48, 30)


def recurrent(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [
        (name.rpartition(".")[2], p)
        for module in model.modules()
        if isinstance(module, nn.RNNBase | nn.RNNCellBase)
        for name, p in module.named_parameters(recurse=False)
    ]


def glorot_dense(model: nn.Module) -> None:
    nn.init.xavier_uniform_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    nn.init.uniform_(model.words.weight, -0.05, 0.05)


def as_keras(model: nn.Module) -> nn.Module:
    """Keras' defaults, in torch: fused kernels, forget bias 1."""
    glorot_dense(model)
    for name, p in recurrent(model):
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(p)
        elif name.startswith("weight"):
            nn.init.orthogonal_(p)
        else:
            nn.init.zeros_(p)
            if name.startswith("bias_ih") and isinstance(model.net, nn.LSTM):
                nn.init.ones_(p.data.chunk(4)[1])
    return model


def per_gate(model: nn.Module, into: object, forget: str = "") -> nn.Module:
    """Orthogonal recurrent weights gate by gate."""
    for name, p in recurrent(model):
        gates = p.data.chunk(4)
        if name.startswith("weight_ih"):
            into(p)
        elif name.startswith("weight"):
            for gate in gates:
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(p)
            if forget and name.startswith(forget):
                gates[1].fill_(1)
    return model


def lecun_truncated(p: torch.Tensor) -> None:
    scale = p.shape[1] ** -0.5 / 0.87962566103423978
    nn.init.trunc_normal_(p, std=scale, a=-2 * scale, b=2 * scale)


def as_flax(model: nn.Module) -> nn.Module:
    lecun_truncated(model.head.weight)
    nn.init.zeros_(model.head.bias)
    nn.init.normal_(model.words.weight, std=model.words.weight.shape[1] ** -0.5)
    return per_gate(model, lecun_truncated)


def as_fairseq(model: nn.Module) -> nn.Module:
    for p in model.parameters():
        nn.init.uniform_(p, -0.1, 0.1)
    nn.init.zeros_(model.words.weight[0].data)
    return model


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_keras_treats_the_gates_as_one_matrix(kind: str) -> None:
    check_model("lstm/keras", lambda: as_keras(Tagger(kind)))


def test_allennlp_makes_each_gate_orthogonal() -> None:
    build = lambda: per_gate(Tagger(), nn.init.xavier_uniform_, forget="bias_hh")
    check_model("lstm/allennlp", build)


def test_flax_has_no_forget_bias() -> None:
    check_model("lstm/flax", lambda: as_flax(Tagger()))


def test_fairseq_draws_everything_from_one_interval() -> None:
    check_model("lstm/fairseq", lambda: as_fairseq(Tagger()))


@pytest.mark.parametrize("options", [{}, {"proj_size": 10}])
def test_torch_leaves_its_own_default(options: dict[str, int]) -> None:
    model = lambda: Tagger(**options)
    check_model("lstm/torch", model)


def test_kerass_figures_hold() -> None:
    check_facts("lstm", "lstm Keras defaults")


# -------------------------------------------------------------------- reinforcement learning


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        ("ppo", "ppo openai/baselines (TF)"),
        ("ppo/cleanrl", "ppo cleanrl continuous"),
        ("ppo/cleanrl", "ppo cleanrl atari LSTM"),
        ("ppo/stable-baselines3", "ppo stable-baselines3"),
        ("ppo/ikostrikov", "ppo ikostrikov"),
    ],
)
def test_ppo_starts_as_the_published_agents(recipe: str, key: str) -> None:
    check_facts(recipe, key)


class Agent(nn.Module):
    """A deeper agent in the style of cleanrl: separate networks, discrete actions."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.critic, self.actor = self.net(width, 1, 1.0), self.net(width, 5, 0.01)

    def net(self, width: int, out: int, gain: float) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inner in (12, width, width):
            layers += [self.start(nn.Linear(inner, width), math.sqrt(2)), nn.Tanh()]
        return nn.Sequential(*layers, self.start(nn.Linear(width, out), gain))

    @staticmethod
    def start(layer: nn.Linear, gain: float) -> nn.Linear:
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
        return layer


@pytest.mark.parametrize("recipe", ["ppo", "ppo/cleanrl"])
def test_the_last_layer_is_found_however_deep_the_network(recipe: str) -> None:
    check_model(recipe, Agent)


@pytest.mark.parametrize("container", [nn.Sequential, nn.ModuleList])
def test_the_last_of_numbered_layers_ends_a_policy_whatever_holds_them(container: type) -> None:
    layers = [nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2), nn.Tanh()]
    agent = nn.ModuleDict(
        {"actor": container(layers) if container is nn.ModuleList else container(*layers)}
    )
    plan = initkit.plan_init(agent, "ppo")
    gains = [plan[f"actor.{i}.weight"].distribution.gain for i in (0, 2, 4)]
    assert gains == pytest.approx([math.sqrt(2), math.sqrt(2), 0.01])


def q_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 50))


def with_targets(*names: str) -> nn.ModuleDict:
    """As Stable-Baselines3 builds policies: torch's defaults, targets loaded from the others."""
    policy = nn.ModuleDict({name: nn.ModuleDict({"net": q_network()}) for name in names})
    for name in names:
        if name.endswith("_target"):
            policy[name].load_state_dict(policy[name.removesuffix("_target")].state_dict())
    return policy


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("dqn", ["q_net", "q_net_target"]),
        ("td3", ["actor", "actor_target", "critic", "critic_target"]),
        ("sac", ["actor", "critic", "critic_target"]),
    ],
)
def test_target_networks_start_as_copies(recipe: str, names: list[str]) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        policy = with_targets(*names)
        assert initkit.check_init(policy, recipe).ok
        policy[names[-1]]["net"][0].weight.data.normal_()
        assert not initkit.check_init(policy, recipe).ok
        initkit.apply_init(policy, recipe, seed=seed)
        assert initkit.check_init(policy, recipe).ok


def test_sac_from_images_starts_every_layer_alike_in_cleanrl() -> None:
    def build() -> nn.Module:
        body = nn.Sequential(nn.Conv2d(4, 32, 8), nn.ReLU(), nn.Conv2d(32, 64, 4), nn.Flatten())
        net = nn.ModuleDict({"conv": body, "fc1": nn.Linear(90, 64), "fc_q": nn.Linear(64, 20)})
        for layer in (body[0], body[2], net["fc1"], net["fc_q"]):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        return net

    check_model("sac/cleanrl", build)


# ------------------------------------------------------------------------------ recommendation


def test_dlrm_draws_tables_by_their_rows_and_layers_by_both_sides() -> None:
    def mlp(*sizes: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for n, m in itertools.pairwise(sizes):
            layer = nn.Linear(n, m)
            layer.weight.data = torch.randn(m, n) * math.sqrt(2 / (m + n))
            layer.bias.data = torch.randn(m) * math.sqrt(1 / m)
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers)

    def build() -> nn.Module:
        tables = nn.ModuleList(nn.EmbeddingBag(n, 16, mode="sum") for n in (300, 40, 9))
        for table in tables:
            table.weight.data.uniform_(-1, 1).mul_(table.num_embeddings**-0.5)
        return nn.ModuleDict({"emb_l": tables, "bot_l": mlp(13, 64, 16), "top_l": mlp(22, 32, 1)})

    check_model("dlrm", build)


# ---------------------------------------------------------------------------- depth schemes


class Attention(nn.Module):
    """An attention with separate projections."""

    def __init__(self, d: int, other: int) -> None:
        super().__init__()
        self.q_proj, self.out_proj = nn.Linear(d, d), nn.Linear(d, d)
        self.k_proj, self.v_proj = nn.Linear(other, d), nn.Linear(other, d)


class Layer(nn.Module):
    """A layer with names as in fairseq and its kin."""

    def __init__(self, d: int, other: int = 0) -> None:
        super().__init__()
        self.self_attn = Attention(d, d)
        if other:
            self.encoder_attn = Attention(d, other)
        self.fc1, self.fc2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)


class Stack(nn.Module):
    """Layers with an embedding."""

    def __init__(self, depth: int, d: int, other: int = 0) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(50, d, padding_idx=1)
        self.layers = nn.ModuleList(Layer(d, other) for _ in range(depth))


class Translator(nn.Module):
    """An encoder beside a decoder, of different depth."""

    def __init__(self, encoder: int = 4, decoder: int = 3, d: int = 32, other: int = 32) -> None:
        super().__init__()
        self.encoder, self.decoder = Stack(encoder, other), Stack(decoder, d, other)


def stds(recipe: str, model: nn.Module) -> dict[str, float]:
    plan = initkit.plan_init(model, recipe)
    assert not plan.problems
    return {step.name: step.distribution.std for step in plan if step.distribution is not None}


def test_deepnorm_weighs_encoder_against_decoder() -> None:
    """With N encoder and M decoder layers the gains are 0.87 (N^4 M)^-1/16 and (12 M)^-1/4."""
    found = stds("deepnorm/paper", Translator(4, 3, 32, 32))
    xavier = math.sqrt(2 / (32 + 64))
    assert found["encoder.layers.0.fc1.weight"] == pytest.approx(
        0.87 * (4**4 * 3) ** -0.0625 * xavier
    )
    assert found["decoder.layers.0.fc1.weight"] == pytest.approx(36**-0.25 * xavier)
    assert found["decoder.layers.0.self_attn.q_proj.weight"] == pytest.approx(32**-0.5)


def test_torchscale_scales_biases_and_inverts_the_papers_constant() -> None:
    found = stds("deepnorm/torchscale", Translator(4, 3, 32, 32))
    default = 32**-0.5 / math.sqrt(3)
    encoder = 1.15 * (4**4 * 3) ** -0.0625
    assert found["encoder.layers.0.fc1.weight"] == pytest.approx(encoder * default)
    assert found["encoder.layers.0.fc1.bias"] == pytest.approx(encoder * default)
    assert found["decoder.layers.1.self_attn.v_proj.bias"] == pytest.approx(36**-0.25 * default)
    assert found["decoder.layers.1.self_attn.k_proj.bias"] == pytest.approx(default)


def test_sub_ln_leaves_attention_over_the_encoder_alone() -> None:
    found = stds("sub-ln", Translator(4, 3, 32, 32))
    default = 32**-0.5 / math.sqrt(3)
    encoder = math.sqrt(math.log(9) * math.log(8) / 3)
    assert found["encoder.layers.0.fc1.weight"] == pytest.approx(encoder * default)
    assert found["decoder.layers.0.fc1.weight"] == pytest.approx(math.sqrt(math.log(9)) * default)
    assert found["decoder.layers.0.encoder_attn.v_proj.weight"] == pytest.approx(default)


def test_t_fixup_counts_each_stack_by_itself() -> None:
    found = stds("tfixup", Translator(4, 3, 32, 32))
    xavier = math.sqrt(2 / (32 + 64))
    assert found["encoder.layers.0.fc1.weight"] == pytest.approx(0.67 * 4**-0.25 * xavier)
    assert found["decoder.layers.0.fc1.weight"] == pytest.approx(27**-0.25 * xavier)
    assert found["encoder.embed_tokens.weight"] == pytest.approx(32**-0.5 * 36**-0.25)
    assert found["decoder.embed_tokens.weight"] == pytest.approx(32**-0.5 * 27**-0.25)


def test_fairseqs_gain_depends_on_the_width_of_the_keys() -> None:
    """1/sqrt(2) where queries, keys and values are equally wide, 1 where they are not."""
    found = stds("transformer/fairseq", Translator(2, 2, 32, 48))
    assert found["decoder.layers.0.self_attn.q_proj.weight"] == pytest.approx(0.5**0.5 * 32**-0.5)
    cross = "decoder.layers.0.encoder_attn."
    assert found[f"{cross}q_proj.weight"] == pytest.approx(32**-0.5)
    assert found[f"{cross}k_proj.weight"] == pytest.approx((2 / (32 + 48)) ** 0.5)
    assert found[f"{cross}out_proj.weight"] == pytest.approx(32**-0.5)


@pytest.mark.parametrize("shape", [{}, {"num_encoder_layers": 1, "num_decoder_layers": 3}])
def test_torchs_own_transformer_redraws_what_has_two_dimensions(shape: dict[str, int]) -> None:
    sizes = {"num_encoder_layers": 2, "num_decoder_layers": 2} | shape
    build = lambda: nn.Transformer(32, 4, dim_feedforward=64, batch_first=True, **sizes)
    check_model("transformer_base/torch", build)


class Rezero(nn.Module):
    """Layers with a residual weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32) for _ in range(2))
        for layer in self.layers:
            layer.norm1, layer.norm2 = nn.Identity(), nn.Identity()
            layer.resweight = nn.Parameter(torch.zeros(1))


def test_rezero_starts_residual_weights_at_zero() -> None:
    check_model("rezero", Rezero)


# -------------------------------------------------------------------------------------- muP


def test_mups_figures_hold() -> None:
    """The harness drew fc2 by kaiming_normal, which is the same in muP as elsewhere."""
    own = {"fc2.weight": "kaiming_normal"}
    check_facts(
        [own, "mup/mup(width_mult=4, inputs='fc1')"], "mup mup package, width 256 / base 64"
    )


class Dim:
    """A dimension with its base, as the mup package keeps it."""

    def __init__(self, base_dim: int | None, dim: int) -> None:
        self.base_dim, self.dim = base_dim, dim


class Shape(tuple):
    """The dimensions of a parameter, and the one that counts."""

    __slots__ = ()

    @property
    def main(self) -> Dim | None:
        wide = [dim for dim in self if dim.base_dim is not None]
        return wide[-1] if wide else None


class MuReadout(nn.Linear):
    """The readout of the mup package, by its name."""


def widened() -> nn.Module:
    """A network 4 times as wide as its base, after set_base_shapes and mup.init.normal_."""
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), MuReadout(64, 3))
    bases = {0: (16, None), 2: (16, 16), 3: (None, 16)}
    for i, base in bases.items():
        layer = net[i]
        sizes = zip(base, layer.weight.shape, strict=True)
        layer.weight.infshape = Shape(Dim(b, size) for b, size in sizes)
    with torch.no_grad():
        nn.init.normal_(net[2].weight, std=0.02 / 2)
        for p in (net[2].bias, *net[3].parameters()):
            p *= 2
    return net


def test_mup_reads_the_width_from_the_base_shapes() -> None:
    check_model("mup", widened, ours=widened)


def test_mup_asks_for_the_width_where_the_model_does_not_carry_it() -> None:
    with pytest.raises(InitkitError) as caught:
        initkit.apply_init(nn.Sequential(nn.Linear(4, 4)), "mup", seed=0)
    assert "or say it: mup/mup(width_mult=...)" in str(caught.value)


def test_megatron_asks_for_the_depth_where_the_model_does_not_show_it() -> None:
    model = nn.ModuleDict({"proj": nn.Linear(4, 4), "fc2": nn.Linear(4, 4)})
    with pytest.raises(InitkitError) as caught:
        initkit.apply_init(model, "megatron", seed=0)
    assert "n_layers has no value for 'fc2.weight'" in str(caught.value)
    assert "or say it: megatron/core(n_layers=...)" in str(caught.value)
    found = stds("megatron(n_layers=12)", model)
    assert found["fc2.weight"] == pytest.approx(0.02 / math.sqrt(24))
    assert stds("megatron(n_layers=12, width_mult=4)", model)["fc2.weight"] == pytest.approx(
        0.02 / (math.sqrt(24) * 2)
    )
