"""Twenty and more ways to hide something from a model are found, and nothing else."""

from __future__ import annotations

import dataclasses
import functools
import gc
import time
import types
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from models import FOREIGN, ZOO
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from initkit.model import Unregistered, find_unregistered, fold_unregistered, named_unregistered
from initkit.model import unregistered_search as search_module

CONSEQUENCE = (
    "it is not in parameters(): an optimizer won't train it, .to() won't move it, state_dict() "
    "won't save it, no rule starts it"
)


def parameter() -> nn.Parameter:
    """Return a parameter of its own."""
    return nn.Parameter(torch.ones(3))


def net(plant: Callable[[Any], object] = lambda _: None) -> Any:
    """Return a model with one layer, into which something is planted."""
    model = nn.Module()
    model.fc = nn.Linear(2, 2)
    plant(model)
    return model


@dataclasses.dataclass
class Record:
    """A dataclass."""

    held: object


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("held",)


def slotted(held: object) -> Slotted:
    """Return an object that holds something in a slot."""
    one = Slotted()
    one.held = held
    return one


class InTheBody(nn.Module):
    """A module whose class holds what each instance should."""

    body_w = nn.Parameter(torch.ones(3))
    body_layers = (nn.Linear(2, 2),)


class Odd(type):
    """A metaclass that lets nobody ask its classes for anything."""

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def odd(held: object) -> object:
    """Return an object of a class that cannot be asked."""
    one: Any = object.__new__(Odd("Kind", (), {}))
    one.held = held
    return one


def array_of(*held: object) -> Any:
    """Return an array of objects."""
    array = np.empty(len(held), dtype=object)
    array[:] = held
    return array


def scaling(factor: Tensor) -> Callable[..., object]:
    """Return a hook that multiplies by what its closure holds."""
    return lambda module, inputs, output: output * factor


def into(name: str, make: Callable[[], object]) -> Callable[[Any], object]:
    """Return what plants something as a plain attribute."""
    return lambda m: setattr(m, name, make())


# How it is hidden: what plants it, where it is found, of what kind.
HIDDEN: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "plain tensor": (into("w", lambda: torch.rand(3)), "w", "tensor"),
    "integers": (into("w", lambda: torch.arange(3)), "w", "tensor"),
    "plain leaf": (into("w", lambda: torch.rand(3, requires_grad=True)), "w", "trainable"),
    "scaled": (into("w", lambda: parameter() * 0.1), "w", "computed"),
    "cast": (into("w", lambda: parameter().to(torch.float64)), "w", "computed"),
    "cast leaf": (into("w", lambda: torch.rand(3, requires_grad=True) * 2), "w", "computed"),
    "not by setattr": (lambda m: m.__dict__.update(w=parameter()), "w", "parameter"),
    "list": (into("w", lambda: [parameter()]), "w[0]", "parameter"),
    "tuple": (into("w", lambda: (1, parameter())), "w[1]", "parameter"),
    "dict": (into("w", lambda: {"a": parameter()}), "w['a']", "parameter"),
    "set": (into("w", lambda: {parameter()}), "w[0]", "parameter"),
    "deque": (into("w", lambda: deque([parameter()])), "w[0]", "parameter"),
    "nested": (into("w", lambda: [{"a": (parameter(),)}]), "w[0]['a'][0]", "parameter"),
    "dataclass": (into("w", lambda: Record(parameter())), "w.held", "parameter"),
    "slots": (into("w", lambda: slotted(parameter())), "w.held", "parameter"),
    "namespace": (into("w", lambda: types.SimpleNamespace(a=parameter())), "w.a", "parameter"),
    "module list": (into("w", lambda: [nn.Linear(2, 2)]), "w[0]", "module"),
    "module dict": (into("w", lambda: {"a": nn.Linear(2, 2)}), "w['a']", "module"),
    "module object": (into("w", lambda: Record(nn.Linear(2, 2))), "w.held", "module"),
    "dropout": (into("w", lambda: [nn.Dropout()]), "w[0]", "module"),
    "activation": (into("w", lambda: [nn.ReLU()]), "w[0]", "stateless"),
    "partial": (into("w", lambda: functools.partial(max, parameter())), "w.args[0]", "parameter"),
    "lambda": (into("w", lambda: scaling(parameter())), "w.<closure>.factor", "parameter"),
    "method": (into("w", lambda: Record(parameter()).__repr__), "w.__self__.held", "parameter"),
    "hook": (
        lambda m: m.fc.register_forward_hook(scaling(parameter())),
        "fc.<forward hook>[0].<closure>.factor",
        "parameter",
    ),
    "hook partial": (
        lambda m: m.fc.register_forward_pre_hook(functools.partial(max, key=parameter())),
        "fc.<forward pre hook>[0].keywords['key']",
        "parameter",
    ),
    "deep": (lambda m: setattr(m.fc, "w", [parameter()]), "fc.w[0]", "parameter"),
    "distribution": (
        into("w", lambda: torch.distributions.Laplace(torch.zeros(3), parameter())),
        "w.scale",
        "parameter",
    ),
    "class attribute": (into("sub", lambda: InTheBody()), "sub.body_w", "parameter"),
    "class list": (into("sub", lambda: InTheBody()), "sub.body_layers[0]", "module"),
    "values of a dict": (
        into("w", lambda: {"a": parameter()}.values()),
        "w.mapping['a']",
        "parameter",
    ),
    "array": (into("w", lambda: array_of(nn.Linear(2, 2))), "w[0]", "module"),
    "odd metaclass": (into("w", lambda: odd(parameter())), "w.held", "parameter"),
    "copied": (lambda m: setattr(m, "w", m.fc.weight.detach().clone()), "w", "tensor"),
    "stale": (lambda m: setattr(m, "w", m.fc.weight * 2), "w", "result"),
}


