"""Tables with a formula: interpolation, Fourier and mel bases, Hadamard matrices."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..numbers import exact_math, frozen
from .digits import short
from .indexed import Indexed


@frozen
class Interpolation(Indexed):
    """Kernels of linear interpolation between equal channels of each of ``groups``."""

    groups: int = 1

    def misfit(self, shape: tuple[int, ...]) -> str:
        fits = len(shape) > 2 and self.groups > 0 and shape[0] == self.groups * shape[1]
        text = f"{list(shape)} has not as many outputs as inputs in each of {self.groups} groups"
        return super().misfit(shape) or ("" if fits else text)

    def values(self, index: Tensor) -> Tensor:
        rest, value = index, torch.ones(index.shape, dtype=torch.float64, device="cpu")
        for size in reversed(self.shape[2:]):
            # As far from the middle as a pixel from its neighbour, nothing is left of it.
            factor = (size + 1) // 2
            middle = factor - 1 if size % 2 else factor - 0.5
            value = value * (1 - (rest % size - middle).abs() / factor)
            rest = rest // size
        channels = self.shape[1]
        same = rest // channels % channels == rest % channels
        return torch.where(same, value, 0.0)

    def describe_table(self) -> str:
        groups = "" if self.groups == 1 else f", {self.groups} groups"
        return f"interpolation in a window of {' x '.join(map(str, self.shape[2:]))}{groups}"


@frozen
class Fourier(Indexed):
    """Cosines of each frequency in the first half of the rows, less their sines in the second.

    They are windowed, and ``orthonormal`` ones divided by the root of their length.
    """

    window: str = "hann"
    orthonormal: bool = False
    tolerance = 1e-3  # most code computes the angles in float32

    def misfit(self, shape: tuple[int, ...]) -> str:
        length = shape[-1] if shape else 0
        rows = 2 * (length // 2 + 1)
        fits = bool(shape) and shape[0] == rows and math.prod(shape) == rows * length
        text = f"frames of {length} have {rows} rows of cosines and sines, not {list(shape)}"
        return super().misfit(shape) or ("" if fits else text)

    def values(self, index: Tensor) -> Tensor:
        length = self.shape[-1]
        bins = length // 2 + 1
        time, row = index % length, index // length
        # Reduced as integers, so that the angle of a long frame loses no digit.
        angle = (row % bins * time % length).double() * (2 * math.pi / length)
        wave = torch.where(row < bins, exact_math.cos(angle), -exact_math.sin(angle))
        wave = wave * self._shape_of_window(time.double())
        return wave / math.sqrt(length) if self.orthonormal else wave

    def _shape_of_window(self, time: Tensor) -> Tensor:
        if self.window == "none":
            return torch.ones_like(time)
        a = 0.5 if self.window == "hann" else 0.54
        return a - (1 - a) * exact_math.cos(time * (2 * math.pi / self.shape[-1]))

    def describe_table(self) -> str:
        window = "" if self.window == "none" else f", {self.window} window"
        return f"DFT of {self.shape[-1]}{window}"


@frozen
class Mel(Indexed):
    """Triangles over the frequencies of a spectrum, evenly spaced on the mel scale."""

    sample_rate: float
    low_frequency: float
    high_frequency: float
    slaney: bool = False
    tolerance = 1e-3  # most code computes the frequencies in float32

    def misfit(self, shape: tuple[int, ...]) -> str:
        rows = math.prod(shape[1:]) if shape else 0
        fits = len(shape) > 1 and rows == max(shape[1:]) and rows > 1
        return super().misfit(shape) or ("" if fits else f"{list(shape)} is no mels x frequencies")

    def values(self, index: Tensor) -> Tensor:
        bins = math.prod(self.shape[1:])
        edges = self._edges()
        row, place = index // bins, index % bins
        frequency = place.double() * (self.sample_rate / 2 / (bins - 1))
        low, middle, high = edges[row], edges[row + 1], edges[row + 2]
        rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
        value = torch.minimum(rising, falling).clamp(min=0)
        return value * 2 / (high - low) if self.slaney else value

    def _edges(self) -> Tensor:
        """Return where the bands begin, peak and end: evenly spaced in log(1 + f / 700)."""
        ends = torch.tensor(
            (self.low_frequency, self.high_frequency), dtype=torch.float64, device="cpu"
        )
        low, high = exact_math.log(1 + ends / 700)
        steps = torch.arange(self.shape[0] + 2, dtype=torch.float64, device="cpu")
        return 700 * (exact_math.exp(low + (high - low) * steps / (self.shape[0] + 1)) - 1)

    def describe_table(self) -> str:
        span = f"{short(self.low_frequency)} to {short(self.high_frequency)} Hz"
        return f"{self.shape[0]} mel bands, {span}{', of one area' * self.slaney}"


@frozen
class HadamardIdentity(Indexed):
    """The identity, seen through a Hadamard matrix where there are more outputs than inputs."""

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or ("" if len(shape) > 1 else f"{list(shape)} is no matrix")

    def values(self, index: Tensor) -> Tensor:
        rest, middle = index, torch.ones(index.shape, dtype=torch.bool, device="cpu")
        for size in reversed(self.shape[2:]):  # of a convolution the middle of its window
            middle &= rest % size == size // 2
            rest = rest // size
        out, inner = self.shape[:2]
        row, column = rest // inner, rest % inner
        if out <= inner:
            return ((row == column) & middle).double()
        size = 1 << (out - 1).bit_length()
        # An element of Sylvester's matrix is -1 where row and column share an odd number of bits.
        common, odd = row & column, torch.zeros_like(row)
        for bit in range(size.bit_length()):
            odd ^= common >> bit & 1
        return torch.where(middle, 1.0 - 2.0 * odd, 0.0) / math.sqrt(size)

    def describe_table(self) -> str:
        out, inner = self.shape[:2]
        return "ZerO: the identity" if out <= inner else "ZerO: a part of a Hadamard matrix"
