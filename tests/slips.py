"""Slips that users make, each with the line that errors show of it, and what runs such a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from initkit import (
    Rule,
    apply_init,
    describe_recipe,
    find_tied_parameters,
    first,
    last,
    plan_init,
    schemes,
)
from initkit.errors import InitkitError
from initkit.rules.globs import spelt_out
from initkit.rules.recipe_files import load_recipe


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 4)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.mlp = MLP()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(8, 4)
        self.conv = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList([Block() for _ in range(4)])
        self.fc = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)


def model_of(*globs: str) -> nn.Module:
    """Return a model with a layer at each of these paths, called as published models call theirs.

    Layers called norm, bn or ln have one dimension.
    """
    root = nn.Module()
    for path in (path for glob in globs for path in spelt_out(glob)):
        *around, own = path.split(".")
        module = root
        for part in around:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = getattr(module, part)
        norm = re.match("norm|bn|ln", own) is not None
        module.add_module(own, nn.LayerNorm(4) if norm else nn.Linear(4, 4))
    return root


GPT2 = model_of("transformer.h.{0..11}.{attn.c_attn,attn.c_proj,mlp.c_proj,ln_1}", "lm_head")
LLAMA = model_of(
    "model.layers.{0..3}.self_attn.{q,k,v,o}_proj",
    "model.layers.{0..3}.{mlp.up_proj,mlp.down_proj,norm}",
)
RESNET = model_of("{conv1,bn1}", "layer{1..4}.{0,1}.{conv1,bn1,conv2,bn2}", "fc")
ENCODER = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 4)


class Style(Enum):
    SMALL = "normal(std=0.02)"


@dataclass
class Options:
    std: float = 0.02


MODEL = Net()


def plan(rules: Any, model: nn.Module = MODEL, **options: Any) -> None:
    """Plan rules for the model, or raise what is wrong."""
    plan_init(model, rules, **options).check()


def start(*arguments: Any, **options: Any) -> None:
    """Plan and write a copy of the model."""
    apply_init(*arguments, **options)


KNOWN = {
    **{one.__name__: one for one in (Rule, first, last, partial, Path, Style, Options, plan)},
    "apply_init": start,
    "plan_init": plan_init,
    "Net": Net,
    "load_recipe": load_recipe,
    "describe_recipe": describe_recipe,
    "schemes": schemes,
    "nn": nn,
    "torch": torch,
    "np": np,
    "re": re,
    "model": MODEL,
    "GPT2": GPT2,
    "LLAMA": LLAMA,
    "RESNET": RESNET,
    "ENCODER": ENCODER,
    "BUFFERED": nn.ModuleDict({"norm": nn.BatchNorm1d(4)}),
    "find_tied_parameters": find_tied_parameters,
}


class Slip(NamedTuple):
    """A line of a program with a slip in it, what stands around it, and how errors show it."""

    line: str
    around: str = "plan({<>, '*': 'keep'})"
    written: str = ""

    def error(self, line: str, **known: Any) -> InitkitError | None:
        """Return what is raised where a line stands in place of this one."""
        try:
            eval(self.around.replace("<>", line), {**KNOWN, **known})
        except InitkitError as error:
            return error
        return None

    def pasted(self, line: str) -> InitkitError | None:
        """Return what is raised where a line to paste stands where its text says."""
        if (option := line.removesuffix("  with your rules as they are")) != line:
            return Slip(self.line, f"{self.around[:-1]}, {option})").error(self.line)
        ahead, _, how = line.partition("]  ")
        if not how:
            return self.error(line)
        rules = eval(
            re.sub(r"^plan\(|(, [A-Z]\w+)?\)$", "", self.around).replace("<>", self.line), KNOWN
        )
        if how == "and drop the old line":
            old = eval(f"{{{self.line}}}", KNOWN)
            rules = {key: value for key, value in rules.items() if key not in old}
        on = re.search(r", ([A-Z]\w+)\)$", self.around)
        around = f"plan(<>, {on[1]})" if on else "plan(<>)"
        return Slip(f"{ahead}]", around).error(f"{ahead}]", rules=rules)


_TOLD = re.compile(r"^\s*(?:to paste|or): +(.*)$", re.MULTILINE)


def to_paste(error: InitkitError) -> list[str]:
    """Return the lines that the text of an error offers."""
    return _TOLD.findall(str(error))


def trouble(slip: Slip) -> Iterator[str]:
    """Yield what is wrong with the answer that a slip gets: nothing where it can be pasted."""
    error = slip.error(slip.line)
    if error is None:
        yield "it is no slip"
        return
    written = f"as written:   {slip.written or slip.line}"
    if not any(line.strip() == written for line in str(error).splitlines()):
        yield f"the line is not shown as {written!r}:\n{error}"
    lines = to_paste(error)
    if not lines:
        yield f"there is nothing to paste:\n{error}"
    for line in lines:
        left = slip.pasted(line)
        if left is not None and not to_paste(left):
            yield f"{line!r} leads to a question without an answer:\n{left}"
        for further in to_paste(left) if left is not None else ():
            if (last_one := slip.pasted(further)) is not None:
                yield f"{line!r}, then {further!r} leads to\n{last_one}"


ALONE = "plan([{<>}, {'*': 'keep'}])"
OPTION = "plan({'*': 'keep'}, <>)"
RULE = "plan([<>, {'*': 'keep'}])"
SEEDED = "apply_init(model, {'*': 'keep'}, <>)"

ON_GPT2 = "plan({<>, '*': 'keep'}, GPT2)"
ON_LLAMA = "plan({<>, '*': 'keep'}, LLAMA)"
ON_RESNET = "plan({<>, '*': 'keep'}, RESNET)"
ON_ENCODER = "plan({<>, '*': 'keep'}, ENCODER)"

FIRST = re.compile(r"  as the first of .*; drop the old line$")


class FileSlip(NamedTuple):
    """A line of a file of rules with a slip in it, and what stands around it."""

    line: str
    around: str = '[rules]\n<>\n"*" = "keep"\n'
    suffix: str = ".toml"

    def error(self, text: str, folder: Path) -> InitkitError | None:
        """Return what is raised of a file that has this text."""
        path = folder / f"rules{self.suffix}"
        path.write_text(text)
        try:
            plan(load_recipe(path))
        except InitkitError as error:
            return error
        return None

    def trouble(self, folder: Path) -> Iterator[str]:
        """Yield what is wrong with the answer that it gets."""
        error = self.error(self.around.replace("<>", self.line), folder)
        lines = to_paste(error) if error is not None else []
        if not lines:
            yield f"there is nothing to paste:\n{error}"
        for line in lines:
            text = self.around.replace("<>", line)
            if (moved := FIRST.sub("", line)) != line:
                head, end = ("[rules]\n", "\n") if self.suffix == ".toml" else ('{"rules": {', ", ")
                others = self.around.removeprefix(head).replace(", <>", "").replace("<>", "")
                text = f"{head}{moved}{end}{others}"
            if (left := self.error(text, folder)) is not None:
                yield f"{line!r} leads to\n{left}"


LATE = '[rules]\n"*" = "keep"\n<>\n'
JSON = '{"rules": {<>, "*": "keep"}}'

FILE_SLIPS = {
    "a quote that does not end": FileSlip('"*.weight" = "normal(std=0.02)'),
    "a quote of a key that does not end": FileSlip('"*.weight = "normal(std=0.02)"'),
    "a single quote that does not end": FileSlip("'*.weight' = 'normal(std=0.02)"),
    "a glob without quotes": FileSlip('*.weight = "normal(std=0.02)"'),
    "a colon": FileSlip('"fc.weight": "normal(std=0.02)"'),
    "YAML": FileSlip("fc.weight: normal(std=0.02)"),
    "a text without quotes": FileSlip('"fc.weight" = normal(std=0.02)'),
    "a comma": FileSlip('"fc.weight" = "normal",'),
    "Python's None": FileSlip('"fc.weight" = None'),
    "Python's True": FileSlip('"fc.weight" = True'),
    "a truth": FileSlip('"fc.weight" = true'),
    "a point first": FileSlip('"fc.bias" = .1'),
    "a bracket": FileSlip("[rules", '<>\n"*" = "keep"\n'),
    "a section's name": FileSlip("[rule]", '<>\n"*" = "keep"\n'),
    "a list of a scheme": FileSlip('"fc.weight" = ["normal", 0.02]'),
    "a table of a scheme": FileSlip('"fc.weight" = {name = "normal", std = 0.02}'),
    "options alone": FileSlip('"fc.weight" = { "std" = 0.02 }'),
    "a name": FileSlip('"fc.wieght" = 0'),
    "a rule below its match": FileSlip('"fc.weight" = 0', LATE),
    "a table below its match": FileSlip("[rules.fc]\nweight = 0", LATE),
    "JSON's last comma": FileSlip('"*": 0,', '{"rules": {\n<>\n}}', ".json"),
    "JSON in single quotes": FileSlip("{'rules': {'fc.weight': 0}}", "<>", ".json"),
    "JSON's None": FileSlip('"fc.weight": None,', '{"rules": {\n<>\n"*": 0}}', ".json"),
    "JSON's quote": FileSlip('"fc.weight": "normal', '{"rules": {"*.bias": 0,\n<>\n}}', ".json"),
    "a comment in JSON": FileSlip('"fc.bias": 0 // none', '{"rules": {\n<>\n}}', ".json"),
    "no comma in JSON": FileSlip('"*.weight": 1', '{"rules": {\n<>\n"*": 0}}', ".json"),
    "a rule of JSON below its match": FileSlip(
        '"fc.bias": 0', '{"rules": {"*": "keep", <>}}', ".json"
    ),
    "a scheme in JSON": FileSlip('"fc.bias": "zerso",', '{"rules": {\n<>\n"*": 0}}', ".json"),
}  # fmt: skip

SLIPS = {
    # ------------------------------------------------------------------ keys that are no names
    "a module for its weights": Slip("'head': 'xavier_uniform'"),
    "a module of modules": Slip("'blocks': 'orthogonal'"),
    "a module for a constant": Slip("'head': 0"),
    "a module for another's scheme": Slip("'head': 'dirac'"),
    "a scheme of other matrices": Slip("'conv.*': 'eye'"),
    "a module as key": Slip("model.fc: 'xavier_uniform'"),
    "a module as key of a constant": Slip("model.blocks[1].norm: 0"),
    "a module as key of a table": Slip("model.fc: {'weight': 'normal'}"),
    "a container as key": Slip("model.blocks: 'normal(std=0.02)'"),
    "the model as key": Slip("model: 'normal(std=0.02)'", "plan({<>})"),
    "a layer of no model": Slip(
        "nn.Linear(2, 2): 'xavier_uniform'",
        written="nn.Linear(in_features=2, out_features=2, bias=True): 'xavier_uniform'",
    ),
    "a parameter as key": Slip("model.fc.weight: nn.init.zeros_"),
    "a module within a scope": Slip("'blocks': {model.blocks[0].norm: 0}"),
    "names with a comma": Slip("'fc.weight, head.weight': 0"),
    "names with semicolons": Slip("'fc.weight; head.weight; conv.weight': 0"),
    "a tuple of names": Slip("('fc.weight', 'head.weight'): 'normal'"),
    "a tuple of one name": Slip("('fc.weight',): 'normal'"),
    "a class by its whole name": Slip("'type:torch.nn.Linear': 'normal'"),
    "a scheme and its key exchanged": Slip("'xavier_uniform': '*.weight'"),
    "options and their key exchanged": Slip("'normal(std=0.02)': 'fc.weight'"),
    "a number and its key exchanged": Slip("0: '*.bias'"),
    "a scheme and its class exchanged": Slip("'xavier_uniform': nn.Linear"),
    "blocks beyond the last": Slip("'blocks.{4,5}.norm.bias': 0"),
    "a range of blocks beyond the last": Slip("'blocks.{4..6}.norm.bias': 0"),
    "the last layer under a class": Slip("'in:MLP': {'last': 0}"),
    "the first layer's weight under a class": Slip("'in:MLP': {'first': {'weight': 0}}"),
    "Keras's gamma": Slip("nn.LayerNorm: {'gamma': 1}"),
    "Keras's beta": Slip("nn.LayerNorm: {'beta': 0}"),
    "Flax's kernel": Slip("'*.kernel': 'lecun_normal'"),
    "Flax's scale": Slip("'*.norm.scale': 1"),
    # --------------------------------------------------------------- schemes that are pulled apart
    "a tuple of a scheme": Slip("'fc.weight': ('normal', 0.02)"),
    "a list of a scheme": Slip("'fc.weight': ['normal', 0.02]"),
    "a scheme and a dict": Slip("'fc.weight': ('normal', {'std': 0.02})"),
    "options alone": Slip("'fc.weight': {'std': 0.02}"),
    "options without a name": Slip(
        "'fc.weight': {'mean': 0.1, 'std': 0.02}", written="'fc.weight': {'mean': 0.1}"
    ),
    "a name and options": Slip("'fc.weight': {'name': 'normal', 'std': 0.02}"),
    "a dict by the scheme's name": Slip("'fc.weight': {'normal': {'std': 0.02}}"),
    "MMEngine's init_cfg": Slip("'fc.weight': {'type': 'Normal', 'std': 0.02}"),
    "MMEngine's for a layer": Slip("'type': 'Kaiming', 'layer': 'Conv2d'", ALONE),
    "AllenNLP's": Slip("'fc.weight': {'type': 'uniform', 'a': -1, 'b': 1}"),
    "Hydra's": Slip("'fc.weight': {'_target_': 'torch.nn.init.normal_', 'std': 0.02}"),
    "schemes in a list": Slip("'fc.weight': ['normal', 'zeros']"),
    # ------------------------------------------------------------------------- calls in texts
    "a variance": Slip("'fc.weight': 'normal(mean=1, var=0.1)'"),
    "a bound": Slip("'fc.weight': 'uniform(bound=0.1)'"),
    "the std of a uniform law": Slip("'fc.weight': 'uniform(std=1/sqrt(3))'"),
    "a blank in a number": Slip("'fc.weight': 'normal(std=1e -3)'"),
    "no value": Slip("'fc.weight': 'constant'"),
    "a decimal comma": Slip("'fc.weight': 'normal(std=0,02)'"),
    "no parentheses": Slip("'fc.weight': 'normal std=0.02'"),
    "a colon before options": Slip("'fc.weight': 'normal: std=0.02'"),
    "a parenthesis too many": Slip("'fc.weight': 'normal(std=.02))'"),
    "a parenthesis too few": Slip("'fc.weight': 'normal(std=.02'"),
    "square brackets": Slip("'fc.weight': 'normal[std=.02]'"),
    "braces": Slip("'fc.weight': 'normal{std=.02}'"),
    "two equals": Slip("'fc.weight': 'normal(std==.02)'"),
    "a semicolon between options": Slip("'fc.weight': 'normal(mean=0; std=.02)'"),
    "nothing between options": Slip("'fc.weight': 'normal(mean=0 std=.02)'"),
    "quotes within quotes": Slip("'fc.weight': '\"normal(std=.02)\"'"),
    "one letter of an option": Slip("'fc.weight': 'trunc_normal(ztd=.02)'"),
    "an option without its name": Slip("'fc.weight': 'normal(.02)'"),
    "an option that is a formula": Slip("'fc.weight': 'orthogonal(sqrt(2))'"),
    "C's float": Slip("'fc.weight': 'normal(std=2e-2f)'"),
    "a root sign": Slip("'fc.weight': 'kaiming_uniform(a=√5)'"),
    "a caret": Slip("'fc.weight': 'normal(std=fan_in^-0.5)'"),
    "math's root": Slip("'fc.weight': 'normal(std=1/math.sqrt(fan_in))'"),
    "math's root without a name": Slip("'fc.weight': 'kaiming_uniform(math.sqrt(5))'"),
    "numpy's root": Slip("'fc.weight': 'normal(std=1/np.sqrt(fan_in))'"),
    "calculate_gain": Slip("'fc.weight': 'orthogonal(gain=calculate_gain(\"relu\"))'"),
    "a percentage": Slip("'fc.weight': 'normal(std=2%)'"),
    "the layers of a head": Slip("'head.weight': 'normal(std=0.02/sqrt(n_layer))'"),
    "the layers of blocks": Slip("'blocks.*.weight': 'normal(std=0.02/sqrt(n_layer))'"),
    "the layers of anything": Slip("'*.attn.weight': 'normal(std=0.02/sqrt(2*num_layers))'"),
    # ------------------------------------------------------------------ values that start nothing
    "yes": Slip("'fc.weight': True"),
    "no": Slip("'fc.bias': False"),
    "None": Slip("'fc.bias': None"),
    "a tensor": Slip("'fc.bias': torch.tensor([0., 0., 0., 1.])"),
    "an array": Slip("'fc.bias': np.array([0, 0, 0, 1])"),
    "an enum": Slip("'fc.weight': Style.SMALL"),
    "a path": Slip("'fc.weight': Path('normal')"),
    "a partial with a slip": Slip("'fc.weight': partial(nn.init.trunc_normal_, ztd=0.02)"),
    "a misspelt none": Slip("'fc.weight': 'null'"),
    # ---------------------------------------------------------------------- names from elsewhere
    "Keras's option": Slip("'fc.weight': 'normal(stddev=0.02)'"),
    "Keras's class": Slip("'fc.weight': 'RandomNormal(mean=0., stddev=0.02)'"),
    "Keras's truncated class": Slip("'fc.weight': 'TruncatedNormal(stddev=0.02)'"),
    "a class with its options": Slip("'fc.weight': 'Normal(0, .02)'"),
    "JAX's path": Slip("'fc.weight': 'jax.nn.initializers.normal(0.02)'"),
    "JAX's variance_scaling": Slip(
        "'fc.weight': 'variance_scaling(2.0, \"fan_in\", \"truncated_normal\")'"
    ),
    "scipy's options": Slip("'fc.weight': 'normal(loc=0, scale=.02)'"),
    "a Greek letter": Slip("'fc.weight': 'normal(sigma=.02)'"),
    "bounds of elsewhere": Slip("'fc.weight': 'uniform(minval=-1, maxval=1)'"),
    "const": Slip("'fc.bias': 'const(0.1)'"),
    "fill": Slip("'fc.bias': 'fill(0.1)'"),
    "frozen": Slip("'fc.weight': 'frozen'"),
    "rows on the sphere": Slip("'fc.weight': 'unit_norm'"),
    # ------------------------------------------------------------------------ calls and options
    "a seed as a text": Slip("seed='0'", SEEDED),
    "a seed as a float": Slip("seed=1.5", SEEDED),
    "a seed as a truth": Slip("seed=True", SEEDED),
    "a seed as a tensor": Slip("seed=torch.tensor(1)", SEEDED),
    "rules before the model": Slip("apply_init({'*': 'keep'}, model)", "<>"),
    "a recipe before the model": Slip("plan_init('xavier_uniform', model)", "<>"),
    "a prefix as a number": Slip("prefix=1", "apply_init(model, {'*': 'keep'}, seed=0, <>)"),
    "strict as a number": Slip("strict=1", OPTION),
    "strict as a text": Slip("strict='false'", OPTION),
    # --------------------------------------------------------------------------- of many kinds
    "AllenNLP's regular expression": Slip("'.*attn.*weight': 'normal'"),
    "anchors": Slip("'^blocks.*bias$': 0"),
    "a backslash": Slip(r"r'blocks\.\d+\.norm\.bias': 0"),
    "a pattern that is searched": Slip("re.compile('norm'): 0"),
    "a dot at the end": Slip("'blocks.0.': 0"),
    "slashes": Slip("'blocks/*/norm/bias': 0"),
    "capitals": Slip("'Blocks.*.norm.bias': 0"),
    "a capital at the end": Slip("'fc.Weight': 0"),
    "a name of self": Slip("'self.fc.weight': 0"),
    "a name of the model": Slip("'model.blocks[0].norm.bias': 0"),
    "a wrapper's name": Slip("'module.fc.weight': 0"),
    "the name of a checkpoint's table": Slip("'state_dict.fc.weight': 0"),
    "a class's name": Slip("'Linear': 'xavier_uniform'"),
    "a class's name in torch": Slip("'nn.Linear': 'xavier_uniform'"),
    "a class's whole name": Slip("'torch.nn.Linear': 'xavier_uniform'"),
    "a class's parameter": Slip("'nn.Linear.bias': 0"),
    "bytes": Slip("b'fc.weight': 0"),
    "a path as key": Slip("Path('fc.weight'): 0"),
    "blanks": Slip("' fc.weight ': 'normal'"),
    "a line break": Slip(r"'fc.weight\n': 'normal'"),
    "a distribution of torch": Slip(
        "'fc.weight': torch.distributions.Normal(0, 0.02)", written="'fc.weight': Normal(...)"
    ),
    "options under a class": Slip("nn.Linear: {'weight': {'std': 0.02}}"),
    "a mode without its name": Slip("'fc.weight': 'kaiming_normal(fan_out)'"),
    "a nonlinearity without its name": Slip("'fc.weight': 'kaiming_normal(relu)'"),
    "a gain without quotes": Slip("'fc.weight': 'xavier_uniform(gain=rellu)'"),
    "a fraction without its name": Slip("'fc.weight': 'xavier_uniform(5/3)'"),
    "a layer's number": Slip("'blocks.*.attn.weight': 'normal(std=0.02/sqrt(layer_id+1))'"),
    "a depth": Slip("'blocks.*.attn.weight': 'normal(std=0.02/sqrt(2*depth))'"),
    "a length": Slip("'blocks.*.attn.weight': 'normal(std=0.02/sqrt(len(blocks)))'"),
    "fans without a line": Slip("'fc.weight': 'normal(std=1/sqrt(fanin))'"),
    "an attribute of the layer": Slip("'fc.weight': 'normal(std=1/sqrt(in_features))'"),
    "a size": Slip("'fc.weight': 'normal(std=1/sqrt(size[1]))'"),
    "a shape in parentheses": Slip("'fc.weight': 'normal(std=1/sqrt(shape(1)))'"),
    "a power": Slip("'fc.weight': 'normal(std=pow(fan_in, -0.5))'"),
    "ten to a power": Slip("'fc.weight': 'normal(std=2*10^-2)'"),
    "Megatron's": Slip("'fc.weight': 'init_method_normal(0.02)'"),
    "Keras's initializer": Slip("'fc.weight': 'he_uniform_initializer'"),
    "Keras's VarianceScaling": Slip(
        "'fc.weight': \"VarianceScaling(scale=2., distribution='normal')\""
    ),
    "Flax's": Slip("'fc.weight': 'nn.initializers.lecun_normal()'"),
    "Flax's zeros": Slip("'fc.bias': 'zeros_init()'"),
    "TensorFlow's": Slip("'fc.weight': 'tf.keras.initializers.GlorotUniform()'"),
    "Paddle's": Slip("'fc.weight': 'XavierInitializer()'"),
    "MMCV's": Slip("'fc.weight': 'xavier_init'"),
    "a printer's minus": Slip("'fc.weight': 'uniform(\N{MINUS SIGN}0.1, 0.1)'"),
    "a printer's quotes": Slip(
        "'fc.weight': 'kaiming_normal(mode=\N{LEFT DOUBLE QUOTATION MARK}fan_out"
        "\N{RIGHT DOUBLE QUOTATION MARK})'"
    ),
    "a rule by init": Slip("Rule(name='fc.weight', init='normal')", RULE),
    "a rule by names": Slip("Rule('normal', names='fc.weight')", RULE),
    "a rule by pattern": Slip("Rule('normal', pattern='fc.weight')", RULE),
    "a rule by cls": Slip("Rule('normal', cls=nn.Linear)", RULE),
    "a rule of two names": Slip("Rule('normal', name=['fc.weight', 'head.weight'])", RULE),
    "a rule of a class's name in torch": Slip("Rule('normal', type='nn.Linear')", RULE),
    "an answer to a tie": Slip("on_tie_conflict='frist'", OPTION),
    "a choice that there is not": Slip("idle='warn'", OPTION),
    "a misspelt name in only": Slip("only='fc.wieght'", OPTION),
    "a class in only": Slip("only='Linear'", OPTION),
    "a parameter in only": Slip("only=model.fc.weight", OPTION),
    "parameters in protect": Slip("protect=[model.fc.weight, model.fc.bias]", OPTION),
    "scikit-learn's seed": Slip("random_state=0", SEEDED),
    "another device": Slip("device='gpu'", "apply_init(model, {'*': 'keep'}, seed=0, <>)"),
    "a function for all": Slip("nn.init.xavier_uniform_", "plan(<>)"),
    "a number for all": Slip("0.1", "plan(<>)"),
    # -------------------------------------------------------- globs with a segment that is amiss
    "a prefix left out": Slip("'h.*.attn.c_proj.weight': 'normal'", ON_GPT2),
    "a module's other name": Slip("'transformer.h.*.attention.c_proj.weight': 0", ON_GPT2),
    "a projection's other name": Slip("'transformer.h.*.attn.out_proj.weight': 0", ON_GPT2),
    "a prefix too much": Slip("'model.decoder.layers.*.mlp.up_proj.weight': 0", ON_LLAMA),
    "a prefix of layers left out": Slip("'layers.*.self_attn.q_proj.weight': 0", ON_LLAMA),
    "an attention's other name": Slip("'model.layers.*.attn.q_proj.weight': 0", ON_LLAMA),
    "a prefix of a range left out": Slip("'layers.{0..3}.mlp.down_proj.weight': 0", ON_LLAMA),
    "a prefix and a name": Slip("'layers.0.attn.q_proj.weight': 0", ON_LLAMA),
    "a name under a scope": Slip("'model.layers.*': {'attn.q_proj.weight': 0}", ON_LLAMA),
    "a scope without its prefix": Slip("'layers.*': {'self_attn.q_proj.weight': 0}", ON_LLAMA),
    "a number's word": Slip("'layers.*.conv1.weight': 0", ON_RESNET),
    "a word's number": Slip("'layer5.*.weight': 0", ON_RESNET),
    "another's number": Slip("'layer1.*.conv3.weight': 0", ON_RESNET),
    "words without their numbers": Slip("'layer*.conv.weight': 0", ON_RESNET),
    "a model around": Slip("'backbone.layer1.*.conv1.weight': 0", ON_RESNET),
    "a word cut short": Slip("'layers.*.lin1.weight': 0", ON_ENCODER),
    "a word in full": Slip("'*.attention.out_proj.weight': 0", ON_ENCODER),
    "a container's other name": Slip("'encoder.*.linear1.weight': 0", ON_ENCODER),
    "a parameter cut short": Slip("'layers.*.linear1.wt': 0", ON_ENCODER),
    "a module that there is not": Slip("'layers.*.ffn.linear1.weight': 0", ON_ENCODER),
    "a norm without its number": Slip("'layers.*.norm.weight': 0", ON_ENCODER),
    "a projection that is packed": Slip("'*q_proj_wieght': 'xavier_uniform'", ON_ENCODER),
    "a projection's weight": Slip("'*.q_proj.weight': 'xavier_uniform'", ON_ENCODER),
    "a packed projection's weight": Slip("'*.in_proj.weight': 0", ON_ENCODER),
    "a recipe for one parameter": Slip("'head.weight': 'vit'"),
    "a recipe for a bias": Slip("'fc.bias': 'resnet'"),
    "a class that is here in other dimensions": Slip("nn.Conv1d: 'kaiming_normal'"),
    "a seed without its name": Slip("0", SEEDED),
    "a pair for rules": Slip("['{fc,head}.weight', 'xavier_uniform']", "plan(<>)"),
    "a class for a model": Slip(
        "apply_init(Net, {'*': 'keep'}, seed=0)", "<>", "apply_init(Net, {'*': 'keep'}, seed=0)"
    ),
    "a buffer": Slip("'norm.running_mean': 0", "plan({<>, '*': 'keep'}, BUFFERED)"),
    "a recipe for a file": Slip("load_recipe('resnet')", "<>"),
    "a misspelt step": Slip("plan['head.wieght']", "[plan := plan_init(model, {'*': 0}), <>]"),
    "a rule by a name without its prefix": Slip(
        "Rule('normal', name='layers.*.attn.q_proj.weight')",
        "plan([<>, {'*': 'keep'}], LLAMA)",
    ),
}  # fmt: skip
