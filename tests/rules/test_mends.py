"""An error shows the line as it was written and, where it knows one, a mended line that works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import (
    Recipe,
    Rule,
    apply_init,
    init_,
    initialized,
    plan_init,
    record_init,
    save_recipe,
)
from initkit.errors import FileError, InitkitError, OptionError, PlanError, ReadError, RuleError
from initkit.rules.recipe_files import load_recipe
from initkit.spelling import clearly_nearest


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = {"initializer_range": 0.02, "hidden_size": 4}
        self.embedding = nn.Embedding(8, 4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.classifier = nn.Linear(4, 2)


MODEL = Net()
SPARE = {"*": "keep"}


def error_of(rules: Any, **options: Any) -> InitkitError | None:
    """Return what is wrong with rules for the model: what cannot be read, or its one problem."""
    try:
        plan_init(MODEL, rules, **options).check()
    except PlanError as error:
        return error.problems[0]
    except InitkitError as error:
        return error
    return None


def pasted(error: InitkitError) -> Any:
    """Return what the line to paste makes, as Python reads it; None where there is none."""
    found = re.search(r"^ *to paste: +(.*)$", error.told(), re.MULTILINE)
    if found is None:
        return None
    line = found[1]
    known = {"nn": nn, "Rule": Rule, "re": re}
    return eval(f"dict({line})" if re.match(r"\w+=", line) else _braced(line), known)


def _braced(line: str) -> str:
    is_line = re.match(r"""r?(['"]).*?\1: |nn\.\w+: |re\.compile\(.*\): """, line)
    return f"{{{line}}}" if is_line else line


# ------------------------------------------------------------------------------ what is shown

SHOWN: dict[str, tuple[Any, str, str]] = {
    "an option": (
        {"*.weight": "normal(sdt=0.02)"},
        "'*.weight': 'normal(sdt=0.02)'",
        "'*.weight': 'normal(std=0.02)'",
    ),
    "a scheme": ({"*.weight": "norml"}, "'*.weight': 'norml'", "'*.weight': 'normal'"),
    "two slips in a line": (
        {"*.weight": "norml(sdt=1)"},
        "'*.weight': 'norml(sdt=1)'",
        "'*.weight': 'normal(std=1)'",
    ),
    "a word of an option": (
        {"*.weight": "kaiming_normal(mode='fanin')"},
        "'*.weight': \"kaiming_normal(mode='fanin')\"",
        "'*.weight': \"kaiming_normal(mode='fan_in')\"",
    ),
    "limits in the wrong order": (
        {"*": "trunc_normal(low=2, high=1)"},
        "'*': 'trunc_normal(low=2, high=1)'",
        "'*': 'trunc_normal(high=2, low=1)'",
    ),
    "an option without its name": ({"*": "normal(0.02)"}, "'*': 'normal(0.02)'",
                                   "'*': 'normal(std=0.02)'"),
    "a parenthesis": ({"*": "normal(std=0.02"}, "'*': 'normal(std=0.02'",
                      "'*': 'normal(std=0.02)'"),
    "another library's name": ({"*": "c2_xavier_fill"}, "'*': 'c2_xavier_fill'",
                               "'*': 'kaiming_uniform(a=1)'"),
    "a function of a formula": ({"*": "normal(std=sqt(2))"}, "'*': 'normal(std=sqt(2))'",
                                "'*': 'normal(std=sqrt(2))'"),
    "a name in a formula": ({"*.weight": "normal(std=1/fan_n)"},
                            "'*.weight': 'normal(std=1/fan_n)'",
                            "'*.weight': 'normal(std=1/fan_in)'"),
    "a gain": ({"*.weight": "orthogonal(gain='rellu')"},
               "'*.weight': \"orthogonal(gain='rellu')\"",
               "'*.weight': \"orthogonal(gain='relu')\""),
    "a part of a scheme": ({"*": "blocks('norml', 0)"}, "'*': \"blocks('norml', 0)\"",
                           "'*': \"blocks('normal', 0)\""),
    "a scheme as a table": (
        {"*": {"scheme": "normal", "sdt": 1}},
        "'*': {'scheme': 'normal', 'sdt': 1}",
        "'*': {'scheme': 'normal', 'std': 1}",
    ),
    "an option of a recipe": ("gpt2/transformers(sdt=1)", "'gpt2/transformers(sdt=1)'",
                              "'gpt2/transformers(std=1)'"),
    "a recipe": ("gpt2/transfomers", "'gpt2/transfomers'", "'gpt2/transformers'"),
    "no value": ({nn.Linear: {"bias": None}}, "nn.Linear: {'bias': None}",
    "nn.Linear: {'bias': 'keep'}"),
    "under a class": (
        {nn.Linear: {"weight": "norml"}},
        "nn.Linear: {'weight': 'norml'}",
        "nn.Linear: {'weight': 'normal'}",
    ),
    "under a scope": (
        {"blocks.*": {"norm": {"weight": "norml"}}},
        "'blocks.*': {'norm': {'weight': 'norml'}}",
        "'blocks.*': {'norm': {'weight': 'normal'}}",
    ),
    "a name": ({"*.wieght": 0}, "'*.wieght': 0", "'*.weight': 0"),
    "two words of a name": (
        {"block.*.atention.weight": 0},
        "'block.*.atention.weight': 0",
        "'blocks.*.attention.weight': 0",
    ),
    "a class": ({"type:Linaer": {"weight": 0}}, "'type:Linaer': {'weight': 0}",
                "'type:Linear': {'weight': 0}"),
    "a parameter of a class": ({nn.Linear: {"weigth": 0}}, "nn.Linear: {'weigth': 0}",
                               "nn.Linear: {'weight': 0}"),
    "a name in a scope": ({"classifer": {"bias": 0}}, "'classifer': {'bias': 0}",
                          "'classifier': {'bias': 0}"),
    "a regular expression": ({r"re:blocks\.\d+\.nrom\..*": 0}, r"r're:blocks\.\d+\.nrom\..*': 0",
                             r"r're:blocks\.\d+\.norm\..*': 0"),
    "a regular expression that ends early": ({re.compile("class"): 0}, "re.compile('class'): 0",
                                             "re.compile('class.*'): 0"),
    "a class as a name": ({"LayerNorm": 0}, "'LayerNorm': 0", "'type:LayerNorm': 0"),
    "an index": ({"blocks[0].norm.bias": 0}, "'blocks[0].norm.bias': 0",
                 "'blocks.0.norm.bias': 0"),
    "an index of a scope": ({"blocks[1]": {"norm.bias": 0}}, "'blocks[1]': {'norm.bias': 0}",
                            "'blocks.1': {'norm.bias': 0}"),
    "a slice": ({"blocks[0:2].norm.bias": 0}, "'blocks[0:2].norm.bias': 0",
                "'blocks.{0..1}.norm.bias': 0"),
    "a range with a dash": ({"blocks.{0-1}.norm.bias": 0}, "'blocks.{0-1}.norm.bias': 0",
                            "'blocks.{0..1}.norm.bias': 0"),
    "a colon": ({"classifier:weight": 0}, "'classifier:weight': 0", "'classifier.weight': 0"),
    "a path with slashes": ({"blocks/0/norm/bias": 0}, "'blocks/0/norm/bias': 0",
                            "'blocks.0.norm.bias': 0"),
    "what holds the model": ({"model.classifier.weight": 0}, "'model.classifier.weight': 0",
                             "'classifier.weight': 0"),
    "the end of a name": ({"norm.bias": 0}, "'norm.bias': 0", "'*.norm.bias': 0"),
    "a class and a parameter": ({"Linear.weight": 0}, "'Linear.weight': 0",
                                "'type:Linear': {'weight': 0}"),
    "a module as a name": ({"classifier": 0}, "'classifier': 0", "'classifier.*': 0"),
    "a rule": ([Rule("normal", name="*.wieght", type=nn.Linear)],
               "Rule('normal', name='*.wieght', type=nn.Linear)",
               "Rule('normal', name='*.weight', type=nn.Linear)"),
    "a rule in a scope": ({"blocks": Rule(0, name="*.biass")}, "'blocks': Rule(0, name='*.biass')",
                          "'blocks': Rule(0, name='*.bias')"),
    "the model's config": (
        {"*": "normal(std=config.initialiser_range)"},
        "'*': 'normal(std=config.initialiser_range)'",
        "'*': 'normal(std=config.initializer_range)'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN)
def test_an_error_shows_the_line_as_written_and_the_mended_one(case: str) -> None:
    rules, written, mended = SHOWN[case]
    error = error_of(rules)
    assert error is not None
    said = error.told()
    assert f"\n  as written:   {written}\n" in said
    assert said.endswith(f"\n  to paste:     {mended}") and "did you mean" not in said
    left = error_of([pasted(error), SPARE], idle="ignore")
    assert left is None or type(left) is not type(error)


WITHOUT_A_MEND: dict[str, tuple[Any, str]] = {
    "a number below its limit": ({"*": "normal(std=-1)"}, "'*': 'normal(std=-1)'"),
    "a scheme between two": ({"*": "xavier_xxx"}, "'*': 'xavier_xxx'"),
    "what no text makes": ({"*": {"a": object()}}, "'*': {'a': object(...)}"),
}


@pytest.mark.parametrize("case", WITHOUT_A_MEND)
def test_without_a_clear_mend_the_line_is_shown_alone(case: str) -> None:
    rules, written = WITHOUT_A_MEND[case]
    assert str(error_of(rules)).endswith(f"\n  as written:   {written}")


SEVERAL = {
    "xavier": ("xavier_normal", "xavier_uniform"),
    "Kaiming": ("kaiming_normal", "kaiming_uniform"),
    "he_normal": ("kaiming_normal", "variance_scaling(scale=2)"),
    "HeNormal": ("kaiming_normal", "variance_scaling(scale=2)"),
    "GlorotNormal": ("variance_scaling(mode='fan_avg')", "xavier_normal"),
    "he": ("kaiming_normal", "kaiming_uniform", "variance_scaling(scale=2)"),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_name_with_several_meanings_shows_the_line_of_each(name: str) -> None:
    first, *others = SEVERAL[name]
    lines = [f"  to paste:     '*.weight': {first!r}"]
    lines += [f"  or:           '*.weight': {other!r}" for other in others]
    error = error_of({"*.weight": name})
    assert str(error).split("\n")[1:] == [f"  as written:   '*.weight': {name!r}", *lines]
    assert str(error_of(name)).endswith(f"  or:           {others[-1]!r}")


def test_a_file_spells_each_meaning_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[rules]\n"*.weight" = "xavier"\n')
    with pytest.raises(FileError) as caught:
        load_recipe(tmp_path / "rules.toml")
    assert str(caught.value).endswith(
        """
  as written:   "*.weight" = "xavier"
  to paste:     "*.weight" = "xavier_normal"
  or:           "*.weight" = "xavier_uniform\""""
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("normal(0,0.02)", "normal(mean=0, std=0.02)"),
        ("normal( 0, 0.02 )", "normal(mean=0, std=0.02)"),
        ("normal(0,0.02,3)", "normal(mean=0, std=0.02)"),
        ("trunc_normal(0, 0.02, -2, 2)", "trunc_normal(mean=0, std=0.02, low=-2, high=2)"),
        ("kaiming_normal('fan_out')", "kaiming_normal(mode='fan_out')"),
        ("kaiming_normal('relu')", "kaiming_normal(nonlinearity='relu')"),
        (
            "kaiming_uniform(0, 'fan_in', 'relu')",
            "kaiming_uniform(a=0, mode='fan_in', nonlinearity='relu')",
        ),
        (
            "variance_scaling(2,'fan_in','normal')",
            "variance_scaling(scale=2, mode='fan_in', distribution='normal')",
        ),
        ("sparse(0.1, 0.01)", "sparse(sparsity=0.1, std=0.01)"),
        ("uniform(-1,1,3)", "uniform(-1, 1)"),
        ("zeros(1)", "zeros"),
    ],
)
def test_options_without_names_get_those_of_torchs_order(written: str, meant: str) -> None:
    error = error_of({"*.weight": written})
    assert str(error).endswith(
        f"\n  as written:   '*.weight': {written!r}\n  to paste:     '*.weight': " + (repr(meant))
    )


def test_of_more_values_than_options_the_message_says_which_there_are() -> None:
    message = str(error_of({"*": "normal(0, 0.02, 3)"}))
    assert message.startswith(
        "normal has the options mean, std, and 3 are given: normal(0, 0.02, 3)"
    )


@pytest.mark.parametrize(
    ("rules", "meant"),
    [
        ({"blocks.0": {"blocks.0.norm.bias": 0}}, "'blocks.0': {'norm.bias': 0}"),
        ({"blocks.0": {"blocks.0.norm": 0}}, "'blocks.0': {'norm.*': 0}"),
        ({"blocks.*": {"blocks.1.norm.bias": 0}}, "'blocks.*': {'norm.bias': 0}"),
        ({"blocks.1": {"norm": {"norm.bias": 0}}}, "'blocks.1': {'norm': {'bias': 0}}"),
        ({"blocks.0": {"norm": 0}}, "'blocks.0': {'norm.*': 0}"),
        ({"norm": 0}, "'*.norm.*': 0"),
        ({"blocks.?.norm": 0}, "'blocks.?.norm.*': 0"),
        ({"classifier.weight ": 0}, "'classifier.weight': 0"),
        ({".bias": 0}, "'*.bias': 0"),
        ({"blocks.{0,1}.norm": 0}, "'blocks.{0,1}.norm.*': 0"),
        ({"typ:Linear": 0}, "'type:Linear': 0"),
        ({"class:Linear": 0}, "'type:Linear': 0"),
        ({"layer:Linear": 0}, "'type:Linear': 0"),
        ({"regex:.*norm.*": 0}, "'re:.*norm.*': 0"),
        ({"blocks.2.*": 0}, "'blocks.1.*': 0"),
        ({"blocks.2": {"*": 0}}, "'blocks.1': {'*': 0}"),
        ({"blocks.-1.*": 0}, "'blocks.1.*': 0"),
        ({"blocks.2.norm": 0}, "'blocks.1.norm.*': 0"),
        ({"blocks[2].norm.bias": 0}, "'blocks.1.norm.bias': 0"),
        ({"bloks.7.norm.bias": 0}, "'blocks.1.norm.bias': 0"),
        ({"type:LN": 0}, "'type:LayerNorm': 0"),
        ({"type:Emb": 0}, "'type:Embedding': 0"),
        ({"in:Blk": {"*": 0}}, "'in:Block': {'*': 0}"),
    ],
)
def test_a_rule_that_matches_nothing_is_mended_by_the_models_own_words(
    rules: Any, meant: str
) -> None:
    error = error_of([rules, SPARE])
    assert error is not None and error.told().endswith(f"\n  to paste:     {meant}")
    assert error_of([pasted(error), SPARE]) is None


def test_what_several_classes_may_be_short_for_is_not_guessed() -> None:
    assert "to paste" not in str(error_of([{"type:L": 0}, SPARE]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            torch.float16,
            (
                "torch.float16 (dtype) is no way to start a parameter; rules say how values start, "
                "and model.to(torch.float16) what holds them\n  as written:   '*': torch.float16"
            ),
        ),
        (
            nn.Linear,
            (
                "the class Linear is no way to start a parameter; a class is a key: nn.Linear: "
                "'normal(std=0.02)'\n  as written:   '*': nn.Linear"
            ),
        ),
        (
            nn.Linear(2, 2),
            (
                "a Linear is no way to start a parameter; load_state_dict() copies the values of a "
                "module; to start one, its path is a key\n  as written:   "
                "'*': nn.Linear(in_features=2, out_features=2, bias=True)"
            ),
        ),
    ],
)
def test_a_value_that_starts_nothing_is_told_where_it_belongs(value: Any, message: str) -> None:
    assert str(error_of({"*": value})) == message


@pytest.mark.parametrize("value", [("normal", 0.02), ["normal", 0, 0.02], ("xavier_uniform", 1.4)])
def test_a_scheme_that_is_pulled_apart_is_told_to_be_one_text(value: Any) -> None:
    told = "the options of a scheme stand in one text with its name, as in 'normal(std=0.02)', not"
    assert str(error_of({"*.weight": value})).startswith(f"{told} beside it: {value!r}\n")


@pytest.mark.parametrize(
    "value", [{"normal": {"weight": 0.02}}, {"name": "normal"}, {"std": 0.02}, {"*": 0}]
)
def test_a_table_under_a_parameter_is_told_what_stands_there(value: Any) -> None:
    error = error_of([{"classifier.weight": value}, SPARE])
    assert error is not None and error.hint == (
        "; 'classifier.weight' is a parameter, and starts as one text says, such as "
        "'normal(std=0.02)'"
    )


def test_options_with_colons_are_written_as_a_call() -> None:
    error = error_of({"*.weight": "normal(std:0.02, mean : 0)"})
    assert error is not None
    assert error.told().endswith("to paste:     '*.weight': 'normal(std=0.02, mean=0)'")


def test_a_state_dict_in_place_of_rules_is_told_once() -> None:
    assert str(error_of(MODEL.state_dict())) == (
        "this table of 11 tensors is a state_dict and no rules: model.load_state_dict() copies its "
        "values, and apply_init(state_dict, rules) starts them"
    )


def test_what_prints_in_lines_is_told_by_its_type() -> None:
    assert str(error_of(torch.optim.SGD(MODEL.parameters()))) == (
        "cannot read rules from a SGD; rules are a dict, a list of dicts, a Rule, a Recipe, or the "
        "name of a recipe or scheme"
    )


def test_two_names_that_are_as_near_are_both_told_and_none_is_pasted() -> None:
    error = error_of("gpt3")
    assert "did you mean 'gptj' or 'gpt2'" in str(error) and "to paste" not in str(error)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert "to paste" not in str(plan_init(model, {"2.weight": 0}))


def test_a_mend_never_takes_the_place_of_another_rule_of_the_table() -> None:
    error = error_of({"*.wieght": "normal", "*.weight": "zeros", "*": "keep"})
    assert error is not None and "to paste" not in error.told()


@pytest.mark.parametrize(
    ("rules", "late"),
    [
        ({"*.weight": 1, "clasifier.weight": 0, "*": 2}, "clasifier.weight"),
        ({"*.weight": 1, "classifier.weight": 0, "*": 2}, "classifier.weight"),
        ({"*": 2, "blocks.0": {"norm.bias": 0}}, "blocks.0"),
    ],
)
def test_a_mend_that_would_decide_nothing_where_it_stands_takes_its_place_in_front(
    rules: dict[str, Any], late: str
) -> None:
    error = error_of(rules)
    assert error is not None
    last_line = error.told().splitlines()[-1]
    found = re.fullmatch(r"  to paste:     (.*)  and drop the old line", last_line)
    assert found is not None, last_line
    others = {key: value for key, value in rules.items() if key != late}
    assert error_of(eval(found[1], {"rules": others})) is None


@pytest.mark.parametrize(
    "rules",
    [
        {"clasifier.*": 0, "classifier.weight": 1, "classifier.bias": 2, "*": 3},
        {"classifier.*": 1, "clasifier.*": 0, "*": 2},
        [{"classifier.weight": 1}, {"clasifier.weight": 0, "*": 2}],
    ],
)
def test_a_mend_that_leaves_another_rule_nothing_is_not_pasted(rules: Any) -> None:
    error = error_of(rules)
    assert error is not None
    assert "to paste" not in error.told() and "would match:  classifier" in error.told()


def test_what_cannot_start_shows_the_rule_that_would_start_it() -> None:
    error = error_of({"classifier": {"bias": "xavier_uniform"}, "*": 0})
    assert error is not None
    assert error.told().endswith(
        "\n  as written:   'classifier': {'bias': 'xavier_uniform'}"
        "\n  to paste:     'classifier': {'bias': 0}"
    )


def test_an_argument_that_a_rule_or_recipe_has_not_is_told_as_an_option_is() -> None:
    with pytest.raises(OptionError) as caught:
        Rule("normal", nmae="*.weight")  # type: ignore[call-arg]
    assert str(caught.value).splitlines() == [
        "Rule has no option 'nmae'",
        "  as written:   Rule('normal', nmae='*.weight')",
        "  to paste:     Rule('normal', name='*.weight')",
    ]
    with pytest.raises(OptionError, match="Recipe has no option 'rulse'"):
        Recipe("mine", rulse={"*": 0})  # type: ignore[call-arg]
    with pytest.raises(OptionError, match=r"Rule lacks 'scheme'; it is called as Rule\(scheme, "):
        Rule()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "named", "meant"),
    [
        (("*.weight", "normal(std=0.02)"), {}, "Rule('normal(std=0.02)', name='*.weight')"),
        (("normal(std=0.02)", "*.weight"), {}, "Rule('normal(std=0.02)', name='*.weight')"),
        ((nn.Linear, "xavier_normal"), {}, "Rule('xavier_normal', type=nn.Linear)"),
        (("*.bias", 0), {"optional": True}, "Rule(0, name='*.bias', optional=True)"),
        (("*.bias",), {"name": "zeros"}, "Rule('zeros', name='*.bias')"),
        (("*.bias", "*.weight"), {}, ""),
        (("*.bias", 0), {"name": "fc.bias"}, ""),
        (("*.bias", 0), {"nmae": 1}, ""),
        (("*.bias",), {"name": "*.weight"}, ""),
    ],
    ids=str,
)
def test_a_rule_whose_key_stands_where_its_scheme_would_is_shown_turned(
    given: tuple[Any, ...], named: dict[str, Any], meant: str
) -> None:
    with pytest.raises(InitkitError) as caught:
        Rule(*given, **named)
    assert caught.value.advice[1:] == ((f"to paste:     {meant}",) if meant else ())


def test_all_slips_of_a_table_are_told_at_once() -> None:
    rules = [
        {"*.weight": "norml", "head": {"bias": "zerso"}, nn.Linear: {"weight": "eyee"}},
        "resnxt",
    ]
    with pytest.raises(RuleError) as caught:
        plan_init(MODEL, rules)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 rules cannot be read"
    assert [line for line in lines if "as written" in line] == [
        "       as written:   '*.weight': 'norml'",
        "       as written:   'head': {'bias': 'zerso'}",
        "       as written:   nn.Linear: {'weight': 'eyee'}",
        "       as written:   'resnxt'",
    ]
    assert [type(error).__name__ for error in caught.value.errors] == ["UnknownNameError"] * 4


def test_of_very_many_slips_the_first_are_told() -> None:
    with pytest.raises(RuleError, match=r"^20 rules cannot be read \(and those behind were not"):
        plan_init(MODEL, {f"{i}": "norml" for i in range(1000)})


def test_a_table_that_contains_itself_shows_no_line() -> None:
    table: dict[Any, Any] = {}
    table[5] = table
    with pytest.raises(RuleError, match="5 is no key") as caught:
        plan_init(MODEL, table)
    assert caught.value.advice == ()


def test_a_rule_that_cannot_be_made_shows_its_call() -> None:
    with pytest.raises(InitkitError) as caught:
        Rule("normal(sdt=1)", name="a.*", optional=True)
    assert caught.value.advice == (
        "as written:   Rule('normal(sdt=1)', name='a.*', optional=True)",
        "to paste:     Rule('normal(std=1)', name='a.*', optional=True)",
    )
    with pytest.raises(
        InitkitError, match="layout 'input out': 'input' is no axis word\n"
    ) as caught:
        Rule(0, layout="input out")
    assert caught.value.advice[1] == "to paste:     Rule(0, layout='in out')"
    with pytest.raises(RuleError, match="not 'a:'\n  as written:   Rule") as caught:
        Rule(0, rows="a:")
    assert len(caught.value.advice) == 1


# ----------------------------------------------------------------------- arguments and options


def test_options_of_functions_and_decorators_show_what_to_paste() -> None:
    with pytest.raises(InitkitError) as caught:
        apply_init(MODEL, SPARE, sede=1)  # type: ignore[call-arg]
    assert caught.value.advice == ("as written:   sede=1", "to paste:     seed=1")
    with pytest.raises(InitkitError) as caught:
        initialized(SPARE, idle="ignoer")  # type: ignore[arg-type]
    assert caught.value.advice == ("as written:   idle='ignoer'", "to paste:     idle='ignore'")


@pytest.mark.parametrize(
    ("value", "mended"),
    [
        ("classifier.wieght", "only='classifier.weight'"),
        (["*.bias", "classifer"], "only=['*.bias', 'classifier']"),
        ("type:Linaer", "only='type:Linear'"),
        ("LayerNorm", "only='type:LayerNorm'"),
        (re.compile("class"), "only='re:class.*'"),
        (["a", "b", "c", "d", "*.biass"], "'*.bias'"),
    ],
)
def test_an_entry_of_only_that_takes_nothing_shows_what_to_paste(value: Any, mended: str) -> None:
    problem = plan_init(MODEL, SPARE, only=value).problems[-1]
    assert problem.told().endswith(f"\n  to paste:     {mended}")


# --------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("name", "text", "line", "mended"),
    [
        ("a.toml", "[rules]\n'*.weight' = 'normal(sdt=1)'\n", 2, "'*.weight' = 'normal(std=1)'"),
        ("a.toml", '[rules]\n"a" = {scheme="norml"}\n', 2, '"a" = {scheme="normal"}'),
        ("a.toml", "[rules]\nb=0\n[rules.a]\nb='norml'\n", 4, "b='normal'"),
        ("a.toml", "nmae = 'x'\n[rules]\n'*' = 0\n", 1, "name = 'x'"),
        ("a.json", '{"rules":\n {"*": "norml"}}\n', 2, '{"*": "normal"}}'),
        ("a.json", '{"rules": [\n "resnxt"]}\n', 2, '"resnext"]}'),
        ("a.toml", "[[rules]]\nscheme=0\nlayout='input out'\n", 3, "layout='in out'"),
    ],
)
def test_an_error_in_a_file_shows_its_line(
    name: str, text: str, line: int, mended: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load_recipe(path)
    error = caught.value
    assert (error.line, error.advice[-1]) == (line, f"to paste:     {mended}")
    lines = text.splitlines()
    lines[line - 1] = mended
    path.write_text("\n".join(lines))
    load_recipe(path)


def test_all_slips_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[rules]\n'a' = 'norml'\n'b' = 'normal(sdt=1)'\n'c' = 'normal(std=-1)'\n")
    with pytest.raises(FileError) as caught:
        load_recipe(path)
    assert [error.line for error in caught.value.errors] == [2, 3, 4]  # type: ignore[attr-defined]
    said = str(caught.value)
    assert said.startswith(f"{path}: 3 rules cannot be read\n  1. {path}:2: there is no scheme")
    assert said.count("to paste") == 2


def test_a_rule_of_a_file_that_matches_nothing_is_shown_as_the_file_spells_it(
    tmp_path: Path,
) -> None:
    rules = {"*.wieght": "normal(std=1)", "type:Linaer": {"bias": 0}}
    (tmp_path / "a.json").write_text(json.dumps({"rules": rules}))
    (tmp_path / "a.toml").write_text(
        "[rules]\n'*.wieght' = 'normal(std=1)'\n[rules.'type:Linaer']\nbias = 0\n"
    )
    told = {
        path.suffix: [p.advice[-1] for p in plan_init(MODEL, load_recipe(path)).problems]
        for path in tmp_path.iterdir()
    }
    assert told == {
        ".json": [
            'to paste:     "*.weight": "normal(std=1)"',
            'to paste:     "type:Linear": {"bias": 0}',
        ],
        ".toml": [
            'to paste:     "*.weight" = "normal(std=1)"',
            'to paste:     "type:Linear" = { "bias" = 0 }',
        ],
    }


# ------------------------------------------------------------------------------------- the law

SOUND: tuple[tuple[Any, ...], ...] = (
    ("*.weight", "normal(std=0.02, mean=0)"),
    ("blocks.*.attention.weight", "kaiming_normal(mode='fan_out', nonlinearity='relu')"),
    ("type:Linear", {"weight": "xavier_uniform(gain='tanh')", "bias": "zeros"}),
    ("classifier", {"weight": "trunc_normal(std=1/sqrt(fan_in))", "bias": 0}),
    ("in:Block", {"norm.weight": "ones"}),
    ("re:.*norm.bias", "constant(value=1)"),
    ("embedding.weight", "normal(std=config.initializer_range)"),
)


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every text in a line of a table; of a key its place ends with None."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for place, (_, one) in enumerate(value.items()):
            yield (*path, (place, 0))
            yield from texts(one, (*path, (place, 1)))


def with_text(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(value)
    (place, side), *rest = path
    pairs = [list(pair) for pair in value.items()]
    pairs[place][side] = with_text(pairs[place][side], tuple(rest), change)
    return dict(pairs)


@st.composite
def slips(draw: st.DrawFn) -> Any:
    """Draw a sound table with one letter of it left out, doubled, changed, or two exchanged."""
    key, value = draw(st.sampled_from(SOUND))
    table = {key: value}
    path = draw(st.sampled_from(list(texts(table))))
    how = draw(st.sampled_from(["left out", "doubled", "changed", "exchanged"]))
    at = draw(st.integers(0, 60))
    letter = draw(st.sampled_from("aeinrst"))

    def slip(text: str) -> str:
        letters = [i for i, c in enumerate(text) if c.isalpha()]
        i = letters[at % len(letters)]
        swapped = text[:i] + text[i + 1 : i + 2] + text[i] + text[i + 2 :]
        return {
            "left out": text[:i] + text[i + 1 :],
            "doubled": text[:i] + text[i] + text[i:],
            "changed": text[:i] + letter + text[i + 1 :],
            "exchanged": swapped,
        }[how]

    return with_text(table, path, slip)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(slips())
def test_what_a_one_letter_slip_is_told_to_paste_is_a_rule_that_works(table: Any) -> None:
    error = error_of([table, SPARE])
    line = pasted(error) if error is not None else None
    if error is None or line is None:
        return
    left = error_of([line, SPARE])
    # What can be read may have another slip in it, which the model alone shows.
    assert left is None or (isinstance(error, ReadError) and not isinstance(left, ReadError))
    assert left is None or error_of([pasted(left), SPARE]) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *[("k_proj", "q_proj"), ("fc2", "fc1"), ("encoder", "decoder"), ("w1", "w3")],
        *[("h.2", "h.1"), ("gauss", "pegasus"), ("rand", "radio"), ("poisson", "pissa")],
    ],
)
def test_a_word_that_means_something_else_is_no_mend(name: str, known: str) -> None:
    assert clearly_nearest(name, [known, "unlike"]) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("wieght", "weight"),
        ("q_porj", "q_proj"),
        ("encodr", "encoder"),
        ("fc", "fc1"),
        ("sdt", "std"),
        ("ortho", "orthogonal"),
    ],
)
def test_a_slip_of_the_fingers_has_a_mend(name: str, known: str) -> None:
    assert clearly_nearest(name, [known, "unlike"]) == known


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plan_init(MODEL, {"*": "normal"}, strict="yes"), "strict must be True or False"),
        (lambda: plan_init("gpt2", MODEL), "the model comes first, and rules after it"),
        (lambda: plan_init(torch.optim.SGD(MODEL.parameters(), lr=1), {}), "not a SGD"),
        (lambda: plan_init(MODEL, {nn.Linear(2, 2): 0}), "to paste:     nn.Linear: 0"),
        (lambda: plan_init(MODEL, {lambda slot: True: 0}), r"in a rule: Rule\(scheme, where=...\)"),
        (lambda: plan_init(MODEL, "pytorch_default"), "to paste:     'torch_default'"),
        (lambda: plan_init(MODEL, {"*": "uniform(0.1, -0.1)"}), r"paste: .*'uniform\(-0.1, 0.1\)'"),
        (lambda: record_init(MODEL), r"built already; .* record_init\(lambda: Net\(...\)\)"),
        (lambda: init_(torch.empty(2), "norml"), "'norml'\n  as written:   'norml'\n"),
        (lambda: save_recipe("x.toml", {"*": 0}), "named by a text or a Path, not by a dict"),
        (lambda: load_recipe(3), "named by a text or a Path, not by a int"),
    ],
)
def test_a_slip_of_a_newcomer_is_told_with_the_way_out(
    call: Callable[[], object], text: str
) -> None:
    with pytest.raises(InitkitError, match=text):
        call()


