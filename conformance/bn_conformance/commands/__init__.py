"""The commands of the command line, one module each; its attribute `command` is what `bn_conformance.cli` runs."""
