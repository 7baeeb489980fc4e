"""Plans of trainings, from made-up facts: every choice is sensible, and says why."""

from pathlib import Path

import pytest

from atrous.data.folder import FolderConfig
from atrous.errors import TrainingError
from atrous.networks import DeepLabV3Config, MobileNetV2Config, ResNetConfig, build_network
from atrous.training.losses import CrossEntropyConfig
from atrous.training.optimizer import AdamWConfig, SGDConfig
from atrous.training.planning.choice import Speed, Start
from atrous.training.planning.facts import DataFacts, MachineFacts
from atrous.training.planning.learning import choose_learning
from atrous.training.planning.plan import Plan, Wish, plan
from atrous.training.recipe import read_recipe, recipe_text

LAPTOP = MachineFacts("2 CPU threads", False, cores=2, memory=8.0, gpu_memory=0.0, bfloat16=False)
SMALL_LAPTOP = LAPTOP._replace(memory=0.4)
GPU = MachineFacts("a GPU", True, cores=16, memory=64.0, gpu_memory=40.0, bfloat16=True)
SMALL_GPU = GPU._replace(gpu_memory=2.0)
SLOW = Speed(0.4, 0.5, steps=20, batch_size=8, memory=1.6, seconds_to_begin=3.0)
FAST = Speed(0.005, 0.02, steps=20, batch_size=16, memory=6.0, seconds_to_begin=5.0)
LIGHT_START = Start("a-model", DeepLabV3Config(backbone=MobileNetV2Config()), ("car", "sky"))


def facts(**changes: object) -> DataFacts:
    street = DataFacts(
        title="streets",
        train=367,
        val=101,
        size=(360, 480),
        largest=(360, 480),
        classes=("sky", "road", "car"),
        shares=(0.3, 0.6, 0.1),
        looked_at=200,
        seconds_per_picture=0.005,
    )
    return street._replace(**changes)  # type: ignore[arg-type]


STREETS = facts()
SKYDIVING = facts(train=10, val=2, size=(1080, 1920), largest=(1080, 1920), looked_at=10, seconds_per_picture=0.08)
PHOTOS = facts(train=170, val=30, size=(3000, 4000), largest=(4000, 4000), seconds_per_picture=0.4)
ONE_CLASS = facts(classes=("background", "crack"), shares=(0.996, 0.004))
MANY_CLASSES = facts(
    train=20_000,
    val=2_000,
    classes=tuple(f"class {k}" for k in range(150)),
    shares=(0.5,) + 148 * (0.5 / 148,) + (0.0,),
)
TINY = facts(train=5_000, val=500, size=(32, 32), largest=(32, 32), seconds_per_picture=0.0003)
RASTERS = facts(train=5, val=1, size=(10_000, 10_000), largest=(10_000, 12_000), looked_at=5, seconds_per_picture=4.0)
PANORAMAS = facts(size=(200, 4000), largest=(200, 4000))
DATA = {
    "streets": STREETS,
    "skydiving": SKYDIVING,
    "photos": PHOTOS,
    "one class": ONE_CLASS,
    "many classes": MANY_CLASSES,
    "tiny": TINY,
    "rasters": RASTERS,
    "panoramas": PANORAMAS,
}
MACHINES = {"laptop": LAPTOP, "small laptop": SMALL_LAPTOP, "gpu": GPU, "small gpu": SMALL_GPU}


def wish(minutes: float = 30) -> Wish:
    return Wish("fit_test", FolderConfig(root=Path("data")), minutes)


def planned(data: DataFacts, machine: MachineFacts, minutes: float = 30, start: Start | None = None) -> Plan:
    return plan(wish(minutes), data, machine, start, FAST if machine.gpu else SLOW)


def reasons(made: Plan) -> dict[str, str]:
    return {choice.name: f"{choice.value}: {choice.reason}" for choice in made.choices}


