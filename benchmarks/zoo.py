"""How much of the models of a library a recording explains, whether that is true, what it costs.

    python benchmarks/zoo.py --out zoo.json --library timm --budget 600

Each model is built twice by itself and once recorded, in a process of its own; a third build under
a fresh seed is then checked against the plan. Results are added to the file, from which a later run
goes on; without ``--library`` all are measured. The table stands at the end.

    python benchmarks/zoo.py --recipes --out recipes.json --library transformers --budget 600

compares instead what the recipes plan for each model with what its code does (`scoreboard.py`).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import json
import multiprocessing
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from initkit import Step, check_init
from initkit.record import record_init
from initkit.suggest import suggest_recipe

sys.path.insert(0, str(Path(__file__).parent))
from scoreboard import in_words, page, score, scoreboard

Build = Callable[[], nn.Module]
LIBRARIES = ("transformers", "timm", "torchvision", "diffusers", "torch_geometric")
LARGEST = 100_000_000  # parameters; larger models are left out
PATIENCE = 120.0  # seconds for one model

# Sizes of configurations by the names that they go by, so that what they build is small.
LAYERS = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "layers"), 2),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_decoder_layers"), 2),
    **dict.fromkeys(("vocab_size", "text_vocab_size", "decoder_vocab_size"), 128),
    **dict.fromkeys(("depth", "num_kv_shared_layers"), 2),
    **dict.fromkeys(("vocab_size_per_layer_input",), 128),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
}
WIDTHS = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "emb_dim"), 64),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "n_head_kv"), 4),
    **dict.fromkeys(("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim"), 128),
    **dict.fromkeys(("decoder_ffn_dim", "ffn_hidden_size", "moe_intermediate_size"), 128),
    **dict.fromkeys(("head_dim", "d_kv"), 16),
}
# The same of the models of diffusers, whose constructors take them.
DEPTHS = {
    **dict.fromkeys(("num_layers", "num_single_layers", "num_refiner_layers", "depth"), 2),
    **dict.fromkeys(("num_mmdit_layers", "num_single_dit_layers"), 2),
}
SIDES = {
    **dict.fromkeys(("num_attention_heads", "num_heads", "num_cross_attention_heads"), 2),
    **dict.fromkeys(("attention_head_dim", "cross_attention_head_dim", "text_dim"), 32),
    **dict.fromkeys(("joint_attention_dim", "pooled_projection_dim", "text_embed_dim"), 32),
    **dict.fromkeys(("cross_attention_dim", "caption_channels"), 32),
    **dict.fromkeys(("ffn_dim", "hidden_size", "hidden_dim", "caption_projection_dim"), 64),
    **dict.fromkeys(("num_key_value_heads",), 1),
    "axes_dims_rope": (8, 12, 12),
}


# ------------------------------------------------------------------------------------ libraries


def transformers_models() -> Iterator[tuple[str, Build]]:
    """Yield a builder for every architecture that AutoModel knows."""
    import torchvision  # noqa: F401  here, and not in every process that builds one
    import transformers.modeling_utils  # noqa: F401
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    for kind in sorted(MODEL_MAPPING_NAMES):
        yield kind, lambda kind=kind: _auto_model(kind)  # type: ignore[misc]


def _auto_model(kind: str) -> nn.Module:
    import transformers

    from_config: Any = transformers.AutoModel.from_config

    def build(sizes: dict[str, int]) -> nn.Module:
        config = transformers.CONFIG_MAPPING[kind]()
        _shrink(config, sizes)
        return _built_small(lambda: from_config(config))

    return _first_that_builds(build, ({**LAYERS, **WIDTHS}, LAYERS, WIDTHS, {}))


S = TypeVar("S")


def _first_that_builds(build: Callable[[S], nn.Module], choices: Iterable[S]) -> nn.Module:
    """Return what the first of several choices of sizes builds."""
    last: Exception | None = None
    for sizes in choices:
        try:
            return build(sizes)
        except Exception as error:  # sizes that do not go together are refused in many ways
            last = error
    raise RuntimeError(f"does not build small: {last}") from last


def _built_small(build: Build) -> nn.Module:
    """Build on the meta device first, where what is too large costs nothing."""
    with torch.device("meta"):
        _refuse_large(build())
    return build()


def _shrink(config: Any, sizes: dict[str, int], deep: int = 3) -> None:
    for name, value in list(vars(config).items()):
        if deep and hasattr(value, "to_dict"):
            _shrink(value, sizes, deep - 1)
        elif name in sizes and type(value) is int and value > sizes[name]:
            setattr(config, name, sizes[name])
    types = vars(config).get("layer_types")
    if isinstance(types, list) and hasattr(config, "num_hidden_layers"):
        config.layer_types = types[: config.num_hidden_layers]
    padding, words = vars(config).get("pad_token_id"), vars(config).get("vocab_size")
    if isinstance(padding, int) and isinstance(words, int) and padding >= words:
        config.pad_token_id = words - 1


def timm_models() -> Iterator[tuple[str, Build]]:
    """Yield a small model of each of timm's files."""
    import timm

    words = ("test_", "atto", "femto", "pico", "nano", "xxs", "mini", "tiny", "_xs", "small", "18")
    for module in sorted(timm.list_modules()):
        names = timm.list_models(module=module)
        ranked = sorted(
            names, key=lambda n: min((i for i, w in enumerate(words) if w in n), default=99)
        )
        if ranked:
            name = ranked[0]
            yield f"{module}/{name}", lambda name=name: timm.create_model(name)  # type: ignore[misc]


