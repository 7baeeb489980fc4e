"""Reading a whole file of strangers, and the sentence that refuses it."""

from pathlib import Path

from atrous.errors import CheckpointError


def read_bytes(path: Path) -> bytes:
    """Return all bytes of a file.

    Raises:
        CheckpointError: If there is none.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path} is a folder: give the file of weights in it.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None


def refused(path: Path, what: str, error: Exception) -> CheckpointError:
    """Return the error that says why a file is not read."""
    return CheckpointError(f"{path} is no {what} that can be read ({error}): get a whole copy of it.")