def places(model: nn.Module) -> list[tuple[str, str]]:
    """Return path and kind of everything that is found, numbers of hooks left out."""
    found = find_unregistered(model)
    return [(_without_hook_ids(one.path), one.kind) for one in found]


def _without_hook_ids(path: str) -> str:
    head, hook, rest = path.partition(" hook>[")
    return f"{head}{hook}0{rest[rest.index(']') :]}" if hook else path


@pytest.mark.parametrize("how", HIDDEN)
def test_what_is_hidden_is_found(how: str) -> None:
    plant, path, kind = HIDDEN[how]
    assert (path, kind) in places(net(plant))


@pytest.mark.parametrize("how", HIDDEN)
def test_only_what_should_train_is_a_problem(how: str) -> None:
    plant, path, kind = HIDDEN[how]
    found = next(
        one for one in find_unregistered(net(plant)) if _without_hook_ids(one.path) == path
    )
    assert found.problem == (kind not in ("tensor", "result", "stateless"))


def attention_with_flat_weights() -> nn.Module:
    """Return a recurrent layer, which keeps its parameters in a list as well."""
    return nn.Sequential(nn.LSTM(2, 2), nn.MultiheadAttention(4, 2))


def knows_its_parent() -> nn.Module:
    """Return a model whose parts know the whole, in lists, dicts and objects."""
    model = net()
    model.fc.parents = [model]
    model.by_name = {"fc": model.fc, "weight": model.fc.weight}
    model.record = Record(model)
    return model


def wrapped_again() -> nn.Module:
    """Return a model with a list of a module that is registered in it as well."""
    model = net()
    model.layers = [model.fc]
    model.by_kind = {nn.Linear: [model.fc]}
    return model


def aliased() -> nn.Module:
    """Return a model with views of its own memory beside its lists."""
    model = net()
    model.transposed, model.data = model.fc.weight.T, model.fc.weight.data
    return model


SOUND: dict[str, Callable[[], nn.Module]] = {
    "recurrent": attention_with_flat_weights,
    "parent": knows_its_parent,
    "again": wrapped_again,
    "aliased": aliased,
    "weight_norm": lambda: weight_norm_of(nn.Linear(2, 2)),
    "spectral_norm": lambda: nn.Sequential(spectral_norm(nn.Linear(2, 2))),
    "pruned": lambda: prune.l1_unstructured(nn.Linear(4, 4), "weight", amount=2),
    "parametrized": lambda: parametrizations.orthogonal(nn.Linear(2, 2)),
    "compiled": lambda: torch.compile(net(), backend="eager"),
    "buffers": lambda: nn.BatchNorm2d(3),
    "optimizer": lambda: net(lambda m: setattr(m, "opt", torch.optim.Adam(m.parameters()))),
    "weak": lambda: net(lambda m: setattr(m, "w", weakref.ref(m))),
}


def weight_norm_of(layer: nn.Module) -> nn.Module:
    """Return a layer under the legacy norm, which torch warns of."""
    with pytest.warns(FutureWarning):
        return weight_norm(layer)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", SOUND)
def test_what_is_registered_somewhere_is_not_missed(name: str) -> None:
    assert places(SOUND[name]()) == []


@pytest.mark.parametrize("name", ZOO)
def test_models_of_the_zoo_miss_nothing(name: str) -> None:
    assert places(ZOO[name]()) == []


@pytest.mark.models
@pytest.mark.parametrize("name", FOREIGN)
def test_published_models_have_no_false_problem(name: str) -> None:
    assert [one for one in find_unregistered(FOREIGN[name]()) if one.problem] == []


