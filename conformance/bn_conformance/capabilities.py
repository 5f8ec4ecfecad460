"""The capabilities that an adapter declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an implementation can do. What is not declared is shown as `unsupported`, never as a failure.

    Attributes:
        dtypes: formats of x with parameters of the same format.
        mixed: pairs (format of x, format of the parameters) with wider parameters.
        ranks: ranks of x.
        layouts: where the channels may be, see `LayerConfig.layout`.
        modes: modes in which `forward` is batch normalisation. A layer that normalises by its batch in inference too
            has training alone, a layer that is made for inference has inference alone.
        statistics: whether there are running statistics. Where there are none, those that `Layer.running_statistics`
            gives mean nothing.
        gradients: modes in which `backward` works.
        parameter_gradients: whether `backward` gives the gradients of gamma and beta too. Where these are constants, as
            the buffers of a FrozenBatchNorm2d, it gives None for them, and dx alone is judged.
        affine: which of gamma and beta a layer may have.
        literals: of eps and momentum, those that are literals in the code, so that a layer cannot be built with others.
            The convention's `default_eps` and `default_momentum` say their values; `Adapter.build` gets None.
        cumulative: whether momentum may be `CUMULATIVE`.
        freeze: whether `Layer.freeze` works.
        state: whether `Layer.state` and `Layer.load_state` work.
        set_statistics: whether `Layer.set_running_statistics` works.
        compiles: each new shape or configuration costs a compilation or a graph, so that sweeps over sizes are left
            out, and 16-bit formats are judged in one of the layouts that an implementation takes.
        threads: whether `Adapter.set_threads` works.
        concurrent: whether two layers may run at the same time in two Python threads.
        deterministic: whether equal calls give the same bits. Where they do not, as where sums run in the order in
            which threads end, what compares the bits of two runs is not asked, and all else is judged as ever.
        masks: whether `Layer.forward_masked` works.
        second_order: modes in which `Layer.double_backward` works.
        saved_statistics: of the statistics that a training forward keeps for its backward, whether the `forward` shows
            them (`Layer.saved_statistics` works), and whether the `backward` takes them (`Layer.backward_from` works).
        shards: which shards `Layer.forward_shards` takes, whose statistics are synchronised: `equal` ones, `unequal`
            ones, `empty` ones among others, and `masked` ones, each with a mask.
        original: whether `Adapter.build_original` works: layers are compiled or exported from others, which run too.
        devices: devices that `Adapter.device` may name.
    """

    dtypes: frozenset[str] = frozenset({"float32", "float64"})
    mixed: frozenset[tuple[str, str]] = frozenset()
    ranks: frozenset[int] = frozenset({2, 3, 4, 5})
    layouts: frozenset[Literal["first", "last", "between"]] = frozenset({"first"})
    modes: frozenset[Literal["training", "inference"]] = frozenset({"training", "inference"})
    statistics: bool = True
    gradients: frozenset[Literal["training", "inference"]] = frozenset({"training", "inference"})
    parameter_gradients: bool = True
    affine: frozenset[Literal["both", "none", "gamma", "beta"]] = frozenset({"both", "none"})
    literals: frozenset[Literal["eps", "momentum"]] = frozenset()
    cumulative: bool = False
    freeze: bool = False
    state: bool = True
    set_statistics: bool = True
    compiles: bool = False
    threads: bool = False
    concurrent: bool = True
    deterministic: bool = True
    masks: bool = False
    second_order: frozenset[Literal["training", "inference"]] = frozenset()
    saved_statistics: frozenset[Literal["forward", "backward"]] = frozenset()
    shards: frozenset[Literal["equal", "unequal", "empty", "masked"]] = frozenset()
    original: bool = False
    devices: tuple[str, ...] = ("cpu",)
