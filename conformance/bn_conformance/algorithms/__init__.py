"""Batch normalisation written in many ways in NumPy: right algorithms, and a few that are known to be unstable."""
