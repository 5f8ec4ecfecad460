"""Reading code: which argument, attribute and result is what, by its name and then by what it does."""
