"""Numbers: binary128, the formats of data, and rows of channels."""
