"""Goldens: the right results of a step, with the bound of each number."""