@pytest.mark.models
@pytest.mark.parametrize(
    "kind", "bert clip deberta-v2 detr dinov2 llama mamba mixtral opt t5 wav2vec2 whisper".split()
)
def test_families_of_transformers_have_no_false_problem(kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(kind)
    for depth in ("num_hidden_layers", "num_layers", "encoder_layers", "decoder_layers"):
        if isinstance(getattr(config, depth, None), int):
            setattr(config, depth, 2)
    if kind == "detr":
        config.use_pretrained_backbone = False
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config)
    assert [one for one in find_unregistered(model) if one.problem] == []


def test_a_submodule_that_knows_its_parent_misses_nothing_of_it() -> None:
    model = net()
    model.other = nn.Linear(2, 2)
    model.fc.siblings, model.fc.parent = [model.other], [model]
    assert places(model.fc) == []


def test_a_hidden_module_around_registered_ones_alone_is_no_problem() -> None:
    model = net()
    model.wrapped = [nn.Sequential(model.fc, nn.ReLU())]
    assert places(model) == [("wrapped[0]", "stateless")]


def test_results_kept_from_a_forward_are_no_problem() -> None:
    model = net()
    model.last = [model.fc(torch.ones(1, 2, requires_grad=True))]
    assert places(model) == [("last[0]", "result")]


def test_what_a_hidden_module_hides_is_found_under_its_path() -> None:
    inner = net(into("w", lambda: [parameter()]))
    model = net(into("blocks", lambda: [nn.Sequential(inner)]))
    assert places(model) == [("blocks[0]", "module"), ("blocks[0].0.w[0]", "parameter")]


def test_nothing_is_called() -> None:
    class Hostile:
        def __init__(self) -> None:
            self.__dict__["held"] = parameter()

        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

        def __iter__(self) -> object:
            raise AssertionError

        __len__ = __bool__ = __eq__ = __hash__ = __iter__  # type: ignore[assignment]

    class Model(nn.Module):
        @property
        def costly(self) -> object:
            raise AssertionError("a property ran")

    model = Model()
    model.w = Hostile()
    assert places(model) == [("w.held", "parameter")]


def test_a_cyclic_graph_of_objects_ends() -> None:
    model = net()
    one, other = Record(None), Record(model)
    one.held = [other, one]
    other.held = {"one": one, "model": model}
    model.w = one
    assert places(model) == []


def test_a_table_that_holds_itself_ends_the_search_as_any_other() -> None:
    model = net()
    table: dict[str, object] = {"kept": nn.Parameter(torch.zeros(2))}
    table["itself"] = table
    model.table = table
    assert places(model) == [("table['kept']", "parameter")]


def test_a_million_plain_numbers_cost_next_to_nothing() -> None:
    model = net(into("numbers", lambda: list(range(1_000_000))))
    model.nested = [list(range(1000)) for _ in range(1000)]
    began = time.process_time()
    assert places(model) == []
    assert time.process_time() - began < 2  # opening each of them takes longer than that


def test_a_search_without_end_says_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_MOST_OBJECTS", 10)
    found = find_unregistered(net(into("w", lambda: [Record(1) for _ in range(20)])))
    assert [(one.kind, one.problem) for one in found] == [("unfinished", False)]
    assert "too many objects hang there, and the rest was not looked into" in str(found[0])


def test_nothing_of_the_model_is_changed_or_kept_alive() -> None:
    model = net(into("w", lambda: [parameter()]))
    before = {name: id(value) for name, value in vars(model).items()}
    find_unregistered(model)
    assert {name: id(value) for name, value in vars(model).items()} == before
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert watched() is None


def test_hidden_modules_have_slots_under_the_names_they_would_have() -> None:
    found = find_unregistered(net(into("blocks", lambda: {"a": [nn.Linear(2, 2)]})))[0]
    assert [slot.name for slot in found.slots()] == ["blocks.a.0.weight", "blocks.a.0.bias"]
    assert found.tensors == ["blocks['a'][0].weight", "blocks['a'][0].bias"]


MENDS = {
    "plain tensor": "If it is to train: self.w = nn.Parameter(...); if it is constant: "
    "self.register_buffer('w', ...)",
    "plain leaf": "Register it: self.w = nn.Parameter(...)",
    "scaled": "Compute first, and wrap last: self.w = nn.Parameter(...)",
    "list": "Register it: self.w = nn.ParameterList(...)",
    "dict": "Register it: self.w = nn.ParameterDict(...)",
    "module list": "Register it: self.w = nn.ModuleList(...)",
    "module dict": "Register it: self.w = nn.ModuleDict(...)",
    "hook": "Register it: make it an attribute of the module itself",
}


