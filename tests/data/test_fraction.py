from atrous.data.fraction import DrawnSamples
from atrous.data.shapes import GeneratedShapes, ShapesConfig

WHOLE = GeneratedShapes(ShapesConfig(height=32, width=32, train=20), "train")


def test_a_share_holds_so_many_samples_of_the_split_in_its_order() -> None:
    part = DrawnSamples(WHOLE, 0.3, seed=0)
    names = [WHOLE[index].name for index in range(len(WHOLE))]
    drawn = [part[index].name for index in range(len(part))]
    assert len(part) == 6
    assert drawn == [name for name in names if name in set(drawn)]
    assert part.source_of(2) == WHOLE.source_of(names.index(drawn[2]))
    assert (part.split, part.labels) == (WHOLE.split, WHOLE.labels)
    assert part.title == f"{WHOLE.title} (6 of the 20 pictures of train)"


def test_a_larger_share_includes_a_smaller_one_and_another_seed_draws_others() -> None:
    small, large, other = (
        set(DrawnSamples(WHOLE, share, seed).indices) for share, seed in ((0.2, 3), (0.5, 3), (0.2, 4))
    )
    assert small < large
    assert small != other


def test_at_least_one_sample_is_drawn() -> None:
    assert len(DrawnSamples(WHOLE, 0.001, seed=0)) == 1


def test_other_samples_have_another_fingerprint() -> None:
    prints = {DrawnSamples(WHOLE, share, seed).fingerprint() for share, seed in ((0.2, 3), (0.5, 3), (0.2, 4))}
    assert len(prints | {WHOLE.fingerprint()}) == 4
    assert DrawnSamples(WHOLE, 0.2, 3).fingerprint() in prints
