"""How user code looks to a type checker: this file must pass mypy --strict, and run."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import torch
from torch import Tensor, nn

import initkit
from initkit import (
    Calibration,
    CheckReport,
    Coordinates,
    Failure,
    Finding,
    Plan,
    Probe,
    Recipe,
    Recording,
    Report,
    Rule,
    Scheme,
    Slot,
    Step,
    Summary,
    TieGroup,
    TieStatus,
    Write,
    apply_init,
    blocks,
    calibrate_init,
    check_init,
    compare,
    coordinate_check,
    deferred,
    describe_recipe,
    describe_scheme,
    fans,
    find_reused_parameters,
    find_tied_parameters,
    first,
    gain,
    init_,
    initialized,
    last,
    list_recipes,
    list_schemes,
    load_recipe,
    materialize,
    model_digest,
    per_module,
    plan_init,
    preserve_ties,
    probe_init,
    record_init,
    recording,
    register_layout,
    register_recipe,
    register_scheme,
    retie,
    save_recipe,
    schemes,
    suggest_recipe,
    summary,
    tie,
    tie_report,
    tie_status,
    track_writes,
    verify_report,
)
from initkit.plan import Diff
from initkit.write.digests import tensor_digests


def is_weight(slot: Slot) -> bool:
    """Look at a slot, as ``where`` lets a function of yours do."""
    return slot.key == "weight" and slot.tensor is not None


def rules_in_every_form() -> None:
    """Every form of rules is accepted by the checker."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
    apply_init(model, "resnext", seed=0)
    apply_init(model, "xavier_uniform")
    apply_init(model, {nn.Linear: "kaiming_normal(fans='tensor')", "*.bias": 0}, idle="ignore")
    apply_init(model, [{"2.*": 0}, {nn.Conv2d: "orthogonal"}, "torch_default"], seed=1)
    apply_init(model, {(nn.Conv2d, nn.Linear): {"weight": 0.5, "bias": "keep"}, "1.*": 1})
    apply_init(model, {re.compile(r"\d\.bias"): 0, "*.weight": nn.init.ones_})
    apply_init(model, Rule(schemes.Normal(std=0.02), name="*.weight", type=nn.Linear))
    apply_init(model, [Rule("ones", where=is_weight), {"*": 0}])
    apply_init(model, [Rule("ones", where=lambda slot: slot.key == "weight")])
    half: Scheme = schemes.KaimingNormal(mode="fan_out").scaled(0.5)
    apply_init(model, {nn.Linear: half, "*.bias": 0})
    apply_init(model.state_dict(), {"*.weight": 1}, only="0", protect=["1", "2.bias"])


def options_are_known_by_name_and_value() -> None:
    """A checker knows the options of planning and writing, and refuses what they cannot be."""
    model = nn.Linear(4, 4)
    rules = {"weight": "orthogonal", "bias": 0, "scale": 1}
    plan_init(model, rules, strict=True, idle="ignore", only=["weight"], on_tie_conflict="first")
    apply_init(model, rules, idle="ignore", seed=0, prefix="q1", device="cpu", progress=False)
    check_init(model, rules, idle="ignore", level=1e-9)
    for wrong in (
        lambda: plan_init(model, rules, strickt=True),  # type: ignore[call-arg]
        lambda: plan_init(model, rules, idle="ignored"),  # type: ignore[arg-type]
        lambda: apply_init(model, rules, on_tie_conflict="last"),  # type: ignore[arg-type]
        lambda: check_init(model, rules, seed=0),  # type: ignore[call-arg]
    ):
        try:
            wrong()
        except initkit.OptionError:
            continue
        raise AssertionError("an option was taken that does not exist")


def recordings() -> None:
    """A recording gives plans, and a plan the writes of each parameter."""
    plan = record_init(nn.Linear, 4, 4, bias=False)
    assert_type(plan, Plan)
    assert_type(plan["weight"].history, tuple[Write, ...])
    with recording() as record:
        model = nn.Linear(4, 4)
    assert_type(record, Recording)
    assert_type(record.plan(model, buffers=True), Plan)


def plans_and_reports() -> None:
    """Plans and reports have types of their own."""
    model = nn.Linear(4, 4)
    plan = plan_init(model, "torch_default")
    assert_type(plan, Plan)
    assert_type(plan["weight"], Step)
    print([(step.name, step.shape, step.start) for step in plan])
    assert_type(plan.diff(plan_init(model, "xavier_normal")), Diff)
    report = apply_init(model, "torch_default", seed=0)
    assert_type(report, Report)
    assert_type(plan.apply(model, seed=0), Report)
    assert_type(report.seed, int)
    checked = check_init(model, plan)
    assert_type(checked, CheckReport)
    assert_type(checked.ok, bool)
    assert_type(checked.failures, tuple[Failure, ...])
    with TemporaryDirectory() as folder:
        report.save(Path(folder) / "init.json")
        print(verify_report(model, Path(folder) / "init.json").ok)


