"""The page in a real browser, from a file and offline; skipped where there is none (`pip install -e ".[browser]"`)."""

import re
import shutil
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image
from scipy.spatial.transform import Rotation

from gliocast.report import figures, make_report
from gliocast.report.slices import PLANES, Frame
from gliocast.report.viewer import FIRST_COLOR, SCAN_CODES, SHOWN_OUTLINES, pack

playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` isn't installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")

SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_GL = ("--disable-gpu", "--disable-3d-apis")
#: Of round corners, which pictures are without [pixels].
BORDER_PX = 6
#: On a busy machine without a GPU [ms].
PATIENCE_MS = 120_000


@dataclass
class Visit:
    """An open page, and what it said and asked for."""

    page: object
    said: list = field(default_factory=list)
    requested: list = field(default_factory=list)

    @property
    def state(self):
        return self.page.get_attribute("html", "data-viewer")

    @property
    def readout(self):
        return self.page.text_content("#viewer-readout")

    def coordinate(self, axis):
        return int(re.search(rf"\b{axis} (−?\d+)", self.readout)[1].replace("−", "-"))

    def picture(self):
        """The viewer's panels side by side without their round corners, (rows, columns, rgb)."""
        self.page.wait_for_timeout(300)
        shot = self.page.locator("#viewer-frame").screenshot()
        picture = np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)
        return picture[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]

    def choose(self, name, value, *, on=True):
        box = self.page.locator(f"input[name={name}][value={value}]")
        box.check() if on else box.uncheck()


@pytest.fixture(scope="module")
def write_page(tmp_path_factory):
    """Writes a report with the figures of the viewer and the anatomy alone."""

    def write(content):
        path = tmp_path_factory.mktemp("page") / "report.html"
        with pytest.MonkeyPatch.context() as patch:
            for name in ("_density_figures", "_fit_figures", "_plan_figures", "_model_figures", "_outlook_figures"):
                patch.setattr(figures, name, lambda _: ())
            path.write_text(make_report(content).page, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture(scope="module")
def report_file(case, make_content, write_page):
    """A patient scanned along the axes."""
    return write_page(make_content(case))


@pytest.fixture(scope="module")
def full_file(case, make_content, write_page, prior, check, outlook):
    """A page with all of its wide tables."""
    return write_page(make_content(case, prior=prior, check=check, outlook=outlook))


@pytest.fixture(scope="module")
def oblique_case(make_case):
    """The same patient, scanned 12 degrees off about z and 6 about y; voxels are 4 x 4 x 5 mm."""
    return make_case(turn=Rotation.from_euler("zy", [12, 6], degrees=True).as_matrix())


@pytest.fixture(scope="module")
def browsers():
    """Browsers by their arguments, opened when one is asked for."""
    with playwright.sync_playwright() as driver:
        opened = {}

        def browser(arguments):
            if arguments not in opened:
                opened[arguments] = driver.chromium.launch(executable_path=CHROMIUM, args=list(arguments))
            return opened[arguments]

        yield browser
        for entry in opened.values():
            entry.close()


@pytest.fixture
def open_page(browsers, report_file):
    contexts = []

    def open_(arguments=SOFTWARE_GL, file=report_file, **options):
        context = browsers(arguments).new_context(offline=True, viewport={"width": 1100, "height": 1400}, **options)
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.set_default_timeout(PATIENCE_MS)
        visit.page.on("console", lambda message: visit.said.append(message.text))
        visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
        visit.page.on("request", lambda request: visit.requested.append(request.url))
        visit.page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            visit.page.wait_for_selector("html[data-viewer]", state="attached")
        return visit

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def visit(open_page):
    return open_page()


def colored(picture):
    """Bool: neither black nor gray nor white."""
    return np.ptp(picture, axis=-1) > 40


def test_page_loads_without_a_complaint_and_asks_for_nothing(visit, report_file):
    assert visit.state == "drawn"
    assert visit.said == []
    # data: addresses are in the page itself
    assert [url for url in visit.requested if not url.startswith("data:")] == [report_file.as_uri()]


def test_policy_refuses_requests_and_other_scripts(visit):
    asked = "fetch('data:text/plain,x').then(() => 'let through', () => 'refused')"
    assert visit.page.evaluate(asked) == "refused"
    added = (
        "e = document.createElement('script'); e.textContent = 'window.ran = 1'; document.body.append(e); window.ran"
    )
    assert visit.page.evaluate(added) is None


def test_viewer_draws_in_place_of_the_figure(visit):
    picture = visit.picture()
    lit = picture.max(axis=-1) > 60
    assert 0.1 < lit.mean() < 0.8
    assert colored(picture).sum() > 1000
    assert not lit[:8, :8].any()  # the background
    assert visit.page.locator("#viewer").is_visible()
    assert not visit.page.locator("#viewer-still").is_visible()


def test_patients_right_is_on_the_left(visit):
    """The tumor lies on the right and in front: in the left upper part of the axial panel, left in the sagittal one."""
    for key in ("gtv", "ctv_standard", "ctv_model", "whole"):
        visit.choose("outline", key, on=False)
    picture = visit.picture()
    rows, columns = np.nonzero(colored(picture))
    width = picture.shape[1]
    # panels are as wide as the brain is from left to right, left to right, and back to front
    sizes = np.cumsum([124, 124, 144]) / 392 * width
    axial = columns < sizes[0]
    sagittal = columns > sizes[1]
    assert axial.any()
    assert sagittal.any()
    assert columns[axial].mean() < 0.42 * sizes[0]
    assert rows[axial].mean() < 0.5 * picture.shape[0]
    assert columns[sagittal].mean() - sizes[1] < 0.5 * (width - sizes[1])


@pytest.mark.parametrize(("panel", "axis", "others"), [(0.15, "z", "xy"), (0.5, "y", "xz"), (0.85, "x", "yz")])
def test_mouse_wheel_moves_the_slice_under_the_pointer(visit, panel, axis, others):
    box = visit.page.locator("#viewer-frame").bounding_box()
    visit.page.mouse.move(box["x"] + panel * box["width"], box["y"] + 0.5 * box["height"])
    before, picture = {name: visit.coordinate(name) for name in "xyz"}, visit.picture()
    for _ in range(3):
        visit.page.mouse.wheel(0, 100)
    moved = visit.picture()
    assert visit.coordinate(axis) != before[axis]
    assert all(visit.coordinate(name) == before[name] for name in others)
    assert np.abs(moved - picture).max() > 50


def test_layers_switch(visit):
    pictures = [visit.picture()]
    for name, value in (("scan", "flair"), ("map", "deviation"), ("map", "none")):
        visit.choose(name, value)
        pictures.append(visit.picture())
    for one, other in pairwise(pictures):
        assert (np.abs(one - other).max(axis=-1) > 20).sum() > 200
    for key in ("gtv", "ctv_standard", "ctv_model", "whole"):
        before = colored(visit.picture()).sum() + (visit.picture().min(axis=-1) > 230).sum()
        visit.choose("outline", key, on=False)
        assert colored(visit.picture()).sum() + (visit.picture().min(axis=-1) > 230).sum() < before
    assert not colored(visit.picture()).any()


def test_one_plane_is_larger_than_three(visit):
    three = visit.picture()
    visit.choose("planes", "axial")
    axial = visit.picture()
    assert axial.shape[0] > 1.2 * three.shape[0]
    assert colored(axial).sum() > 2 * colored(three[:, : three.shape[1] // 3]).sum()


def test_readout_says_what_was_embedded(visit, case):
    shown = re.search(r"density ([\d.]+)", visit.readout)[1]
    point = np.array([visit.coordinate(axis) for axis in "xyz"])
    index = tuple(np.rint(case.visit.grid.voxel_from_world(point)).astype(int))
    assert float(shown) == pytest.approx(float(case.density.data[index]), rel=0.04)
    assert "segmented core" in visit.readout
    flair = case.visit["flair"].volume.data
    step = float(flair.max()) / (SCAN_CODES - 1)
    assert float(re.search(r"FLAIR (\d+)", visit.readout)[1]) == pytest.approx(
        float(flair[index]), abs=0.5 * step + 0.5
    )


def test_oblique_scan_opens_in_the_middle_of_the_tumor(open_page, oblique_case, make_content, write_page):
    """By what is said, where the crosshair is drawn, and the color of the density there, in all three planes.

    Clicks go to the voxel under the pointer.
    """
    content = make_content(oblique_case)
    scene, volume = pack(content), oblique_case.density
    visit = open_page(file=write_page(content))
    index = np.rint(volume.grid.voxel_from_world(scene.center)).astype(int)

    def offset():
        """Of what the readout says [voxels]; it rounds to 1 mm."""
        return volume.grid.voxel_from_world(np.array([visit.coordinate(axis) for axis in "xyz"])) - index

    assert np.abs(offset()).max() < 0.3
    density = float(volume.data[tuple(index)])
    assert float(re.search(r"density ([\d.]+)", visit.readout)[1]) == pytest.approx(density, rel=0.04)
    assert "in GTV" in visit.readout
    color = 255 * np.array(colormaps["inferno"](FIRST_COLOR + (1 - FIRST_COLOR) * (1 + np.log10(density) / 3))[:3])
    visit.page.locator("#viewer-opacity").fill("100")
    for key in SHOWN_OUTLINES:
        visit.choose("outline", key, on=False)
    for plane in PLANES:
        visit.choose("planes", plane.name.lower())
        picture = visit.picture()
        row, column = crosshair(picture)
        expected, voxel = place_in_picture(scene, plane, picture.shape[:2])
        assert np.abs(np.array([row, column]) - expected).max() < 0.3 * voxel
        assert np.abs(picture[round(row), round(column)] - color).max() < 12
        box = visit.page.locator("#viewer-frame").bounding_box()
        y, x = expected + BORDER_PX + (box["y"], box["x"])
        visit.page.mouse.click(x + 3 * voxel, y)
        steps = 3 * min(volume.grid.spacing) / Frame.of(volume.grid).spacing[plane.horizontal]
        assert np.sort(np.abs(offset())) == pytest.approx([0, 0, steps], abs=0.4)
        visit.page.mouse.click(x, y)
        assert np.abs(offset()).max() < 0.4


def crosshair(picture):
    """Row and column of its lines: gray, and across more of the picture than anything else that is."""
    gray = (picture.min(axis=-1) > 60) & ~colored(picture)
    lines = gray.sum(axis=1), gray.sum(axis=0)
    return [float(np.flatnonzero(line > 0.5 * line.max()).mean()) for line in lines]


def place_in_picture(scene, plane, shape):
    """Row and column at which a single plane in the middle of a picture has the scene's center, and a voxel's width."""
    frame = Frame.of(scene.grid)
    index = scene.grid.voxel_from_world(scene.center)
    turned = [
        scene.grid.shape[axis] - 1 - index[axis] if flip else index[axis]
        for axis, flip in zip(frame.order, frame.flip, strict=True)
    ]
    axes = [plane.vertical, plane.horizontal]
    offsets = (np.array(turned) - (np.array(frame.shape) - 1) / 2) * frame.spacing
    size = (np.array(frame.shape) * frame.spacing)[axes]
    scale = min((np.array(shape) + 2 * BORDER_PX) / size)
    return (np.array(shape) - 1) / 2 - scale * offsets[axes], scale * min(frame.spacing)


def test_figure_shows_where_webgl_is_off(open_page):
    visit = open_page(NO_GL)
    assert visit.state == "still"
    assert "needs WebGL 2" in visit.page.text_content("#viewer-note")
    assert not visit.page.locator("#viewer").is_visible()
    assert_figure_is_seen(visit)


def test_figure_shows_where_scripts_are_off(open_page):
    visit = open_page(java_script_enabled=False)
    assert not visit.page.locator("#viewer").is_visible()
    assert visit.page.locator("noscript").is_visible()
    assert_figure_is_seen(visit)


def test_print_has_the_figure(visit):
    visit.page.emulate_media(media="print")
    assert not visit.page.locator("#viewer").is_visible()
    assert_figure_is_seen(visit)


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (695, "print")])
def test_widest_tables_fit_a_phone_and_a_sheet(open_page, full_file, width, media):
    """They scroll by themselves on a screen, and A4 (184 mm without margins) takes them without being scaled down."""
    page = open_page(NO_GL, file=full_file).page
    page.emulate_media(media=media)
    page.set_viewport_size({"width": width, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator(".wide").all()
    assert len(boxes) == 3
    for box in boxes:
        cut = box.evaluate("e => e.scrollWidth - e.clientWidth")
        assert (cut > 0) == (media == "screen")


def assert_figure_is_seen(visit):
    figure = visit.page.locator("#viewer-still img")
    assert figure.is_visible()
    picture = np.asarray(Image.open(BytesIO(figure.screenshot())).convert("RGB")).astype(int)
    assert picture.std() > 20
    assert colored(picture).any()
