"""Structured starts, compared with what torch, scipy and numpy compute."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initkit import apply_init, check_init, plan_init
from initkit.schemes import read_scheme


def started(module: nn.Module, scheme: str, **options: Any) -> nn.Module:
    rules = {"weight": scheme, **({"bias": 0} if getattr(module, "bias", None) is not None else {})}
    apply_init(module, rules, seed=0, **options)
    assert check_init(module, rules).ok
    return module.requires_grad_(False)


def said(module: nn.Module, scheme: str) -> str:
    return str(plan_init(module, {"weight": scheme, "*": "keep"}).problems[0])


# ------------------------------------------------------------------------------------------ ICNR


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("inner", ["kaiming_normal", "orthogonal"])
def test_icnr_upscales_as_the_nearest_pixel(factor: int, inner: str) -> None:
    conv = started(nn.Conv2d(4, 5 * factor**2, 3), f"icnr({inner!r}, factor={factor})")
    out = F.pixel_shuffle(conv(torch.randn(2, 4, 7, 7)), factor)
    nearest = F.interpolate(out[..., ::factor, ::factor], scale_factor=factor)
    assert torch.equal(out, nearest)


def test_the_scheme_in_icnr_sees_one_output_for_a_pixel() -> None:
    plan = plan_init(nn.Conv2d(4, 64, 3), {"weight": "icnr('xavier_normal')", "bias": 0})
    assert plan["weight"].distribution.std == pytest.approx(math.sqrt(2 / (36 + 16 * 9)))
    small = {"w": torch.empty(16, 4, 3, 3)}
    apply_init(small, {"w": "normal"}, seed=0)
    large = {"w": torch.empty(64, 4, 3, 3)}
    apply_init(large, {"w": "icnr('normal')"}, seed=0)
    assert torch.equal(large["w"][::4], small["w"])


def test_icnr_of_outputs_that_are_no_pixels_is_a_problem() -> None:
    assert "its 10 outputs are no multiple of the 4" in said(nn.Conv2d(4, 10, 3), "icnr('normal')")


def test_a_check_sees_pixels_that_differ() -> None:
    conv = started(nn.Conv2d(4, 16, 3), "icnr('normal')")
    conv.weight[1, 0, 0, 0] += 1
    (failure,) = check_init(conv, {"weight": "icnr('normal')", "bias": 0}).failures
    assert "1 elements differ from those of the first of 4 equal rows" in failure.text


# --------------------------------------------------------------------------------- interpolation


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (4, 4), (4, 2)])
def test_a_transposed_convolution_upsamples_as_interpolate(
    factor: int, channels: int, groups: int
) -> None:
    size, padding = 2 * factor - factor % 2, math.ceil((factor - 1) / 2)
    up = nn.ConvTranspose2d(channels, channels, size, factor, padding, groups=groups, bias=False)
    started(up, "bilinear_upsampling")
    x = torch.randn(2, channels, 8, 8)
    wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = slice(factor, -factor)  # at the border one pads, and the other repeats
    torch.testing.assert_close(
        up(x)[..., inside, inside], wanted[..., inside, inside], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("kind", "mode"), [(nn.ConvTranspose1d, "linear"), (nn.ConvTranspose3d, "trilinear")]
)
def test_so_it_does_in_one_and_three_dimensions(kind: Any, mode: str) -> None:
    up = started(kind(2, 2, 4, 2, 1, bias=False), "bilinear_upsampling")
    x = torch.randn(1, 2, *(6,) * (up.weight.dim() - 2))
    wanted = F.interpolate(x, scale_factor=2, mode=mode, align_corners=False)
    inside = (..., *(slice(2, -2),) * (up.weight.dim() - 2))
    torch.testing.assert_close(up(x)[inside], wanted[inside], atol=1e-5, rtol=1e-5)


def test_interpolation_between_unequal_channels_is_a_problem() -> None:
    assert "has not as many outputs as inputs" in said(
        nn.ConvTranspose2d(4, 2, 4), "bilinear_upsampling"
    )


# ----------------------------------------------------------------------------- Fourier and mel


@pytest.mark.parametrize("length", [16, 15])
@pytest.mark.parametrize("window", ["hann", "hamming", "none"])
def test_a_convolution_is_torchs_stft(length: int, window: str) -> None:
    bins = length // 2 + 1
    conv = started(nn.Conv1d(1, 2 * bins, length, stride=5, bias=False), f"stft(window={window!r})")
    x = torch.randn(1, 1, 100)
    shapes = {"hann": torch.hann_window, "hamming": torch.hamming_window, "none": torch.ones}
    found = conv(x)[0]
    wanted = torch.stft(
        x[0], length, 5, window=shapes[window](length), center=False, return_complex=True
    )[0]
    torch.testing.assert_close(found[:bins], wanted.real, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[bins:], wanted.imag, atol=1e-4, rtol=1e-4)


def test_an_orthonormal_dft_is_torchs() -> None:
    layer = started(nn.Linear(12, 14, bias=False), "stft(window='none', orthonormal=True)")
    x = torch.randn(3, 12)
    wanted = torch.fft.rfft(x, norm="ortho")
    torch.testing.assert_close(layer(x), torch.cat([wanted.real, wanted.imag], 1))


def test_bases_that_other_code_computes_in_single_precision_are_as_planned() -> None:
    conv = nn.Conv1d(1, 66, 64, bias=False).requires_grad_(False)
    spectrum = torch.fft.rfft(torch.eye(64)).T
    conv.weight[:, 0] = torch.cat([spectrum.real, spectrum.imag])
    rules = {"weight": "stft(window='none')"}
    assert check_init(conv, rules).ok
    conv.weight[7] *= 1.02
    assert not check_init(conv, rules).ok


def test_mel_bands_that_other_code_computes_in_single_precision_are_as_planned() -> None:
    mel = torch.linspace(0, float(2595 * torch.tensor(1 + 8000 / 700).log10()), 42)
    edges = 700 * (10 ** (mel / 2595) - 1)
    slopes = edges[:, None] - torch.linspace(0, 8000, 257)
    widths = edges.diff()[:, None]
    layer = nn.Linear(257, 40, bias=False).requires_grad_(False)
    layer.weight[:] = torch.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]).clamp(
        min=0
    )
    rules = {"weight": "mel_bands(sample_rate=16000)"}
    assert check_init(layer, rules).ok
    layer.weight[20] *= 1.02
    assert not check_init(layer, rules).ok


def test_frames_of_another_number_of_frequencies_are_a_problem() -> None:
    text = "frames of 16 have 18 rows of cosines and sines, not [20, 1, 16]"
    assert text in said(nn.Conv1d(1, 20, 16), "stft")


def test_mel_bands_are_triangles_that_add_up_to_one_between_their_middles() -> None:
    layer = started(nn.Linear(257, 20, bias=False), "mel_bands(sample_rate=16000)")
    bands = layer.weight
    frequencies = torch.linspace(0, 8000, 257)
    mel = 2595 * (1 + frequencies / 700).log10()
    step = float(mel[-1]) / 21
    inside = (mel > step) & (mel < 20 * step)  # neighbours rise as the others fall
    torch.testing.assert_close(bands.sum(0)[inside], torch.ones(int(inside.sum())))
    middles = 700 * (10 ** (step * torch.arange(1, 21) / 2595) - 1)
    peaks = frequencies[bands.argmax(1)]
    assert bool(((peaks - middles).abs() <= 8000 / 256).all())
    slaney = started(nn.Linear(257, 20, bias=False), "mel_bands(sample_rate=16000, norm='slaney')")
    areas = slaney.weight.sum(1) * 8000 / 256
    assert bool(((areas - 1).abs() < 0.15).all())  # a sum for an integral, over a few points


def test_bands_beyond_the_spectrum_are_a_problem() -> None:
    text = said(nn.Linear(257, 20), "mel_bands(sample_rate=16000, high_frequency=9000)")
    assert "no bands lie between 0 and 9000 Hz of 8000" in text


# ------------------------------------------------------------------------ identities and spectra


@pytest.mark.parametrize(("out", "inner"), [(8, 8), (5, 9), (8, 4), (33, 16)])
def test_zero_is_the_identity_or_part_of_a_hadamard_matrix(out: int, inner: int) -> None:
    weight = started(nn.Linear(inner, out, bias=False), "zero_init").weight
    if out <= inner:
        assert torch.equal(weight, torch.eye(out, inner))
        return
    size = 2 ** math.ceil(math.log2(out))
    hadamard = torch.ones(1, 1)
    while len(hadamard) < size:  # Sylvester's construction
        hadamard = torch.cat([hadamard.repeat(1, 2), torch.cat([hadamard, -hadamard], 1)])
    torch.testing.assert_close(hadamard @ hadamard.T, size * torch.eye(size))
    torch.testing.assert_close(weight, hadamard[:out, :inner] / math.sqrt(size))


def test_zero_starts_the_middle_of_a_window() -> None:
    conv = started(nn.Conv2d(4, 4, 3, padding=1), "zero_init")
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(conv(x), x)


def test_the_identity_has_a_gain_in_any_dimensions() -> None:
    layer = started(nn.Linear(5, 5), "eye(gain=0.5)")
    x = torch.randn(2, 5)
    torch.testing.assert_close(layer(x), 0.5 * x)
    conv = started(nn.Conv3d(4, 4, 3, padding=1, groups=2), "dirac(gain=-2, groups=2)")
    x = torch.randn(1, 4, 3, 3, 3)
    torch.testing.assert_close(conv(x), -2 * x)
    assert str(read_scheme("identity")) == "eye"


def test_random_features_approximate_the_softmax_kernel_as_performer_has_it() -> None:
    layer = started(nn.Linear(16, 4096, bias=False), "random_features")
    x, y = 0.5 * torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    features = [torch.exp(layer(v) - v @ v / 2) for v in (x, y)]
    # The mean of 4096 products, whose deviation is exp(x.y) sqrt(exp(|x + y|^2) - 1).
    wanted, spread = math.exp(x @ y), math.exp(x @ y) * math.sqrt(math.exp((x + y) @ (x + y)) - 1)
    assert abs(float((features[0] * features[1]).mean()) - wanted) < 4 * spread / 64


def test_random_features_are_orthogonal_in_blocks() -> None:
    weight = started(nn.Linear(8, 20, bias=False), "random_features").weight
    for block in weight.split(8):
        gram = block @ block.T
        torch.testing.assert_close(gram, torch.diag(gram.diagonal()), atol=1e-5, rtol=0)
    fixed = started(nn.Linear(8, 20, bias=False), "random_features(norms='fixed', gain=2)").weight
    torch.testing.assert_close(fixed.norm(dim=1), torch.full((20,), 2 * math.sqrt(8)))
    fixed[0] *= 1.01
    rules = {"weight": "random_features(norms='fixed', gain=2)"}
    plain = nn.Linear(8, 20, bias=False)
    plain.weight.data.copy_(fixed)
    assert not check_init(plain, rules).ok


def test_a_reservoir_has_the_spectral_radius() -> None:
    layer = started(nn.Linear(60, 60, bias=False), "reservoir(radius=0.8, density=0.3)")
    found = torch.linalg.eigvals(layer.weight).abs().max()
    torch.testing.assert_close(found, torch.tensor(0.8), rtol=1e-4, atol=0)
    share = float((layer.weight != 0).float().mean())
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 3600)
    layer.weight.mul_(1.01)
    assert not check_init(layer, {"weight": "reservoir(radius=0.8, density=0.3)"}).ok


def test_a_reservoir_that_is_not_square_is_a_problem() -> None:
    assert "it needs a square matrix" in said(nn.Linear(3, 4), "reservoir")
