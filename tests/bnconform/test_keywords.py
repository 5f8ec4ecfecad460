"""Messages that tell what to write on the command line, in Python's words."""

from __future__ import annotations

import pytest

from bnconform.keywords import in_python


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("say it: --name weight=gamma", "say it: names={'weight': 'gamma'}"),
        ("--argument a=VALUE --argument b=VALUE", "arguments={'a': VALUE, 'b': VALUE}"),
        (
            "--name weight=p --name bias=q or --name weight=q --name bias=p",
            "names={'weight': 'p', 'bias': 'q'} or names={'weight': 'q', 'bias': 'p'}",
        ),
        (
            "declare it with --convention running_variance=biased",
            "declare it with convention={'running_variance': 'biased'}",
        ),
        ("say which: --as keras-layer[jax]", "say which: as_='keras-layer[jax]'"),
        ("--thorough asks them", "thorough=True asks them"),
        ("nothing to say", "nothing to say"),
    ],
)
def test_options_become_keywords(text: str, python: str) -> None:
    assert in_python(text) == python
