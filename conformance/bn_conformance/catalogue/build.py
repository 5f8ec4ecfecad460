"""What the families of cases are built from: layouts, formats, usual data, and a constructor that spells ids.

Shapes are few on purpose: frameworks that compile take up to a second for each new one. Hyper-parameters are exactly
representable (eps = 2**-10, momentum = 0.25), so that no conversion between conventions rounds; awkward values and
defaults have cases of their own. n is 100 or less where semantics are tested, so that a wrong estimator or a missing
eps stands far outside the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import Batch, Case, Parameters, SetStatistics, Step
from bn_conformance.cases.recipes import Recipe, seed_of


@dataclass(frozen=True)
class Layout:
    """A shape with its channel axis, named by the letters of its axes."""

    slug: str
    shape: tuple[int, ...]
    axis: int

    @property
    def channels(self) -> int:
        """Size of the channel axis."""
        return self.shape[self.axis]

    @property
    def count(self) -> int:
        """Values per channel."""
        count = 1
        for axis, size in enumerate(self.shape):
            count *= 1 if axis == self.axis else size
        return count


NC = Layout("nc", (8, 5), 1)
NCL = Layout("ncl", (4, 3, 6), 1)
NLC = Layout("nlc", (4, 6, 3), 2)
NCHW = Layout("nchw", (4, 3, 5, 5), 1)
NHWC = Layout("nhwc", (4, 5, 5, 3), 3)
NHCW = Layout("nhcw", (4, 5, 3, 5), 2)
NCDHW = Layout("ncdhw", (2, 3, 3, 2, 4), 1)
NDHWC = Layout("ndhwc", (2, 3, 2, 4, 3), 4)
LAYOUTS = (NC, NCL, NLC, NCHW, NHWC, NHCW, NCDHW, NDHWC)
IMAGES = (NCHW, NHWC)

Formats = tuple[str, str]
F32: Formats = ("float32", "float32")
F64: Formats = ("float64", "float64")
F16: Formats = ("float16", "float16")
BF16: Formats = ("bfloat16", "bfloat16")
F16_WIDE: Formats = ("float16", "float32")
BF16_WIDE: Formats = ("bfloat16", "float32")
F32_WIDE: Formats = ("float32", "float64")
"""A pair that an implementation may declare, and few do: its few cases are sweeps, and it is not of `FORMATS`."""
FORMATS = (F32, F64, F16, BF16, F16_WIDE, BF16_WIDE)
WIDE = (F32, F64)


def formats_slug(formats: Formats) -> str:
    """`float32`, or `float16-p-float32` where parameters are wider."""
    return formats[0] if formats[0] == formats[1] else f"{formats[0]}-p-{formats[1]}"


def places(formats: Formats, layouts: tuple[Layout, ...] = LAYOUTS) -> tuple[Layout, ...]:
    """Every layout for float32; the two image layouts for other formats, to keep signatures few."""
    return layouts if formats == F32 else tuple(layout for layout in layouts if layout in IMAGES)


def of_images(formats: Formats) -> tuple[Layout, ...]:
    """Image layouts of cases that need no other: both for mixed formats, which compilers are given in the latter alone.

    `bn_conformance.cases.model.unsupported_reason` says which 16-bit cases an implementation that compiles is not
    given.
    """
    return IMAGES if formats[0] != formats[1] else (NCHW,)


def normal(role: str, offset: float = 0.0, scale: float = 1.0) -> Recipe:
    """Random data, the same in every layout and format; `role` makes its seed."""
    return Recipe(kind="normal", seed=seed_of(role), offset=offset, scale=scale)


X = normal("x", offset=0.5)
DY = normal("dy")
PARAMETERS = Parameters(
    gamma=Recipe(kind="centred", seed=65, offset=0.25),
    beta=Recipe(kind="centred", seed=53, offset=-0.5),
)
MEAN = Recipe(kind="centred", seed=seed_of("running mean"), offset=0.25)
VARIANCE = Recipe(kind="positive", seed=seed_of("running variance"))


def train(layout: Layout, x: Recipe = X, dy: Recipe | None = None, **more: Any) -> Batch:
    """A training step of a layout's shape."""
    return Batch(training=True, shape=layout.shape, x=x, dy=dy, **more)


def evaluate(layout: Layout, x: Recipe = X, dy: Recipe | None = None, **more: Any) -> Batch:
    """An inference step of a layout's shape."""
    return Batch(training=False, shape=layout.shape, x=x, dy=dy, **more)


def known_statistics() -> SetStatistics:
    """Running statistics that are neither a fresh layer's nor a batch's."""
    return SetStatistics(MEAN, VARIANCE)


def make(
    family: str,
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
    parameters: Parameters | None = PARAMETERS,
    **more: Any,
) -> Case:
    """A case whose id is `family/layout/formats/variant`."""
    layer = LayerConfig(
        num_channels=layout.channels,
        rank=len(layout.shape),
        channel_axis=layout.axis,
        dtype=formats[0],
        parameter_dtype=formats[1],
        **(config or {}),
    )
    slug = formats_slug(formats)
    spelled = {"layout": layout.slug, "shape": list(layout.shape), "dtype": slug, "n": layout.count, **(axes or {})}
    return Case(
        id=f"{family.lower()}/{layout.slug}/{slug}/{variant}",
        family=family,
        title=title,
        clauses=clauses,
        config=layer,
        steps=steps,
        parameters=parameters,
        axes=spelled,
        **more,
    )


def resized(layout: Layout, shape: tuple[int, ...], slug: str | None = None) -> Layout:
    """The same arrangement of axes with other sizes."""
    return replace(layout, shape=shape, slug=slug or layout.slug + "-" + "x".join(map(str, shape)))
