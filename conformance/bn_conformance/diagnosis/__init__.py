"""Which mistake is it: the deviation of the catalogue that explains what failed."""
