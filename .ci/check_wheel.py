"""Build wheel and sdist, see that nothing is missing in them, and use the wheel outside the checkout.

The wheel is installed with its base dependencies alone into an environment that is thrown away afterwards, so this also
shows that the suite stands without any framework.

Usage: python .ci/check_wheel.py
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

from install import CONSTRAINTS, ROOT, run, uv_environment

READ_ENTRY_POINTS = """
from importlib.metadata import entry_points
for entry in entry_points(group="bnconform.adapters"):
    print(f"{entry.name} = {entry.value}")
"""


JUDGE_FROM_PYTHON = """
import bnconform
verdict = bnconform.check("textbook.numpy", cases="stat/nc/float32/*")
print(verdict.headline, len(verdict._repr_html_()) > 100)
"""


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = [Path(package) for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    with tempfile.TemporaryDirectory(prefix="bnconform-wheel-") as name:
        scratch = Path(name)
        wheel = build(scratch / "dist", packages)
        python = install(wheel, scratch / "venv")
        script = python.with_name("bnconform")
        declared = project["project"]["entry-points"]["bnconform.adapters"]
        expected = sorted(f"{name} = {target}" for name, target in declared.items())
        found = sorted(call([str(python), "-I", "-c", READ_ENTRY_POINTS], scratch).splitlines())
        if found != expected:
            raise SystemExit(f"entry points of the installed wheel: {found}, expected {expected}")
        version = call([str(script), "--version"], scratch)
        if project["project"]["version"] not in version:
            raise SystemExit(f"bnconform --version says {version!r}, expected {project['project']['version']}")
        listed = call([str(script), "list"], scratch)
        absent = [name for name in declared if name not in listed]
        if absent:
            raise SystemExit(f"bnconform list does not name {', '.join(absent)}; it says:\n{listed}")
        judged = call([str(python), "-I", "-c", JUDGE_FROM_PYTHON], scratch)
        if judged.split() != ["✓", "textbook.numpy", "conforms", "as", "declared", "True"]:
            raise SystemExit(f"import bnconform judges nothing; it says:\n{judged}")
        (ROOT / "dist").mkdir(exist_ok=True)
        for built in wheel.parent.iterdir():
            built.replace(ROOT / "dist" / built.name)
    print(f"wheel and sdist are complete and work outside the checkout: {ROOT / 'dist'}")
    return 0


def build(folder: Path, packages: list[Path]) -> Path:
    """Build both distributions into the folder and compare their contents with the checkout; the wheel's path."""
    if run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]) != 0:
        raise SystemExit("the build failed")
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    in_wheel = set(ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {member.name.partition("/")[2] for member in archive.getmembers()}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_dir() or "__pycache__" in path.parts:
                continue
            for kind, inside, contents in (
                ("wheel", path.relative_to(ROOT / package.parent), in_wheel),
                ("sdist", path.relative_to(ROOT), in_sdist),
            ):
                if inside.as_posix() not in contents:
                    raise SystemExit(f"{path.relative_to(ROOT)} is missing in the {kind} (does git ignore it?)")
    return wheel


def install(wheel: Path, venv: Path) -> Path:
    """Install the wheel with its base dependencies into a new environment; the path of its Python."""
    if importlib.util.find_spec("uv"):
        create = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
        installer = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(venv / "bin/python")]
        environment = uv_environment(Path(sys.executable))
    else:
        create = [sys.executable, "-m", "venv", str(venv)]
        installer = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        environment = dict(os.environ)
    if run(create) != 0 or run([*installer, "--constraint", str(CONSTRAINTS), str(wheel)], environment) != 0:
        raise SystemExit("the wheel does not install")
    return venv / "bin/python"


def call(command: list[str], folder: Path) -> str:
    """What a command prints that runs in a folder outside the checkout and knows nothing of it."""
    print("+", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
