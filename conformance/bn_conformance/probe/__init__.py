"""Measures the convention of an implementation from its behaviour alone (`bnconform probe`)."""
