"""Rules for some rows: these are written, seen and checked, and no other bit changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Rule,
    apply_init,
    check_init,
    load_recipe,
    plan_init,
    save_recipe,
    verify_report,
)
from initkit.errors import PlanError

OLD, NEW, WIDTH = 300, 340, 64


class LM(nn.Module):
    """A grown vocabulary whose head is tied to its embedding."""

    def __init__(self, padding: int | None = None) -> None:
        super().__init__()
        self.embed = nn.Embedding(NEW, WIDTH, padding_idx=padding)
        self.head = nn.Linear(WIDTH, NEW, bias=False)
        self.head.weight = self.embed.weight


def grow(scheme: Any, rows: Any = f"{OLD}:", name: str = "embed.weight") -> list[Rule]:
    return [Rule(scheme, name=name, rows=rows)]


def weight(model: LM) -> Tensor:
    return model.embed.weight.detach().clone()


@pytest.mark.parametrize("scheme", ["normal(std=0.02)", "orthogonal", "eye", 0.5])
def test_no_bit_of_the_other_rows_changes(scheme: Any) -> None:
    model = LM()
    before = weight(model)
    apply_init(model, grow(scheme), seed=0)
    assert torch.equal(weight(model)[:OLD], before[:OLD])
    assert not torch.equal(weight(model)[OLD:], before[OLD:])
    assert check_init(model, grow(scheme)).ok


def test_the_scheme_starts_them_as_a_tensor_of_their_own() -> None:
    model = nn.Embedding(6, 4)
    apply_init(model, grow("orthogonal", "2:", "weight"), seed=0)
    new = model.weight[2:].detach()
    torch.testing.assert_close(new @ new.T, torch.eye(4))
    apply_init(model, grow("table([[1, 2, 3, 4]])", 3, "weight"))
    assert model.weight[3].tolist() == [1, 2, 3, 4]


def test_what_is_drawn_by_element_is_what_the_whole_tensor_would_hold_there() -> None:
    model, whole = LM(), LM()
    apply_init(model, grow("normal(std=0.02)"), seed=3)
    apply_init(whole, {"embed.weight": "normal(std=0.02)"}, seed=3)
    assert torch.equal(weight(model)[OLD:], weight(whole)[OLD:])


def ruled(*rules: tuple[str, Any], name: str = "embed.weight", **options: Any) -> list[Rule]:
    return [Rule(scheme, name=name, rows=rows, **options) for rows, scheme in rules]


@pytest.mark.parametrize("order", [1, -1])
def test_rules_for_rows_that_follow_on_each_other_start_a_parameter_together(
    order: int, tmp_path: Path
) -> None:
    model = LM()
    rules = ruled((":300", "normal(std=0.02)"), ("300:", "orthogonal"))[::order]
    plan = plan_init(model, rules, strict=True)
    assert plan["embed.weight"].start == "300: N(0, 0.02) | 40: orthogonal"
    report = plan.apply(model, seed=3)
    alone = LM()
    apply_init(alone, grow("normal(std=0.02)", ":300"), seed=3)
    assert torch.equal(weight(model)[:300], weight(alone)[:300])
    apply_init(alone, grow("orthogonal", "300:"), seed=3)
    assert torch.equal(weight(model), weight(alone))
    assert check_init(model, rules).ok
    assert verify_report(model, report.save(tmp_path / "report.json")).proven
    assert not plan_init(LM(), plan.to_recipe("my/net")).diff(plan)
    with torch.no_grad():
        model.embed.weight[310:320] *= 2
    assert not check_init(model, rules).ok


def test_together_they_may_leave_rows_before_and_behind_them() -> None:
    model = LM(padding=12)
    before = weight(model)
    rules = [
        *ruled(("10:20", "uniform"), padding=False),
        *ruled(("5:10", 1), ("20:22", "indexed(i)")),
        {"*": "normal"},
    ]
    plan = plan_init(model, rules, idle="ignore")
    assert plan["embed.weight"].start.startswith("rows 5 to 21: 5: constant 1 | 10: U(0, 1) | 2: (")
    assert plan["embed.weight"].elements == 17 * WIDTH
    plan.apply(model, seed=0)
    assert torch.equal(weight(model)[:5], before[:5]) and torch.equal(
        weight(model)[22:], before[22:]
    )
    assert bool((weight(model)[5:10] == 1).all()) and weight(model)[21, 3] == 3
    assert bool(weight(model)[12].all())  # the rule of its row draws the padding like the others
    assert check_init(model, plan).ok


def test_another_rule_between_them_decides_nothing_and_says_so() -> None:
    rules = [*ruled((":300", 1)), {"*.weight": 0}, *ruled(("300:", 2))]
    problems = [problem.sentence for problem in plan_init(LM(), rules).problems]
    assert any("never decides: what it matches is taken by 'embed.weight'" in p for p in problems)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (
            ruled((":10", 1), ("8:", 2)),
            (
                "rows 8 to 9 are started by the rule 'embed.weight' (rows 0 to 9) and by the rule "
                "'embed.weight' (rows 8 to 339)"
            ),
        ),
        (
            ruled((":10", 1), ("30:", 2)),
            (
                "the rule 'embed.weight' (rows 0 to 9) and the rule 'embed.weight' (rows 30 to "
                "339) leave rows 10 to 29 between them; start these by a rule, too, or the others"
            ),
        ),
        (
            ruled((":10", 1), ("10:", lambda tensor: tensor.zero_())),
            "follows from a function of yours, and other rules start other rows of it",
        ),
        (
            ruled((":300", "normal"), ("300:", "mean_resizing")),
            "mean_resizing follows from what the others hold, and other rules start other rows",
        ),
    ],
)
def test_rules_for_rows_that_do_not_go_together_are_a_problem(rules: Any, text: str) -> None:
    problems = [problem.sentence for problem in plan_init(LM(), rules).problems]
    assert any(text in problem for problem in problems), problems


def test_a_rule_for_rows_that_fails_is_the_one_that_is_named() -> None:
    rules = [Rule("normal", name="a*", rows=":4"), Rule("normal(std=layer)", name="a", rows="4:")]
    (problem, *_) = plan_init({"a": torch.zeros(10, 4)}, rules).problems
    assert "a: normal(std=layer) cannot start it (rule 'a'): layer has no value" in problem.sentence
    assert problem.rule == "a"
    rules = [Rule("normal", name="a*", rows=":4"), Rule("uniform", name="a", rows="4:20")]
    (problem, *_) = plan_init({"a": torch.zeros(10, 4)}, rules).problems
    assert (
        "a: uniform cannot start it (rule 'a'): rows 4:20 are not among its 10" in problem.sentence
    )
    rules = [Rule("normal", name="a*", rows=":4"), Rule("uniform", name="a", rows="3:")]
    (problem, *_) = plan_init({"a": torch.zeros(10, 4)}, rules).problems
    text = "a: row 3 is started by the rule 'a*' (rows 0 to 3) and by the rule 'a' (rows 3 to 9)"
    assert problem.sentence == text


def test_a_remark_says_which_rows_other_rules_start() -> None:
    rules = [*ruled((":10", 1), ("10:20", 2), ("20:", 3)), {"*": "keep"}]
    note = plan_init(LM(), rules)["embed.weight"].note
    assert "and by 'embed.weight', rows='10:20' and by 'embed.weight', rows='20:'" in note


def test_new_rows_are_like_those_that_a_file_starts(tmp_path: Path) -> None:
    old = LM()
    torch.save(weight(old)[:OLD], tmp_path / "old.pt")
    file = f"from_tensor({str(tmp_path / 'old.pt')!r})"
    model = LM()
    apply_init(model, ruled((f":{OLD}", file), (f"{OLD}:", "mean_resizing")), seed=0)
    apply_init(old, grow("mean_resizing"), seed=0)
    assert torch.equal(weight(model), weight(old))


def test_rules_for_rows_are_told_apart_by_the_parameters_that_they_take() -> None:
    model = nn.ModuleList(nn.Linear(4, 6) for _ in range(3))
    rules = [
        *ruled((":2", 1), name="*.weight"),
        *ruled(("2:", 2), name="1.weight"),
        *ruled(("2:4", 3), name="2.weight"),
    ]
    plan = plan_init(model, rules)
    starts = [plan[f"{i}.weight"].start for i in range(3)]
    assert starts[0] == "rows 0 to 1: constant 1"
    assert starts[1] == "2: constant 1 | 4: constant 2"
    assert starts[2] == "rows 0 to 3: constant 1 | constant 3"


def test_a_users_function_gets_the_rows_alone() -> None:
    model, seen = nn.Embedding(6, 4), []

    def function(tensor: Tensor) -> None:
        seen.append(tuple(tensor.shape))
        nn.init.normal_(tensor)

    before = model.weight.detach().clone()
    apply_init(model, grow(function, "4:", "weight"), seed=0)
    assert seen == [(2, 4)]
    assert torch.equal(model.weight[:4], before[:4])


@pytest.mark.parametrize("padding", [0, NEW - 1])
def test_a_padding_row_ends_zero_where_it_is_one_of_them_and_else_stays(padding: int) -> None:
    model = LM(padding)
    with torch.no_grad():
        model.embed.weight.fill_(7)
    apply_init(model, grow("normal(std=0.02)"), seed=0)
    assert bool((weight(model)[padding] == (7 if padding < OLD else 0)).all())
    assert check_init(model, grow("normal(std=0.02)")).ok
    with torch.no_grad():
        model.embed.weight[padding] = 3
    assert check_init(model, grow("normal(std=0.02)")).ok == (padding < OLD)


def test_memory_that_is_not_contiguous_keeps_its_other_rows() -> None:
    memory = torch.full((4, 6), 7.0)
    apply_init({"w": memory.T}, grow("normal", "4:", "w"), seed=0)
    assert bool((memory[:, :4] == 7).all())
    whole = torch.empty(6, 4)
    apply_init({"w": whole}, {"w": "normal"}, seed=0)
    assert torch.equal(memory.T[4:], whole[4:])


def test_complex_rows_are_those_of_the_whole() -> None:
    part, whole = torch.zeros(6, 4, dtype=torch.complex64), torch.zeros(6, 4, dtype=torch.complex64)
    apply_init({"w": part.conj()}, grow("normal", "4:", "w"), seed=0)
    apply_init({"w": whole.conj()}, {"w": "normal"}, seed=0)
    assert torch.equal(part[4:], whole[4:])
    assert not part[:4].any()


def test_the_plan_shows_which_rows_and_how_many_elements() -> None:
    plan = plan_init(LM(), grow("normal(std=0.02)"))
    assert plan["embed.weight"].start == "rows 300 to 339: N(0, 0.02)"
    assert "the other rows keep their values" in plan["embed.weight"].remarks
    assert f"to write: 1 tensor, {(NEW - OLD) * WIDTH:,} elements" in str(plan)
    assert Plan.from_json(plan.to_json()).steps == plan.steps
    assert plan.digest() != plan_init(LM(), {"embed.weight": "normal(std=0.02)"}).digest()


def test_protect_and_only_see_them() -> None:
    model = LM()
    before = weight(model)
    apply_init(model, grow("normal"), protect="head.*", seed=0)
    assert torch.equal(weight(model), before)
    apply_init(model, grow("normal"), only=["embed.weight", "head.weight"], seed=0)
    assert not torch.equal(weight(model), before)


def test_rows_that_there_are_not_are_a_problem_of_the_plan() -> None:
    (problem,) = plan_init(LM(), grow("normal", "340:")).problems
    assert "rows 340: are not among its 340 rows" in problem.sentence
    (problem,) = plan_init(LM(), grow("normal", "330:350")).problems
    assert "rows 330:350 are not among its 340 rows" in problem.sentence


def test_a_tied_name_that_wants_all_of_it_is_a_conflict() -> None:
    plan = plan_init(LM(), [*grow("normal", name="*embed.weight"), {"*head.weight": "normal"}])
    assert "rows 300 to 339: N(0, 1)" in plan.problems[0].sentence


def test_rows_of_a_transposed_tie_are_refused() -> None:
    memory = torch.zeros(6, 4)
    plan = plan_init({"a": memory, "b": memory.T}, grow("normal", "2:", "a"))
    assert "others see in another shape" in plan.problems[0].sentence


def test_rows_of_a_computed_weight_are_refused() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    plan = plan_init(model, [Rule("normal", name="weight", rows="2:")])
    assert "computed from other tensors" in plan.problems[0].sentence


def test_a_copy_of_what_is_written_in_part_is_refused() -> None:
    rules = [*grow("normal", "1:", "a"), {"b": "copy_of('a')"}]
    plan = plan_init({"a": torch.zeros(3, 2), "b": torch.zeros(3, 2)}, rules)
    assert "only some rows of 'a' are written" in plan.problems[0].sentence


def test_memory_without_values_has_none_to_keep() -> None:
    model = nn.Embedding(6, 4, device="meta")
    with pytest.raises(PlanError, match="the others hold no values; load them first"):
        apply_init(model, grow("normal", "4:", "weight"))
    assert model.weight.is_meta


def test_check_looks_at_these_rows_alone() -> None:
    model = LM()
    apply_init(model, grow("normal(std=0.02)"), seed=0)
    with torch.no_grad():
        model.embed.weight[:OLD] = 3
    assert check_init(model, grow("normal(std=0.02)")).ok
    with torch.no_grad():
        model.embed.weight[OLD:] *= 2
    assert [f.kind for f in check_init(model, grow("normal(std=0.02)")).failures] == ["std"]


def test_a_saved_report_proves_these_rows_alone(tmp_path: Path) -> None:
    model = LM()
    path = apply_init(model, grow("normal(std=0.02)"), seed=0).save(tmp_path / "report.json")
    with torch.no_grad():
        model.embed.weight[0] = 3
    assert verify_report(model, path).proven
    with torch.no_grad():
        model.embed.weight[OLD] = 3
    assert verify_report(model, path).changed == ("embed.weight",)


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_file_carries_them(tmp_path: Path, ending: str) -> None:
    path = save_recipe(grow("normal(std=0.02)"), tmp_path / f"mine.{ending}")
    assert (
        plan_init(LM(), load_recipe(path)).digest()
        == plan_init(LM(), grow("normal(std=0.02)")).digest()
    )


def test_ties_that_cross_do_not_push_the_table_out_of_sight() -> None:
    count, order = 20, torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    a, b = (nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(count)) for _ in "ab")
    for place, other in enumerate(order):
        b[place].weight = a[other].weight
    plan = plan_init(nn.ModuleDict({"a": a, "b": b}), {"*": 0})
    folded = [line for line in plan.text(80).splitlines() if line.startswith("tied:")]
    whole = [line for line in plan.text(80, fold=False).splitlines() if line.startswith("tied:")]
    assert folded[:8] == whole[:8] and len(folded) == 9
    assert folded[8] == f"tied: {len(whole) - 8} lines more, which .text(fold=False) has"
    assert "a.1.weight" in plan._repr_html_()
