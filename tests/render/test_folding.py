"""Folding loses nothing, whatever the names and whatever differs."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from initkit.render import Traits, fold_alike, fold_rows, split_name

PIECES = st.sampled_from(["h", "layer1", "layer2", "conv1", "weight", "0", "1", "12", "007", "{1}"])
NAMES = st.one_of(st.text(max_size=6), st.lists(PIECES, max_size=4).map(".".join))


def labels(names: list[str]) -> list[str]:
    """Return the labels of names that are alike."""
    return [fold.label for fold in fold_rows(names, name=str, key=lambda _: None)]


@given(st.lists(st.tuples(NAMES, st.integers(0, 2)), max_size=20))
def test_every_row_is_rebuilt_from_the_folded_form(rows: list[tuple[str, int]]) -> None:
    folds = fold_rows(rows, name=lambda row: row[0], key=lambda row: row[1])
    rebuilt = [(name, fold.first[1]) for fold in folds for name in fold.names]
    assert sorted(rebuilt) == sorted(rows)
    assert [row for fold in folds for row in fold.rows] == rebuilt


@given(st.lists(NAMES, unique=True, max_size=20))
def test_folds_come_in_the_order_of_their_first_rows(names: list[str]) -> None:
    folds = fold_rows(names, name=str, key=lambda _: None)
    first = [min(map(names.index, fold.names)) for fold in folds]
    assert first == sorted(first)


@given(NAMES)
def test_a_name_is_put_together_again_from_its_pieces(name: str) -> None:
    texts, numbers = split_name(name)
    assert "".join(map("".join, zip(texts, (*map(str, numbers), ""), strict=True))) == name


def test_numbered_layers_are_one_line() -> None:
    assert labels([f"h.{i}.attn.c_attn.weight" for i in range(48)]) == [
        "h.{0..47}.attn.c_attn.weight"
    ]


def test_blocks_within_blocks_and_numbers_within_words_fold_too() -> None:
    names = [f"layer{i}.{j}.conv{k}.weight" for i in (1, 2) for j in range(3) for k in (1, 2)]
    assert labels(names) == ["layer{1,2}.{0..2}.conv{1,2}.weight"]


def test_numbers_that_form_no_grid_take_several_lines() -> None:
    names = [f"layer{i}.{j}.w" for i, n in ((1, 3), (2, 4), (3, 6), (4, 3)) for j in range(n)]
    assert labels(names) == ["layer{1,4}.{0..2}.w", "layer2.{0..3}.w", "layer3.{0..5}.w"]


def test_what_differs_within_a_family_stands_by_itself() -> None:
    rows = [(f"h.{i}.w", 64 if i == 5 else 32) for i in range(8)]
    folds = fold_rows(rows, name=lambda row: row[0], key=lambda row: row[1])
    assert [fold.label for fold in folds] == ["h.{0..4,6,7}.w", "h.5.w"]


def test_a_number_with_leading_zeros_is_text() -> None:
    assert labels(["a.007", "a.08"]) == ["a.007", "a.08"]


def test_ten_thousand_rows_fold_to_one_line() -> None:
    names = [f"layers.{i}.experts.{j}.weight" for i in range(100) for j in range(100)]
    assert labels(names) == ["layers.{0..99}.experts.{0..99}.weight"]


def test_a_number_longer_than_any_count_is_a_part_of_the_name() -> None:
    long = f"h.{'1' * 5000}.w"
    assert [fold.names for fold in fold_rows([long, "h.2.w"], name=str, key=len)] == [
        [long],
        ["h.2.w"],
    ]


def alike(names: list[str], exact: dict[str, int] | None = None) -> list[str]:
    """Return the labels of names whose rows are alike but for what is given."""
    known = exact or {}
    folds = fold_alike(names, name=str, traits=lambda name: Traits(known.get(name, 0)))
    return [fold.label for fold in folds]


@given(st.lists(st.tuples(NAMES, st.integers(0, 2)), max_size=20))
def test_rows_of_joined_modules_are_rebuilt_too(rows: list[tuple[str, int]]) -> None:
    folds = fold_alike(rows, name=lambda row: row[0], traits=lambda row: Traits("", (row[1],)))
    assert [row[0] for fold in folds for row in fold.rows] == [n for f in folds for n in f.names]
    assert sorted(row for fold in folds for row in fold.rows) == sorted(rows)


PARTS = st.lists(
    st.sampled_from(["q_proj", "k_proj", "norm", "0", "a.b", ""]), unique=True, min_size=1
)


@given(PARTS, PARTS, st.integers(1, 3))
def test_like_subtrees_are_one_line_a_tensor(
    outer: list[str], inner: list[str], layers: int
) -> None:
    names = [f"{o}.{i}.{part}.w" for o in outer for i in range(layers) for part in inner]
    folds = fold_alike(names, name=str, traits=lambda _: Traits(""))
    assert sorted(name for fold in folds for name in fold.names) == sorted(names)


def test_modules_whose_names_differ_in_one_word_are_one_line() -> None:
    names = [f"h.{i}.attn.{part}_proj.weight" for i in range(12) for part in "qkvo"]
    assert alike(names) == ["h.{0..11}.attn.{q,k,v,o}_proj.weight"]
    assert alike(["a.query.w", "a.key.w", "a.value.w"]) == ["a.{query,key,value}.w"]
    assert alike(["norm.w", "final_norm.w"]) == ["{norm,final_norm}.w"]
    assert alike(["encoder.0.w", "encoder.1.w", "decoder.0.w", "decoder.1.w"]) == [
        "{encoder,decoder}.{0,1}.w"
    ]


def test_modules_that_differ_in_any_line_keep_all_of_theirs() -> None:
    names = [f"{module}.{own}" for module in ("conv", "norm") for own in ("weight", "bias")]
    assert alike(names, {"norm.weight": 1}) == names
    assert alike([*names, "norm.scale"]) == [*names, "norm.scale"]


def test_a_tensors_own_name_is_no_module_and_stays() -> None:
    assert alike(["a.weight_q", "a.weight_k"]) == ["a.weight_q", "a.weight_k"]


def test_ten_thousand_modules_of_names_of_their_own_are_one_line() -> None:
    letters = "abcdefghij"
    names = [f"{''.join(word)}.w" for word in itertools.product(letters, repeat=4)]
    (fold,) = fold_alike(names, name=str, traits=lambda _: Traits(""))
    assert fold.names == names


def test_names_are_counted_by_their_numbers_whatever_grids_hold_them() -> None:
    stages = {0: 3, 1: 4, 2: 6, 3: 3}
    names = [f"s.{i}.b.{j}.w" for i, n in stages.items() for j in range(n)]
    (fold,) = fold_rows(names, name=str, key=lambda _: None, ragged=True)
    assert fold.counted == names != fold.names
