"""Judging: whether a case is right, with a golden against an observation for each quantity."""
