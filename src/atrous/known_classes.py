"""The classes of well-known data sets, by name and in the order of their masks."""

from atrous.labels import Color, LabelSpace

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
"""By data set. ADE20K, and COCO-Stuff as kazuto1011's port trains it, count from the first class; weights with one more
have "unlabelled" before it."""

KNOWN_CLASSES = tuple(_NAMES)
"""The data sets that are known here."""

CITYSCAPES_COLORS: tuple[Color, ...] = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30),
    (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142),
    (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
"""Source: the table of labels in cityscapesScripts; Cordts et al. 2016 (arXiv:1604.01685)."""


def known_names(name: str) -> list[str]:
    """The class names of one of `KNOWN_CLASSES`, in the order of its masks.

    Raises:
        KeyError: If it is not known.
    """
    return [entry.strip() for entry in " ".join(_NAMES[name].split()).split(";")]


def known_label_space(name: str) -> LabelSpace:
    """The classes of one of `KNOWN_CLASSES` in its own colours, or in those of VOC where it has none.

    Raises:
        KeyError: If it is not known.
    """
    if name == "cityscapes":
        return LabelSpace(names=tuple(known_names(name)), colors=CITYSCAPES_COLORS)
    return LabelSpace.from_names(known_names(name))