def test_a_rule_that_nothing_is_like_is_shown_as_it_was_written() -> None:
    error = error_of({nn.Conv3d: "kaiming_normal", "*": 0})
    assert error is not None
    assert error.told().endswith("\n  as written:   nn.Conv3d: 'kaiming_normal'")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("torch.nn.init.normal_", "normal"),
        ("nn.init.normal_(std=0.02)", "normal(std=0.02)"),
        ("normal_(0, 0.02)", "normal_(mean=0, std=0.02)"),  # in torch's order
        ("N(0, 0.02)", "normal(mean=0, std=0.02)"),  # as plans print it
        ("U(-0.1, 0.1)", "uniform(-0.1, 0.1)"),
        ("skip", "keep"),
        ("default", "torch_default"),
    ],
)
def test_a_value_in_the_words_of_torch_or_of_a_plan_is_mended(written: str, meant: str) -> None:
    error = error_of({"embedding.weight": written, **SPARE})
    assert error is not None and pasted(error) == {"embedding.weight": meant}


@pytest.mark.parametrize(
    ("written", "family"),
    [("bert-base-uncased", "bert"), ("vit_base", "vit"), ("gpt2/huggingface", "gpt2")],
)
def test_the_name_of_a_checkpoint_means_its_family(written: str, family: str) -> None:
    error = error_of(written)
    assert error is not None and error.told().endswith(f"to paste:     {family!r}")
    if "/" in written:  # as recipes alone are called, wherever they stand
        error = error_of({"blocks": written})
        assert error is not None and error.told().endswith(f"to paste:     'blocks': {family!r}")


def test_a_file_for_rules_is_told_to_be_loaded() -> None:
    error = error_of("rules.yaml")
    assert error is not None and "are read by load_recipe(path)." in error.told()
    error = error_of("a/rules.toml")
    assert error is not None and error.told().endswith("are read by load_recipe('a/rules.toml').")
    assert str(error_of(Path("a") / "rules.toml")) == (
        "a/rules.toml is a path: load_recipe('a/rules.toml') reads rules in a file"
    )
