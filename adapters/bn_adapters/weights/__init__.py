"""Weights files of the frameworks: what reads and writes them, and how they name what a layer holds."""
