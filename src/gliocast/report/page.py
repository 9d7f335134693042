"""What pages of this package are made with: templates and files that come with it, and what a page may load."""

from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str) -> Template:
    """A template of a page. What is put into it is escaped; a name that it asks for and doesn't get is an error."""
    environment = Environment(
        loader=PackageLoader("gliocast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode("ascii")
    return environment.get_template(name)


def packaged(folder: str, name: str) -> str:
    """A text file that comes with gliocast, to the byte."""
    return (files("gliocast.report") / folder / name).read_bytes().decode("utf-8")
