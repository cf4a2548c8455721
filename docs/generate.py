"""Write what the documentation takes from the code itself, so that it cannot go stale."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import initkit
from initkit.numbers import gain_formula, gain_names
from initkit.render import html_page

EXAMPLES = Path(__file__).parent.parent / "examples"
GROUPS = {
    "Constants": "constant zeros ones prior_bias",
    "Random, with your numbers": "normal uniform trunc_normal zero_mask_uniform log_uniform "
    "quantile",
    "Random, by the fans": "xavier_uniform xavier_normal kaiming_uniform kaiming_normal "
    "lecun_uniform lecun_normal variance_scaling",
    "Matrices": "orthogonal he_orthogonal glorot_orthogonal delta_orthogonal eye dirac sparse",
    "Matrices with a structure": "zero_init random_features reservoir skew_pairs",
    "Numbers by place": "indexed arange sinusoids sincos_2d rotated_frequencies radial_offsets "
    "table bilinear_upsampling stft mel_bands",
    "Made of other schemes": "blocks gates chrono scaled shifted sum product rounded icnr log_of "
    "exp_of inverse_softplus_of",
    "Several parameters as one": "pissa olora mimetic glow_lu quaternion",
    "What is there already": "torch_default copy_of keep pretrained from_tensor mean_resizing "
    "copied_rows",
}

# What people type into the search box for a scheme, beside its own name and synonyms.
WORDS = {
    "constant": "fill_, fill with a number, constant_",
    "zeros": "zero initialization, zeros_, bias to zero",
    "ones": "ones_, norm weight one",
    "prior_bias": "focal loss bias, classifier prior, bias_init_with_prob, class imbalance",
    "normal": "gaussian, normal_, random normal, RandomNormal",
    "uniform": "uniform_, random uniform, RandomUniform",
    "trunc_normal": "truncated gaussian, trunc_normal_, TruncatedNormal, trunc_normal_tf_",
    "xavier_uniform": "glorot, GlorotUniform, xavier, xavier initialization, xavier_uniform_",
    "xavier_normal": "glorot, GlorotNormal, xavier, xavier initialization, xavier_normal_",
    "kaiming_uniform": "he initialization, HeUniform, kaiming initialization, c2_xavier_fill",
    "kaiming_normal": "he initialization, HeNormal, kaiming initialization, msra, c2_msra_fill",
    "lecun_uniform": "lecun initialization, LecunUniform, selu",
    "lecun_normal": "lecun initialization, LecunNormal, selu, self-normalizing network",
    "variance_scaling": "VarianceScaling, he_normal, keras initializer, jax initializer",
    "orthogonal": "orthogonal_, orthogonal initialization, orthonormal, isometry",
    "he_orthogonal": "GemNet, he_orthogonal_init, standardised orthogonal, decorrelated",
    "glorot_orthogonal": "DimeNet, GlorotOrthogonal, orthogonal with Glorot variance",
    "skew_pairs": "expRNN, henaff_init, cayley_init, orthogonal recurrent network, unitary",
    "quaternion": "quaternion_init, hypercomplex, QRNN",
    "delta_orthogonal": "dynamical isometry, orthogonal convolution",
    "eye": "identity matrix, eye_, identity initialization",
    "dirac": "dirac_, identity convolution",
    "sparse": "sparse_, sparse initialization",
    "zero_init": "ZerO, hadamard",
    "random_features": "performer, favor+, random fourier features",
    "reservoir": "echo state network, spectral radius",
    "indexed": "A_log, mamba, s4d, rwkv, time_decay, hippo, retnet, position dependent",
    "quantile": "gumbel, logistic, laplace, exponential, weibull, inverse transform sampling",
    "sinusoids": "positional encoding, sinusoidal embedding",
    "rotated_frequencies": "rope, rotary embedding",
    "radial_offsets": "deformable attention, sampling offsets",
    "bilinear_upsampling": "bilinear kernel, transposed convolution, deconvolution, upsampling",
    "icnr": "pixel shuffle, PixelShuffle, sub-pixel convolution, checkerboard artifacts",
    "stft": "fourier basis, dft",
    "mel_bands": "mel filterbank, spectrogram",
    "sum": "identity plus noise, eye plus noise, additive noise, jitter, perturbation, "
    "residual noise, shrink and perturb",
    "shifted": "add a number, offset",
    "scaled": "residual scaling, depth scaling, multiply",
    "product": "elementwise multiplication, mask, modulated std",
    "blocks": "packed qkv, in_proj_weight, fused projection, grouped-query attention",
    "gates": "forget gate bias, lstm bias, gru, lstm initialization",
    "chrono": "long sequences, warp time, forget gate, lstm bias, log uniform",
    "inverse_softplus_of": "dt_bias, softplus inverse",
    "pissa": "lora from principal components, adapter start",
    "olora": "orthonormal lora, adapter start",
    "mimetic": "mimetic attention",
    "glow_lu": "glow, invertible 1x1 convolution, normalizing flow",
    "torch_default": "reset_parameters, pytorch default initialization, linear default",
    "copy_of": "target network, momentum encoder, ema copy, controlnet, deepcopy",
    "keep": "leave as it is, skip, freeze, do not initialize",
    "pretrained": "load checkpoint, safetensors, load_state_dict, partial checkpoint",
    "mean_resizing": "resize_token_embeddings, new tokens, grow vocabulary",
    "copied_rows": "new tokens, grow vocabulary",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in row) + " |" for row in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Return inline code, or nothing for an empty text."""
    return f"`{text}`" if text else ""


