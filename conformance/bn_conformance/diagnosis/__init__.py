"""Diagnosis: which mistake is it? Finds the deviation of the catalogue that explains what failed."""