def torchvision_models() -> Iterator[tuple[str, Build]]:
    """Yield every model of torchvision."""
    from torchvision import models

    for name in models.list_models():
        backbone = (
            {"weights_backbone": None}
            if hasattr(models, "detection") and _has_backbone(name)
            else {}
        )
        yield name, lambda name=name, more=backbone: models.get_model(name, weights=None, **more)  # type: ignore[misc]


def _has_backbone(name: str) -> bool:
    return any(w in name for w in ("rcnn", "ssd", "retinanet", "fcos", "deeplab", "fcn_", "lraspp"))


def diffusers_models() -> Iterator[tuple[str, Build]]:
    """Yield every model of diffusers that takes its sizes by name."""
    diffusers = importlib.import_module("diffusers")
    for name in sorted(dir(diffusers)):
        model = getattr(diffusers, name)
        if isinstance(model, type) and diffusers.ModelMixin in model.__mro__[1:]:
            yield name, lambda model=model: _by_sizes(model)  # type: ignore[misc]


def _by_sizes(model: type[nn.Module]) -> nn.Module:
    """Build a model with the fewest layers, and the smallest widths, that go together."""
    known = inspect.signature(model).parameters

    def build(sizes: dict[str, Any]) -> nn.Module:
        given = {name: size for name, size in sizes.items() if name in known}
        return _built_small(lambda: model(**given))

    choices: tuple[dict[str, Any], ...] = ({**DEPTHS, **SIDES}, {**DEPTHS}, {})
    return _first_that_builds(build, choices)


def torch_geometric_models() -> Iterator[tuple[str, Build]]:
    """Yield every layer of PyG that is made from channels alone, or with one number more."""
    layers = importlib.import_module("torch_geometric.nn")
    for name in sorted({*layers.conv.__all__, *layers.models.__all__}):
        layer = getattr(layers, name)
        yield name, lambda layer=layer: _by_channels(layer)  # type: ignore[misc]


def _by_channels(layer: Callable[..., nn.Module]) -> nn.Module:
    def build(channels: tuple[int, ...]) -> nn.Module:
        made = layer(*channels)
        if not any(isinstance(p, UninitializedParameter) or p.numel() for p in made.parameters()):
            raise ValueError("it has no parameters")
        return made

    channels = ((8, 16), (8, 16, 2), (8, 16, 2, 3), (16,), (16, 2), (16, 2, 3))
    return _first_that_builds(build, channels)


