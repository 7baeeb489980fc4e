"""Where well-known data sets are: their addresses and hashes, or what to do where a login is needed.

Sources: the pages of their makers; the MD5 sums are those that torchvision (VOC, SBD, Oxford-IIIT Pet) and widely used
scripts (COCO, ADE20K) check.
"""

from typing import NamedTuple


class DatasetFile(NamedTuple):
    """One file of a data set."""

    name: str
    """Its path below the folder of the data set."""
    addresses: tuple[str, ...]
    """The first is asked first."""
    md5: str | None = None
    """None where none is published."""
    unpacked: str | None = None
    """For a compressed tar, which cannot be read in place: a path that is there once it is unpacked."""


class Release(NamedTuple):
    """A data set that can be fetched."""

    title: str
    size: str
    terms: str
    files: tuple[DatasetFile, ...]
    kind: str
    """How it is read afterwards."""


class Request(NamedTuple):
    """A data set that must be asked for."""

    title: str
    instructions: str
    """A sentence without its beginning: what to do where; `{folder}` is the folder of the data set."""


VOC = "http://host.robots.ox.ac.uk/pascal/VOC"
VOC_MIRROR = "https://pjreddie.com/media/files"
VOC_TERMS = "Flickr's terms of use; for research"
COCO = "http://images.cocodataset.org/zips"
COCO_STUFF = "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset"
COCO_TERMS = "annotations CC BY 4.0, pictures under Flickr's terms of use"
PETS = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
CAMVID_STILLS = "staff/g.brostow/MotionSegRecData/files/701_StillsRaw_full.zip"
CAMVID_LABELS = "http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/data"
CAMVID_MIRROR = "http://web4.cs.ucl.ac.uk/staff/g.brostow/MotionSegRecData/data"
SBD_PATH = "Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz"

RELEASES: dict[str, Release | Request] = {
    "voc": Release(
        "PASCAL VOC 2012",
        "2.0 GB",
        VOC_TERMS,
        (
            DatasetFile(
                "VOCtrainval_11-May-2012.tar",
                (f"{VOC}/voc2012/VOCtrainval_11-May-2012.tar", f"{VOC_MIRROR}/VOCtrainval_11-May-2012.tar"),
                "6cd6e144f989b92b3379bac3b3de84fd",
            ),
        ),
        "voc",
    ),
    "voc2007": Release(
        "PASCAL VOC 2007",
        "0.5 GB",
        VOC_TERMS,
        (
            DatasetFile(
                "VOCtrainval_06-Nov-2007.tar",
                (f"{VOC}/voc2007/VOCtrainval_06-Nov-2007.tar", f"{VOC_MIRROR}/VOCtrainval_06-Nov-2007.tar"),
                "c52e279531787c972589f7e41ab4ae64",
            ),
        ),
        "voc",
    ),
    "sbd": Release(
        "SBD",
        "1.4 GB",
        VOC_TERMS,
        (
            DatasetFile(
                "benchmark.tgz",
                (f"https://www2.eecs.berkeley.edu/{SBD_PATH}", f"http://www.eecs.berkeley.edu/{SBD_PATH}"),
                "82b4d87ceb2ed10f6038a1cba92111cb",
                unpacked="benchmark_RELEASE/dataset/train.txt",
            ),
            DatasetFile(
                "benchmark_RELEASE/dataset/train_noval.txt",
                (
                    "https://www.cs.cornell.edu/~bharathh/train_noval.txt",
                    "http://home.bharathh.info/pubs/codes/SBD/train_noval.txt",
                ),
                "79bff800c5f0b1ec6b21080a3c066722",
            ),
        ),
        "sbd",
    ),
    "coco-stuff": Release(
        "COCO-Stuff 164k",
        "21 GB",
        COCO_TERMS,
        (
            DatasetFile("stuffthingmaps_trainval2017.zip", (f"{COCO_STUFF}/stuffthingmaps_trainval2017.zip",)),
            DatasetFile("val2017.zip", (f"{COCO}/val2017.zip",), "442b8da7639aecaf257c1dceb8ba8c80"),
            DatasetFile("train2017.zip", (f"{COCO}/train2017.zip",), "cced6f7f71b7629ddf16f17bbcfab6b2"),
        ),
        "coco-stuff",
    ),
    "coco-stuff-10k": Release(
        "COCO-Stuff 10k",
        "2.0 GB",
        COCO_TERMS,
        (DatasetFile("cocostuff-10k-v1.1.zip", (f"{COCO_STUFF}/cocostuff-10k-v1.1.zip",)),),
        "coco-stuff",
    ),
    "camvid": Release(
        "CamVid",
        "0.6 GB",
        "for research; see the page of its makers",
        (
            DatasetFile("label_colors.txt", (f"{CAMVID_LABELS}/label_colors.txt", f"{CAMVID_MIRROR}/label_colors.txt")),
            DatasetFile(
                "LabeledApproved_full.zip",
                (f"{CAMVID_LABELS}/LabeledApproved_full.zip", f"{CAMVID_MIRROR}/LabeledApproved_full.zip"),
            ),
            DatasetFile(
                "701_StillsRaw_full.zip",
                (
                    f"http://web4.cs.ucl.ac.uk/{CAMVID_STILLS}",
                    "https://github.com/johnwlambert/camvid-dataset-mirror/releases/download/v1.0.0/"
                    "701_StillsRaw_full.zip",
                ),
            ),
        ),
        "camvid",
    ),
    "pets": Release(
        "Oxford-IIIT Pet",
        "0.8 GB",
        "CC BY-SA 4.0",
        (
            DatasetFile(
                "images.tar.gz",
                (f"{PETS}/images.tar.gz",),
                "5c4f3ee8e5d25df40f4fd59a7f44e54c",
                unpacked="images/Abyssinian_1.jpg",
            ),
            DatasetFile(
                "annotations.tar.gz",
                (f"{PETS}/annotations.tar.gz",),
                "95a8c909bbe2e81eed6a22bccdf3f68f",
                unpacked="annotations/trainval.txt",
            ),
        ),
        "pets",
    ),
    "ade20k": Release(
        "ADE20K scene parsing",
        "0.9 GB",
        "annotations BSD-3, pictures for research",
        (
            DatasetFile(
                "ADEChallengeData2016.zip",
                (
                    "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
                    "https://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
                ),
                "7328b3957e407ddae1d3cbf487f149ef",
            ),
        ),
        "ade20k",
    ),
    "cityscapes": Request(
        "Cityscapes",
        "register at https://www.cityscapes-dataset.com, fetch leftImg8bit_trainvaltest.zip (11 GB) and "
        "gtFine_trainvaltest.zip (241 MB) from its page Downloads, put both into {folder} as they are, and read them "
        "as cityscapes:{folder}",
    ),
    "deepfashion2": Request(
        "DeepFashion2",
        "fill in the form at https://github.com/switchablenorms/DeepFashion2 for the password, fetch train.zip and "
        "validation.zip from there, unpack both with the password in {folder}, and read them as deepfashion2:{folder}",
    ),
    "ade20k-full": Request(
        "the full ADE20K",
        "ask for it at https://ade20k.csail.mit.edu/request_data/, unpack the archive that you are sent in {folder}, "
        "and read it as ade20k:{folder}",
    ),
}
"""By the names that `atrous data download` takes."""
