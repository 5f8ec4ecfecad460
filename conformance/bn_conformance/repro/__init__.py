"""A script in a framework alone that shows a fault: what it holds, and how it is written."""
