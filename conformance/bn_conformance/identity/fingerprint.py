"""The fingerprint of an implementation: digests of all that its results depend on, but for the case.

Two runs whose fingerprints are equal give the same observations of a case, as far as anything can be known without
running it. No framework is imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bn_conformance.identity.own_files import SUITE, OwnFiles, file_digest, own_files
from bn_conformance.identity.packages import state_of
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.targets.naming import code_and_choices, module_and_class, wrapper_and_code
from bn_conformance.targets.wrappers import registered_wrappers

OPEN = "open"
"""The part that is there where something is not known, with why: nothing is reused then."""

PARTS = {
    "suite": "the suite itself changed",
    "machine": "the machine, Python or an environment variable changed",
    "declaration": "what it declares changed",
    "files": "its own files changed",
    "packages": "an installed package changed",
    OPEN: "what it consists of is not known in full",
}
"""Every part of a fingerprint, with what it means that it differs; the first that differs is told."""

JUDGING = (
    "adapter.py",
    "capabilities.py",
    "layer_code.py",
    "text.py",
    "user_error.py",
    "cases",
    "comparison",
    "diagnosis",
    "hosting",
    "judging",
    "laws",
    "mutation",
    "observing",
    "targets",
)
"""What in `bn_conformance` an observation and its judgement depend on, beside all of `bn_reference`.

The catalogue is not there, as each case has a digest of its own. What decides verdicts (levels, known faults, words of
clauses) is not there either, as it is applied anew.
"""

JUDGES_WITH = ("numpy", "numpy_quaddtype", "ml_dtypes")
"""Libraries that the judge computes with."""

VARIABLES = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "BLIS_", "ONEDNN_", "DNNL_", "VECLIB_", "NPY_")
COMPILER_VARIABLES = ("XLA_", "TF_", "PYTORCH_", "TRITON_")
DEVICE_VARIABLES = ("CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "HIP_", "ROCR_", "MIOPEN_", "HSA_", "METAL_")
LOADER_VARIABLES = ("LD_", "DYLD_", "GLIBC_TUNABLES", "PYTHONHASHSEED")
"""Beginnings of the names of environment variables that numerical libraries read, or that say what is loaded."""


def fingerprint(entry: Implementation, in_process: bool = False) -> dict[str, str]:
    """The fingerprint of an implementation that can be judged here, a digest by part.

    Args:
        entry: the implementation.
        in_process: whether its layers run in the process that judges.
    """
    own, packages = _made_of(entry)
    judge, judge_gap = suite_digest()
    device, device_gap = _device(entry.device)
    parts = {
        "suite": judge,
        "machine": _digest([_machine(), device, library_variables(entry)]),
        "declaration": _digest([_declared(entry), in_process]),
        "files": own.digest(),
        "packages": packages.digest,
    }
    gap = own.gap or packages.gap or device_gap or judge_gap
    return parts | ({OPEN: gap} if gap else {})


def read_ahead(target: str) -> None:
    """Read what the fingerprint of a user's target is made of, where there is time for it; the later one finds it read.

    Args:
        target: as it was given, whatever it is.
    """
    with suppress(Exception):  # it is described, and refused, elsewhere
        _made_of(Implementation(name="", target=target, registered=False))


def reason_against(earlier: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Why what was observed under one fingerprint may not hold under another, in words; empty where it holds."""
    gap = now.get(OPEN) or earlier.get(OPEN)
    if gap:
        return gap
    if not earlier:
        return "the file does not say what it consisted of"
    return next((words for part, words in PARTS.items() if earlier.get(part) != now.get(part)), "")


