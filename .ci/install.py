"""Make a virtual environment and install this checkout into it, editable, with the pins of constraints.txt.

uv does the work where pip can install it, in seconds; pip does it otherwise, in minutes. uv does not read pip's
configuration, so what this machine's pip is told (where wheels lie, which index to ask, which certificates to trust) is
handed on to it: a local CPU build of torch, for example, spares gigabytes of CUDA.

Usage: python .ci/install.py VENV [EXTRAS]
Set BNCONFORM_INSTALLER=pip to leave uv out.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST, NEWEST = (3, 11), (3, 13)

# pip's setting -> (uv's variable, what stands between several values)
UV_VARIABLES = {
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
}


def main() -> int:
    if not 2 <= len(sys.argv) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    venv, extras = Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) == 3 else "frameworks,dev"
    started = time.monotonic()
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        print(
            f"bnconform needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, and {sys.executable} is"
            f" {sys.version.split()[0]}; name another one, for example: make PYTHON=python3.{OLDEST[1]}",
            file=sys.stderr,
        )
        return 2
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    new = not python.exists()
    if new and run([sys.executable, "-m", "venv", str(venv)]) != 0:
        return 1
    status = install(python, extras, new)
    if status == 0:
        print(f"installed into {venv} in {time.monotonic() - started:.0f} s")
    return status


def install(python: Path, extras: str, new: bool) -> int:
    """Install the checkout with these extras by uv, or by pip where uv cannot be had or gives up; the exit status.

    Into a new environment, uv compiles bytecode: the first import of a framework takes long without. Later it would
    compile everything once more, which takes a minute or two; what is new then is compiled at its first import.
    """
    what = ["--constraint", str(CONSTRAINTS), "--editable", f"{ROOT}[{extras}]"]
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    if os.environ.get("BNCONFORM_INSTALLER") != "pip":
        uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
        uv += ["--compile-bytecode"] if new else []
        if run([*pip, "--quiet", "--constraint", str(CONSTRAINTS), "uv"]) == 0:
            if run([*uv, *what], uv_environment(python)) == 0:
                return 0
            print("uv gave up; pip tries the same", file=sys.stderr)
        else:
            print("uv cannot be installed here; pip takes its place (minutes instead of seconds)", file=sys.stderr)
    return run([*pip, "--compile", *what])


def uv_environment(python: Path) -> dict[str, str]:
    """What pip is told on this machine, in uv's words; whatever uv is told itself stands."""
    variables = {}
    for setting, value in pip_settings(python).items():
        if setting in UV_VARIABLES and value.strip():
            name, separator = UV_VARIABLES[setting]
            variables[name] = separator.join(value.split())
    if "UV_INDEX" in variables:
        # uv takes a package from the first index that has it at all, pip the best version over all of them.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables | dict(os.environ)


def pip_settings(python: Path) -> dict[str, str]:
    """pip's settings for `pip install`, from its files and from PIP_ variables, the one that counts for each."""
    command = [str(python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    values: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, _, literal = line.partition("=")
        section, _, setting = key.partition(".")
        if section in values and literal:
            values[section][setting] = str(ast.literal_eval(literal))
    return values["global"] | values["install"] | values[":env:"]


def run(command: list[str], environment: dict[str, str] | None = None) -> int:
    """Run a command, shown first, with bytecode written; its exit status."""
    print("+", *command, flush=True)
    environment = {**(os.environ if environment is None else environment)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
