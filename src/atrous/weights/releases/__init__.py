"""What others have released, one file per ecosystem."""
