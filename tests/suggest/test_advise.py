"""Suggesting recipes: the right one comes first, nothing is written, and it prints well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from published import skeleton
from recipe_checks import need
from torch import nn

import initkit
from initkit import Recipe, register_recipe, suggest_recipe
from initkit.errors import TargetError
from initkit.rules import unregister_recipe


def _hf(model: str, config: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        package = need("transformers")
        made: nn.Module = getattr(package, model)(getattr(package, config)(**options))
        return made

    return build


def _torchvision(name: str) -> Callable[[], nn.Module]:
    return lambda: getattr(need("torchvision.models"), name)()


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: need("timm").create_model(name)


_SMALL = {"num_hidden_layers": 2}


@pytest.mark.parametrize(
    ("build", "first"),
    [
        (_torchvision("resnet18"), "resnet/torchvision"),
        (_torchvision("vit_b_32"), "vit/torchvision"),
        (_torchvision("swin_v2_t"), "swin_v2/torchvision"),
        (_torchvision("densenet121"), "densenet/torchvision"),
        (_timm("resnet26"), "resnet/timm"),
        (_timm("vit_tiny_patch16_224"), "vit/timm"),
        (_timm("beit_base_patch16_224"), "beit/timm"),
        (_timm("cait_xxs24_224"), "layerscale_cait/timm"),
        (_timm("efficientnet_b0"), "efficientnet/timm"),
        (_timm("tf_efficientnetv2_s"), "efficientnet/timm"),
        (_timm("mobilenetv3_small_100"), "mobilenet_v3/timm"),
        (_hf("BertForSequenceClassification", "BertConfig", **_SMALL), "bert/transformers"),
        (_hf("RobertaForMaskedLM", "RobertaConfig", **_SMALL), "roberta/transformers"),
        (_hf("GPT2LMHeadModel", "GPT2Config", n_layer=2), "gpt2/transformers"),
        (_hf("LlamaForCausalLM", "LlamaConfig", **_SMALL), "llama/transformers"),
        (_hf("ViTMAEModel", "ViTMAEConfig", **_SMALL), "mae/transformers"),
        (
            _hf("Swinv2Model", "Swinv2Config", depths=[1, 1], num_heads=[2, 4]),
            "swin_v2/transformers",
        ),
        (_hf("SiglipTextModel", "SiglipTextConfig", **_SMALL), "siglip/transformers"),
        (_hf("Wav2Vec2ForCTC", "Wav2Vec2Config", **_SMALL), "wav2vec2/transformers"),
        (_hf("Olmo3ForCausalLM", "Olmo3Config", **_SMALL), "olmo/transformers"),
        (_hf("Qwen2MoeForCausalLM", "Qwen2MoeConfig", **_SMALL), "qwen2/transformers"),
    ],
)
def test_a_model_of_a_package_meets_the_recipe_of_its_own_code(
    build: Callable[[], nn.Module], first: str
) -> None:
    with torch.device("meta"):
        model = build()
    found = suggest_recipe(model)
    assert found[0].recipe == first
    assert found[0].covers == 1
    assert not found[0].open
    assert found[0].agrees is None
    assert "could not be asked" in str(found)


def test_a_family_without_a_recipe_meets_the_code_that_it_inherits() -> None:
    with torch.device("meta"):
        model = _hf("Phi3ForCausalLM", "Phi3Config", **_SMALL)()
    best = suggest_recipe(model)[0]
    assert (best.recipe, best.covers) == ("pretrained_model/transformers", 1)
    assert best.evidence.base == 1


def test_where_inherited_code_is_overridden_it_is_no_evidence() -> None:
    package = need("transformers")

    class Inherits(package.PreTrainedModel):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(package.PretrainedConfig())
            self.fc = nn.Linear(3, 3, device="meta")

    class Overrides(Inherits):
        def _init_weights(self, module: nn.Module) -> None:
            pass

    assert suggest_recipe(Inherits())[0].evidence.base == 1
    found = suggest_recipe(Overrides())
    assert [s.recipe for s in found] == ["torch_default"]
    assert "Overrides._init_weights does is in no recipe" in found.text(width=500)
    assert "is in no recipe" not in suggest_recipe(Inherits()).text(width=500)


def test_a_tied_parameter_is_covered_by_any_of_its_names() -> None:
    model = nn.Module()
    model.head = nn.Linear(3, 3, bias=False)
    model.weight_of_head = model.head.weight
    assert suggest_recipe(model)[0].open == ()


def test_raw_tensors_behind_a_computed_weight_do_not_count() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    assert suggest_recipe(model)[0].covers == 1
    assert suggest_recipe(model).parameters == 2


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("clip original ViT", "clip/original"),
        ("mae original", "mae/original"),
        ("dit original", "dit/original"),
        ("dinov2 original", "dinov2/original"),
    ],
)
def test_names_alone_lead_to_the_recipe_of_code_that_no_package_holds(key: str, first: str) -> None:
    assert first in [s.recipe for s in suggest_recipe(skeleton(key))[:1]]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mobilenetv2_100", "mobilenet_v2/timm"),
        ("mnasnet_100", "mnasnet/timm"),
        ("resnext50_32x4d", "resnext/timm"),
        ("deit_tiny_patch16_224", "deit/timm"),
        ("deit3_small_patch16_224", "deit/timm"),
        ("wide_resnet50_2", "resnet/timm"),
        ("beit3_base_patch16_224", "vit/timm"),
        ("vit_small_patch16_dinov3", "eva/timm"),
    ],
)
def test_the_name_that_a_model_bears_decides_among_recipes_of_its_own_code(
    name: str, first: str
) -> None:
    """One class of timm builds several families; a name never outweighs whose code it is."""
    with torch.device("meta"):
        model = _timm(name)()
    assert suggest_recipe(model)[0].recipe == first


def _plain(name: str, device: str = "cpu") -> nn.Module:
    """Return a small network of torch modules, of a class with that name."""
    model: nn.Module = type(name, (nn.Module,), {})()
    model.conv1, model.bn1, model.fc = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2)
    return model.to(device)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("ResNet", "resnet/torchvision"),
        ("DenseNet", "densenet/torch7"),
        ("VGG", "vgg/torchvision"),
        ("WideResNet", "wide_resnet"),
    ],
)
def test_of_equals_the_recipe_that_the_family_s_bare_name_means_goes_first(
    name: str, first: str
) -> None:
    assert suggest_recipe(_plain(name, "meta"))[0].recipe == first
    # What torch's constructors gave it agrees with torch's defaults, and the name goes behind that.
    assert [s.recipe for s in suggest_recipe(_plain(name))[:2]] == ["torch_default", first]


def test_names_that_any_network_has_speak_for_no_family() -> None:
    assert [s.recipe for s in suggest_recipe(_plain("Net"))] == ["torch_default"]


class _Alike(nn.Module):
    """A network that has an attention and a head, as many families do, and is none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*[nn.Linear(8, 8) for _ in range(6)])
        self.qkv = nn.Linear(8, 24, bias=False)
        self.norm1, self.head = nn.LayerNorm(8), nn.Linear(8, 2)


