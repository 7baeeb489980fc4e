"""What a training should be, from the facts of data, machine and time."""
