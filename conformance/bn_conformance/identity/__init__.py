"""What an implementation is made of here and now, so that a later run can tell whether it is still the same."""