def test_a_name_or_two_that_many_networks_have_lead_to_no_family() -> None:
    assert [s.recipe for s in suggest_recipe(_Alike())] == ["torch_default"]


def test_names_alone_lead_to_a_recipe_where_no_owner_is_a_torch_module() -> None:
    found = suggest_recipe(skeleton("wide_resnet original PyTorch"))
    assert found[0].recipe == "wide_resnet/original"


def test_a_plain_network_gets_torch_default_alone() -> None:
    found = suggest_recipe(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2)))
    assert [s.recipe for s in found] == ["torch_default"]
    assert found[0].covers == 1
    assert found[0].why == "nothing"


def test_nothing_is_written_and_no_random_number_drawn() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    before = {name: p.clone() for name, p in model.named_parameters()}
    state = torch.get_rng_state()
    suggest_recipe(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


class _Gated(nn.Module):
    """A module that only one recipe knows."""

    def __init__(self) -> None:
        super().__init__()
        self.gadget = nn.Parameter(torch.zeros(3))
        self.out = nn.Linear(3, 3)
        self.sprocket = nn.Parameter(torch.ones(3))


@pytest.fixture
def _own_recipe() -> Any:
    register_recipe(Recipe("gated/mine", rules=[{"gadget": 1, "type:Linear": {"*": 0}}]))
    yield
    unregister_recipe("gated/mine")


@pytest.mark.usefixtures("_own_recipe")
def test_a_recipe_of_ones_own_is_found_and_says_what_it_leaves_open() -> None:
    found = suggest_recipe(_Gated())
    best = found[0]
    assert best.recipe == "gated/mine"
    assert best.open == ("sprocket",)
    assert (best.covers, best.evidence.own) == (3 / 4, 1 / 4)
    assert "gated/mine leaves 1 without a rule: sprocket" in str(found)


def test_it_prints_one_line_a_recipe() -> None:
    found = suggest_recipe(nn.Linear(2, 2))
    assert str(found).splitlines()[0] == "Linear: 2 parameters; nothing has been applied"
    assert str(found[0]) == "torch_default (covers 100%, agrees 100%; nothing)"
    assert repr(found) == "<Suggestions: torch_default>"


def test_a_recipe_that_needs_an_option_is_no_obstacle() -> None:
    register_recipe(Recipe("needy/mine", rules=lambda width: {"*": width}))
    try:
        assert suggest_recipe(nn.Linear(2, 2))[0].recipe == "torch_default"
    finally:
        unregister_recipe("needy/mine")


def test_a_state_dict_is_judged_by_its_names() -> None:
    found = suggest_recipe(skeleton("clip original ViT").state_dict())
    assert found[0].recipe == "clip/original"


def test_an_empty_model_has_no_suggestion() -> None:
    assert len(suggest_recipe(nn.Identity())) == 0


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TargetError, match="a module or a state_dict"):
        suggest_recipe(3)  # type: ignore[arg-type]


