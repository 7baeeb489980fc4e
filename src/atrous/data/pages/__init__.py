"""Pages about a data set: one HTML file each, that loads nothing else."""
