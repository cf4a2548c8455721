"""Schemes with a structure: shuffled pixels, interpolation, Fourier and mel bases, spectra."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from .. import distributions
from ..numbers import Layout, Number, frozen
from .base import Scheme
from .composite import refuse_whole
from .options import Count, NonNegative, Positive, Share, option_error
from .site import Site


@frozen
class Icnr(
    Scheme,
    name="icnr",
    formula="the scheme, each output channel factor^2 times",
    source="Aitken et al. 2017, Checkerboard artifact free sub-pixel convolution",
    moments="those of the scheme",
    positional=("scheme",),
    reads="axes",
):
    """Start the convolution before a pixel shuffle so that its upscaling starts as nearest (ICNR).

    ``factor`` is the shuffle's: of its window's every dimension so many outputs stand for one
    pixel, and start with one kernel. The scheme sees as many outputs as there are pixels.
    """

    scheme: Scheme
    factor: Count = field(default=2, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(each.whole for each in self.scheme.walk()):
            raise option_error(self.name, "scheme", f"cannot be {self.scheme}")

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(3, 5)
        times = self.factor ** (len(site.shape) - 2)
        if site.shape[0] % times:
            raise site.mismatch(
                f"its {site.shape[0]} outputs are no multiple of the {times} of one pixel"
            )
        part = self.scheme.resolve(site.part(0, site.shape[0] // times))
        return distributions.Repeated(site.shape, part, times)

    def __str__(self) -> str:
        factor = "" if self.factor == 2 else f", factor={self.factor}"
        return f"{self.name}({self.scheme}{factor})"


@frozen(kw_only=True)
class BilinearUpsampling(
    Scheme,
    name="bilinear_upsampling",
    formula="prod of 1 - |i - middle| / ceil(window / 2), between equal channels",
    source="Long et al. 2015, Fully Convolutional Networks; Caffe's bilinear filler",
    moments="the kernel decides",
    reads="axes",
):
    """Start a transposed convolution as linear interpolation of each channel, in every dimension.

    With the stride f, a window of 2 f - f % 2 and the padding ceil((f - 1) / 2) it upsamples as
    ``interpolate`` does, but at the border. Groups and channels are the module's.
    """

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(3, 5)
        layout: Layout | None = site.layout
        found = distributions.Interpolation(site.shape, layout.groups if layout is not None else 1)
        if text := found.misfit(site.shape):
            raise site.mismatch(text)
        return found


@frozen(kw_only=True)
class Stft(
    Scheme,
    name="stft",
    formula="window(t) cos(2 pi f t / n), then -window(t) sin(2 pi f t / n)",
    source="torch.stft, as a convolution",
    moments="the window decides",
    reads="shape",
):
    """Start a convolution as the short-time Fourier transform of its window, real parts first.

    Of a window of n samples there are 2 (n // 2 + 1) outputs: the cosines of every frequency, then
    the sines with the sign that ``torch.stft`` gives them. ``window="none"`` is the plain DFT, and
    ``orthonormal`` divides by sqrt(n).
    """

    window: Literal["hann", "hamming", "none"] = "hann"
    orthonormal: bool = False

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Fourier(site.shape, self.window, self.orthonormal)


@frozen(kw_only=True)
class MelBands(
    Scheme,
    name="mel_bands",
    formula="triangles over the frequencies, evenly spaced in 2595 log10(1 + f / 700)",
    source="torchaudio.functional.melscale_fbanks, mel_scale='htk'",
    moments="the bands decide",
    reads="shape",
):
    """Start a layer as a mel filter bank: mels x frequencies, from 0 to half the sample rate.

    ``norm="slaney"`` gives every band the area 1.
    """

    sample_rate: Positive
    low_frequency: NonNegative = 0.0
    high_frequency: Number | None = None
    norm: Literal["none", "slaney"] = "none"

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(2)
        rate, low = self.number(site, "sample_rate"), self.number(site, "low_frequency")
        high = rate / 2 if self.high_frequency is None else self.number(site, "high_frequency")
        if not low < high <= rate / 2:
            raise site.mismatch(f"no bands lie between {low:g} and {high:g} Hz of {rate / 2:g}")
        return distributions.Mel(site.shape, rate, low, high, self.norm == "slaney")


@frozen
class ZerO(
    Scheme,
    name="zero_init",
    formula="the identity; H / sqrt(2^m) where outputs are more than inputs, 2^m >= outputs",
    source="Zhao et al. 2021, ZerO Initialization",
    moments="the shape decides",
    reads="shape",
):
    """Start a layer without randomness, as the identity or a part of a Hadamard matrix (ZerO).

    Of a convolution the middle of the window starts so, and the rest of it at 0.
    """

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(2, 5)
        return distributions.HadamardIdentity(site.shape)


@frozen(kw_only=True)
class RandomFeatures(
    Scheme,
    name="random_features",
    formula="gain chi_d Q, rows orthogonal in blocks of d",
    source="Yu et al. 2016, Orthogonal Random Features; Choromanski et al. 2020, Performer",
    moments="mean 0, std gain",
    reads="shape",
):
    """Draw random features: rows orthogonal in blocks, with the norms of normal vectors.

    ``norms="fixed"`` gives every row the norm sqrt(d), as Performer's ``scaling=1``.
    """

    gain: Number = 1.0
    norms: Literal["chi", "fixed"] = "chi"

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(2, 2)
        gain = self.number(site, "gain")
        found = distributions.RandomFeatures(site.shape, gain, self.norms == "fixed")
        return found if gain else distributions.Constant(0.0)


@frozen
class SkewPairs(
    Scheme,
    name="skew_pairs",
    formula="x above the diagonal of each 2 x 2 block, -x below it, 0 elsewhere",
    source="Lezcano-Casado & Martinez-Rubio 2019, expRNN; Lezcano/expRNN, initialization.py",
    moments="of x, but for the zeros",
    positional=("scheme",),
    reads="shape",
):
    """Start a skew-symmetric matrix whose exponential turns pairs of units by random angles.

    ``skew_pairs('uniform(-pi, pi)')`` is Henaff's start of expRNN, ``skew_pairs(quantile(
    -sin(pi*u/4)/cos(pi*u/4)))`` Cayley's. The last row of an odd number is 0.
    """

    scheme: Scheme

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner)

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(2, 2)
        return distributions.SkewPairs(site.shape, self.scheme.resolve(site))

    def __str__(self) -> str:
        return f"{self.name}({self.scheme})"


@frozen(kw_only=True)
class Reservoir(
    Scheme,
    name="reservoir",
    formula="W radius / rho(W), W of U(-1, 1) with a share density not 0",
    source="Jaeger 2001, The echo state approach",
    moments="the spectral radius is as given",
    reads="shape",
):
    """Draw a recurrent matrix, scaled to a spectral radius, as echo state networks have it.

    The eigenvalues of the whole matrix are computed, on every rank: n^3 for n units.
    """

    radius: Positive = 0.9
    density: Share = 1.0

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(2, 2)
        if site.shape[0] != site.shape[1]:
            raise site.mismatch(f"it needs a square matrix, and the shape is {list(site.shape)}")
        radius, density = self.number(site, "radius"), self.number(site, "density")
        return distributions.Reservoir(site.shape, radius, density)
