"""Laws (metamorphic relations): equations between an implementation's own numbers, judged without a golden.

A law says how the numbers of several trials must be related, for example that the order of the values in a batch does
not matter. `statements` lists the laws, `trials` runs fresh layers on the data that a law asks for, `claims` holds the
equations with the errors that the bounds allow, and `verdicts` judges them.
"""
