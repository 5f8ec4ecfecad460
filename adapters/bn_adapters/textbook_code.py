"""The textbook's batch normalisation as one NumPy function forward and one back, for `bnconform repro`."""

from __future__ import annotations

from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import LayerConfig

FUNCTIONS = """
def forward(x, gamma, beta, eps):
    mean = np.mean(x, axis=0)
    centred = x - mean
    stabilised = np.mean(centred**2, axis=0) + eps
    deviation = np.sqrt(stabilised)
    normalised = centred * (1.0 / deviation)
    return gamma * normalised + beta, mean, stabilised, (centred, deviation, normalised, gamma)


def backward(dy, cache):
    centred, deviation, normalised, gamma = cache
    n, inverse = len(dy), 1.0 / deviation
    dbeta, dgamma, dnormalised = np.sum(dy, axis=0), np.sum(dy * normalised, axis=0), dy * gamma
    dstabilised = -np.sum(dnormalised * centred, axis=0) / deviation**2 / (2 * deviation)
    dcentred = dnormalised * inverse + (dstabilised / n) * (2 * centred)
    return dcentred - np.sum(dcentred, axis=0) / n, dgamma, dbeta


def to_rows(x):
    moved = np.moveaxis(x, AXIS, -1)
    return moved.reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])


def from_rows(rows, shape):
    moved = shape[:AXIS] + shape[AXIS + 1 :] + (shape[AXIS],)
    return np.moveaxis(rows.reshape(moved), -1, AXIS)
"""


class TextbookCode(LayerCode):
    """The pair of functions, with the arrays that a caller keeps."""

    imports = ()
    array = "np.asarray(value, np.float64)"

    def __init__(self, config: LayerConfig, default_eps: float, default_momentum: float) -> None:
        super().__init__(config)
        self.eps = default_eps if config.eps is None else config.eps
        self.keep = default_momentum if config.keep is None else config.keep

    def build(self) -> Lines:
        channels, dtype = self.config.num_channels, f"np.{self.config.dtype}"
        yield f"AXIS = {self.config.channel_axis}"
        yield ""
        yield from FUNCTIONS.splitlines()
        yield ""
        yield f"scale, shift = np.ones({channels}, {dtype}), np.zeros({channels}, {dtype})"
        yield f"held_mean, held_var = np.zeros({channels}, {dtype}), np.zeros({channels}, {dtype})"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f"{ {'gamma': 'scale', 'beta': 'shift'}[name] } = {name}"

    def set_statistics(self) -> Lines:
        yield "held_mean, held_var = running_mean, running_var"

    def step(self, call: StepCall) -> Lines:
        if not call.training:
            yield "rows = (to_rows(x) - held_mean) / np.sqrt(held_var)"
            yield "y_out = from_rows(scale * rows + shift, x.shape)"
            return
        yield f"rows, mean, stabilised, cache = forward(to_rows(x), scale, shift, {self.eps!r})"
        yield "y_out = from_rows(rows, x.shape)"
        yield f"held_mean = {self.keep!r} * held_mean + (1 - {self.keep!r}) * mean"
        yield f"held_var = {self.keep!r} * held_var + (1 - {self.keep!r}) * stabilised"
        if call.backward:
            yield "rows, dgamma_out, dbeta_out = backward(to_rows(dy), cache)"
            yield "dx_out = from_rows(rows, dy.shape)"

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = held_mean, held_var"
