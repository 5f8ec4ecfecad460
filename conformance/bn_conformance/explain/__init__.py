"""What a person's own recorded tensors say: right or not, why not, and how much an error of x explains."""