def looking_at_a_model() -> None:
    """A summary is indexed like the model; what a number gives is a summary again."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    found = summary(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), values=False)
    assert_type(found, Summary)
    assert_type(found[-1], Summary)
    print(found["0.weight"].shape, [row.name for row in found["*.bias"]])
    assert_type(found.problems, list[str])
    assert_type(init_(torch.empty(3, 5), "xavier_uniform", seed=0, name="w"), Tensor)


@initialized("wide_resnet")
class Net(nn.Module):
    """A class that a decorator leaves a class."""

    def __init__(self, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=bias)
        self.fc = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        return torch.as_tensor(self.fc(self.conv(x).mean((2, 3))))


def a_decorated_class_keeps_its_type() -> None:
    """The checker sees the class, its constructor and its methods."""
    net = Net(8, bias=False)
    assert_type(net, Net)
    assert_type(net.forward(torch.zeros(1, 3, 8, 8)), Tensor)


@register_scheme("typed_ternary")
def ternary(weight: Tensor) -> None:
    """Draw -1, 0 and 1."""
    weight.random_(-1, 2)


def registries() -> None:
    """Registries speak in names and values."""
    assert_type(list_schemes(), list[str])
    assert_type(list_recipes(), list[str])
    print(describe_scheme("typed_ternary"), describe_recipe("resnext"))
    assert_type(suggest_recipe(nn.Linear(2, 2))[0].recipe, str)
    assert_type(ternary(torch.zeros(2)), None)
    print(suggest_recipe(nn.Linear(4, 4)))
    lstm = nn.LSTM(4, 4)
    apply_init(lstm, {"weight_*": "orthogonal", "bias_ih_*": blocks(0, 1, 0, 0), "bias_*": 0})
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    apply_init(
        layers, {first(nn.Sequential): {"*": "normal"}, last(""): 0}, only=[layers[0], nn.Linear]
    )
    apply_init(layers, {nn.Linear: per_module(nn.Linear.reset_parameters)}, protect=layers[1])
    mine = Recipe("typed/recipe", rules={"*": 0}, summary="Zero everything.")
    assert_type(register_recipe(mine), Recipe)
    with TemporaryDirectory() as folder:
        save_recipe(mine, Path(folder) / "mine.toml")
        assert_type(load_recipe(Path(folder) / "mine.toml"), Recipe)


class Experts(nn.Module):
    """A module that torch does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(2, 4, 8))


def numbers() -> None:
    """Fans and gains are plain numbers."""
    register_layout(Experts, "E in out", key="up")
    apply_init(Experts(), {"up": "xavier_uniform"})
    assert_type(gain("relu") * gain(nn.GELU()), float)
    print(fans(nn.Linear(4, 8)).fan_in)


def ties() -> None:
    """Groups of ties are sequences of names; they can be made, asked after and made again."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    assert_type(tie(model, "0.weight", "1.weight", values="source"), TieGroup)
    groups = find_tied_parameters(model)
    for group in groups:
        names: list[str] = list(group)
        print(names, group.kind)
    with preserve_ties(model) as broken:
        model.half()
    retie(model, groups)
    assert_type(broken, list[TieStatus])
    print([status.state for status in broken], tie_status(model, groups))
    print(tie_report(model), find_reused_parameters(model.float(), torch.tensor([1])))


def many_machines() -> None:
    """A model without memory, a plan that travels, and proofs."""
    with deferred():
        net = Net(8)
    assert_type(materialize(net, seed=0), Report)
    plan = Plan.from_json(plan_init(net, {"*": "normal(std=0.02)"}).to_json())
    assert_type(plan.apply(net, seed=0, rename={"fc": "fc"}), Report)
    with track_writes(net) as writes:
        plan.apply(net, seed=1)
    writes.assert_complete()
    assert_type(model_digest(net), str)
    assert_type(tensor_digests(net), dict[str, str])


def signals() -> None:
    """A probe finds, a calibration scales, and a check of widths says what grows."""
    model, x = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(16, 8)
    probe = probe_init(model, x, rules={"*.weight": "xavier_normal", "*.bias": 0})
    assert_type(probe, Probe)
    findings: tuple[Finding, ...] = probe.findings
    assert_type(compare(probe, probe_init(model, x)).gone, tuple[Finding, ...])
    calibration = calibrate_init(model, {"*.weight": "orthogonal", "*.bias": 0}, x, seed=0)
    assert_type(calibration, Calibration)
    widths = coordinate_check(
        lambda width: nn.Sequential(nn.Linear(8, width), nn.Linear(width, 1)),
        [8, 16],
        x,
        loss=lambda y: torch.as_tensor(y).square().mean(),
        optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
        steps=1,
    )
    assert_type(widths, Coordinates)
    print(findings, calibration.factors, widths.ok)


def errors() -> None:
    """Every error has one base."""
    try:
        apply_init(nn.Linear(2, 2), {"nothing": 0})
    except initkit.InitkitError as error:
        print(error)


if __name__ == "__main__":
    rules_in_every_form()
    options_are_known_by_name_and_value()
    recordings()
    plans_and_reports()
    looking_at_a_model()
    a_decorated_class_keeps_its_type()
    registries()
    numbers()
    ties()
    many_machines()
    signals()
    errors()
