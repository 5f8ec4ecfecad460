"""Mutation testing: does the suite catch mistakes?

A *deviation* of the catalogue (`bn_reference.deviations`) is a mutant of the reference layer, which is the plain layer
without a deviation. A mutant that a case fails is caught; one that no case fails survives. A mutant is equivalent in a
case where it gives what the reference layer gives. The mutation score is the share of mutants that are caught.
"""
