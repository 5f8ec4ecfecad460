"""The results file: its records, its schema, reading, writing and merging."""
