"""What a file imports tells the environment variables that its framework needs, before the file is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from bn_conformance.targets.likely import likely_environment
from bn_conformance.targets.wrappers import wrapper_named

pytestmark = pytest.mark.framework

OF_FRAMEWORKS = {
    "import flax.linen as nn\nimport jax.numpy as jnp": "flax-module",
    "from flax import nnx": "flax-module",
    "import jax.numpy as jnp": "jax-functions",
    "import numpy as np\ndef bn(x):\n    from jax import lax": "jax-functions",
    "import keras": "keras-layer",
    "from keras import layers": "keras-layer",
}


def file(folder: Path, text: str) -> str:
    path = folder / "code.py"
    path.write_text(text, encoding="utf-8")
    return f"{path}:Layer"


@pytest.mark.parametrize("text", OF_FRAMEWORKS)
def test_the_framework_on_top_decides(tmp_path: Path, text: str) -> None:
    assert likely_environment(file(tmp_path, text)) == wrapper_named(OF_FRAMEWORKS[text]).environment() != {}


@pytest.mark.parametrize(
    "text", ["import torch", "import numpy as np", "from . import jax", "# import jax", "import jax, (", "\0", ""]
)
def test_what_needs_none_or_cannot_be_read_gets_none(tmp_path: Path, text: str) -> None:
    assert likely_environment(file(tmp_path, text)) == {}


@pytest.mark.parametrize("target", ["nowhere.py:Layer", "package.module:Layer", "library.c", ".py"])
def test_what_is_no_file_of_python_gets_none(target: str) -> None:
    assert likely_environment(target) == {}


def test_a_kind_that_is_said_decides(tmp_path: Path) -> None:
    target = file(tmp_path, "import flax")
    assert likely_environment(f"torch-module={target}") == {}
    assert likely_environment(f"jax-functions={target}+eps_dtype=x")["JAX_ENABLE_X64"] == "0"
