"""Every error that a user can cause, as one tree.

```text
AtrousError                  one sentence: what, where, what was expected, what to do
├── ConfigError              a recipe, a config or an option holds something impossible
├── DatasetError             a data set cannot be used as it is
│   └── DatasetNotFoundError no data set of that kind is there
├── ImageError               a picture cannot be read
├── VideoError               a video or a camera cannot be read
├── MaskError                a mask cannot be read, or does not fit its picture or its classes
├── CheckpointError          a file is no checkpoint of atrous, or does not fit
├── DownloadError            a file cannot be fetched, or is another one than was published
├── OutputError              a place cannot be written
├── ExportError              an exported file does not answer like its network
└── TrainingError            a training cannot go on
```

A programmer's slip stays a `ValueError`.
"""


class AtrousError(Exception):
    """Base of all errors that a user can cause; its text is one readable sentence."""

    told = False
    """Whether another process, by which this one ended, tells the user."""


class ConfigError(AtrousError):
    """A recipe, a config or an option holds something impossible."""


class DatasetError(AtrousError):
    """A data set cannot be used as it is."""


class DatasetNotFoundError(DatasetError):
    """No data set of that kind is at that place."""


class ImageError(AtrousError):
    """A picture cannot be read."""


class VideoError(AtrousError):
    """A video or a camera cannot be read."""


class MaskError(AtrousError):
    """A mask cannot be read, or does not fit its picture or its classes."""


class CheckpointError(AtrousError):
    """A file is no checkpoint of atrous, or does not fit what is asked of it."""


class DownloadError(AtrousError):
    """A file cannot be fetched, or is another one than was published."""


class OutputError(AtrousError):
    """A place cannot be written."""


class ExportError(AtrousError):
    """An exported file does not answer like the network that it was made of."""


class TrainingError(AtrousError):
    """A training cannot go on."""
