"""What one case is: its layer, its steps and the recipes of its data."""
