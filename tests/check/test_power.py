"""Faults planted in real models are found, and the right parameter is named."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init
from initkit.check.check import check_init

Fault = Callable[["Case"], set[str]]


@dataclass
class Case:
    """A model as planned, and the places where faults are planted."""

    model: nn.Module
    rules: object
    large: str  # a large tensor of a random distribution
    like: str  # another tensor of its shape and distribution
    other: str  # a random tensor of another distribution
    zeros: str  # constant 0
    ones: str  # constant 1

    def __getitem__(self, name: str) -> Tensor:
        return self.model.get_parameter(name).data


def gpt2() -> Case:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=3, n_head=4, n_embd=192, vocab_size=3000, n_positions=64,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    block = "transformer.h.{}.mlp.{}".format
    return Case(
        transformers.GPT2LMHeadModel(config),
        "gpt2/transformers",
        block(1, "c_fc.weight"),
        block(2, "c_fc.weight"),
        block(1, "c_proj.weight"),
        block(0, "c_fc.bias"),
        "transformer.h.0.ln_1.weight",
    )


def resnext() -> Case:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    from torchvision.models.resnet import Bottleneck, ResNet

    model = ResNet(Bottleneck, [1, 2, 2, 1], num_classes=100, groups=8, width_per_group=8)
    return Case(
        model,
        "resnext",
        "layer3.0.conv3.weight",
        "layer3.1.conv3.weight",
        "layer2.0.conv1.weight",
        "layer1.0.bn1.bias",
        "layer1.0.bn1.weight",
    )


def vit() -> Case:
    timm = pytest.importorskip("timm")
    model = timm.models.vision_transformer.VisionTransformer(
        num_classes=200, embed_dim=192, depth=3, num_heads=3, img_size=32, patch_size=8
    )
    rules = [
        {
            "head.weight": "normal(std=0.01)",
            "cls_token": "normal(std=1e-6)",
            "pos_embed": "trunc_normal(std=0.02, cutoff=2)",
            "*norm*.weight": 1,
            "*.weight": "xavier_uniform",
            "*.bias": 0,
        }
    ]
    block = "blocks.{}.mlp.fc1.{}".format
    return Case(
        model,
        rules,
        block(1, "weight"),
        block(2, "weight"),
        "head.weight",
        block(0, "bias"),
        "blocks.0.norm1.weight",
    )


MODELS = {"gpt2": gpt2, "resnext": resnext, "vit": vit}


def skipped(case: Case) -> set[str]:
    w = case[case.large]
    bound = 1 / math.sqrt(w[0].numel())
    w.uniform_(-bound, bound)
    return {case.large}


def std_3_percent_off(case: Case) -> set[str]:
    case[case.large].mul_(1.03)
    return {case.large}


def mean_off(case: Case) -> set[str]:
    w = case[case.large]
    w.add_(0.05 * w.std())
    return {case.large}


def uniform_for_normal_and_back(case: Case) -> set[str]:
    w = case[case.large]
    std = float(w.std())
    kurtosis = float((w / std).pow(4).mean())
    if kurtosis < 2:
        w.normal_(0, std)
    else:
        w.uniform_(-std * math.sqrt(3), std * math.sqrt(3))
    return {case.large}


def cloned(case: Case) -> set[str]:
    case[case.like].copy_(case[case.large])
    return {case.like}


def cloned_and_scaled(case: Case) -> set[str]:
    case[case.like].copy_(-case[case.large])
    return {case.like}


def shards_alike(case: Case) -> set[str]:
    w = case[case.large]
    half = w.shape[0] // 2
    w[half : 2 * half] = w[:half]
    return {case.large}


def columns_alike(case: Case) -> set[str]:
    w = case[case.large]
    quarter = w.shape[1] // 4
    for i in range(1, 4):
        w[:, i * quarter : (i + 1) * quarter] = w[:, :quarter]
    return {case.large}


def scaled_twice(case: Case) -> set[str]:
    case[case.other].mul_(1 / math.sqrt(2 * 3))
    return {case.other}


def one_nan(case: Case) -> set[str]:
    case[case.large].view(-1)[1234] = math.nan
    return {case.large}


def one_huge(case: Case) -> set[str]:
    case[case.other].view(-1)[7] = 1e37
    return {case.other}


def denormal(case: Case) -> set[str]:
    w = case[case.large]
    w.view(torch.int32).copy_(torch.randint(1, 1 << 20, w.shape, dtype=torch.int32))
    return {case.large}


def one_denormal(case: Case) -> set[str]:
    case[case.large].view(-1)[4321] = 1e-41
    return {case.large}


def seed_with_a_period(case: Case) -> set[str]:
    w = case[case.large].view(-1)
    w.copy_(w[:20_011].repeat(-(-w.numel() // 20_011))[: w.numel()])
    return {case.large}


def end_repeats_the_start(case: Case) -> set[str]:
    w = case[case.large].view(-1)
    start = 2 * w.numel() // 3 + 13
    w[start:] = w[: w.numel() - start].clone()
    return {case.large}


def a_part_is_copied(case: Case) -> set[str]:
    like, quarter = case[case.like], case[case.like].shape[0] // 4
    like[quarter : 2 * quarter] = -case[case.large][2 * quarter : 3 * quarter]
    return {case.like}


def rows_in_another_order(case: Case) -> set[str]:
    case[case.like].copy_(case[case.large].flip(0))
    return {case.like}


def wrong_rule(case: Case) -> set[str]:
    w, other = case[case.large], case[case.other]
    if kurtosis(other) < 2:
        w.uniform_(float(other.min()), float(other.max()))
    else:
        w.normal_(0, float(other.std()))
    return {case.large}


def bias_not_zero(case: Case) -> set[str]:
    case[case.zeros][-1] = 1e-3
    return {case.zeros}


def norm_not_one(case: Case) -> set[str]:
    case[case.ones].zero_()
    return {case.ones}


def one_row_zero(case: Case) -> set[str]:
    case[case.large][5] = 0
    return {case.large}


def tail_not_written(case: Case) -> set[str]:
    w = case[case.large]
    w.view(-1)[-w.numel() // 100 :] = 0
    return {case.large}


def absolute(case: Case) -> set[str]:
    case[case.large].abs_()
    return {case.large}


def ordered(case: Case) -> set[str]:
    w = case[case.large]
    w.copy_(w.reshape(-1).sort().values.view(w.shape))
    return {case.large}


def elements_doubled(case: Case) -> set[str]:
    w = case[case.large].view(-1)
    w[1::2] = w[::2]
    return {case.large}


def one_block_off(case: Case) -> set[str]:
    w = case[case.large]
    w[: w.shape[0] // 3].mul_(1.2)
    return {case.large}


def one_column_doubled(case: Case) -> set[str]:
    case[case.large][:, 7] *= 2
    return {case.large}


def orthogonal_of_the_same_std(case: Case) -> set[str]:
    w = case[case.large]
    w.copy_(nn.init.orthogonal_(w.clone()) * (w.std() * math.sqrt(max(w.flatten(1).shape))))
    return {case.large}


def drawn_from_one_seed(case: Case) -> set[str]:
    w, other, name = case[case.large], case[case.other], case.other
    if kurtosis(w) < 2 < kurtosis(other):  # torch's functions draw differently
        other, name = case[case.like], case.like
    both = [float(w.std()), float(other.std())]
    for tensor, std in ((w, both[0]), (other, both[1])):
        generator = torch.Generator().manual_seed(5)
        if kurtosis(tensor) < 2:
            tensor.uniform_(-std * math.sqrt(3), std * math.sqrt(3), generator=generator)
        else:
            tensor.normal_(0, std, generator=generator)
    return {case.large, name}


def kurtosis(w: Tensor) -> float:
    return float(((w - w.mean()) / w.std()).pow(4).mean())


FAULTS = [
    skipped, std_3_percent_off, mean_off, uniform_for_normal_and_back, cloned, cloned_and_scaled,
    shards_alike, columns_alike, scaled_twice, one_nan, one_huge, denormal, one_denormal,
    seed_with_a_period, end_repeats_the_start, a_part_is_copied, rows_in_another_order, wrong_rule,
    bias_not_zero, norm_not_one, one_row_zero, tail_not_written, absolute, ordered,
    elements_doubled, one_block_off, one_column_doubled, orthogonal_of_the_same_std,
    drawn_from_one_seed,
]  # fmt: skip


@pytest.fixture(params=MODELS, scope="module")
def started(request: pytest.FixtureRequest) -> tuple[Case, dict[str, Tensor]]:
    torch.manual_seed(0)
    case = MODELS[request.param]()
    apply_init(case.model, case.rules, seed=1, idle="ignore")
    return case, {name: p.detach().clone() for name, p in case.model.named_parameters()}


@pytest.mark.models
def test_the_models_are_as_planned(started) -> None:
    case, _ = started
    report = check_init(case.model, case.rules, idle="ignore")
    assert report.ok, str(report)


@pytest.mark.models
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found_and_its_parameter_named(started, fault: Fault) -> None:
    case, values = started
    torch.manual_seed(0)
    try:
        names = fault(case)
        report = check_init(case.model, case.rules, idle="ignore")
    finally:
        with torch.no_grad():
            for name, p in case.model.named_parameters():
                p.copy_(values[name])
    found = {failure.name for failure in report.failures}
    assert found and found <= names, str(report)
    assert not report.trained
    print("\n".join(map(str, report.failures)))
