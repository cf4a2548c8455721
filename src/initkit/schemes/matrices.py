"""Schemes that start matrices: orthogonal, identity, sparse."""

from __future__ import annotations

import math
from typing import ClassVar

from .. import distributions
from ..errors import SchemeMismatch
from ..numbers import (
    Number,
    frozen,
)
from .base import _AT_LEAST_0, _FANS, Scheme, _bad
from .site import Site


@frozen(kw_only=True)
class Orthogonal(Scheme):
    """Draw a (semi-)orthogonal matrix from the Haar measure, per gate and per packed projection.

    Convolutions are taken as matrices of ``out`` rows.
    """

    gain: Number = 1.0
    fans: str = "module"

    name: ClassVar[str] = "orthogonal"
    formula: ClassVar[str] = "gain Q, Q Haar"
    source: ClassVar[str] = "Saxe et al. 2013; Stewart 1980"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(max(rows, columns))"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> distributions.Distribution:
        gain = self.number(site, "gain")
        grid = site.grid(self.fans)
        return (
            distributions.Orthogonal(site.shape, gain, grid)
            if gain
            else distributions.Constant(0.0)
        )


@frozen(kw_only=True)
class DeltaOrthogonal(Scheme):
    """Start a convolution as an orthogonal matrix in the middle of its window, zero elsewhere."""

    gain: Number = 1.0

    name: ClassVar[str] = "delta_orthogonal"
    formula: ClassVar[str] = "gain Q in the middle of the window, Q Haar with orthonormal columns"
    source: ClassVar[str] = "Xiao et al. 2018, How to Train 10,000-Layer Vanilla CNNs"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(out window)"

    def resolve(self, site: Site) -> distributions.Distribution:
        site.asked = True
        site.need(3, 5)
        out, inner = site.shape[:2]
        if inner > out:
            raise SchemeMismatch(
                f"delta_orthogonal needs at least as many outputs as inputs, not {out} and {inner}",
                names=[site.name],
            )
        gain = self.number(site, "gain")
        return (
            distributions.DeltaOrthogonal(site.shape, gain) if gain else distributions.Constant(0.0)
        )


@frozen(kw_only=True)
class Eye(Scheme):
    """Start with the identity, per block."""

    fans: str = "module"

    name: ClassVar[str] = "eye"
    formula: ClassVar[str] = "1 where row = column, else 0"
    source: ClassVar[str] = "torch.nn.init.eye_"
    moments: ClassVar[str] = "one 1 per row or column"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> distributions.Distribution:
        _need_plain_matrices(site)
        return distributions.Eye(site.shape, site.grid(self.fans))


@frozen(kw_only=True)
class Dirac(Scheme):
    """Start a convolution as the identity, per group."""

    groups: int = 1

    name: ClassVar[str] = "dirac"
    formula: ClassVar[str] = "1 in the middle of the window where input = output, else 0"
    source: ClassVar[str] = "torch.nn.init.dirac_"
    moments: ClassVar[str] = "one 1 per output channel, as far as there are inputs"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"groups": (1, math.inf)}

    def resolve(self, site: Site) -> distributions.Distribution:
        site.asked = True
        site.need(3, 5)
        if site.shape[0] % self.groups:
            what = f"{self.groups} do not divide the {site.shape[0]} entries of dimension 0"
            raise _bad(self, "groups", what)
        return distributions.Dirac(site.shape, self.groups)


@frozen(kw_only=True)
class Sparse(Scheme):
    """Draw from N(0, std) and zero the same share of every column."""

    sparsity: Number
    std: Number = 0.01
    fans: str = "module"

    name: ClassVar[str] = "sparse"
    formula: ClassVar[str] = "N(0, std), ceil(sparsity rows) zeros in every column"
    source: ClassVar[str] = "Martens 2010, Deep learning via Hessian-free optimization"
    moments: ClassVar[str] = "mean 0, std sqrt(1 - sparsity) times the option std"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"sparsity": (0.0, 1.0), "std": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> distributions.Distribution:
        _need_plain_matrices(site)
        grid, std = site.grid(self.fans), self.number(site, "std")
        zeros = math.ceil(self.number(site, "sparsity") * grid[1])
        return (
            distributions.Sparse(site.shape, std, zeros, grid)
            if std
            else distributions.Constant(0.0)
        )


def _need_plain_matrices(site: Site) -> None:
    if site.layout is None or not site.layout.copies:
        site.need(2, 2)
