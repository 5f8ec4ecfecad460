"""Goldens: what the reference says a step gives, with the bound of each number."""
