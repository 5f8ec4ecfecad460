"""Fuzzing: drawn configurations and sequences, judged as the matrix judges, shrunk, and kept as regressions."""
