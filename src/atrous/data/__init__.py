"""Files on disk become samples and batches."""
