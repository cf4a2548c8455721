"""New rows like the others: near their mean, or copies of named ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import Rule, apply_init, check_init, plan_init, verify_report
from initkit.errors import FillError, OptionError
from initkit.schemes import read_scheme

OLD, NEW = 400, 440


def rules(scheme: str, rows: str = f"{OLD}:") -> list[Rule]:
    return [Rule(scheme, name="*weight", rows=rows)]


def grown(width: int = 8, **options: Any) -> nn.Embedding:
    torch.manual_seed(0)
    model = nn.Embedding(NEW, width, **options)
    with torch.no_grad():  # features that go together, of a mean of their own
        model.weight.copy_(3 + torch.randn(NEW, width) @ torch.randn(width, width))
    return model


def covariance(rows: Tensor) -> Tensor:
    return rows.detach().double().mT.cov(correction=0)


def test_new_rows_have_the_mean_and_so_much_of_the_covariance_of_the_others() -> None:
    model = grown(4)
    before = model.weight.detach().clone()
    # As many as to tell a covariance: each element is known to 5 of its standard errors.
    apply_init(model, rules("mean_resizing(scale=1)", "40:"), seed=0)
    assert torch.equal(model.weight[:40], before[:40])
    old, new = covariance(model.weight[:40]), covariance(model.weight[40:])
    size = old.diagonal()
    room = 5 * ((size[:, None] * size + old**2) / 400).sqrt()
    assert bool(((new - old).abs() <= room).all())
    means = model.weight.detach()[40:].mean(0) - before[:40].mean(0)
    assert bool((means.abs() <= 5 * (size / 400).sqrt()).all())


def test_by_default_they_are_near_the_mean_and_not_alike() -> None:
    model = grown()
    apply_init(model, rules("mean_resizing"), seed=0)
    new = model.weight.detach()[OLD:]
    torch.testing.assert_close(
        new, model.weight.detach()[:OLD].mean(0).expand_as(new), rtol=1e-3, atol=1e-3
    )
    assert len(new.unique(dim=0)) > 1
    assert check_init(model, rules("mean_resizing")).ok
    with torch.no_grad():
        model.weight[OLD + 3, 2] += 0.1
    assert [f.kind for f in check_init(model, rules("mean_resizing")).failures] == ["mean"]


@pytest.mark.models
def test_what_transformers_writes_passes_for_it() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=8)
    model = transformers.GPT2LMHeadModel(config)
    before = model.transformer.wte.weight.detach().clone()
    model.resize_token_embeddings(320, mean_resizing=True)
    like = [Rule("mean_resizing", name="*wte.weight", rows="300:")]
    assert check_init(model, like).ok
    apply_init(model, like, seed=0)
    assert torch.equal(model.transformer.wte.weight[:300], before)
    torch.testing.assert_close(
        model.lm_head.weight[300:], before.mean(0).expand(20, -1), rtol=1e-3, atol=1e-4
    )
    other = transformers.GPT2LMHeadModel(config)
    other.resize_token_embeddings(320, mean_resizing=False)
    assert not check_init(other, like).ok


def test_rows_are_copied_by_turns_or_averaged() -> None:
    model = grown()
    apply_init(model, rules("copied_rows([3, 7])"))
    weight = model.weight.detach()
    assert torch.equal(weight[OLD::2], weight[3].expand(20, -1))
    assert torch.equal(weight[OLD + 1 :: 2], weight[7].expand(20, -1))
    assert check_init(model, rules("copied_rows([3, 7])")).ok
    assert not check_init(model, rules("copied_rows([7, 3])")).ok
    apply_init(model, rules("copied_rows([3, 7], average=True)"))
    torch.testing.assert_close(model.weight[OLD:], ((weight[3] + weight[7]) / 2).expand(40, -1))
    assert check_init(model, rules("copied_rows([3, 7], average=True)")).ok


def test_a_report_proves_them_by_their_digest(tmp_path: Path) -> None:
    model = grown()
    path = apply_init(model, rules("mean_resizing"), seed=0).save(tmp_path / "report.json")
    assert verify_report(model, path).proven
    with torch.no_grad():
        model.weight[OLD] += 1
    assert verify_report(model, path).changed == ("weight",)


@pytest.mark.parametrize(
    ("scheme", "rows", "text"),
    [
        ("mean_resizing", ":", "these are all of its rows"),
        ("copied_rows([500])", "400:", "there is no row 500 among its 440"),
        ("copied_rows([410])", "400:", "row 410 is itself one of those that are written"),
    ],
)
def test_rows_that_cannot_be_like_others_are_problems(scheme: str, rows: str, text: str) -> None:
    assert text in str(plan_init(grown(), rules(scheme, rows)).problems[0])


def test_without_rows_they_are_told_how() -> None:
    said = str(plan_init(grown(), {"weight": "mean_resizing"}).problems[0])
    assert "say which: Rule('mean_resizing', name=..., rows='50257:')" in said


def test_others_that_are_not_finite_start_nothing() -> None:
    model = grown()
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    with pytest.raises(FillError, match="what the model holds, which is not finite"):
        apply_init(model, rules("mean_resizing"))


@pytest.mark.parametrize("of", ["[]", "'a'", "[-1]", "[1.5]"])
def test_what_names_no_rows_is_refused(of: str) -> None:
    with pytest.raises(OptionError, match=r"of must be rows such as \[3, 7\]"):
        read_scheme(f"copied_rows({of})")


def test_a_grown_bias_takes_the_mean_and_variance_of_its_other_entries() -> None:
    head = nn.Linear(4, 500)
    rule = [Rule("mean_resizing", name="*", rows="400:")]
    apply_init(head, rule, seed=0)
    old, new = head.bias[:400], head.bias[400:]
    assert (new - old.mean()).abs().max() < 1e-3 * old.std() and new.std() > 0
    assert check_init(head, rule).ok


def test_new_rows_in_bfloat16_are_as_near_the_mean_as_their_dtype_has_numbers() -> None:
    words = nn.Embedding(300, 256).bfloat16()
    rule = [Rule("mean_resizing", name="*", rows="250:")]
    apply_init(words, rule, seed=0)
    assert check_init(words, rule).ok
    with torch.no_grad():
        words.weight[260] = 0.1
    assert not check_init(words, rule).ok


def correlated(rows: int, width: int, rank: int = 0) -> Tensor:
    """Rows whose deviations along their axes differ by up to ten times, of a mean of their own."""
    drawn = torch.randn(rows, rank or width) * torch.logspace(-1, 0, rank or width)
    return 0.1 * torch.randn(width) + 0.2 * drawn @ torch.randn(rank or width, width)


SPOILT: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "zeros": lambda new, mean: 0 * new,
    "the mean": lambda new, mean: mean.expand_as(new),
    "one row": lambda new, mean: new[:1].expand_as(new),
    "twice": lambda new, mean: torch.cat([new[: len(new) // 2]] * 2),
    "wider": lambda new, mean: mean + 1.5 * (new - mean),
    "narrower": lambda new, mean: mean + 0.1 * (new - mean),
    "off": lambda new, mean: new + 0.1 * (new - mean).std(0),
    "isotropic": lambda new, mean: mean + torch.randn_like(new) * (new - mean).std(),
    "uniform": lambda new, mean: (
        mean + (new - mean).std(0) * 12**0.5 * (torch.rand_like(new) - 0.5)
    ),
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("rank", [0, 20], ids=["full", "degenerate"])
@pytest.mark.parametrize("scale", ["1", "1e-9"])
def test_new_rows_are_a_sample_of_the_mean_and_covariance_of_the_others(
    scale: str, rank: int, spoilt: str
) -> None:
    torch.manual_seed(0)
    model = nn.Embedding(2400, 32)
    with torch.no_grad():
        model.weight.copy_(correlated(2400, 32, rank))
    rule = rules(f"mean_resizing(scale={scale})")
    apply_init(model, rule, seed=0)
    assert check_init(model, rule, level=1e-3).ok
    with torch.no_grad():
        new, mean = model.weight[OLD:].double(), model.weight[:OLD].double().mean(0)
        model.weight[OLD:] = SPOILT[spoilt](new, mean).to(model.weight)
    assert not check_init(model, rule).ok


@pytest.mark.parametrize("spoilt", sorted({*SPOILT} - {"uniform"}))
def test_so_they_are_beside_the_rows_of_a_file(spoilt: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    old = correlated(OLD, 32)
    torch.save({"weight": old}, path := tmp_path / "old.pt")
    rest = "mean_resizing(scale=1)"
    rule = {"weight": f"pretrained({str(path)!r}, rows='overlap', rest={rest!r})"}
    model = nn.Embedding(2400, 32)
    apply_init(model, rule, seed=0)
    assert check_init(model, rule, level=1e-3).ok
    with torch.no_grad():
        model.weight[OLD:] = SPOILT[spoilt](model.weight[OLD:], old.mean(0))
    assert not check_init(model, rule).ok


@pytest.mark.parametrize("scheme", ["mean_resizing(scale=1)", "copied_rows([3, 7])"])
def test_new_rows_are_compared_beside_a_padding_row_among_them(scheme: str) -> None:
    model = grown(padding_idx=OLD + 1)
    apply_init(model, rules(scheme), seed=0)
    report = check_init(model, rules(scheme))
    assert report.ok and not report.not_compared
    with torch.no_grad():
        model.weight[OLD + 2 :] = model.weight[OLD]
    assert not check_init(model, rules(scheme)).ok


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rank", [0, 20], ids=["full", "degenerate"])
@pytest.mark.parametrize("scale", ["1", "1e-4", "1e-9"])
def test_no_alarm_of_rows_as_they_were_drawn(scale: str, rank: int, dtype: torch.dtype) -> None:
    # At this level 20 models give an alarm by chance in 2 % of all, if the bounds were sharp.
    rule = rules(f"mean_resizing(scale={scale})")
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Embedding(NEW, 32, dtype=dtype)
        with torch.no_grad():
            model.weight.copy_(correlated(NEW, 32, rank))
        apply_init(model, rule, seed=seed)
        assert check_init(model, rule, level=1e-3).ok


def test_what_rounding_hides_of_them_is_said() -> None:
    words = nn.Embedding(300, 32).bfloat16()
    rule = rules("mean_resizing", "250:")
    apply_init(words, rule, seed=0)
    told = str(check_init(words, rule))
    assert "ok, but rounding leaves the spread of its rows in 0 of 32 axes" in " ".join(
        told.split()
    )
    apply_init(words, rules("mean_resizing(scale=1)", "250:"), seed=0)
    assert "rounding leaves" not in str(check_init(words, rules("mean_resizing(scale=1)", "250:")))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mean_of_rows_has_no_room_but_for_its_rounding(dtype: torch.dtype) -> None:
    model = grown().to(dtype)
    rule = rules("copied_rows([3, 7], average=True)")
    with torch.no_grad():  # by other code, in the dtype itself
        model.weight[OLD:] = (model.weight[3] + model.weight[7]) / 2
    assert check_init(model, rule).ok
    with torch.no_grad():
        model.weight[OLD:] *= 1 + 4 * torch.finfo(dtype).eps if dtype.itemsize < 8 else 1 + 1e-6
    assert not check_init(model, rule).ok
