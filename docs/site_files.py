"""What mkdocs does not do by itself: README.md and its neighbours, recipes and notebooks are part of the site.

Links in the documents lead where the files lie in the repository, so that they work there; here they are turned to
where the same files lie in the site. The mark `no-run` of code blocks is for the tests; mkdocs would see no block.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md"} | {name: name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")}
"""Of the repository's root, and what they are called in the site."""
FILES = ("recipes/*.yaml", "examples/*.ipynb", "benchmarks/*.py", "Dockerfile", "LICENSE")
LINK = re.compile(r"(?P<before>\]\()(?P<path>[^)#:\s]+)(?=[)#])")

MARK = re.compile(r"^(```\w+) no-run$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside docs/."""
    names = [path.relative_to(ROOT).as_posix() for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    for name in [*PAGES, *names]:
        files.append(File.generated(config, PAGES.get(name, name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to files of the site."""
    del config, files
    here = PurePosixPath(page.file.src_uri)
    in_repository = {target: source for source, target in PAGES.items()}.get(here.as_posix(), f"docs/{here}")
    folder = Path(in_repository).parent

    def turned(link: re.Match[str]) -> str:
        target = os.path.normpath(folder / link["path"])
        inside = PAGES.get(target, target.removeprefix("docs/"))
        return link["before"] + os.path.relpath(inside, here.parent)

    return LINK.sub(turned, MARK.sub(r"\1", markdown))
