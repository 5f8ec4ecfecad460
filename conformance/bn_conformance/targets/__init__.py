"""How code that is to be judged is named, loaded and described."""
