"""Networks on disk: checkpoints that describe themselves."""
