"""A plain layer of small methods, for deviations to override."""
