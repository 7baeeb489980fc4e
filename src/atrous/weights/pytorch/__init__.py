"""The names that PyTorch's libraries give to the tensors of our networks."""