@pytest.mark.parametrize("minutes", [5, 60, 600])
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_every_plan_is_a_recipe_that_reads_again_and_says_why(
    data: DataFacts, machine: MachineFacts, minutes: float, tmp_path: Path
) -> None:
    made = planned(data, machine, minutes)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(made.recipe))
    assert read_recipe(path) == made.recipe
    assert all(choice.value and choice.reason and not choice.reason.endswith(".") for choice in made.choices)
    assert len({choice.name for choice in made.choices}) == len(made.choices)


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_updates_and_validations_fit_into_the_minutes_and_fill_them(data: DataFacts) -> None:
    made = planned(data, LAPTOP, 60)
    length, training = made.length, made.recipe.training
    assert length is not None
    update = training.batch_size * training.accumulation * SLOW.seconds_per_picture
    spent = length.steps * update + length.validations * length.validation_seconds + length.finishing_seconds
    assert 3600 - 2 * update - SLOW.seconds_to_begin <= spent <= 3600


def test_time_too_short_for_a_validation_is_a_sentence_that_says_how_much_would_do() -> None:
    slow = SLOW._replace(seconds_per_prediction=30.0)
    with pytest.raises(TrainingError, match=r"single validation.*--minutes") as error:
        plan(wish(5), STREETS, LAPTOP, None, slow)
    assert "\n" not in str(error.value)


def test_validations_of_a_large_split_look_at_a_part_of_it_and_say_so() -> None:
    made = planned(MANY_CLASSES, LAPTOP, 30)
    looked_at = made.recipe.training.val_fraction * MANY_CLASSES.val
    assert 10 <= looked_at < MANY_CLASSES.val
    assert f"{looked_at:.0f} of the 2,000 pictures" in reasons(made)["validations"]
    assert planned(STREETS, LAPTOP, 60).recipe.training.val_fraction == 1


def test_a_single_validation_stays_at_the_end_where_more_updates_fit_than_thought() -> None:
    made = planned(STREETS, LAPTOP, 6)
    assert made.length is not None
    assert made.length.validations == 1
    assert made.recipe.training.validate_every is not None
    assert made.recipe.training.validate_every > made.length.steps


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
@pytest.mark.parametrize("machine", [LAPTOP, GPU], ids=["laptop", "gpu"])
def test_crops_are_no_larger_than_the_grid_around_a_picture_and_no_slivers(
    data: DataFacts, machine: MachineFacts
) -> None:
    height, width = planned(data, machine, 600).recipe.augmentation.crop
    assert height % 32 == width % 32 == 0
    assert height < data.size[0] + 32
    assert width < data.size[1] + 32
    assert max(height, width) <= 3.5 * min(height, width)
    assert height * width <= 1.35 * (512 * 512 if machine.gpu else 320 * 256)


def test_large_pictures_are_seen_from_near_and_from_far() -> None:
    low, high = planned(SKYDIVING, LAPTOP).recipe.augmentation.scale
    assert low < 0.4
    assert high >= 1  # the scale of validation
    assert planned(STREETS, LAPTOP).recipe.augmentation.scale[0] == 0.5


def test_tiny_pictures_get_finer_features() -> None:
    assert planned(TINY, LAPTOP).recipe.network.output_stride == 8
    assert planned(STREETS, LAPTOP).recipe.network.output_stride == 16


def test_a_gpu_gets_a_larger_network_where_it_has_the_memory() -> None:
    assert isinstance(planned(STREETS, GPU).recipe.network.backbone, ResNetConfig)
    assert isinstance(planned(STREETS, SMALL_GPU).recipe.network.backbone, MobileNetV2Config)
    assert isinstance(planned(STREETS, LAPTOP).recipe.network.backbone, MobileNetV2Config)


def test_batches_that_the_memory_does_not_hold_are_accumulated() -> None:
    training = plan(wish(), STREETS, SMALL_LAPTOP).recipe.training
    assert training.batch_size < 8
    assert training.batch_size * training.accumulation == 8


