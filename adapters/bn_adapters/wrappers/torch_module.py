"""Any torch class of batch normalisation, judged without an adapter: a module, or a plain class of tensors."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from typing import Any, ClassVar

from bn_adapters.torch_modules import INSTALL, TorchAdapter
from bn_adapters.torch_tensors import load_torch
from bn_adapters.wrappers.code import class_of, error_line, framework_class, is_or_makes
from bn_adapters.wrappers.torch.calling import BY_GRAD
from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.names import AFFINE, BIAS, BUILT, CHANNELS, EPS, MEAN, MOMENTUM, WEIGHT
from bn_adapters.wrappers.torch.reading import ModuleReading, read_module
from bn_adapters.wrappers.torch.words import notes_of
from bn_adapters.wrappers.trial import adapter_class, affine_of, convention_of
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.factories import is_factory
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper


class TorchModule(TorchAdapter):
    """What the adapters of modules share; `adapter` makes a subclass for a class."""

    framework = ""  # whatever else the user's file does, in a process of its own
    recipe: ClassVar[ModuleRecipe]
    taken: ClassVar[frozenset[tuple[int, int]]]
    notes: ClassVar[tuple[str, ...]]
    inherits: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        return self.recipe.layer(config, self.convention.momentum_weighs == "old", self.device)

    def supports(self, config: LayerConfig) -> str | None:
        for name in (EPS, MOMENTUM):
            if getattr(config, name) is None:
                if getattr(self.convention, f"default_{name}") is None:
                    return f"the class has no default {name}"
            elif name in self.capabilities.literals and not (name == MOMENTUM and not self.capabilities.statistics):
                return f"the class takes no {name}, and setting one on a module changes nothing"
        if (config.rank, config.channel_axis) not in self.taken:
            return f"x of rank {config.rank} with its channels on axis {config.channel_axis} is not taken"
        return None


def adapter(code: str, said: Said = Said()) -> type[TorchModule]:  # noqa: B008 (frozen)
    """The adapter of a class.

    Args:
        code: names it.
        said: what the user says of it.

    Raises:
        TargetError: it is no such class, it cannot be built or called, or what it holds cannot be told.
    """
    load_torch()
    built, name = class_of(code, object, "a torch.nn.Module class", _recognises)
    try:
        reading = read_module(built, name, said)
    except TargetError:
        raise
    except Exception as error:
        raise TargetError(f"{name} cannot be read as a torch-module: {error_line(error)}") from None
    capabilities = _capabilities(reading, built)
    numbers = {f"default_{role}": reading.numbers[role] for role in (EPS, MOMENTUM)}
    for role in reading.literals:
        key = f"default_{role}"
        numbers[key] = numbers[key] or getattr(Convention(), key)
    attributes = {
        "name": name,
        "convention": convention_of(name, Convention(), **numbers),
        "capabilities": capabilities,
        "recipe": reading.recipe,
        "taken": frozenset((trial.x.ndim, trial.axis) for trial in reading.tries.taken),
        "notes": notes_of(reading, capabilities),
        "inherits": _inherits(reading, built),
    }
    return adapter_class(built.__name__, (TorchModule,), attributes)


def _capabilities(reading: ModuleReading, built: type) -> Capabilities:
    construction, places = reading.recipe.construction, reading.recipe.construction.places
    own = affine_of(WEIGHT in places, BIAS in places)
    momentum = construction.attributes.get(MOMENTUM, ())
    layers = [place.owner(reading.module) for place in momentum] or [reading.module] * (MOMENTUM in construction.names)
    whole = {"training", "inference"} <= reading.modes
    return Capabilities(
        dtypes=frozenset(reading.dtypes),
        ranks=frozenset(trial.x.ndim for trial in reading.tries.taken),
        layouts=_layouts((trial.x.ndim, trial.axis) for trial in reading.tries.taken),
        modes=reading.modes,  # type: ignore[arg-type]
        statistics=MEAN in places,
        set_statistics=MEAN in places,
        gradients=reading.gradients,  # type: ignore[arg-type]
        affine=frozenset({"both", "none"} if AFFINE in construction.names else {own}),  # type: ignore[arg-type]
        literals=reading.literals,  # type: ignore[arg-type]
        cumulative=bool(layers) and all(is_or_makes(layer, _framework_layer()) for layer in layers),
        freeze=whole and reading.recipe.calling.mode != BY_GRAD,
        state=reading.saves,
        masks=reading.recipe.calling.mask is not None,
        threads=True,
    )


def _layouts(places: Iterable[tuple[int, int]]) -> frozenset[Any]:
    """Where the channels may be; at rank 2 they are first and last."""
    configs = [LayerConfig(num_channels=1, rank=rank, channel_axis=axis) for rank, axis in places]
    return frozenset(config.layout for config in configs if config.rank > 2) or frozenset({"first"})


def _framework_layer() -> type | None:
    return framework_class("torch.nn.modules.batchnorm", "_BatchNorm")


def _inherits(reading: ModuleReading, built: type) -> tuple[str, ...]:
    """The registered implementation whose known faults are the class's too: that of the kernel that it calls."""
    if not reading.like_torch:
        return ()
    module = load_torch().nn.Module
    inside = list(reading.module.modules()) if isinstance(reading.module, module) else []
    return ("torch.nn",) if any(is_or_makes(part, _framework_layer()) for part in inside) else ("torch.functional",)


def _recognises(thing: object) -> bool:
    """Whether a thing is a module class, a module, a plain class that uses torch, or a function that makes one."""
    if is_or_makes(thing, framework_class("keras", "Layer")):
        return False
    if is_or_makes(thing, framework_class("torch.nn", "Module")):
        return not is_or_makes(thing, framework_class("torch.nn.modules.loss", "_Loss"))
    return _is_plain_layer(thing) if inspect.isclass(thing) else is_factory(thing) and _makes_layers(thing)


def _makes_layers(factory: Any) -> bool:
    """Whether a function takes a number of channels, by its name, and uses torch or a module class."""
    if not inspect.isfunction(factory):
        return False
    first = next(iter(inspect.signature(factory).parameters), "")
    return first in BUILT[CHANNELS] and (_uses_torch(factory) or any(map(_is_module_class, _used_by(factory))))


def _is_module_class(thing: object) -> bool:
    return inspect.isclass(thing) and is_or_makes(thing, framework_class("torch.nn", "Module"))


def _is_plain_layer(built: type) -> bool:
    """Whether a class without a framework's base is built from something, called with something, and uses torch."""
    if "torch" not in sys.modules or issubclass(built, tuple | dict | list | BaseException):
        return False
    methods: list[Any] = [vars(built).get(name) for name in ("__init__", "forward", "__call__")]
    functions = [method for method in methods if inspect.isfunction(method)]
    if not inspect.isfunction(methods[0]) or len(functions) < 2:
        return False
    return any(_uses_torch(function) for function in functions)


def _uses_torch(function: Any) -> bool:
    return any(getattr(value, "__name__", "").partition(".")[0] == "torch" for value in _used_by(function))


def _used_by(function: Any) -> list[Any]:
    """What a function names of its module."""
    scope = function.__globals__
    return [scope[name] for name in function.__code__.co_names if name in scope]


WRAPPER = Wrapper(
    expects="a torch.nn.Module class",
    adapter=adapter,
    requires=TorchAdapter.requires,
    install=INSTALL,
    recognises=_recognises,
    names=True,
)
