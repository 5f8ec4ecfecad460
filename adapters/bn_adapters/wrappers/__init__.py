"""Adapters made of a user's own code: a module, a layer or a pair of functions, of a known kind and without a word."""
