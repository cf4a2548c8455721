"""Schemes that start matrices: orthogonal, standardised, identity, sparse."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import distributions
from ..distributions import Grid
from ..numbers import Number, frozen
from .base import Scheme
from .options import AtLeastOne, Gain, NonNegative, Positive, Share, option_error
from .site import FansOf, Site


@frozen(kw_only=True)
class Orthogonal(
    Scheme,
    name="orthogonal",
    formula="gain Q, Q Haar",
    source="Saxe et al. 2013; Stewart 1980",
    moments="mean 0, std gain/sqrt(max(rows, columns))",
    reads="axes",
):
    """Draw a (semi-)orthogonal matrix from the Haar measure, per gate and per packed projection.

    Convolutions are taken as matrices of ``out`` rows. The layout says which axes are outputs and
    inputs, in any order and number.
    """

    gain: Gain = 1.0
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        gain = self.number(site, "gain")
        # Asked for before the gain, so that a gain of 0 hides no misfit.
        found = _matrices(site, self.fans, lambda *of: distributions.Orthogonal(of[0], gain, of[1]))
        return found if gain else distributions.Constant(0.0)


@frozen(kw_only=True)
class HeOrthogonal(
    Scheme,
    name="he_orthogonal",
    formula="gain (q - mean q)/(std q sqrt(fan_in)) for each row q of Q, Q Haar",
    source="Gasteiger et al. 2021, GemNet; TUM-DAML/gemnet_pytorch, he_orthogonal_init",
    moments="every row: mean 0, std gain/sqrt(fan_in)",
    reads="axes",
):
    """Draw a (semi-)orthogonal matrix and standardise its rows to He's variance, as GemNet does.

    A row holds the weights of one output. Its variance is that of a sample, with n - 1, and 1e-6
    more, as published.
    """

    gain: Gain = 1.0
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        gain = self.number(site, "gain")

        def of(shape: tuple[int, ...], grid: Grid) -> distributions.Distribution:
            if grid[2] < 2:
                raise site.mismatch(f"{self.name}: rows of one entry have no variance")
            return distributions.Standardized(shape, gain, grid)

        found = _matrices(site, self.fans, of, upright=True)
        return found if gain else distributions.Constant(0.0)


@frozen(kw_only=True)
class GlorotOrthogonal(
    Scheme,
    name="glorot_orthogonal",
    formula="Q sqrt(scale/((fan_in + fan_out) var(Q))), Q Haar",
    source="Gasteiger et al. 2020, DimeNet; pyg-team/pytorch_geometric, glorot_orthogonal",
    moments="mean 0, std sqrt(scale/(fan_in + fan_out))",
    reads="axes",
):
    """Draw a (semi-)orthogonal matrix and scale it to Glorot's variance, as DimeNet does.

    That is the variance of its entries as a sample, with n - 1; ``scale`` is 2, as published.
    """

    scale: Positive = 2.0
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        fans = site.fans(self.fans)
        std = math.sqrt(self.number(site, "scale") / (fans.fan_in + fans.fan_out))

        def of(shape: tuple[int, ...], grid: Grid) -> distributions.Distribution:
            return distributions.RescaledOrthogonal(shape, std, grid)

        return _matrices(site, self.fans, of)


@frozen(kw_only=True)
class DeltaOrthogonal(
    Scheme,
    name="delta_orthogonal",
    formula="gain Q in the middle of the window, Q Haar with orthonormal columns",
    source="Xiao et al. 2018, How to Train 10,000-Layer Vanilla CNNs",
    moments="mean 0, std gain/sqrt(out window)",
    reads="axes",
):
    """Start a convolution as an orthogonal matrix in the middle of its window, zero elsewhere."""

    gain: Gain = 1.0

    def resolve(self, site: Site) -> distributions.Distribution:
        kernel = _kernel(site)
        if kernel[0] > 1:
            message = f"{self.name} starts one convolution, and {site.layout} stacks {kernel[0]}"
            raise site.mismatch(message)
        out, inner = _sides(site)
        # The norm can only be kept where there are as many outputs.
        if inner > out:
            message = f"{self.name} needs at least as many outputs as inputs, not {out} and {inner}"
            raise site.mismatch(message)
        gain = self.number(site, "gain")
        if not gain:
            return distributions.Constant(0.0)
        return _arranged(site, distributions.DeltaOrthogonal(kernel[1:], gain))


@frozen(kw_only=True)
class Eye(
    Scheme,
    name="eye",
    formula="gain where row = column, else 0",
    source="torch.nn.init.eye_",
    moments="one gain per row or column",
    reads="axes",
):
    """Start with the identity times ``gain``, per block; ``dirac`` is that of a convolution."""

    gain: Number = 1.0
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        _need_plain_matrices(site, self.fans)
        found = _matrices(site, self.fans, distributions.Eye)
        gain = self.number(site, "gain")
        return found if gain == 1 else found.scaled(gain)


@frozen(kw_only=True)
class Dirac(
    Scheme,
    name="dirac",
    formula="gain in the middle of the window where input = output, else 0",
    source="torch.nn.init.dirac_",
    moments="one gain per output channel, as far as there are inputs",
    reads="axes",
):
    """Start a convolution as the identity times ``gain``, per group."""

    groups: AtLeastOne = 1.0
    gain: Number = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.groups, float) and self.groups % 1:
            what = f"must be a whole number, not {self.groups:g}"
            raise option_error(self.name, "groups", what)

    def resolve(self, site: Site) -> distributions.Distribution:
        copies, rows, *rest = _kernel(site)
        groups = self.number(site, "groups")
        # As torch.nn.init.dirac_: each group of outputs is an identity of its own.
        if rows % groups:
            what = f"{groups:g} do not divide the {rows} entries of dimension 0"
            raise option_error(self.name, "groups", what)
        shape = (copies * rows, *rest)
        found = _arranged(site, distributions.Dirac(shape, copies * int(groups)))
        gain = self.number(site, "gain")
        return found if gain == 1 else found.scaled(gain)


@frozen(kw_only=True)
class Sparse(
    Scheme,
    name="sparse",
    formula="N(0, std), ceil(sparsity rows) zeros in every column",
    source="Martens 2010, Deep learning via Hessian-free optimization",
    moments="mean 0, std sqrt(1 - sparsity) times the option std",
    reads="axes",
):
    """Draw from N(0, std) and zero the same share of every column."""

    sparsity: Share
    std: NonNegative = 0.01
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        _need_plain_matrices(site, self.fans)
        std, sparsity = self.number(site, "std"), self.number(site, "sparsity")

        def of(shape: tuple[int, ...], grid: Grid) -> distributions.Distribution:
            # Rounded up, as torch.nn.init.sparse_ does; grid[1] is the rows of each matrix.
            return distributions.Sparse(shape, std, math.ceil(sparsity * grid[1]), grid)

        # Upright, since rows and columns are no equals here.
        found = _matrices(site, self.fans, of, upright=True)
        return found if std else distributions.Constant(0.0)


_OF_MATRICES = {"dirac": "eye", "delta_orthogonal": "orthogonal"}
_OF_KERNELS = {matrix: kernel for kernel, matrix in _OF_MATRICES.items()}
"""What a scheme of convolutions is for matrices, and the other way round."""


def _matrices(
    site: Site,
    fans: FansOf,
    of: Callable[[tuple[int, ...], Grid], distributions.Distribution],
    *,
    upright: bool = False,
) -> distributions.Distribution:
    """Return what ``of`` makes of a tensor's shape and grid, laid out as the tensor has its axes.

    Where matrices do not lie one after the other it makes them so, and they are laid out after it.
    """
    found = site.matrices(fans)
    grid = site.grid(fans) if found is None else found.lying(upright=upright)
    if grid is not None:
        return of(site.shape, grid)
    assert found is not None
    return _laid_out(site, of(found.grid, found.grid))


def _laid_out(site: Site, part: distributions.Distribution) -> distributions.Distribution:
    assert site.layout is not None
    return distributions.Arranged(site.shape, part, site.layout.axes, site.layout.blocks)


def _kernel(site: Site) -> tuple[int, ...]:
    """Return a convolution as how many, rows and columns of each, and the sizes of its window."""
    # Without a layout it is torch's: outputs, inputs, window.
    found = None if site.layout is None else site.matrices()
    kernel = (1, *site.shape) if found is None else found.kernel
    if kernel == (1, *site.shape):
        site.need(3, 5, instead=_OF_MATRICES)
    site.need(3, instead=_OF_MATRICES)
    return kernel


def _sides(site: Site) -> tuple[int, int]:
    """Return how many outputs and inputs a convolution has."""
    found = None if site.layout is None else site.matrices()
    if found is None:
        return site.shape[0], site.shape[1]
    return found.outputs, found.inputs


def _arranged(
    site: Site, part: distributions.Dirac | distributions.DeltaOrthogonal
) -> distributions.Distribution:
    """Return the convolution, laid out as the tensor has its axes."""
    return part if part.shape == site.shape else _laid_out(site, part)


def _need_plain_matrices(site: Site, fans: FansOf) -> None:
    # As torch, which takes two dimensions alone; with a layout there may be more, but no window.
    found = None if site.layout is None or fans == "tensor" else site.matrices()
    if found is None or (found.window and not found.copies):
        site.need(2, 2, instead=_OF_KERNELS)
