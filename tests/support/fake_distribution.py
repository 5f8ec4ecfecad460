"""A distribution that is installed into a folder as pip does it, for tests of what changes when one is updated."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def install(
    folder: Path,
    *,
    name: str = "fakelib",
    version: str = "1.0",
    source: str = "x = 1\n",
    needs: str = "",
    distribution: str = "",
) -> Path:
    """Install a distribution of one module, in place of another version of it, and give the folder."""
    distribution = distribution or name
    for old in folder.glob(f"{distribution}-*.dist-info"):
        shutil.rmtree(old)
    module, info = folder / name / "__init__.py", folder / f"{distribution}-{version}.dist-info"
    for path in (module, info / "METADATA"):
        path.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(source, encoding="utf-8")
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{requires}"
    (info / "METADATA").write_text(text, encoding="utf-8")
    digest = hashlib.sha256(source.encode()).hexdigest()
    record = f"{name}/__init__.py,sha256={digest},{len(source)}\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n"
    (info / "RECORD").write_text(record, encoding="utf-8")
    later = module.stat().st_mtime_ns + 1_000_000
    os.utime(info / "RECORD", ns=(later, later))  # RECORD is written last
    return folder
