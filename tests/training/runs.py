"""The smallest trainings there are: a few pictures of 32 pixels, a few steps."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from atrous.config import parse
from atrous.training.recipe import Recipe
from tests.small import SMALL_NETWORKS

CLASSES = ("ground", "box", "stripe")


def small_recipe(data: dict[str, Any] | Path | None = None, **changes: Any) -> Recipe:
    """A recipe of eight steps; `changes` go to its parts, as in training={"steps": 4}."""
    if data is None:
        data = {"kind": "shapes", "height": 32, "width": 48, "train": 5, "val": 2, "test": 2}
    if isinstance(data, Path):
        data = {"kind": "folder", "root": str(data)}
    training = {
        "steps": 8,
        "batch_size": 2,
        "validate_every": 4,
        "log_every": 1,
        "workers": 0,
        "precision": "float32",
        "check_first": False,
    }
    network = changes.pop("network", {})
    content = {
        "name": "small",
        # A whole network has a kind; without one, the words change the smallest.
        "network": network if "kind" in network else {**SMALL_NETWORKS[0].model_dump(mode="json"), **network},
        "data": data,
        "augmentation": {"crop": [32, 32], **changes.pop("augmentation", {})},
        "optimizer": changes.pop("optimizer", {"kind": "sgd", "learning_rate": 0.05}),
        "training": {**training, **changes.pop("training", {})},
        **changes,
    }
    recipe: Recipe = parse(Recipe, content, "the test's recipe")
    return recipe


def write_data(root: Path, *, train: int = 4, val: int = 2, size: tuple[int, int] = (32, 40), stripe: int = 3) -> Path:
    """A data set folder with boxes and stripes (so many pixels wide) on the ground; one border of each is ignored."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            mask = np.zeros(size, np.uint8)
            top, left = random.integers(0, size[0] - 12), random.integers(0, size[1] - 12)
            mask[top : top + 12, left : left + 12] = 1
            mask[:, 2 : 2 + stripe] = 2
            mask[0] = 255
            image = np.array([(40, 160, 60), (200, 40, 40), (40, 60, 220)], np.uint8)[mask % 255]
            image = np.clip(image + random.normal(0, 12, image.shape), 0, 255).astype(np.uint8)
            Image.fromarray(image).save(root / "images" / split / f"p{index}.png")
            Image.fromarray(mask).save(root / "masks" / split / f"p{index}.png")
    classes = "".join(f"  - name: {name}\n" for name in CLASSES)
    (root / "dataset.yaml").write_text(f"name: boxes\nclasses:\n{classes}splits: [train, val]\n")
    return root


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file with its content: equal before and after means that nothing was touched."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same_tensors(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not different
