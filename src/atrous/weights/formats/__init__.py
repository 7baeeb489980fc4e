"""Files of other ecosystems as they are: bytes to raw contents, whoever wrote them, and whatever they want."""
