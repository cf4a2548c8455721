"""What the command line takes as a model: a callable that builds one, or a file of weights."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import TargetError
from ..files import no_file, replacing, why_refused
from ..model import Model

_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")
_FORMS = "package.module:callable, path/to/file.py:callable, or a .safetensors, .pt or .pth file"


def load_target(text: str) -> Model:
    """Return the model that ``package.module:callable``, ``file.py:callable`` or a file stands for.

    The callable is called without arguments; files of weights are read as data alone. Raises
    :class:`TargetError` for everything else.
    """
    return read_weights(text) if text.endswith(_WEIGHTS) else load_module(text)


def load_module(text: str) -> nn.Module:
    """Return the module that a target stands for; a state_dict is refused."""
    if text.endswith(_WEIGHTS):
        raise TargetError(f"{text}: this needs a module, and a file of weights holds none")
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise _no_target(text)
    model = _built(_callable(_imported(place), name, text), text)
    if isinstance(model, nn.Module):
        return model
    raise TargetError(f"{text} returned {type(model).__name__}, not a module")


def _no_target(text: str) -> TargetError:
    """Return the error of what names no callable, with those that a file of Python has."""
    file = text.rstrip(":")
    if file.endswith((".toml", ".json")):
        return TargetError(f"{text!r} is no target, and rules go behind --rules: give {_FORMS}")
    if not file.endswith(".py"):
        error = TargetError(f"{text!r} is no target: give {_FORMS}")
        error.either = tuple(
            {text: f"{place}:{text.rpartition('.')[2]}"} for place in _places(text)
        )
        return error
    if not os.path.isfile(file):
        return _missing(file)
    names = _defined(file)
    listed = f"it has {', '.join(names)}" if names else "it defines none"
    error = TargetError(
        f"{text!r} does not say which callable of the file builds the model; {listed}"
    )
    error.either = tuple({text: f"{file}:{name}"} for name in names[:_MOST])
    return error


def _places(text: str) -> list[str]:
    """Return where a callable of a dotted name, or of one in this folder, is defined."""
    package, _, name = text.rpartition(".")
    if package:
        with suppress(ImportError, ValueError):  # of a package that cannot be imported
            return [package] if importlib.util.find_spec(package) is not None else []
        return []
    files = sorted(Path().glob("*.py"))[:_FILES]
    return [str(file) for file in files if name in _defined(str(file))][:_MOST]


_FILES = 50  # files of a folder that are looked through
_MOST = 4  # callables of a file that are shown as a command


def _defined(file: str) -> list[str]:
    """Return the classes and functions that a file of Python defines, without running it."""
    try:
        body = ast.parse(Path(file).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [one.name for one in body if isinstance(one, kinds) and not one.name.startswith("_")]


def load_inputs(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments and keyword arguments that a function makes for a model.

    It is called without arguments and returns a tuple, a dict with names as keys, or one argument.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"{text!r} names no inputs: give path/to/file.py:function")
    function = _callable(_imported(place), name, text)
    if not callable(function):
        raise TargetError(f"{text} is {type(function).__name__}, which cannot be called")
    try:
        made = function()
    except Exception as error:
        raise TargetError(f"{text} failed: {type(error).__name__}: {error}") from error
    if isinstance(made, Mapping):
        return (), dict(made)
    return (made if isinstance(made, tuple) else (made,)), {}


def _imported(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            # A console script starts without the working directory on its path.
            if "" not in sys.path and str(Path.cwd()) not in sys.path:
                sys.path.insert(0, str(Path.cwd()))
            return importlib.import_module(place)
        path = Path(place)
        if not path.is_file():
            raise _missing(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Pickle and dataclasses look a class's module up by name; one that is loaded already stays.
        sys.modules.setdefault(path.stem, module)
        sys.path.insert(0, str(path.parent.resolve()))
        spec.loader.exec_module(module)
    except TargetError:
        raise
    # A script without a main guard may parse arguments at import, and exit.
    except (Exception, SystemExit) as error:
        raise TargetError(f"importing {place} failed: {type(error).__name__}: {error}") from error
    return module


def _callable(module: ModuleType, name: str, text: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        known = [n for n in vars(module) if callable(getattr(module, n))]
        listed = ", ".join(known)[:200]
        error = TargetError(f"{text}: {module.__name__} has no {name!r}; it has {listed}")
        raise error.meaning(name, known)
    return found


def _built(found: Any, text: str) -> Any:
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise TargetError(f"{text} is {type(found).__name__}, which cannot be called")
    try:
        return found()
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}{_needing(found)}"
        raise TargetError(f"calling {text} failed: {why}") from error


def _needing(found: Any) -> str:
    """Return what to do about a callable that needs arguments; nothing for others."""
    with suppress(TypeError, ValueError):  # some have no signature
        try:
            inspect.signature(found).bind()
        except TypeError:
            return "; a target is called without arguments: name a function that gives them"
    return ""


def read_weights(path: str) -> dict[str, Any]:
    """Return the state_dict in a file, without running anything that is in it."""
    if not os.path.isfile(path):
        raise _missing(path)
    try:
        if path.endswith(".safetensors"):
            return dict(_safetensors().load_file(path))
        # weights_only, so that a file from anywhere runs no code.
        entries = torch.load(path, map_location="cpu", weights_only=True)
    except TargetError:
        raise
    except Exception as error:
        why = _damaged if path.endswith(".safetensors") else why_refused
        raise TargetError(f"{path} cannot be read as weights: {why(error)}") from None
    if not isinstance(entries, Mapping):
        raise TargetError(f"{path} holds {type(entries).__name__}, not a state_dict")
    return dict(entries)


def _damaged(error: Exception) -> str:
    told = str(error).partition(":")[2].strip() or type(error).__name__
    return f"it is no file of safetensors, or a damaged one ({told})"


def _missing(path: str) -> TargetError:
    return TargetError(f"there is no file {path}").instead_of(no_file(path))


def load_weights(model: Model, path: str) -> None:
    """Put the weights of a file into ``model``; names and shapes must agree."""
    if not isinstance(model, nn.Module):
        raise TargetError("--weights goes into a module; here TARGET is a file of weights itself")
    entries = read_weights(path)
    known = model.state_dict()
    for group in _shared(known):  # files of safetensors hold one of several tied names
        there = next((name for name in group if name in entries), None)
        entries |= {name: entries[there] for name in group if there and name not in entries}
    try:
        model.load_state_dict(entries)
    except RuntimeError as error:
        raise TargetError(f"{path} does not fit the model: {error}") from None


def check_weights_path(path: str) -> None:
    """Raise unless weights can be saved under this name."""
    if not path.endswith(_WEIGHTS):
        raise TargetError(f"{path}: weights go into a .safetensors, .pt or .pth file")
    check_folder(path)
    if path.endswith(".safetensors"):
        _safetensors()


def check_folder(path: str) -> None:
    """Raise unless a file of this name can be written."""
    if not Path(path).parent.is_dir():
        raise TargetError(f"{path}: there is no folder {Path(path).parent}")
    if Path(path).is_dir():
        raise TargetError(f"{path} is a folder; name a file in it")


def save_weights(model: Model, path: str) -> None:
    """Write the state_dict of ``model``; of tied names safetensors files hold the first."""
    check_weights_path(path)
    entries = model.state_dict() if isinstance(model, nn.Module) else dict(model)
    try:
        _write(entries, path)
    except TargetError:
        raise
    except Exception as error:  # torch and safetensors each have their own
        raise TargetError(f"{path} cannot be written: {error}") from error


def _write(entries: Mapping[str, Any], path: str) -> None:
    if path.endswith(".safetensors"):
        library = _safetensors()
        tensors = {k: v.detach() for k, v in entries.items() if isinstance(v, Tensor)}
        for group in _shared(tensors):
            for name in group[1:]:
                del tensors[name]
        # safetensors stores plain runs of bytes: no strides, no flags that stand for other values,
        # and no memory under two names.
        plain = {k: v.resolve_conj().resolve_neg().contiguous() for k, v in tensors.items()}
        with replacing(path) as beside:
            library.save_file(plain, beside)
    else:
        # Into an open file: torch would write the name of the one beside the target into it.
        with replacing(path) as beside, beside.open("wb") as file:
            torch.save(entries, file)


def _shared(entries: Mapping[str, Any]) -> list[list[str]]:
    """Return the names that share all of their memory."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in entries.items():
        if isinstance(tensor, Tensor) and tensor.numel():
            # Addresses tell memory apart while `entries` keeps all of it alive.
            place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
            groups.setdefault(place, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        message = "this needs safetensors: pip install 'torch-initkit[safetensors]'"
        raise TargetError(message) from None
    return safetensors.torch
