import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import DeepLabV3PlusConfig, ImageClassifierConfig, MobileNetV2Config, ResNetConfig, build_network
from atrous.weights.importing import import_weights
from atrous.weights.pytorch.by_shape import layout_by_shape
from atrous.weights.renaming import fill
from tests.cli.conftest import atrous as atrous
from tests.cli.terminal import Terminal
from tests.networks.oracles import random_image, relative_difference
from tests.networks.randomness import randomize

SMALL = DeepLabV3PlusConfig(backbone=MobileNetV2Config(width=0.25), context_channels=16, decoder_channels=16)


def state_of(config: DeepLabV3PlusConfig | ImageClassifierConfig, num_classes: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(0)
    network = build_network(config, num_classes).eval()
    randomize(network)
    return network.state_dict()


def with_other_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    numbers = itertools.count()
    pairs = ((name, tensor) for name, tensor in state.items() if not name.startswith("pixels."))
    return {f"layer_{next(numbers)}.{name.rsplit('.', 1)[-1]}": tensor for name, tensor in pairs}


def test_tensors_with_names_of_nobody_are_matched_by_shape_and_order() -> None:
    state = state_of(SMALL)
    theirs = with_other_names(state)
    layout = layout_by_shape(theirs, SMALL, "a.pth")
    filled = fill(layout, theirs)
    assert layout.num_classes == 7
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())
    assert all(torch.equal(filled.tensors[name], tensor) for name, tensor in state.items())
    assert "score the network" in layout.notes[0]


def test_our_own_names_are_matched_by_name_in_any_order() -> None:
    state = state_of(SMALL)
    shuffled = dict(sorted(state.items(), key=lambda item: hash(item[0])))
    filled = fill(layout_by_shape(shuffled, SMALL, "a.pth"), shuffled)
    assert all(torch.equal(filled.tensors[name], tensor) for name, tensor in state.items())


@torch.no_grad()
def test_a_library_that_is_unknown_here_is_read_by_its_shapes() -> None:
    torchvision = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = torchvision.resnet50(num_classes=9).eval()
    randomize(theirs)
    renamed = {f"body.{name}".replace("layer", "stage"): tensor for name, tensor in theirs.state_dict().items()}
    config = ImageClassifierConfig(backbone=ResNetConfig(depth=50))
    layout = layout_by_shape(renamed, config, "a.pth")
    filled = fill(layout, renamed)
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())
    ours = build_network(config, 9).eval()
    ours.load_state_dict(filled.tensors)
    image = random_image(45, 67)
    assert relative_difference(ours(image)[:, :, 0, 0], theirs(ours.pixels(image))) < 1e-4


def test_what_does_not_fit_is_listed_and_refused(tmp_path: Path) -> None:
    theirs = with_other_names(state_of(SMALL))
    theirs["extra.weight"] = torch.zeros(3, 3)
    torch.save(theirs, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"no part of the network takes: extra\.weight"):
        import_weights(tmp_path / "a.pth", network=SMALL)
    with pytest.raises(CheckpointError, match="could be the classifier"):
        layout_by_shape({"a.weight": torch.zeros(5, 5)}, SMALL, "a.pth")


def test_the_command_takes_the_network_from_a_recipe_or_a_kind(tmp_path: Path, atrous: Terminal) -> None:
    torch.save({"model": with_other_names(state_of(SMALL))}, tmp_path / "a.pth")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"network: {SMALL.model_dump_json()}")
    done = atrous("import", tmp_path / "a.pth", tmp_path / "a.safetensors", "--network", recipe)
    assert done.code == 0
    assert "recognised as deeplab_v3plus on mobilenet_v2" in done.out
    refusal = atrous.fails("import", tmp_path / "a.pth", tmp_path / "b.safetensors")
    assert "--network" in refusal
    other = atrous.fails("import", tmp_path / "a.pth", tmp_path / "b.safetensors", "--network", "deeplab_v2")
    assert "no tensor that could be the classifier of this deeplab_v2" in other


def test_class_names_of_openmmlab_travel(tmp_path: Path) -> None:
    state = with_other_names(state_of(SMALL, num_classes=2))
    meta = {"CLASSES": ("road", "sky"), "PALETTE": [[128, 64, 128], [70, 130, 180]]}
    torch.save({"meta": meta, "state_dict": state}, tmp_path / "a.pth")
    torch.save({"meta": {"dataset_meta": {"classes": ["road", "sky"]}}, "state_dict": state}, tmp_path / "b.pth")
    torch.save({"meta": {"CLASSES": ("road", "road")}, "state_dict": state}, tmp_path / "c.pth")
    old, new, odd = (import_weights(tmp_path / f"{name}.pth", network=SMALL).labels for name in "abc")
    assert old is not None
    assert old.names == ("road", "sky")
    assert old.colors[1] == (70, 130, 180)
    assert new is not None
    assert new.names == ("road", "sky")
    assert odd is None
