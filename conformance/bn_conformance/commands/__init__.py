"""What the commands of `bnconform` do, a module per group of them."""
