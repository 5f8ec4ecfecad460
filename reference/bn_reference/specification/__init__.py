"""What is specified: clauses, conventions, configurations and grades."""
