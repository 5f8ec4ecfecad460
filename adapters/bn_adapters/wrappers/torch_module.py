"""Any `torch.nn.Module` class with weight, bias, running_mean and running_var, judged without an adapter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bn_adapters.torch_modules import INSTALL, TorchAdapter, TorchModuleLayer
from bn_adapters.torch_tensors import load_torch, to_tensor, torch_dtype
from bn_adapters.wrappers.code import (
    Constructor,
    class_of,
    constructor,
    error_line,
    framework_class,
    is_or_makes,
    number_or_none,
)
from bn_adapters.wrappers.trial import (
    CHANNELS,
    Ranks,
    adapter_class,
    affine_of,
    convention_of,
    described,
    refusal_of,
    trial,
)
from bn_conformance.adapter import CUMULATIVE, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a torch-module is built from the number of channels and, where it has them, eps, momentum, affine, device "
    "and dtype"
)
STATE = (
    "a torch-module has running_mean and running_var, and as parameters weight and bias or neither, all of shape "
    "(channels,)"
)
KNOWN = {
    "eps": ("eps", "epsilon"),
    "momentum": ("momentum",),
    "affine": ("affine",),
    "device": ("device",),
    "dtype": ("dtype",),
}
"""What the suite calls an argument of the constructor, to the names that it may have."""

HELD = {"eps": ("eps", "epsilon"), "momentum": ("momentum",)}
"""The same for attributes of a built module."""


@dataclass(frozen=True)
class ModuleRecipe:
    """How modules of a class are built.

    Attributes:
        constructor: what the class takes.
        attributes: of eps and momentum, those that are set on the built module since the constructor takes none.
        fixed: of eps and momentum, those that cannot be chosen.
    """

    constructor: Constructor
    attributes: dict[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()

    def module(self, config: LayerConfig, weighs_old: bool = False, device: str = "cpu") -> Any:
        """A fresh module."""
        chosen: dict[str, Any] = {}
        if config.eps is not None:
            chosen["eps"] = config.eps
        if config.momentum == CUMULATIVE:
            chosen["momentum"] = None
        elif config.momentum is not None:
            chosen["momentum"] = config.keep if weighs_old else config.momentum
        dtype = torch_dtype(config.parameter_dtype)
        arguments = self.constructor.arguments(affine=config.gamma, device=device, dtype=dtype, **chosen)
        module = self.constructor.built(config.num_channels, **arguments)
        if "dtype" not in self.constructor.names:
            module = module.to(dtype)
        for name, attribute in self.attributes.items():
            if name in chosen:
                setattr(module, attribute, chosen[name])
        return module


class TorchModule(TorchAdapter):
    """What the adapters of modules share; `adapter` makes a subclass for a class."""

    framework = ""  # whatever else the user's file does, in a process of its own
    recipe: ClassVar[ModuleRecipe]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        weighs_old = self.convention.momentum_weighs == "old"
        return TorchModuleLayer(self.recipe.module(config, weighs_old, self.device), self.device)

    def supports(self, config: LayerConfig) -> str | None:
        for name in ("eps", "momentum"):
            default = getattr(self.convention, f"default_{name}")
            if getattr(config, name) is None:
                if default is None:
                    return f"the class has no default {name}"
            elif name in self.recipe.fixed:
                return f"the class takes no {name}, and setting one on a module changes nothing"
        return None


def adapter(code: str) -> type[TorchModule]:
    """The adapter of a module class.

    Raises:
        TargetError: it is no module class, cannot be built, or lacks what a torch-module has.
    """
    torch = load_torch()
    built, name = class_of(code, torch.nn.Module, "a torch.nn.Module class")
    recipe = ModuleRecipe(constructor(built, KNOWN, "channels", ARGUMENTS))
    if "channels" not in recipe.constructor.names:
        raise TargetError(f"{built.__name__} takes no number of channels; {ARGUMENTS}")
    module = _built(recipe, _config())
    affine = _affine(module, name)
    recipe = _with_attributes(recipe, module)
    defaults = {key: _default(key, recipe.constructor, module) for key in ("eps", "momentum")}
    ranks = Ranks.tried(lambda rank: _refusal(recipe, rank), built.__name__, f"(N, {CHANNELS}, ...)")
    values = {f"default_{key}": value for key, value in defaults.items()}
    own = issubclass(built, torch.nn.modules.batchnorm._BatchNorm)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"}),
        ranks=frozenset(ranks.taken),
        affine=frozenset({"both", "none"} if "affine" in recipe.constructor.names else {affine}),  # type: ignore[arg-type]
        cumulative=own and "momentum" in recipe.constructor.names,
        freeze=True,
        threads=True,
    )
    attributes = {
        "name": name,
        "convention": convention_of(name, Convention(), **values),
        "capabilities": capabilities,
        "recipe": recipe,
        "notes": (_words(recipe, defaults), described(capabilities, layouts=False), str(ranks)),
    }
    return adapter_class(built.__name__, (TorchModule,), attributes)


def _config(rank: int = 4, **changes: Any) -> LayerConfig:
    return LayerConfig(num_channels=CHANNELS, rank=rank, **({"eps": None, "momentum": None} | changes))


def _built(recipe: ModuleRecipe, config: LayerConfig) -> Any:
    try:
        required = {"eps": 1e-5, "momentum": 0.1}
        lacking = {
            name: value
            for name, value in required.items()
            if name in recipe.constructor.names and name not in recipe.constructor.defaults
        }
        return recipe.module(replace(config, **lacking))  # type: ignore[arg-type]
    except Exception as error:
        raise TargetError(
            f"{recipe.constructor.built.__name__}({CHANNELS}) raised {error_line(error)}; {ARGUMENTS}"
        ) from None


def _affine(module: Any, name: str) -> str:
    """Which of gamma and beta a module has."""
    torch = load_torch()
    for attribute in ("running_mean", "running_var"):
        if not isinstance(getattr(module, attribute, None), torch.Tensor):
            raise TargetError(f"{name} has no tensor {attribute}; {STATE}")
    own = dict(module.named_parameters())
    strange = sorted(set(own) - {"weight", "bias"})
    if strange:
        raise TargetError(f"{name} has a parameter {strange[0]}; {STATE}")
    for attribute in ("running_mean", "running_var", *own):
        shape = tuple(getattr(module, attribute).shape)
        if shape != (CHANNELS,):
            raise TargetError(f"{name} has {attribute} of shape {shape} for {CHANNELS} channels; {STATE}")
    return affine_of("weight" in own, "bias" in own)


def _with_attributes(recipe: ModuleRecipe, module: Any) -> ModuleRecipe:
    """The recipe with eps and momentum that the constructor does not take, but that a built module obeys when set."""
    attributes, fixed = {}, set()
    for name, aliases in HELD.items():
        if name in recipe.constructor.names:
            continue
        held = next((alias for alias in aliases if number_or_none(getattr(module, alias, None)) is not None), None)
        if held is not None and _obeys(recipe, name, held):
            attributes[name] = held
        else:
            fixed.add(name)
    return ModuleRecipe(recipe.constructor, attributes, frozenset(fixed))


def _obeys(recipe: ModuleRecipe, name: str, attribute: str) -> bool:
    """Whether a module gives other numbers once the attribute has another value."""
    results = []
    for value in (0.25, 0.75):
        module = _built(recipe, _config())
        setattr(module, attribute, value)
        for rank in (4, 2, 3, 5):
            try:
                y = module(to_tensor(trial(rank, 1)))
            except Exception:
                continue
            results.append(y if name == "eps" else module.running_mean)
            break
    return len(results) == 2 and not load_torch().equal(*results)


def _default(name: str, takes: Constructor, module: Any) -> float | None:
    """What eps or momentum is where nobody gives one: in the signature, else on the built module."""
    if name in takes.names:
        if name not in takes.defaults or takes.defaults[name] is not None:
            stated = takes.number(name)
            if stated is not None or name not in takes.defaults:
                return stated
        return number_or_none(getattr(module, name, None))
    held = (number_or_none(getattr(module, alias, None)) for alias in HELD[name])
    return next((value for value in held if value is not None), None)


def _refusal(recipe: ModuleRecipe, rank: int) -> str | None:
    """Why a module does not take an x of a rank in training and in inference; None where it does."""
    x = trial(rank, 1)

    def shapes() -> list[tuple[int, ...]]:
        module = _built(recipe, _config(rank))
        return [tuple(module.train(training)(to_tensor(x)).shape) for training in (True, False)]

    return refusal_of(x, shapes)


def _words(recipe: ModuleRecipe, defaults: dict[str, float | None]) -> str:
    """What the constructor takes, and the defaults that the class states."""
    names = recipe.constructor.names
    parts = [f"built with {names['channels']}"]
    for name in ("eps", "momentum"):
        if name in names:
            how = f"{names[name]}=" + ("(no default)" if defaults[name] is None else f"{defaults[name]:g}")
        elif name in recipe.attributes:
            how = f"its attribute {recipe.attributes[name]} ({defaults[name]:g}) set, since the constructor takes none"
        else:
            how = f"no {name} to choose" + ("" if defaults[name] is None else f" ({defaults[name]:g})")
        parts.append(how)
    parts += [f"{names[name]}" for name in ("affine", "dtype", "device") if name in names]
    return ", ".join(parts)


def _recognises(thing: object) -> bool:
    """Whether a thing is a module class or a module. A layer of Keras is one too on this backend, and is Keras's."""
    keras = framework_class("keras", "Layer")
    return is_or_makes(thing, framework_class("torch.nn", "Module")) and not is_or_makes(thing, keras)


WRAPPER = Wrapper(
    expects="a torch.nn.Module class",
    adapter=adapter,
    requires=TorchAdapter.requires,
    install=INSTALL,
    recognises=_recognises,
)
