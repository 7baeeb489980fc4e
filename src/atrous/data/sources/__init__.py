"""Data sets in the layouts of those who made them; each file says which classes and which files."""
