"""Networks as graphs of layers: what files hold that store their computation, and what our own networks compute."""
