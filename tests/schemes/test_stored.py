"""Values from files: by key and by name, for all of a model or a part, told when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

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
from initkit.errors import FileError, FillError, OptionError, PlanError
from initkit.schemes import read_scheme


class LM(nn.Module):
    """An embedding, a layer, and a head that is tied to the embedding."""

    def __init__(self, vocabulary: int = 10) -> None:
        super().__init__()
        self.embed, self.body = nn.Embedding(vocabulary, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, vocabulary, bias=False)
        self.head.weight = self.embed.weight


@pytest.fixture
def source() -> LM:
    torch.manual_seed(0)
    return LM()


@pytest.fixture
def path(tmp_path: Path, source: LM) -> Path:
    """A checkpoint that holds a tied parameter under its last name alone."""
    state = source.state_dict()
    del state["embed.weight"]
    torch.save({f"lm.{name}": value for name, value in state.items()}, tmp_path / "lm.pt")
    return tmp_path / "lm.pt"


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def problem(model: Any, rules: Any) -> str:
    return plan_init(model, rules).problems[0].sentence


def test_a_checkpoint_starts_a_model_tied_names_and_all(source: LM, path: Path) -> None:
    model, rules = LM(), f"pretrained({str(path)!r}, prefix='lm.')"
    apply_init(model, rules)
    assert same(model, source)
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.body.bias[2] += 0.1
    (failure,) = check_init(model, rules).failures
    assert "1 elements differ, the first at [2]" in failure.text


def test_a_part_of_a_model_is_found_by_renaming(source: LM, path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    apply_init(model, {"0.*": f"pretrained({str(path)!r}, rename={{'0': 'lm.body'}})", "*": 0})
    assert torch.equal(model[0].weight, source.body.weight)
    assert not model[1].weight.any()


def test_what_a_file_lacks_is_a_problem_unless_it_is_said_who_decides(path: Path) -> None:
    model, text = nn.ModuleDict({"body": nn.Linear(4, 4), "new": nn.Linear(4, 2)}), str(path)
    said = problem(model, {"*": f"pretrained({text!r}, prefix='lm.')"})
    assert "lm.pt has no tensor 'lm.new.weight'" in said
    plan = plan_init(model, {"*": f"pretrained({text!r}, prefix='lm.', missing='normal(std=2)')"})
    assert plan["new.weight"].start == "N(0, 2)"
    rules = [{"*": f"pretrained({text!r}, prefix='lm.', missing='next')"}, {"*": 0}]
    plan = plan_init(model, rules)
    assert plan["new.weight"].start == "constant 0"
    assert plan["body.weight"].start == f"lm.body.weight of {text}"


def test_a_checkpoint_is_shrunk_and_perturbed_tied_names_and_all(source: LM, path: Path) -> None:
    model, held = LM(), f"pretrained({str(path)!r}, prefix='lm.', rename={{'bdy': 'x'}})"
    rules = {"*": f"sum(scaled({held}, 0.5), normal(std=0.01))"}
    assert "leads from nothing: the model has no parameter or module 'bdy'" in problem(model, rules)
    rules = {"*": rules["*"].replace(", rename={'bdy': 'x'}", "")}
    apply_init(model, rules, seed=0)
    noise = (model.head.weight - source.head.weight / 2).detach()
    assert 0.006 < float(noise.std()) < 0.014
    assert check_init(model, rules).ok


def test_a_shape_that_differs_is_a_problem(path: Path) -> None:
    said = problem(LM(12), {"*": f"pretrained({str(path)!r}, prefix='lm.')"})
    assert "its shape is [12, 4], and 'lm.head.weight' of" in said
    assert said.endswith("has [10, 4]")


def test_a_grown_vocabulary_takes_the_rows_that_both_have(source: LM, path: Path) -> None:
    how = f"pretrained({str(path)!r}, prefix='lm.', rows='overlap'"
    assert "the file lacks 290 of its rows; start them with rest=" in problem(
        LM(300), {"*": f"{how})"}
    )
    model, rules = LM(300), {"*": f"{how}, rest='normal(std=0.02)')"}
    apply_init(model, rules, seed=1)
    assert torch.equal(model.embed.weight[:10], source.embed.weight)
    assert 0.015 < float(model.embed.weight[10:].detach().std()) < 0.025
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.embed.weight[10:] *= 2
    assert {f.kind for f in check_init(model, rules).failures} >= {"std"}


@pytest.mark.parametrize("rest", ["mean_resizing", "mean_resizing(scale=1)", "copied_rows([3, 7])"])
def test_rows_like_those_of_the_file_are_what_growing_the_loaded_model_gives(
    source: LM, path: Path, tmp_path: Path, rest: str
) -> None:
    rules = {"*": f"pretrained({str(path)!r}, prefix='lm.', rows='overlap', rest={rest!r})"}
    model, grown = LM(300), LM(300)
    report = apply_init(model, rules, seed=1)
    with torch.no_grad():
        grown.embed.weight[:10] = source.embed.weight
    apply_init(grown, [Rule(rest, name="embed.weight", rows="10:")], seed=1)
    assert torch.equal(model.embed.weight, grown.embed.weight)
    assert check_init(model, rules).ok
    again = Plan.from_json(report.plan.to_json())
    assert again.steps == report.steps
    assert verify_report(model, report.save(tmp_path / "report.json")).proven
    with torch.no_grad():
        model.embed.weight[200, 2] += 30
    assert [f.name for f in check_init(model, rules).failures] == ["embed.weight"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_copies_of_the_files_rows_are_rounded_as_these_are(path: Path, dtype: torch.dtype) -> None:
    rest = "copied_rows([3, 7])"
    rules = {"*": f"pretrained({str(path)!r}, prefix='lm.', rows='overlap', rest={rest!r})"}
    model = LM(30).to(dtype)
    apply_init(model, rules, seed=0)
    assert torch.equal(model.embed.weight[10], model.embed.weight[3])
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.embed.weight[10] *= 1.05
    assert not check_init(model, rules).ok


def test_rows_like_others_need_rows_in_the_file(path: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.empty(0, 4)}, tmp_path / "none.pt")
    how = f"pretrained({str(tmp_path / 'none.pt')!r}, rows='overlap', rest='mean_resizing')"
    assert "there are no others" in problem(nn.Embedding(3, 4), how)
    how = f"pretrained({str(path)!r}, prefix='lm.', rows='overlap', rest='copied_rows([12])')"
    assert "row 12 is itself one of those that are written" in problem(LM(20), how)


def test_a_shrunk_vocabulary_takes_the_first_rows(source: LM, path: Path) -> None:
    model = LM(7)
    apply_init(model, {"*": f"pretrained({str(path)!r}, prefix='lm.', rows='overlap')"})
    assert torch.equal(model.embed.weight, source.embed.weight[:7])


def test_one_tensor_is_found_by_its_key_and_the_stars_of_its_rule(source: LM, path: Path) -> None:
    model = nn.ModuleDict({"body": nn.Linear(4, 4)})
    apply_init(model, {"*.weight": f"from_tensor({str(path)!r}, key='lm.*.weight')", "*.bias": 0})
    assert torch.equal(model["body"].weight, source.body.weight)
    said = problem(model, {"*": f"from_tensor({str(path)!r})"})
    assert "holds 3 tensors; name one with key=" in said
    said = problem(model, {"*": f"from_tensor({str(path)!r}, key='lm.boby.weight')"})
    assert "has no tensor 'lm.boby.weight'; did you mean 'lm.body.weight'" in said


def test_a_file_of_one_tensor_needs_no_key(tmp_path: Path) -> None:
    torch.save(torch.arange(6.0), tmp_path / "one.pt")
    model = {"w": torch.zeros(6, dtype=torch.int32)}
    assert "needs floating point" in problem(
        model, {"w": f"from_tensor({str(tmp_path / 'one.pt')!r})"}
    )
    half = {"w": torch.zeros(6, dtype=torch.float16)}
    apply_init(half, {"w": f"scaled(from_tensor({str(tmp_path / 'one.pt')!r}), 2)"})
    assert half["w"].tolist() == [0, 2, 4, 6, 8, 10]


def test_values_that_the_dtype_cannot_hold_are_a_problem(tmp_path: Path) -> None:
    torch.save({"w": torch.tensor([1.0, 1e6]), "v": torch.tensor([1.0, 2.0])}, tmp_path / "a.pt")
    model = {name: torch.zeros(2, dtype=torch.float16) for name in "vw"}
    plan = plan_init(model, {"*": f"pretrained({str(tmp_path / 'a.pt')!r})"})
    assert [p.names for p in plan.problems] == [("w",)]
    assert "cannot hold 1e+06" in str(plan.problems[0])


def test_two_names_of_one_parameter_that_differ_in_the_file_are_a_problem(tmp_path: Path) -> None:
    state = LM().state_dict()
    state["head.weight"] = state["head.weight"] + 1
    torch.save(state, tmp_path / "a.pt")
    said = problem(LM(), {"*": f"pretrained({str(tmp_path / 'a.pt')!r})"})
    assert "holds other values under 'head.weight' than 'embed.weight'" in said


def test_a_saved_plan_and_a_saved_report_tell_a_file_that_was_changed(
    source: LM, path: Path, tmp_path: Path
) -> None:
    model = LM()
    report = apply_init(model, {"*": f"pretrained({str(path)!r}, prefix='lm.')"})
    plan = Plan.from_json(report.plan.to_json())
    assert plan.steps == report.steps
    assert plan.digest() == report.plan.digest()
    saved = report.save(tmp_path / "report.json")
    assert verify_report(model, saved).proven
    torch.save({f"lm.{k}": v + 1 for k, v in source.state_dict().items()}, path)
    with pytest.raises(FillError, match=r"was changed since it was planned; nothing was written"):
        plan.apply(LM())
    with pytest.raises(FileError, match="was changed since it was planned"):
        verify_report(model, saved)


def test_a_file_that_is_gone_is_said_before_anything_is_written(path: Path) -> None:
    plan = plan_init(
        LM(),
        {"embed.*": 3, "body.*": f"pretrained({str(path)!r}, prefix='lm.')"},
        on_tie_conflict="first",
    )
    path.unlink()
    model = LM()
    before = model.embed.weight.clone()
    with pytest.raises(FillError, match="there is no file"):
        plan.apply(model)
    assert torch.equal(model.embed.weight, before)
    with pytest.raises((PlanError, FileError), match="there is no file"):
        apply_init(model, f"pretrained({str(path)!r})")


def test_planning_reads_headers_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from initkit.files import StoredTensor

    def refuse(self: StoredTensor) -> None:
        raise AssertionError("values were read")

    monkeypatch.setattr(StoredTensor, "tensor", property(refuse))
    plan = plan_init(LM(), f"pretrained({str(path)!r}, prefix='lm.')")
    assert not plan.problems
    assert "lm.body.bias of" in str(plan)


TEXTS = (
    "pretrained('a.pt')",
    "pretrained('a.pt', prefix='m.', rename={'a': 'b'}, missing='next')",
    "pretrained('a.pt', missing='normal(std=0.5)', rows='overlap', rest='zeros')",
    "from_tensor('a.pt', key='*.w')",
)


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_scheme_of_a_file_reads_back(text: str) -> None:
    scheme = read_scheme(text)
    assert str(scheme) == text
    assert read_scheme(str(scheme)) == scheme
    assert hash(scheme) == hash(read_scheme(text))


def test_a_recipe_file_carries_it(path: Path, tmp_path: Path) -> None:
    rules = {"*": f"pretrained({str(path)!r}, prefix='lm.')"}
    loaded = load_recipe(save_recipe(rules, tmp_path / "r.toml"))
    assert plan_init(LM(), loaded).digest() == plan_init(LM(), rules).digest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pretrained('')", "path must be that of a file"),
        ("pretrained('a.pt', rows='some')", "rows must be one of exact, overlap"),
        ("pretrained('a.pt', rest=0)", "rest is for rows='overlap'"),
        ("pretrained('a.pt', rows='overlap', rest='keep')", "rest cannot be keep"),
        (
            "pretrained('a.pt', rows='overlap', rest='sum(copy_of(b), normal)')",
            r"rest cannot be sum\(copy_of\('b'\), normal\)",
        ),
        ("pissa(weight='copy_of(b)')", r"weight cannot be copy_of\('b'\)"),
        ("pretrained('a.pt', rename={'a': 3})", "rename takes a dict from names to names"),
    ],
)
def test_options_that_mean_nothing_are_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_scheme(text)
