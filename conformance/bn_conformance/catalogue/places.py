"""Places: the shapes, channel axes and formats in which cases are tried.

Shapes are few on purpose: frameworks that compile take up to a second for each new one. n is 100 or less where
semantics are tested, so that a wrong estimator or a missing eps stands far outside the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

FormatPair = tuple[str, str]
"""The format of x, and that of the parameters and running statistics."""

F32: FormatPair = ("float32", "float32")
F64: FormatPair = ("float64", "float64")
F16: FormatPair = ("float16", "float16")
BF16: FormatPair = ("bfloat16", "bfloat16")
F16_WIDE: FormatPair = ("float16", "float32")
BF16_WIDE: FormatPair = ("bfloat16", "float32")
F32_WIDE: FormatPair = ("float32", "float64")
"""A pair that few implementations declare. Its few cases are sweeps, and it is not one of `FORMATS`."""

FORMAT_PAIRS = (F32, F64, F16, BF16, F16_WIDE, BF16_WIDE)
WIDE = (F32, F64)


def formats_slug(formats: FormatPair) -> str:
    """`float32`, or `float16-p-float32` where parameters are wider."""
    return formats[0] if formats[0] == formats[1] else f"{formats[0]}-p-{formats[1]}"


@dataclass(frozen=True)
class Place:
    """Where a case is tried: a shape with its channel axis, and the formats of the data.

    Attributes:
        slug: the letters of the axes (N batch, C channels, D, H, W and L the others), as ids spell them.
        shape: shape of x.
        axis: the channel axis.
        formats: of x and of the parameters.
    """

    slug: str
    shape: tuple[int, ...]
    axis: int
    formats: FormatPair = F32

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def channels(self) -> int:
        """Size of the channel axis."""
        return self.shape[self.axis]

    @property
    def count(self) -> int:
        """Values per channel."""
        return prod(self.shape[: self.axis] + self.shape[self.axis + 1 :])

    def of(self, formats: FormatPair) -> Place:
        """The same place in other formats."""
        return replace(self, formats=formats)

    def resized(self, *shape: int) -> Place:
        """The same arrangement of axes with other sizes, which the slug spells."""
        return replace(self, shape=shape, slug=f"{self.slug}-{'x'.join(map(str, shape))}")

    def with_channels(self, channels: int) -> tuple[int, ...]:
        """The place's shape with so many channels."""
        return tuple(channels if axis == self.axis else size for axis, size in enumerate(self.shape))


NC = Place("nc", (8, 5), 1)
NCL = Place("ncl", (4, 3, 6), 1)
NLC = Place("nlc", (4, 6, 3), 2)
NCHW = Place("nchw", (4, 3, 5, 5), 1)
NHWC = Place("nhwc", (4, 5, 5, 3), 3)
NHCW = Place("nhcw", (4, 5, 3, 5), 2)
NCDHW = Place("ncdhw", (2, 3, 3, 2, 4), 1)
NDHWC = Place("ndhwc", (2, 3, 2, 4, 3), 4)
EVERY_LAYOUT = (NC, NCL, NLC, NCHW, NHWC, NHCW, NCDHW, NDHWC)
IMAGES = (NCHW, NHWC)
FEW = (NC, NCHW, NHWC)
"""Where most cases of float32 are tried."""

FEW_AND_F64 = (*FEW, NCHW.of(F64))
"""Where most cases are tried that need no 16-bit format."""


def in_formats(formats: FormatPair, places: tuple[Place, ...] = EVERY_LAYOUT) -> tuple[Place, ...]:
    """The places in float32; in other formats those of images alone, to keep the number of shapes small."""
    return tuple(place.of(formats) for place in places if formats == F32 or place in IMAGES)


def images_of(formats: FormatPair) -> tuple[Place, ...]:
    """Places of cases that need one layout of images: both where parameters are wider than x, the first elsewhere.

    `bn_conformance.cases.support` says which 16-bit cases an implementation that compiles is not given: of those with
    wider parameters it is given the ones with channels last.
    """
    return tuple(place.of(formats) for place in (IMAGES if formats[0] != formats[1] else IMAGES[:1]))


EVERYWHERE = tuple(place for formats in FORMAT_PAIRS for place in in_formats(formats))
"""Every layout in float32, and images in every other pair of formats."""
