"""What differences of convention do to numbers."""
