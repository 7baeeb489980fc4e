"""The folder of one training: what stands in it, and when it may be written."""

from pathlib import Path

from atrous.config import read_yaml
from atrous.errors import AtrousError, OutputError
from atrous.files import cannot_write, make_folder, write_text
from atrous.training.recipe import Recipe, recipe_text


class RunFolder:
    """The places of a run's files."""

    def __init__(self, path: Path) -> None:
        """Name the places; nothing is made yet."""
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.best = path / "best.safetensors"
        self.last = path / "last.safetensors"
        self.state = path / "state" / "state.safetensors"
        self.report = path / "report.json"
        self.page = path / "report.html"
        self.jsonl = path / "log.jsonl"
        self.csv = path / "log.csv"
        self.events = path / "events"

    def begin(self, recipe: Recipe, *, overwrite: bool) -> None:
        """Make the folder and write the recipe into it; the files of an older run are removed if `overwrite` says so.

        Raises:
            OutputError: If another run is there and may not be overwritten, or the folder is something else's.
        """
        path = self.path
        if path.exists() and not path.is_dir():
            raise OutputError(
                f"{path} is a file where a folder for the run was expected: choose another with --output."
            )
        if path.is_dir() and any(path.iterdir()):
            if not self.recipe.exists():
                raise OutputError(f"{path} holds files, but no run: choose another folder with --output.")
            if not overwrite:
                raise OutputError(
                    f"{path} already holds a run: continue it with --resume, replace it with --overwrite, "
                    f"or choose another folder with --output."
                )
            self._remove_run()
        make_folder(path)
        write_text(self.recipe, recipe_text(recipe))

    def require_same_recipe(self, recipe: Recipe) -> None:
        """Refuse to continue a run with another recipe than its own.

        Raises:
            OutputError: If there is no run to continue.
            AtrousError: If the recipes differ; the first difference is named.
        """
        if not self.state.exists() or not self.recipe.exists():
            raise OutputError(f"{self.path} holds no run that can be continued: leave out --resume to start one.")
        stored, given = read_yaml(self.recipe), recipe.model_dump(mode="json")
        differences = _differences(stored, given, "")
        if differences:
            raise AtrousError(
                f"The recipe is not the one that {self.path} was started with ({'; '.join(differences[:3])}): "
                f"--resume continues exactly the same run, so give `{self.recipe}` itself."
            )

    def _remove_run(self) -> None:
        files = [self.best, self.last, self.state, self.report, self.page, self.jsonl, self.csv]
        files += self.events.glob("events.out.tfevents.*")
        try:
            for file in files:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error


def _differences(stored: object, given: object, place: str) -> list[str]:
    if isinstance(stored, dict) and isinstance(given, dict):
        keys = [*stored, *(key for key in given if key not in stored)]
        found = [_differences(stored.get(key), given.get(key), f"{place}.{key}".lstrip(".")) for key in keys]
        return [difference for some in found for difference in some]
    return [] if stored == given else [f"{place} was {stored} and is {given}"]
