import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.config import override
from atrous.errors import CheckpointError, ConfigError
from atrous.labels import LabelSpace
from atrous.networks import (
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetV2Config,
    NetworkConfig,
    SegmentationNetwork,
    build_network,
)
from atrous.training.recipe import read_recipe
from atrous.training.train import train
from atrous.weights.checkpoint import CheckpointInfo, load_checkpoint, save_checkpoint
from atrous.weights.starting import calibrate_norms, network_of, start_from
from tests.networks.oracles import random_image, relative_difference
from tests.networks.randomness import randomize
from tests.tiny_data import one_sentence

SMALL = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
KNOWN = LabelSpace.from_names(["sky", "car", "tree", "road"])


def checkpoint(path: Path, config: NetworkConfig = SMALL, labels: LabelSpace = KNOWN) -> SegmentationNetwork:
    torch.manual_seed(1)
    network = build_network(config, labels.num_classes)
    randomize(network)
    save_checkpoint(path, network, CheckpointInfo(name="start", network=config, labels=labels))
    return network.eval()


def fresh(config: NetworkConfig, labels: LabelSpace) -> SegmentationNetwork:
    torch.manual_seed(2)
    return build_network(config, labels.num_classes).eval()


@torch.no_grad()
def test_the_same_classes_in_another_order_answer_alike(tmp_path: Path) -> None:
    known = checkpoint(tmp_path / "a.safetensors")
    wanted = LabelSpace.from_names(["road", "sky", "tree", "car"])
    network = fresh(SMALL, wanted)
    start, words = start_from(network, SMALL, wanted, tmp_path / "a.safetensors")
    image = random_image(33, 45)
    torch.testing.assert_close(network(image), known(image)[:, [3, 0, 2, 1]])
    assert start.kept_classes == wanted.names
    assert "kept 4 of its 4 classes by name" in words
    assert start.new == ()


@torch.no_grad()
def test_new_classes_begin_at_random_and_known_ones_as_they_were(tmp_path: Path) -> None:
    known = checkpoint(tmp_path / "a.safetensors")
    wanted = LabelSpace.from_names(["ship", "car", "sea"])
    network = fresh(SMALL, wanted)
    before = network.get_parameter("classifier.weight").clone()
    start, words = start_from(network, SMALL, wanted, tmp_path / "a.safetensors")
    after = network.get_parameter("classifier.weight")
    assert torch.equal(after[1], known.get_parameter("classifier.weight")[1])
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert start.kept_classes == ("car",)
    assert "kept 1 of its 4 classes by name, of 3 here" in words


def test_another_head_keeps_the_backbone_and_says_what_is_new(tmp_path: Path) -> None:
    known = checkpoint(tmp_path / "a.safetensors")
    config = DeepLabV3PlusConfig(backbone=SMALL.backbone, context_channels=16, decoder_channels=8)
    network = fresh(config, KNOWN)
    start, _ = start_from(network, config, KNOWN, tmp_path / "a.safetensors")
    own = network.backbone.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in known.backbone.state_dict().items())
    assert set(start.new) == {"context", "decoder"}


def test_a_classifier_of_images_gives_its_backbone(tmp_path: Path) -> None:
    config = ImageClassifierConfig(backbone=SMALL.backbone, hidden_channels=16)
    known = checkpoint(tmp_path / "a.safetensors", config)
    network = fresh(SMALL, KNOWN)
    start, _ = start_from(network, SMALL, KNOWN, tmp_path / "a.safetensors")
    assert torch.equal(
        network.backbone.state_dict()["stem.norm.weight"], known.backbone.state_dict()["stem.norm.weight"]
    )
    assert set(start.new) == {"context", "classifier"}
    with pytest.raises(CheckpointError, match="classifies whole images"):
        network_of(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "changes",
    [{"backbone": MobileNetV2Config(width=0.5)}, {"padding": "same"}, {"pixels": {"mean": (0.5,) * 3}}],
    ids=str,
)
def test_another_backbone_padding_or_pixel_scale_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    checkpoint(tmp_path / "a.safetensors")
    config = DeepLabV3Config.model_validate({**SMALL.model_dump(), **changes})
    with pytest.raises(ConfigError, match="leave `network` out") as refusal:
        start_from(fresh(config, KNOWN), config, KNOWN, tmp_path / "a.safetensors")
    assert one_sentence(refusal.value)