@pytest.mark.parametrize("how", MENDS)
def test_each_says_what_follows_and_how_to_mend_it(how: str) -> None:
    plant, path, _ = HIDDEN[how]
    found = next(o for o in find_unregistered(net(plant)) if _without_hook_ids(o.path) == path)
    assert str(found).endswith(f"{CONSEQUENCE}. {MENDS[how]}")


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("plain tensor", "w is a plain tensor of Module, not a parameter: it is not"),
        ("list", "w[0] is a Parameter in a list of Module, not registered: it"),
        ("dataclass", "w.held is a Parameter in a Record of Module, not registered: it"),
        ("module list", "w[0] is a Linear in a list of Module, not registered, with w[0].weight,"),
        ("stale", "w is a tensor of Module, computed once from registered parameters: it does not"),
        ("activation", "w[0] is a ReLU in a list of Module, not registered: train(), eval() and"),
        ("dropout", "w[0] is a Dropout in a list of Module, not registered: train(), eval() and"),
    ],
)
def test_each_says_what_it_is(how: str, what: str) -> None:
    plant, *_ = HIDDEN[how]
    assert any(str(one).startswith(what) for one in find_unregistered(net(plant)))


def test_many_alike_are_told_in_one_line_and_few_one_by_one() -> None:
    def told(count: int) -> list[str]:
        model = net(into("w", lambda: [nn.Linear(2, 2) for _ in range(count)]))
        return fold_unregistered(find_unregistered(model))

    assert len(told(3)) == 3
    (line,) = told(48)
    assert line.startswith("w[{0..47}], each of 48, is a Linear in a list of Module, not")
    assert "with w[{0..47}].weight, w[{0..47}].bias" in line


def test_a_dict_with_an_entry_for_each_parameter_is_one_line() -> None:
    model = net(into("ema", lambda: {name: torch.zeros(2) for name in "abcdefgh"}))
    (line,) = fold_unregistered(find_unregistered(model))
    assert line.startswith("ema['a'] and 7 more, each of 8, is a plain tensor in a dict of Module")


def test_what_a_name_means_is_found_by_either_spelling() -> None:
    found = find_unregistered(net(into("w", lambda: [nn.Linear(2, 2)])))
    by_path = named_unregistered(found, "w[0].bias", lambda _, name: False)
    by_slot = named_unregistered(found, "w.0.bias", lambda _, name: name == "w.0.bias")
    assert by_path == by_slot == f"; {found[0]}"
    assert named_unregistered(found, "w.1.bias", lambda _, name: name == "w.1.bias") == ""


def test_it_is_plain_data_too() -> None:
    found: Unregistered = find_unregistered(net(HIDDEN["dict"][0]))[0]
    data = found.to_dict()
    assert data["path"] == "w['a']" and data["shape"] == (3,) and data["problem"] is True
    assert data["text"] == str(found)


def test_a_class_attribute_that_an_instance_covers_is_not_missed() -> None:
    class Covered(nn.Module):
        scale: Any = torch.ones(3)

        def __init__(self) -> None:
            super().__init__()
            self.scale = 1.0

    assert find_unregistered(Covered()) == []


def test_numbers_in_an_array_hold_nothing() -> None:
    assert places(net(into("w", lambda: np.ones(3)))) == []


def test_what_lies_a_thousand_containers_deep_is_found_and_told() -> None:
    held: Any = nn.Parameter(torch.ones(3))
    for _ in range(5000):
        held = [held]
    found = find_unregistered(net(into("w", lambda: held)))
    assert [one.kind for one in found] == ["parameter"]
    assert fold_unregistered(found)[0].startswith("w[0][0]")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor_has_no_shape_to_tell() -> None:
    parts = [torch.ones(2), torch.ones(3)]
    found = find_unregistered(net(into("w", lambda: torch.nested.nested_tensor(parts))))
    assert [(one.path, one.shape) for one in found] == [("w", None)]
    assert fold_unregistered(found)[0].startswith("w is a plain tensor")


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated")
def test_a_traced_module_is_found_like_any_other() -> None:
    traced = torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2))
    assert places(net(into("w", lambda: [traced]))) == [("w[0]", "module")]


def test_a_parameter_among_the_buffers_is_a_problem_where_no_list_of_parameters_has_it() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[0].register_buffer("scale", nn.Parameter(torch.ones(2)))
    (found,) = find_unregistered(model)
    assert (found.path, found.kind, found.problem) == ("0.scale", "buffer", True)
    assert str(found) == (
        "0.scale is a buffer of Linear, though it takes gradients: it is not in parameters(): an "
        "optimizer won't train it. Register it as what it is: self.scale = nn.Parameter(...)"
    )
    model[0].scale.requires_grad_(False)
    assert find_unregistered(model) == []
