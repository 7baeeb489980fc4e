"""A folder, a zip and a tar of the same files are the same tree; hostile archives stay harmless."""

import io
import pickle
import tarfile
import zipfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from atrous.data.archives import PackedFile
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pairs import pair_by_stem
from atrous.data.samples import PairedFiles
from atrous.errors import DatasetError, DatasetNotFoundError, ImageError
from atrous.images import read_image, write_image, write_mask
from atrous.labels import LabelSpace

LABELS = LabelSpace.from_names(["ground", "sky"])
KINDS = ("folder", "zip", "tar")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    root = tmp_path / "files"
    for name in ("a", "b", "city/c"):
        write_image(root / f"VOC/images/{name}.png", random.integers(0, 256, (6, 8, 3), np.uint8))
        write_mask(root / f"VOC/masks/{name}.png", random.integers(0, 2, (6, 8), np.uint8), LABELS)
    (root / "VOC/names.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\n")
    (root / "VOC/.hidden").mkdir()
    (root / "VOC/.hidden/a.png").write_bytes(b"no picture")
    return root


@pytest.fixture(params=KINDS)
def tree(request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> FileTree:
    return open_tree(packed(files, request.param, tmp_path))


def packed(files: Path, kind: str, place: Path) -> Path:
    if kind == "folder":
        return files
    path = place / f"files.{kind}"
    names = sorted(name for name in files.rglob("*") if name.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.write(name, name.relative_to(files))
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(files, arcname=".")
    return path


def test_all_three_list_the_same_files_and_pass_over_hidden_ones(tree: FileTree) -> None:
    assert sorted(tree.walk("VOC")) == sorted(tree.walk())
    assert sorted(tree.walk("VOC/images")) == [f"VOC/images/{name}.png" for name in ("a", "b", "city/c")]
    assert list(tree.walk("nowhere")) == []
    assert tree.has_file("VOC/names.txt")
    assert not tree.has_file("VOC")
    assert tree.has_folder("VOC/images/city")
    assert not tree.has_folder("VOC/names.txt")


def test_text_is_read_without_the_mark_of_its_encoding(tree: FileTree) -> None:
    assert tree.read_text("VOC/names.txt").split() == ["a", "b"]
    assert tree.read("VOC/names.txt").startswith(b"\xef\xbb\xbf")
    with pytest.raises(DatasetError, match=r"images/a\.png is no text in UTF-8"):
        tree.read_text("VOC/images/a.png")
    with pytest.raises(DatasetNotFoundError, match=r"There is no file .*VOC/none\.txt"):
        tree.read("VOC/none.txt")


def test_the_folder_that_holds_a_marker_is_found_at_any_depth(tree: FileTree) -> None:
    for marker in ("images", "names.txt", "images/city"):
        found = tree.folder_with(marker)
        assert found is not None
        assert found.place.endswith("VOC")
        assert found.has_file("names.txt")
        assert sorted(found.walk("masks/city")) == ["masks/city/c.png"]
    assert tree.folder_with("nothing") is None
    assert tree.folder_with("mages") is None  # a whole part of a path, and not the end of one


def test_samples_are_the_same_wherever_their_files_lie(files: Path, tmp_path: Path) -> None:
    splits = []
    for kind in KINDS:
        voc = open_tree(packed(files, kind, tmp_path)).below("VOC")
        pairs = pair_by_stem(voc.below("images"), voc.below("masks"))
        splits.append(PairedFiles("VOC", "train", LABELS, pairs))
    assert len({split.fingerprint() for split in splits}) == 1
    for samples in zip(*splits, strict=True):
        assert len({sample.image.tobytes() for sample in samples}) == 1
        assert len({sample.mask.tobytes() for sample in samples}) == 1
        assert len({sample.name for sample in samples}) == 1
    assert splits[1].source_of(2).endswith("files.zip/VOC/masks/city/c.png")


def first_pixels(file: Path | PackedFile) -> bytes:
    return read_image(file).tobytes()


def test_archives_are_read_by_several_processes_at_once(tree: FileTree) -> None:
    tree.read("VOC/names.txt")  # opens it here first: a child must not share the place in the file
    files = [tree.file(f"VOC/images/{name}.png") for name in ("a", "b", "city/c")] * 20
    with get_context("fork").Pool(3) as pool:
        assert pool.map(first_pixels, files) == [first_pixels(file) for file in files]


def test_a_tree_can_be_handed_to_another_process(tree: FileTree) -> None:
    tree.read("VOC/names.txt")
    copy = pickle.loads(pickle.dumps(tree))
    assert sorted(copy.walk()) == sorted(tree.walk())
    assert copy.read("VOC/images/a.png") == tree.read("VOC/images/a.png")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", "a\0b", ".."]
)
def test_no_name_leads_out_of_the_place(tree: FileTree, name: str) -> None:
    for place in (tree, tree.below("VOC")):
        with pytest.raises(DatasetError, match="lies outside of it"):
            place.read(name)


def test_what_an_archive_hides_outside_of_itself_is_not_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name in ("../out.png", "/root.png", "a/./b.png", "__MACOSX/a.png", "good.png"):
            archive.writestr(name, b"x")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        for name in ("../out.png", "/root.png", "good.png"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo("link.png")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    for path in ("evil.zip", "evil.tar"):
        assert list(open_tree(tmp_path / path).walk()) == ["good.png"]


def test_a_damaged_file_in_an_archive_is_named(files: Path, tmp_path: Path) -> None:
    path = packed(files, "zip", tmp_path)
    content = bytearray(path.read_bytes())
    place = content.index(b"VOC/images/a.png") + 40
    content[place : place + 30] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"files\.zip/VOC/images/a\.png"):
        read_image(open_tree(path).file("VOC/images/a.png"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_any_cut_archive_is_refused_in_one_sentence(files: Path, tmp_path: Path, kind: str) -> None:
    whole = packed(files, kind, tmp_path).read_bytes()
    random = np.random.default_rng(0)
    for length in sorted(random.integers(0, len(whole) - 1, 60).tolist()):
        path = tmp_path / f"cut.{kind}"
        path.write_bytes(whole[:length])
        try:
            tree = open_tree(path)
            for name in tree.walk():
                tree.read(name)
        except DatasetError as error:
            assert "cut" in str(error)  # noqa: PT017 - a tar that is cut between two files is whole


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"\x1f\x8b123")
    with pytest.raises(DatasetError, match=r"a\.tgz is no folder, zip or tar"):
        open_tree(tmp_path / "a.tgz")
    with pytest.raises(DatasetNotFoundError, match="There is no "):
        open_tree(tmp_path / "none")


def test_names_are_a_list_of_strings() -> None:
    given = ["", "a", "ü/ß.png", "x" * 300, "\udcff"]
    names = Names(iter(given))
    assert list(names) == given
    assert [names[index] for index in range(-5, 5)] == given * 2
    assert list(names[1:4:2]) == given[1:4:2]
    assert names[1:] == Names(given[1:])
    assert names != Names(given[1:])
    assert len({names, Names(given)}) == 1
    with pytest.raises(IndexError):
        names[5]
