"""Batch normalisation by definition: the graph, its gradients and the running statistics."""
