"""A torch module read: how it is built and called, where it holds what, and how it behaves."""