def test_what_a_refused_start_says_to_add_makes_it_fit(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a.safetensors")
    other = DeepLabV3Config.model_validate(
        {**SMALL.model_dump(), "padding": "same", "pixels": {"mean": (0.5,) * 3}, "backbone": {"kind": "mobilenet_v1"}}
    )
    with pytest.raises(ConfigError) as refusal:
        start_from(fresh(other, KNOWN), other, KNOWN, tmp_path / "a.safetensors")
    added = shlex.split(str(refusal.value).partition("or add ")[2].removesuffix("."))
    content = override({"network": other.model_dump(mode="json")}, added)
    config = DeepLabV3Config.model_validate(content["network"])
    start_from(fresh(config, KNOWN), config, KNOWN, tmp_path / "a.safetensors")


def folded(config: NetworkConfig) -> SegmentationNetwork:
    """A network whose norms only shift, as an import of folded ones leaves it."""
    torch.manual_seed(0)
    network = build_network(config, 4).eval()
    randomize(network)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.zero_()
                module.running_var.fill_(1 - module.eps)
                module.weight.fill_(1)
    return network


@torch.no_grad()
def test_calibrated_norms_leave_the_function_as_it_is_and_have_true_statistics() -> None:
    network = folded(SMALL)
    images = [random_image(33, 45), random_image(40, 32)]
    expected = network(images[0])
    norms = [name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert calibrate_norms(network, norms, images) == 4
    assert relative_difference(network(images[0]), expected) < 1e-4
    norm = network.backbone.get_submodule("stem.norm")
    convolution = network.backbone.get_submodule("stem.convolution")
    values = torch.cat([convolution(network.pixels(image)).transpose(0, 1).flatten(1) for image in images], dim=1)
    torch.testing.assert_close(norm.get_buffer("running_mean"), values.mean(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.get_buffer("running_var"), values.var(1, correction=0), rtol=1e-3, atol=1e-5)


def test_new_parts_beside_folded_norms_stay_normalized_and_only_the_old_ones_are_calibrated(tmp_path: Path) -> None:
    info = CheckpointInfo(name="start", network=SMALL, labels=KNOWN)
    save_checkpoint(tmp_path / "start.safetensors", folded(SMALL), info)
    config = SMALL.model_copy(update={"rates": (6, 12)})
    network = fresh(config, KNOWN)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    start, _ = start_from(network, config, KNOWN, tmp_path / "start.safetensors")
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    new = {name for name in before if name.startswith(("context.pyramid", "context.projection"))}
    assert new
    assert not new & changed
    assert "backbone.stem.norm" in start.folded_norms
    assert not any(name.startswith("context.projection") for name in start.folded_norms)


def test_a_training_starts_from_an_imported_network_of_its_own_choices(tmp_path: Path) -> None:
    network = folded(SMALL)
    info = CheckpointInfo(name="start", network=SMALL, labels=LabelSpace.from_names(["sky", "a", "b", "c"]))
    save_checkpoint(tmp_path / "start.safetensors", network, info)
    (tmp_path / "recipe.yaml").write_text(
        f"name: tuned\ndata: {{kind: shapes, height: 32, width: 48, train: 4, val: 1, test: 1}}\n"
        "augmentation: {crop: [32, 32]}\noptimizer: {kind: sgd, learning_rate: 0.000001}\n"
        f"training: {{steps: 1, batch_size: 2, workers: 0, start_from: {tmp_path / 'start.safetensors'}}}\n"
    )
    recipe = read_recipe(tmp_path / "recipe.yaml")
    assert recipe.network == SMALL
    result = train(recipe, tmp_path / "run")
    assert result.finished
    tuned = load_checkpoint(result.folder.last)
    assert tuned.info.labels.num_classes == 10
    kernel = "backbone.stem.convolution.weight"
    np.testing.assert_allclose(
        tuned.network.state_dict()[kernel].numpy(), network.state_dict()[kernel].numpy(), rtol=1e-3, atol=1e-4
    )
    assert tuned.network.state_dict()["backbone.stem.norm.running_mean"].abs().max() > 0


def test_a_start_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: a\ntraining: {start_from: none.safetensors}\n")
    with pytest.raises(CheckpointError) as refusal:
        read_recipe(tmp_path / "recipe.yaml")
    assert one_sentence(refusal.value)
