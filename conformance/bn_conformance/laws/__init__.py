"""Laws: what follows from the definition alone and is judged on an implementation's own numbers, without a golden."""
