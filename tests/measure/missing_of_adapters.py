"""What is half added of an adapter: its class, its registration, its extra, its test, its line in the README."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from bn_conformance.adapter import Adapter
from bn_conformance.implementations.registry import GROUP


def of_registered(
    registered: Mapping[str, str], installed: Collection[str], modules: Mapping[str, str], tests: Iterable[str]
) -> Iterator[str]:
    """Adapters that are registered without a class or a test, or not installed since.

    Args:
        registered: targets (`module:Class`) by name, as pyproject.toml has them.
        installed: names that the environment knows.
        modules: texts of the adapters' modules, by dotted name.
        tests: texts of the tests of adapters.
    """
    tested = "\n".join(tests)
    for name, target in registered.items():
        module, _, cls = target.partition(":")
        path = f"adapters/{module.replace('.', '/')}.py"
        if module not in modules:
            yield f"adapter {name} has no module: write {path}, or mend its line in pyproject.toml"
        elif f"class {cls}(" not in modules[module]:
            yield f"adapter {name} has no class {cls} in {path}: write it, or mend its line in pyproject.toml"
        elif not re.search(rf"\b{cls}\b", tested):
            yield f"adapter {name} has no test: name {cls} in one under tests/adapters/"
        if name not in installed:
            yield f"adapter {name} is registered and not installed: run `touch pyproject.toml`, then `make install`"


def of_defined(defined: Mapping[str, type[Adapter]], registered: Mapping[str, str]) -> Iterator[str]:
    """Adapters that a module defines and pyproject.toml does not register under their name.

    Args:
        defined: classes by target (`module:Class`).
        registered: targets by name, as pyproject.toml has them.
    """
    for target, adapter in defined.items():
        if registered.get(adapter.name) != target:
            yield (
                f'adapter {adapter.name} is not registered: add "{adapter.name}" = "{target}" '
                f'to [project.entry-points."{GROUP}"] in pyproject.toml'
            )


def of_installing(adapters: Iterable[type[Adapter]], extras: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Adapters whose `install` is empty or names an extra that is not there, or that the default matrix leaves out.

    Args:
        adapters: the classes.
        extras: requirements by extra, as pyproject.toml has them.
    """
    table = "[project.optional-dependencies]"
    matrix = " ".join(extras["frameworks"])
    for adapter in adapters:
        name = f"adapter {adapter.name}"
        if not adapter.install:
            yield f"{name} does not say what installs it: write the command into {adapter.__name__}.install"
        for extra in ",".join(re.findall(r"bnconform\[(.*?)\]", adapter.install)).split(","):
            if extra and extra not in extras:
                yield f'{name} needs the extra {extra}, which is not there: add {extra} = ["..."] to {table}'
            elif extra and not re.search(rf"\b{re.escape(extra)}\b", matrix):
                yield f"{name} needs the extra {extra}, which the extra frameworks leaves out: add it in {table}"


def of_readme(targets: Iterable[str], text: str) -> Iterator[str]:
    """Modules of adapters that adapters/README.md does not name."""
    for module in dict.fromkeys(target.partition(":")[0] for target in targets):
        file = f"{module.rpartition('.')[2]}.py"
        if f"`{file}`" not in text:
            yield f"adapters/README.md does not name `{file}`: add it to the table of `What is here`"
