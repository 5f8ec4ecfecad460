"""The reference: batch normalisation in binary128, its conventions, clauses and error bounds."""
