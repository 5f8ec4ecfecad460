"""Judges judged: what other suites would say of the catalogue's deviations and of the right algorithms.

`suites.toml` holds the facts about each suite: its inputs, what it compares and by which tolerance, with source and
date. `inputs` makes the data, `trial` runs a layer on them, `rules` compares, and `verdict` says caught, passes or not
asked. `own` is this suite as a row beside the others.
"""
