"""Schemes that start matrices: orthogonal, identity, sparse."""

from __future__ import annotations

import math

from .. import distributions
from ..numbers import Number, frozen
from .base import Scheme
from .options import Count, NonNegative, Share, option_error
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

    Convolutions are taken as matrices of ``out`` rows.
    """

    gain: Number = 1.0
    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        gain = self.number(site, "gain")
        # Asked for before the gain, so that a gain of 0 hides no misfit.
        grid = site.grid(self.fans)
        if not gain:
            return distributions.Constant(0.0)
        return distributions.Orthogonal(site.shape, gain, grid)


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

    gain: Number = 1.0

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(3, 5)
        out, inner = site.shape[:2]
        # Columns can only be orthonormal where there are as many rows.
        if inner > out:
            message = f"{self.name} needs at least as many outputs as inputs, not {out} and {inner}"
            raise site.mismatch(message)
        gain = self.number(site, "gain")
        if not gain:
            return distributions.Constant(0.0)
        return distributions.DeltaOrthogonal(site.shape, gain)


@frozen(kw_only=True)
class Eye(
    Scheme,
    name="eye",
    formula="1 where row = column, else 0",
    source="torch.nn.init.eye_",
    moments="one 1 per row or column",
    reads="axes",
):
    """Start with the identity, per block."""

    fans: FansOf = "module"

    def resolve(self, site: Site) -> distributions.Distribution:
        _need_plain_matrices(site)
        return distributions.Eye(site.shape, site.grid(self.fans))


@frozen(kw_only=True)
class Dirac(
    Scheme,
    name="dirac",
    formula="1 in the middle of the window where input = output, else 0",
    source="torch.nn.init.dirac_",
    moments="one 1 per output channel, as far as there are inputs",
    reads="axes",
):
    """Start a convolution as the identity, per group."""

    groups: Count = 1

    def resolve(self, site: Site) -> distributions.Distribution:
        site.need(3, 5)
        # As torch.nn.init.dirac_: each group of outputs is an identity of its own.
        if site.shape[0] % self.groups:
            what = f"{self.groups} do not divide the {site.shape[0]} entries of dimension 0"
            raise option_error(self.name, "groups", what)
        return distributions.Dirac(site.shape, self.groups)


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
        _need_plain_matrices(site)
        grid, std = site.grid(self.fans), self.number(site, "std")
        # Rounded up, as torch.nn.init.sparse_ does; grid[1] is the number of rows of each matrix.
        zeros = math.ceil(self.number(site, "sparsity") * grid[1])
        if not std:
            return distributions.Constant(0.0)
        return distributions.Sparse(site.shape, std, zeros, grid)


def _need_plain_matrices(site: Site) -> None:
    # As torch, which takes two dimensions alone; leading copies (`E in out`) hold matrices, too.
    if site.layout is None or not site.layout.copies:
        site.need(2, 2)
