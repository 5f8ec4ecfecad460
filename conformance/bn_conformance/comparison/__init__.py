"""A golden against an array: which grade explains the error. No policy."""
