"""Reports: everything that is shown to a person of a run, made from its results file alone."""