def _made_of(entry: Implementation) -> tuple[OwnFiles, Any]:
    """An implementation's own files, and the state of the packages that it uses."""
    wrapped = wrapper_and_code(entry.target)
    place = module_and_class(code_and_choices(wrapped[1] if wrapped else entry.target)[0])[0]
    starts = [place] + ([_wrapper_module(wrapped[0])] if wrapped else [])
    folders = [Path(place).resolve().parent] if place.endswith(".py") else []
    own = own_files(starts, [] if entry.registered else [*folders, Path.cwd()])
    libraries = own.libraries
    if not entry.registered and not wrapped and not any("bn_conformance.adapter" in name for name in own.files):
        # Code without an adapter, whose kind is found out in its own process: any wrapper may be the one.
        own = OwnFiles(own.files | _wrappers(), libraries, own.gap)
    return own, state_of(libraries, entry.versions)


def _wrappers() -> dict[str, Path]:
    """The files of every wrapper, by name.

    What the suite's own import is not followed, which would take most of a second: the whole of their package counts,
    and what they import of the judge is in the part `suite`.
    """
    modules = [*map(_wrapper_module, registered_wrappers())]
    packages = {module.partition(".")[0] for module in modules}
    own = {name: path for package in packages & {*SUITE} for name, path in sources_of(package)}
    return own | own_files(module for module in modules if module.partition(".")[0] not in SUITE).files


def _wrapper_module(name: str) -> str:
    point = registered_wrappers().get(name)
    return point.module if point is not None else name


@cache
def suite_digest() -> tuple[str, str]:
    """A digest of the judge, and why it is not known in full."""
    state = state_of(JUDGES_WITH)
    sources = [(name, file_digest(path)) for name, path in judging_files()]
    return _digest([sources, state.digest]), state.gap


def judging_files() -> Iterator[tuple[str, Path]]:
    """The sources of the judge, by name."""
    for part in JUDGING:
        yield from sources_of("bn_conformance", part)
    yield from sources_of("bn_reference")


def sources_of(package: str, part: str = "") -> Iterator[tuple[str, Path]]:
    """The sources of a package of the suite, or of a file or folder in it, by name; the package is not imported."""
    spec = find_spec(package)
    for root in map(Path, (spec and spec.submodule_search_locations) or ()):
        start = root / part
        for path in [start] if start.is_file() else sorted(start.rglob("*.py")):
            yield f"{package}/{path.relative_to(root).as_posix()}", path


@cache
def _machine() -> tuple[str, ...]:
    return (
        platform.system(),
        platform.machine(),
        platform.python_implementation(),
        platform.python_version(),
        sys.byteorder,
        *platform.libc_ver(),
        _processor(),
    )


def _processor() -> str:
    """The model of the processor and what it can do: libraries choose their kernels by it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    told = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    first = text.partition("\n\n")[0].splitlines()
    return "\n".join(line for line in first if line.partition(":")[0].strip() in told)


def _device(device: str) -> tuple[str, str]:
    """A digest of a device and its driver, and why it is not known."""
    if device == "cpu":
        return device, ""
    told = [Path("/proc/driver/nvidia/version"), *sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in told if path.is_file()]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith(("GPU UUID", "Device Minor"))]
    return f"{device} {_digest(lines)}", "" if lines else f"nothing says which device {device} is"


def library_variables(entry: Implementation) -> list[tuple[str, str]]:
    """The environment variables that may change what an implementation computes."""
    libraries = tuple(f"{name.replace('-', '_').upper()}_" for name in (entry.framework, *entry.versions) if name)
    starts = (*VARIABLES, *COMPILER_VARIABLES, *DEVICE_VARIABLES, *LOADER_VARIABLES, *libraries)
    return sorted((name, text) for name, text in os.environ.items() if name.startswith(starts))


def _declared(entry: Implementation) -> Any:
    told = entry.to_json()
    chosen = {name: told[name] for name in ("name", "convention", "capabilities", "framework", "device")}
    wrapped = wrapper_and_code(entry.target)
    code, choices = code_and_choices(wrapped[1] if wrapped else entry.target)
    return [chosen, dict(entry.environment), wrapped[0] if wrapped else "", module_and_class(code)[1], choices]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