def test_a_measured_need_of_memory_counts_and_one_of_nothing_is_not_believed() -> None:
    hungry = plan(wish(600), STREETS, LAPTOP, None, SLOW._replace(memory=20.0)).recipe.training
    assert (hungry.batch_size, hungry.accumulation) == (1, 8)
    unknown = plan(wish(600), STREETS, LAPTOP, None, SLOW._replace(memory=0.0)).recipe.training
    assert (unknown.batch_size, unknown.accumulation) == (8, 1)


def test_norms_of_small_batches_are_frozen_from_weights_and_slow_from_chance() -> None:
    tight = LAPTOP._replace(memory=0.5)
    chance = plan(wish(), STREETS, tight).recipe
    assert chance.training.batch_size < 4
    assert chance.network.batch_norm.momentum is not None
    assert not chance.network.batch_norm.frozen
    tuned = plan(wish(), STREETS, tight, LIGHT_START).recipe
    assert tuned.network.batch_norm.frozen
    enough = plan(wish(), STREETS, LAPTOP, LIGHT_START).recipe
    assert not enough.network.batch_norm.frozen


def test_few_updates_take_smaller_batches_so_that_there_are_more() -> None:
    assert planned(STREETS, LAPTOP, 6).recipe.training.batch_size == 4
    assert planned(STREETS, LAPTOP, 600).recipe.training.batch_size == 8


def test_heavy_imbalance_weighs_classes_and_none_does_not() -> None:
    loss = planned(ONE_CLASS, LAPTOP).recipe.loss
    assert isinstance(loss, CrossEntropyConfig)
    assert isinstance(loss.class_weights, dict)
    assert loss.class_weights["crack"] > loss.class_weights["background"] > 0
    assert loss.class_weights["crack"] <= 5
    assert planned(STREETS, LAPTOP).recipe.loss == CrossEntropyConfig()


def test_a_class_that_was_not_seen_weighs_as_any_other() -> None:
    loss = planned(MANY_CLASSES, LAPTOP).recipe.loss
    assert isinstance(loss, CrossEntropyConfig)
    assert isinstance(loss.class_weights, dict)
    assert loss.class_weights["class 149"] == 1


def test_short_trainings_take_adamw_and_long_ones_sgd() -> None:
    assert isinstance(planned(STREETS, LAPTOP).recipe.optimizer, AdamWConfig)
    assert isinstance(planned(STREETS, GPU, 600).recipe.optimizer, SGDConfig)


def test_larger_batches_and_random_weights_have_larger_rates() -> None:
    small, large = (choose_learning(batch, 5000, None).optimizer.learning_rate for batch in (4, 16))
    assert small == pytest.approx(large / 2, rel=0.1)
    assert choose_learning(4, 5000, LIGHT_START).optimizer.learning_rate < small
    assert choose_learning(4, 100, None).optimizer.learning_rate > small


def test_all_decoded_pictures_are_kept_where_they_fit() -> None:
    assert planned(SKYDIVING, LAPTOP).recipe.training.cache_gigabytes >= SKYDIVING.gigabytes
    assert planned(PHOTOS, LAPTOP).recipe.training.cache_gigabytes <= 0.25 * LAPTOP.memory


def test_a_start_brings_its_network_and_says_which_classes_it_knows() -> None:
    made = planned(STREETS, LAPTOP, start=LIGHT_START)
    assert made.recipe.network.kind == "deeplab_v3"
    assert made.recipe.training.start_from == "a-model"
    assert "2 of the 3 classes" in reasons(made)["start"]
    assert "--start-from" in reasons(planned(STREETS, LAPTOP))["start"]


def test_planned_networks_can_be_built() -> None:
    for data in (STREETS, TINY):
        assert build_network(planned(data, LAPTOP).recipe.network, 3).output_stride in (8, 16)
