"""Golden vectors: cases with their goldens as JSON for other languages, and results of other languages, judged."""