def test_the_best_suggestion_can_be_applied_as_it_is() -> None:
    model = nn.Linear(2, 2)
    name = suggest_recipe(model)[0].recipe
    assert initkit.apply_init(model, name, seed=0, strict=True)


def test_suggestions_are_a_page_in_a_notebook() -> None:
    found = suggest_recipe(nn.Linear(2, 2))
    page = found._repr_html_()
    assert page.startswith("<div class=initkit>") and "<td>torch_default</td>" in page
    assert "Linear: 2 parameters; nothing has been applied" in page
    assert "<table" not in suggest_recipe(nn.Identity())._repr_html_()


@pytest.mark.models
def test_a_table_by_part_leaves_out_no_layer_that_the_family_explains_and_no_second_name() -> None:
    timm = need("timm")
    model = timm.create_model("resnet18", num_classes=10)
    with torch.no_grad():
        model.fc.weight.zero_()
    found = suggest_recipe(model)
    assert found.parts.unexplained == ("fc",)
    code = need("transformers.models.gpt2.modeling_gpt2")
    config = need("transformers").GPT2Config(
        n_embd=32, n_head=2, n_layer=2, vocab_size=64, bos_token_id=1, eos_token_id=1
    )

    class Valued(code.GPT2LMHeadModel):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(config)
            self.value = nn.Linear(32, 1)
            nn.init.constant_(self.value.bias, 3.0)

    valued = Valued()
    parts = suggest_recipe(valued).parts
    assert parts.unexplained == ("value",)
    assert not initkit.plan_init(valued, parts.rules).problems
