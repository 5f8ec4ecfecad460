"""Adapters of the frameworks, a small module each; importing one imports no framework."""
