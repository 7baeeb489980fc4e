"""A street of a small town, in any weather: what the generated pictures show."""
