from pathlib import Path

import pytest

from atrous.networks import BackboneConfig, NetworkConfig, build_network
from atrous.networks.family_members import BACKBONES, MEMBERS
from atrous.weights import bundled
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS

RECIPE = Path(__file__).parents[2] / "recipes/camvid_v3plus_mobilenet_v2.yaml"


def kinds(union: object) -> set[str]:
    members = union.__args__[0].__args__  # type: ignore[attr-defined]
    return {member.model_fields["kind"].default for member in members}


def test_the_list_has_every_member_and_every_backbone(atrous: Terminal) -> None:
    assert set(MEMBERS) == kinds(NetworkConfig)
    assert set(BACKBONES) == kinds(BackboneConfig)
    done = atrous("models")
    assert done.code == 0
    assert all(kind in done.out for kind in (*MEMBERS, *BACKBONES))
    assert "atrous models describe" in done.out


@pytest.mark.parametrize("kind", MEMBERS)
def test_every_member_is_described(kind: str, atrous: Terminal) -> None:
    done = atrous("models", "describe", kind, "--size", "65x97")
    assert done.code == 0
    assert "classifier" in done.out
    assert "65x97" in done.out


def test_the_page_of_v2_says_what_the_paper_says(atrous: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = atrous("models", "describe", "deeplab_v2").out
    assert "6, 12, 18, 24" in out
    assert "Parameters: 44,048,532" in out
    assert "Differences from the paper: none" in out
    assert max(map(len, out.splitlines())) <= 80


def test_choices_can_be_changed(atrous: Terminal) -> None:
    out = atrous("models", "describe", "deeplab_v3plus", "backbone.kind=mobilenet_v2", "rates=[3, 6]").out
    assert "deeplab_v3plus on mobilenet_v2" in out
    assert "rates [3, 6]" in out


def test_a_recipe_is_described_with_its_overrides(atrous: Terminal) -> None:
    out = atrous("models", "describe", RECIPE, "network.output_stride=8", "--classes", "11").out
    assert "11 classes" in out
    assert "12" in out


def test_a_checkpoint_is_described_with_its_classes(atrous: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(
        path, build_network(SMALL_NETWORKS[0], 3), CheckpointInfo(name="a", network=SMALL_NETWORKS[0], labels=LABELS)
    )
    done = atrous("models", "describe", path)
    assert done.code == 0
    assert "3 classes" in done.out


def test_a_bundled_model_is_listed_and_described_with_its_card(
    atrous: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    assert "come with the package" not in atrous("models").out
    info = CheckpointInfo(name="ours", network=SMALL_NETWORKS[0], labels=LABELS)
    save_checkpoint(tmp_path / "ours-small.safetensors", build_network(SMALL_NETWORKS[0], 3), info)
    (tmp_path / "ours-small.md").write_text("# Streets\n\nTerms: research use.\n")
    listed = atrous("models").out
    assert "come with the package" in listed
    assert "ours-small" in listed
    described = atrous("models", "describe", "ours-small").out
    assert "Terms: research use." in described
    assert "3 classes" in described
    assert "did you mean `ours-small`" in atrous.fails("models", "download", "ours-smal")


def test_a_checkpoint_is_written_at_half_its_size(atrous: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    info = CheckpointInfo(name="a", network=SMALL_NETWORKS[0], labels=LABELS)
    save_checkpoint(path, build_network(SMALL_NETWORKS[0], 3), info)
    done = atrous("models", "halve", path, tmp_path / "half.safetensors")
    assert done.code == 0
    assert "MB became" in done.out
    assert "float16 or bfloat16" in atrous.fails("models", "halve", path, tmp_path / "b.safetensors", "--to", "int8")
    assert not (tmp_path / "b.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["deeplab_v3pluss"], "`deeplab_v3plus`"),
        (["missing.safetensors"], "missing.safetensors"),
        (["missing.yaml"], "missing.yaml"),
        (["deeplab_v3", "backbone.kind=resnt"], "`resnet`"),
        (["deeplab_v3", "output_stride=12"], "output_stride"),
        (["deeplab_v3", "--size", "large"], "--size"),
        (["deeplab_v3plus", "backbone.kind=drn", "output_stride=16"], "4 or 8"),
    ],
)
def test_what_cannot_be_described_is_one_sentence(arguments: list[str], word: str, atrous: Terminal) -> None:
    assert word in atrous.fails("models", "describe", *arguments)
