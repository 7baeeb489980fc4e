"""Scores that can be believed, and the page that shows them."""
