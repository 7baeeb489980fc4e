"""How the pages about data sets are written from their templates."""

from pathlib import Path

import jinja2

from atrous.files import write_text


def write_page(path: Path, template: str, **content: object) -> None:
    """Fill a template of this folder and write it.

    Raises:
        OutputError: If the place cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("atrous.data.pages", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["percent"] = lambda share: f"{100 * share:.3g}"
    text = environment.get_template(template).render(**content)
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))  # a file's name may be no text
