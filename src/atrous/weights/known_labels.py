"""Label spaces for weights that do not name their classes."""

from collections import Counter
from pathlib import Path

from atrous.config import nearest, parse, read_yaml
from atrous.errors import ConfigError
from atrous.known_classes import KNOWN_CLASSES, known_label_space, known_names
from atrous.labels import LabelSpace


def known_labels(name: str, num_classes: int | None = None) -> LabelSpace:
    """Return the label space of a data set that is known here, or of a file.

    Args:
        name: voc, cityscapes, ade20k, coco-stuff or deepfashion2; or a text file with one name per line; or a YAML file
            with the table `classes` of a dataset.yaml.
        num_classes: Of the network; one more than the data set's classes means "unlabelled" first, fewer mean that only
            the first of them were trained.

    Raises:
        ConfigError: If there is no such data set or file, or the names are too few.
    """
    known = name in KNOWN_CLASSES
    names = known_names(name) if known else _names_in(Path(name))
    if num_classes is None or len(names) == num_classes:
        return known_label_space(name) if known else LabelSpace.from_names(names)
    if name in ("ade20k", "coco-stuff") and num_classes <= len(names) + 1:
        return LabelSpace.from_names(["unlabelled", *names][:num_classes])
    raise ConfigError(
        f"The labels {name} have {len(names)} classes, but the network has {num_classes}: give the names of its own "
        "classes, in a text file with one per line."
    )


def unnamed_labels(num_classes: int) -> LabelSpace:
    """Return a label space for weights whose classes nobody has named."""
    return LabelSpace.from_names([f"class {index}" for index in range(num_classes)])


def _names_in(path: Path) -> list[str]:
    if path.suffix in (".yaml", ".yml"):
        classes = read_yaml(path).get("classes")
        entries = [entry.get("name") if isinstance(entry, dict) else entry for entry in classes or ()]
        names: list[str] = parse(list[str], entries, str(path))
        return names
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise ConfigError(
            f"There are no labels `{path}`; {nearest(str(path), KNOWN_CLASSES)}, or give a text file with one name per "
            "line."
        ) from None
    return _told_apart([line.strip() for line in lines if line.strip()])


def _told_apart(names: list[str]) -> list[str]:
    """Number the names that stand twice, as ImageNet's cranes do."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique
