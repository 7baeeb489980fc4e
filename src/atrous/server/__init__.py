"""A server that answers pictures with masks, for programs and, with its page, for people."""
