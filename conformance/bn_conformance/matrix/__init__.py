"""The matrix as a pytest suite: one item per implementation and case (`pytest --pyargs bn_conformance`)."""
