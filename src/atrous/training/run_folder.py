"""The folder of one training: what stands in it, and when it may be written."""

from collections.abc import Iterable
from pathlib import Path

from atrous.errors import ConfigError, OutputError
from atrous.files import cannot_write, make_folder, write_text
from atrous.training.lock import Lock
from atrous.training.recipe import Recipe, read_recipe, recipe_text


class RunFolder:
    """The places of a run's files."""

    def __init__(self, path: Path) -> None:
        """Name the places; nothing is made yet."""
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.best = path / "best.safetensors"
        self.last = path / "last.safetensors"
        self.state = path / "state" / "state.safetensors"
        self.trackers = path / "state" / "trackers.json"
        self.lock = Lock(path / "state" / "lock")
        self.report = path / "report.json"
        self.page = path / "report.html"
        self.settings = path / "settings.json"
        self.first_batch = path / "first_batch.png"
        self.jsonl = path / "log.jsonl"
        self.csv = path / "log.csv"
        self.events = path / "events"

    def kept(self, step: int) -> Path:
        """The place of a checkpoint that stays."""
        return self.path / "checkpoints" / f"step_{step:08}.safetensors"

    def require_usable(self, recipe: Recipe, *, resume: bool, overwrite: bool) -> None:
        """Refuse a folder in which this run must not begin or cannot go on; nothing is written.

        Raises:
            OutputError: If another run is there and may not be overwritten, or is going on, the folder is a file, or
                there is no run to resume. One that was killed before its first save is begun anew.
            ConfigError: If the run there has another recipe; the first differences are named.
        """
        if resume:
            self.lock.require_free()
            self._require_same_recipe(recipe)
        else:
            self.require_free(overwrite=overwrite)

    def require_free(self, *, overwrite: bool) -> None:
        """Refuse a folder in which no run must begin; nothing is written.

        Raises:
            OutputError: If another run is there and may not be overwritten, or is going on, or the folder is a file.
        """
        self.lock.require_free()
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file where a folder was expected: choose another with --output.")
        if self.holds_run() and not overwrite:
            killed_early = self.recipe.exists() and not self.best.exists()
            way_on = "continue it with --resume, replace it" if self.state.exists() or killed_early else "replace it"
            raise OutputError(
                f"{self.path} already holds a run: {way_on} with --overwrite, or choose another folder with --output."
            )

    def holds_run(self) -> bool:
        """Whether anything of a run is there; files of other names are nobody's business here."""
        return any(file.exists() for file in (self.recipe, *self._results()))

    def begin(self, recipe: Recipe) -> None:
        """Make the folder, hold it until `close`, remove what an older run left, and write the recipe.

        Raises:
            OutputError: If the place cannot be written, or another process holds it.
        """
        make_folder(self.path)
        self.lock.hold()
        self._remove(self._results())
        write_text(self.recipe, recipe_text(recipe))

    def go_on(self) -> None:
        """Hold the folder until `close`, and remove what a killed run left half-written.

        Raises:
            OutputError: If the place cannot be written, or another process holds it.
        """
        self.lock.hold()
        self._remove(self._leftovers())

    def close(self) -> None:
        """Let others train here."""
        self.lock.release()

    def _require_same_recipe(self, recipe: Recipe) -> None:
        state_is_lost = not self.state.exists() and self.best.exists()  # what was killed before has no best either
        if state_is_lost or not self.recipe.exists():
            way_out = "start it anew with --overwrite" if self.holds_run() else "leave out --resume to start one"
            raise OutputError(f"{self.path} holds no run that can be continued: {way_out}.")
        # Read as a recipe, for it may be older than a choice that has been added since, whose default it then has.
        stored = read_recipe(self.recipe)
        differences = _differences(stored.model_dump(mode="json"), recipe.model_dump(mode="json"), "")
        if differences:
            raise ConfigError(
                f"The recipe is not the one that {self.path} was started with ({'; '.join(differences[:3])}): "
                f"--resume continues exactly the same run, so give {self.recipe} itself."
            )

    def _remove(self, files: Iterable[Path]) -> None:
        try:
            for file in files:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _results(self) -> list[Path]:
        files = [self.best, self.last, self.state, self.trackers, self.report, self.page, self.jsonl, self.csv]
        files += [self.settings, self.first_batch]
        kept = self.path.glob("checkpoints/step_????????.safetensors")
        return [*files, *kept, *self.events.glob("events.out.tfevents.*"), *self._leftovers()]

    def _leftovers(self) -> list[Path]:
        """What `replacing` was writing when the run was killed."""
        folders = (self.path, self.state.parent, self.kept(0).parent)
        return [file for folder in folders for file in folder.glob(f".{'?' * 16}.part")]


def _differences(stored: object, given: object, place: str) -> list[str]:
    if isinstance(stored, dict) and isinstance(given, dict):
        keys = [*stored, *(key for key in given if key not in stored)]
        found = [_differences(stored.get(key), given.get(key), f"{place}.{key}".lstrip(".")) for key in keys]
        return [difference for some in found for difference in some]
    return [] if stored == given else [f"{place} was {stored} and is {given}"]