def schemes() -> str:
    """Return an entry for every scheme, in groups: how it is written, and what it is."""
    groups = {group: names.split() for group, names in GROUPS.items()}
    grouped = {name for names in groups.values() for name in names}
    groups["More"] = [name for name in initkit.list_schemes() if name not in grouped]
    if gone := WORDS.keys() - set(initkit.list_schemes()):
        raise ValueError(f"words for schemes that do not exist: {sorted(gone)}")
    entries = (
        "\n".join([f"### {group}\n", *map(_scheme, names)])
        for group, names in groups.items()
        if names
    )
    return "\n".join(entries)


def _scheme(name: str) -> str:
    info = initkit.describe_scheme(name)
    rows = [
        ("Formula", code(info.formula)),
        ("Moments", info.moments),
        ("Source", info.source),
        ("Also called", ", ".join(map(code, info.synonyms))),
    ]
    about = " · ".join(f"*{what}* {text}" for what, text in rows if text)
    searched = ", ".join([name, *info.synonyms, *filter(None, [WORDS.get(name, "")])])
    return f"{index(searched)}\n{code(info.signature)}\n: {info.summary}\n\n  {about}\n"


def index(words: str) -> str:
    """Return what makes the next paragraph found by some words, between commas.

    With "!" an entry is the main one, which the search puts before the texts that hold the word.
    """
    entries = ", ".join(f"! {word.strip()}" for word in words.split(","))
    return f"```{{index}} {entries}\n```\n"


def gains() -> str:
    """Return one row a nonlinearity."""
    rows = [[code(n), code(gain_formula(n)), f"{initkit.gain(n):.6g}"] for n in gain_names()]
    return table(["Nonlinearity", "f(z)", "Gain"], rows)


def undocumented(pages: str) -> Iterator[tuple[str, str]]:
    """Yield the public names that lack a docstring or a place in the pages, and why."""
    for name in initkit.__all__:
        if name.startswith("__"):
            continue
        if not (getattr(initkit, name).__doc__ or "").strip():
            yield name, "no docstring"
        if f"initkit.{name}\n" not in pages and name not in vars(initkit.errors):
            yield name, "no entry in docs/api.md"


def printed(script: str) -> str:
    """Return what an example prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout


def pictures(page: Path) -> Iterator[tuple[str, str]]:
    """Run a page's examples, and yield the pictures of the values that it includes by name."""
    text = re.sub(r"^ *(```|~~~).*$", "", page.read_text(), flags=re.MULTILINE)
    scope: dict[str, Any] = {}
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), quiet:
        for example in doctest.DocTestParser().get_examples(text):
            exec(compile(example.source, page.name, "single"), scope)
    for name in re.findall(rf"_generated/{page.stem}-(\w+)\.html", page.read_text()):
        yield f"{page.stem}-{name}.html", html_page("", scope[name].pictures())


def write_all(folder: Path) -> None:
    """Write every generated text into a folder."""
    folder.mkdir(exist_ok=True)
    for make in (schemes, gains):
        (folder / f"{make.__name__}.md").write_text(make())
    here = Path(__file__).parent
    for page in (here / "signal.md", *sorted((here / "gallery").glob("*.md"))):
        for name, picture in pictures(page):
            (folder / name).write_text(picture)
    for example in ("quickstart", "tutorial"):
        (folder / f"{example}.txt").write_text(printed(f"{example}.py"))
