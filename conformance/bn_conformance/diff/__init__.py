"""How two implementations differ, and how to convert the state of one into that of the other (`bnconform diff`)."""
