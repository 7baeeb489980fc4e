"""The classes of well-known data sets, for weights that do not name theirs."""

from collections import Counter
from pathlib import Path

from atrous.config import nearest, parse, read_yaml
from atrous.errors import ConfigError
from atrous.labels import LabelSpace

_NAMES = {
    "voc": """
    background; aeroplane; bicycle; bird; boat; bottle; bus; car; cat; chair; cow; dining table; dog; horse; motorbike;
    person; potted plant; sheep; sofa; train; tv monitor
    """,
    "cityscapes": """
    road; sidewalk; building; wall; fence; pole; traffic light; traffic sign; vegetation; terrain; sky; person; rider;
    car; truck; bus; train; motorcycle; bicycle
    """,
    "ade20k": """
    wall; building; sky; floor; tree; ceiling; road; bed; windowpane; grass; cabinet; sidewalk; person; earth; door;
    table; mountain; plant; curtain; chair; car; water; painting; sofa; shelf; house; sea; mirror; rug; field; armchair;
    seat; fence; desk; rock; wardrobe; lamp; bathtub; railing; cushion; base; box; column; signboard; chest of drawers;
    counter; sand; sink; skyscraper; fireplace; refrigerator; grandstand; path; stairs; runway; case; pool table;
    pillow; screen door; stairway; river; bridge; bookcase; blind; coffee table; toilet; flower; book; hill; bench;
    countertop; stove; palm; kitchen island; computer; swivel chair; boat; bar; arcade machine; hovel; bus; towel;
    light; truck; tower; chandelier; awning; streetlight; booth; television receiver; airplane; dirt track; apparel;
    pole; land; bannister; escalator; ottoman; bottle; buffet; poster; stage; van; ship; fountain; conveyer belt;
    canopy; washer; plaything; swimming pool; stool; barrel; basket; waterfall; tent; bag; minibike; cradle; oven; ball;
    food; step; tank; trade name; microwave; pot; animal; bicycle; lake; dishwasher; screen; blanket; sculpture; hood;
    sconce; vase; traffic light; tray; ashcan; fan; pier; crt screen; plate; monitor; bulletin board; shower; radiator;
    glass; clock; flag
    """,
    "coco-stuff": """
    person; bicycle; car; motorcycle; airplane; bus; train; truck; boat; traffic light; fire hydrant; street sign; stop
    sign; parking meter; bench; bird; cat; dog; horse; sheep; cow; elephant; bear; zebra; giraffe; hat; backpack;
    umbrella; shoe; eye glasses; handbag; tie; suitcase; frisbee; skis; snowboard; sports ball; kite; baseball bat;
    baseball glove; skateboard; surfboard; tennis racket; bottle; plate; wine glass; cup; fork; knife; spoon; bowl;
    banana; apple; sandwich; orange; broccoli; carrot; hot dog; pizza; donut; cake; chair; couch; potted plant; bed;
    mirror; dining table; window; desk; toilet; door; tv; laptop; mouse; remote; keyboard; cell phone; microwave; oven;
    toaster; sink; refrigerator; blender; book; clock; vase; scissors; teddy bear; hair drier; toothbrush; hair brush;
    banner; blanket; branch; bridge; building-other; bush; cabinet; cage; cardboard; carpet; ceiling-other;
    ceiling-tile; cloth; clothes; clouds; counter; cupboard; curtain; desk-stuff; dirt; door-stuff; fence; floor-marble;
    floor-other; floor-stone; floor-tile; floor-wood; flower; fog; food-other; fruit; furniture-other; grass; gravel;
    ground-other; hill; house; leaves; light; mat; metal; mirror-stuff; moss; mountain; mud; napkin; net; paper;
    pavement; pillow; plant-other; plastic; platform; playingfield; railing; railroad; river; road; rock; roof; rug;
    salad; sand; sea; shelf; sky-other; skyscraper; snow; solid-other; stairs; stone; straw; structural-other; table;
    tent; textile-other; towel; tree; vegetable; wall-brick; wall-concrete; wall-other; wall-panel; wall-stone;
    wall-tile; wall-wood; water-other; waterdrops; window-blind; window-other; wood
    """,
    "deepfashion2": """
    background; short sleeve top; long sleeve top; short sleeve outwear; long sleeve outwear; vest; sling; shorts;
    trousers; skirt; short sleeve dress; long sleeve dress; vest dress; sling dress
    """,
}
"""By data set, in the order of its masks. ADE20K, and COCO-Stuff as kazuto1011's port trains it, count from the first
class; weights with one class more have "unlabelled" before it."""


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
    if name in _NAMES:
        names = [entry.strip() for entry in " ".join(_NAMES[name].split()).split(";")]
    else:
        names = _names_in(Path(name))
    if num_classes is None or len(names) == num_classes:
        return LabelSpace.from_names(names)
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
            f"There are no labels `{path}`; {nearest(str(path), _NAMES)}, or give a text file with one name per line."
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
