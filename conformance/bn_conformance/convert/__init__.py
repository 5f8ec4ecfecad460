"""The batch-normalisation layers of a weights file, carried to another framework (`bnconform convert`)."""
