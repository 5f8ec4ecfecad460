"""A plain layer made of small methods, which deviations override."""
