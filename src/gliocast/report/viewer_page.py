"""The viewer's part of the page: its script, NiiVue's, and a content security policy that lets nothing else run.

Scripts and styles stand in the page itself and are allowed by their hash; no request of any kind is. NiiVue is shipped
unchanged, and a copy with another hash is refused.
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from gliocast.core import QualityError
from gliocast.report.content import ReportContent
from gliocast.report.page import packaged
from gliocast.report.viewer import pack

NIIVUE, NIIVUE_VERSION = "niivue.umd.js", "0.69.0"
NIIVUE_SHA256 = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"


@dataclass(frozen=True)
class ViewerPage:
    """What the page holds for the viewer.

    Args:
        scene: layers as JSON.
        niivue: NiiVue's script.
        script: that shows the scene with it.
    """

    scene: str
    niivue: str
    script: str


def viewer_page(content: ReportContent) -> ViewerPage:
    """The viewer of a report.

    Args:
        content: of which the layers are.

    Raises:
        QualityError: NiiVue isn't the one that gliocast was tested with.
    """
    return ViewerPage(pack(content).to_json(), _niivue(), packaged("templates", "viewer.js"))


def stylesheet() -> str:
    """The page's only style."""
    return packaged("templates", "report.css")


def security_policy(*, scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    """A policy under which the page can show what it holds and nothing else.

    Args:
        scripts: texts of the elements that may run.
        styles: texts of the elements that may style.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            f"style-src {' '.join(map(_source, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source(text: str) -> str:
    """A text as a policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"


@lru_cache(maxsize=1)
def _niivue() -> str:
    text = packaged("assets", NIIVUE)
    found = sha256(text.encode()).hexdigest()
    if found != NIIVUE_SHA256 or "</script" in text:
        raise QualityError(
            f"viewer ({NIIVUE})",
            expected=f"version {NIIVUE_VERSION}, SHA-256 {NIIVUE_SHA256[:12]}...",
            got=f"{found[:12]}...",
            advice="install gliocast again",
        )
    return text
