"""What an implementation gives: the steps of a case, scheduled as calls, and what came back."""