# ------------------------------------------------------------------------------------- one model


def look(build: Build) -> dict[str, Any]:
    """Return what a recording of one model says, and no more."""
    plan = record_init(build)
    assert plan.model is not None
    return {
        "parameters": sum(p.numel() for p in plan.model.parameters()),
        "tensors": len(plan),
        "unexplained": [(s.name, s.note) for s in plan.with_status("unexplained")],
        "failures": [],
        "same": [],
        "plain": float("nan"),
        "recorded": float("nan"),
    }


def measure(build: Build) -> dict[str, Any]:
    """Return what a recording of one model says, and whether a fresh build agrees."""

    def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
        torch.manual_seed(0)
        began = time.perf_counter()
        made = run()
        return time.perf_counter() - began, made

    model = build()
    _refuse_large(model)
    size = sum(p.numel() for p in model.parameters())
    # The faster of two, turn by turn: the first build of a kind imports and compiles.
    plain, recorded, plan = float("inf"), float("inf"), None
    for _ in range(2):
        took, model = seconds(build)
        plain = min(plain, took)
        took, plan = seconds(lambda: record_init(build))
        recorded = min(recorded, took)
    assert plan is not None
    same = _same_values(model, plan.model)
    torch.manual_seed(1)
    fresh = build()
    failures = check_init(fresh, plan).failures
    # Cut by erfinv in float32, one value in 16 million is the bound itself: the code's own flaw.
    flawed = [f for f in failures if _is_known_flaw(fresh, plan[f.name])]
    unknown = [(s.name, s.note) for s in plan.with_status("unexplained")]
    return {
        "parameters": size,
        "tensors": len(plan),
        "unexplained": unknown,
        "plain": plain,
        "recorded": recorded,
        "same": same,
        "failures": [f"{f.name}: {f}" for f in failures if f not in flawed],
        "flaws": [f.name for f in flawed],
        "copies": sum("copy of" in s.note for s in plan),
    }


def _is_known_flaw(model: nn.Module, step: Step) -> bool:
    values = dict(model.named_parameters()).get(step.name)
    if values is None or step.distribution is None:
        return False
    return bool(step.distribution.known_flaw(float(values.min()), float(values.max())))


def _same_values(one: nn.Module, other: nn.Module) -> list[str]:
    theirs = dict(other.named_parameters())
    return [
        name
        for name, p in one.named_parameters()
        if not torch.equal(p, theirs[name]) and not bool(p.isnan().any())
    ]


def _refuse_large(model: nn.Module) -> None:
    size = sum(p.numel() for p in model.parameters())
    if size > LARGEST:
        raise RuntimeError(f"too large: {size:,} parameters")


def _in_process(run: Callable[[Build], Any], build: Build, pipe: Any) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        pipe.send(run(build))
    except BaseException as error:
        import traceback

        where = traceback.format_exc().strip().splitlines()[-3:]
        pipe.send({"error": f"{type(error).__name__}: {error}"[:300], "where": where})


def measured(
    run: Callable[[Build], Any], build: Build, patience: float = PATIENCE
) -> dict[str, Any]:
    """Measure a model in a process of its own, which may fail or hang as it likes."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=_in_process, args=(run, build, theirs))
    process.start()
    theirs.close()
    try:
        if not mine.poll(patience):
            process.kill()
            return {"error": f"took more than {patience:.0f} s"}
        result: dict[str, Any] = mine.recv()
        return result
    except EOFError:
        return {"error": "its process died"}
    finally:
        process.join()


# --------------------------------------------------------------------------------------- report


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return a line for each library."""
    heads = ("models", "tensors", "explained", "wholly", "contradicted", "cost > 5 M", "cost, all")
    widths = (7, 9, 11, 9, 13, 11, 10)
    lines = ["library".ljust(22) + "".join(map(str.rjust, heads, widths))]
    by_library: dict[str, list[dict[str, Any]]] = {}
    for key, result in results.items():
        if "error" not in result:
            by_library.setdefault(key.partition(":")[0], []).append(result)
    if len(by_library) > 1:
        by_library["all"] = [r for found in by_library.values() for r in found]
    for library, found in by_library.items():
        tensors = sum(r["tensors"] for r in found)
        unknown = sum(len(r["unexplained"]) for r in found)
        whole = sum(not r["unexplained"] for r in found)
        wrong = sum(len(r["failures"]) for r in found)
        ratios = [(r["recorded"] / r["plain"], r["parameters"]) for r in found]
        large = [ratio for ratio, size in ratios if size > 5e6]
        name = library if library == "all" else f"{library} {version(library)}"
        lines.append(
            f"{name:22}{len(found):7,}{tensors:9,}{1 - unknown / tensors:11.2%}"
            f"{whole / len(found):9.1%}{wrong:13}"
            f"{statistics.median(large) if large else float('nan'):11.2f}"
            f"{statistics.median(r for r, _ in ratios):10.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not in the file yet, as long as the budget lasts, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("zoo.json"))
    parser.add_argument("--library", action="append", choices=LIBRARIES)
    parser.add_argument("--budget", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="TEXT", help="models whose name has this")
    parser.add_argument("--quick", action="store_true", help="neither check nor time")
    parser.add_argument("--recipes", action="store_true", help="judge the recipes instead")
    parser.add_argument("--own", action="store_true", help="and of those the family's own alone")
    parser.add_argument("--page", type=Path, help="where to write it as documentation")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS")
    parser.add_argument("--again", default="", metavar="TEXT", help="forget results that hold this")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    if options.again:
        results = {k: r for k, r in results.items() if options.again not in json.dumps({k: r})}
    tell = in_words if options.recipes else _short
    suggest_recipe(nn.Linear(2, 2))  # recipes are read here once, and not in every process
    for key, result in run_all(options, results):
        results[key] = result
        options.out.write_text(json.dumps(results, indent=1))
        print(key, tell(result), file=sys.stderr)
    if options.page is not None:
        options.page.write_text(page(results, f"{date.today():%B %Y}"))
    print((scoreboard if options.recipes else table)(results))


def run_all(
    options: argparse.Namespace, known: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the result of every model that is not known, as long as the budget lasts."""
    end = time.monotonic() + options.budget
    for library in options.library or LIBRARIES:
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed", file=sys.stderr)
            continue
        builders = list(globals()[f"{library}_models"]())
        random.Random(0).shuffle(builders)  # so that what a budget allows is a fair sample
        for name, build in builders:
            key = f"{library}:{name}"
            if key in known or options.only not in name or time.monotonic() > end:
                continue
            yield key, measured(_question(options, library, name), build, options.patience)


def _question(options: argparse.Namespace, library: str, name: str) -> Callable[[Build], Any]:
    """Return what is asked of a model."""
    if options.recipes:
        return lambda build: score(lambda: _small(build), library, name, suggest=not options.own)
    return look if options.quick else measure


def _small(build: Build) -> nn.Module:
    model = build()
    _refuse_large(model)
    return model


def _short(result: dict[str, Any]) -> str:
    if "error" in result:
        return result["error"][:150]  # type: ignore[no-any-return]
    text = f"{result['tensors']} tensors, {result['recorded'] / result['plain']:.2f} x"
    for what in ("unexplained", "failures", "same"):
        if result[what]:
            text += f"; {what}: {len(result[what])}, {result[what][:2]}"
    return text


if __name__ == "__main__":
    # A torchvision built for CUDA expects two operators to be declared beside a CPU torch.
    declared: Any = torch.library
    library = declared.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    main()
