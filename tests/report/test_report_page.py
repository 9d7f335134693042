import html
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from matplotlib import image

from gliocast.core import Density, InputError, QualityError
from gliocast.planning import CoverageBand
from gliocast.planning.forecast import COURSES
from gliocast.planning.isoeffect import IsoEffect
from gliocast.report import make_report, render_report, viewer_page
from gliocast.report.curves import coverage_figure
from gliocast.report.html import RESEARCH_NOTICE
from gliocast.report.methods_text import methods_text
from gliocast.report.tables import cautions, effect_table, number, outline_table, parameter_table, percent, scrub

PATIENT = "Doe_John_1961"


@pytest.fixture(scope="module")
def page(case, make_content, truth, prior, maps, check, outlook):
    """A report of a demonstration, with input that tries to name the patient."""
    content = make_content(
        case,
        warnings=(f"/data/{PATIENT}/scan_t1.nii.gz holds <script>alert('negative voxels')</script>",),
        unexplained=("Two foci & a <b>satellite</b>.",),
        provenance={
            "versions": {"gliocast": "0.1.0"},
            "seed": 7,
            "inputs": {"t1c": "0123456789abcdef0123", f"{PATIENT}_flair.nii.gz": "fedcba9876543210"},
            "seconds": {"anatomy": 12.34, "fit": 5.0},
            "command": f"gliocast run /data/{PATIENT}",
        },
        posterior=replace(make_content(case).posterior, stages={"acceptance": np.array([0.25, np.nan])}),
        prior=prior,
        maps=maps,
        check=check,
        outlook=outlook,
        replicated=check.shares_on(case.visit.grid),
        method="a method",
        truth=truth,
        true_density=Density(np.roll(case.density.data, 1, axis=0), case.density.grid, 1.0),
        truth_agreement={"seed error [mm]": 0.84, "density Dice at 0.1": 0.961},
        synthetic=True,
    )
    return render_report(content)


@pytest.fixture(scope="module")
def plain(case, make_content):
    """A report with the least that one shows."""
    return make_report(make_content(case))


def own(page):
    """The page without images, volumes and NiiVue, whose comments hold addresses."""
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", page)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, flags=re.DOTALL)
    assert len(scripts) == 3
    for script in scripts[:2]:
        text = text.replace(script, "")
    return text


def test_page_needs_nothing_else(page):
    text = own(page)
    for outside in (
        "http://",
        "https://",
        "file:",
        "//cdn",
        "url(",
        "@import",
        "<link",
        "href=",
        " style=",
        " onclick",
    ):
        assert outside not in text
    assert set(re.findall(r'src="([^"]*)"', text)) == {"data:image/webp;base64,"}
    assert not re.search("<script[^>]* src", text)


def test_policy_lets_nothing_run_but_what_the_page_holds(page):
    """By hash: a script or style that is changed by a letter, or added, is refused; so is every request."""
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in html.unescape(policy).split("; "))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("img-src") == "data:"

    def hashes(tag, part):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", part, flags=re.DOTALL)
        return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in found)

    assert rules == {
        "script-src": hashes("script", page),
        "style-src": hashes("style", page.split("</head>")[0]),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_changed_niivue_is_refused(monkeypatch):
    monkeypatch.setattr(viewer_page, "NIIVUE_SHA256", "0" * 64)
    viewer_page._niivue.cache_clear()
    with pytest.raises(QualityError, match="niivue"):
        viewer_page._niivue()


def test_sections_are_in_the_order_of_a_readers_questions(page):
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    expected = ["Verdict: review", "Warnings", "Scans, density and targets", "Inputs and labels"]
    expected += ["Registration and tissue", "Modeled density", "How sure the density is"]
    expected += ["Does the model fit what was seen?", "Target volumes", "Parameters", "Truth beside estimate"]
    assert headings == [*expected, "Forecast", "Provenance", "Methods, to cite"]


def test_page_says_how_labels_were_read(page):
    assert '<tr><th scope="row">4</th><td>enhancing tumor</td>' in page
    assert "read as brats-2021" in page
    assert "stored as LPS" in page


def test_outlines_have_dice_and_distance(case, make_content):
    core, whole = outline_table(make_content(case, outline_hd95={"core": 2.5}))
    assert core == ("Tumor core (T1c)", "0.712", "2.50 mm")
    assert whole == ("Whole tumor (FLAIR)", "0.853", "–")


def test_methods_cite_what_was_done(case, make_content):
    record = {"method": {"name": "tmcmc"}, "anatomy": {"atlas": "an atlas"}, "model": "mass effect"}
    text, references = methods_text(make_content(case, provenance=record, method="a method"))
    assert "transitional markov chain" in " ".join(references).lower()
    assert "Learn-Morph-Infer" not in " ".join(references)
    assert "a method" in " ".join(text)
    cited = {int(n) for group in re.findall(r"\[([\d, ]+)\]", " ".join(text)) for n in group.split(",")}
    assert cited == set(range(1, len(references) + 1))
    fewer, _ = methods_text(make_content(case, provenance={}))
    assert "atlas" not in " ".join(fewer)


def test_figures_are_files_too(plain):
    assert list(plain.figures) == re.findall(r'<figure id="([^"]*)">', plain.page)
    for png in plain.figures.values():
        pixels = image.imread(BytesIO(png))
        assert pixels.shape[1] == 1400
        assert pixels.std() > 0.05


def test_bands_of_coverage_are_drawn_or_said_to_be_absent(case, make_content, plain):
    content = make_content(case)
    curve = content.curve
    ends = (np.stack([0.9 * share, share]) for share in (curve.covered_by_margin, curve.covered_by_density))
    band = CoverageBand(*ends, 48)
    bare, banded = (coverage_figure(curve, content.comparison, margin_mm=15.0, band=entry) for entry in (None, band))
    assert [len(axes.collections) for axes in bare.axes] == [0, 0]
    assert [len(axes.collections) for axes in banded.axes] == [2, 2]
    lower, upper = banded.axes[0].collections[0].get_datalim(banded.axes[0].transData).get_points()[:, 1]
    assert (lower, upper) == pytest.approx((90 * curve.covered_by_density[0], 100 * curve.covered_by_density[-1]))
    assert "No band is drawn" in plain.page


@pytest.mark.parametrize("left_out", [(0.2, 0.1), (0.01, 1e-6), (1e-6, 1e-7)])
def test_both_plans_are_marked_wherever_they_lie(case, make_content, left_out):
    """One on the other at the top of the left panel, and below the axis of the right one."""
    content = make_content(case)
    standard, model = left_out
    comparison = replace(content.comparison, covered_by_standard=1 - standard, covered_by_model=1 - model)
    for axes in coverage_figure(content.curve, comparison, margin_mm=15.0).axes:
        marks = [line for line in axes.get_lines() if line.get_marker() in ("o", "v")]
        assert [mark.get_xdata()[0] for mark in marks] == [comparison.standard_ml] * 2
        ring, dot = marks
        assert ring.get_markerfacecolor() == "none"
        assert ring.get_markersize() > dot.get_markersize() + ring.get_markeredgewidth()
        bottom = axes.get_ylim()[0]
        for mark, share in zip(marks, (model, standard), strict=True):
            shown = mark.get_ydata()[0]
            if axes.get_yscale() == "log":
                assert mark.get_marker() == ("v" if 100 * share < bottom else "o")
                assert shown == pytest.approx(max(100 * share, bottom))
            else:
                assert shown == pytest.approx(100 * (1 - share))


def test_wall_time_stands_below_the_command(case, make_content):
    record = {"command": "gliocast run PATIENT", "versions": {"python": "3"}, "seed": 0, "seconds": {"fit": 1.0}}
    text = render_report(make_content(case, provenance=record))
    text = text[text.index("<h2>Provenance</h2>") :]
    columns = [re.findall(r"<h3>(.*?)</h3>", part) for part in text[: text.index("</section>")].split("<div>")[1:]]
    assert columns == [["Command", "Wall time"], ["Versions and seed"]]


def test_page_names_no_patient_and_no_file(page):
    text = own(page)
    assert PATIENT not in page
    assert ".nii" not in text.replace("${layer.key}.nii.gz", "")
    assert "/data" not in text


def test_page_says_for_research_only_at_both_ends(page):
    assert page.count(RESEARCH_NOTICE) == 2
    assert page.index(RESEARCH_NOTICE) < page.index("<h1>")
    assert page.rindex(RESEARCH_NOTICE) > page.index("Provenance")


def test_text_is_escaped(page):
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "Two foci &amp; a &lt;b&gt;satellite&lt;/b&gt;." in page


def test_every_figure_has_words(page):
    alts, captions = re.findall(r'<img [^>]*alt="([^"]*)"', page), re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert len(alts) == len(captions) == 12
    assert min(map(len, alts)) > 40
    assert [int(k) for k in re.findall(r"<b>Figure (\d+)\.</b>", page)] == list(range(1, 13))


def test_page_shows_the_prior_what_is_open_and_the_stages(page):
    assert "Of the prior's width" in page
    assert "What this scan leaves open" in page
    assert "No combination of parameters stays wider" in page
    assert '<th class="n">acceptance</th>' in page
    assert '<td class="n">0.25</td>' in page


def test_page_says_which_quantities_the_model_draws(page):
    volume, shape = re.findall(r'<tr><th scope="row">(?:Tumor core|Whole tumor) \(\w+\), .*?</tr>', page, re.DOTALL)
    assert "11.0 ml" in volume
    assert "12.0 ml" in volume
    assert '<span class="good">as the model draws it</span>' in volume
    assert "0.610" in shape
    assert ">0.024<" in shape
    assert '<span class="bad">the model doesn\'t draw this</span>' in shape


def test_page_is_small(page):
    assert len(page) < 6_000_000


def test_demonstration_shows_truth_beside_estimate(page):
    assert "SYNTHETIC PATIENT" in page
    assert "11.70" in page
    assert "99.00 (outside)" in page
    assert "seed error [mm]" in page


def test_provenance_is_shortened_and_timed(page):
    assert "0123456789ab<" in page
    assert "0123456789abc" not in page
    assert "17.3 s" in page


def test_plain_report_is_the_same_on_every_run_and_claims_no_truth(case, make_content, plain):
    first = plain.page
    assert first == render_report(make_content(case))
    assert "SYNTHETIC" not in first
    assert "Truth" not in first
    assert "None was raised." in first
    assert "the prior" not in first
    assert "leaves open" not in first
    assert "replicates" not in first


def test_report_does_without_core_and_without_uncertainty(make_case, make_content):
    case = make_case(with_core=False)
    density = replace(case.density, standard_deviation=None)
    page = render_report(
        make_content(case, density=density, thresholds={"flair": 0.2}, outline_dice={"whole": 0.8}, provenance={})
    )
    assert "Whole tumor (FLAIR)" in page
    assert "Tumor core (T1c)" not in page
    assert "Provenance" not in page


def test_gross_tumor_left_out_of_the_models_target_is_a_warning(case, make_content):
    content = make_content(case)
    assert cautions(content) == []
    comparison = replace(content.comparison, gtv_in_model=0.93)
    assert "leaves out 7.0 %" in cautions(replace(content, comparison=comparison))[0]


def test_what_courses_leave_is_told_for_every_sensitivity(case, make_content, plain):
    effects = tuple(
        IsoEffect(COURSES[0], alpha, 2.5, 1.25, 59.4, gray) for alpha, gray in ((0.03, 47.0), (0.14, np.nan))
    )
    content = replace(make_content(case), effects=effects, barriers=("falx", "tentorium"))
    assert [row[-1] for row in effect_table(content)] == ["47.0", "above 200"]
    page = render_report(content)
    assert "<h2>Forecast</h2>" in page
    assert "gliocast forecast" in page
    assert "brain, ventricles, falx and tentorium" in " ".join(page.split())
    assert "<h2>Forecast</h2>" not in plain.page


def test_content_on_another_grid_is_refused(case, make_content):
    grid = case.density.grid.crop((1, 0, 0), (37, 42, 30))
    with pytest.raises(InputError, match="density"):
        make_content(case, density=Density(case.density.data, grid, 1.0))


def test_parameters_are_rounded_to_their_uncertainty(case, make_content, truth):
    length, number_, seed, threshold = parameter_table(make_content(case, truth=truth))
    assert length.symbol == [("√(D", False), ("w", True), (" T)", False)]
    assert (length.mode, length.typical) == ("12.00", "2 to 30")
    assert number_.symbol == [("√(ρ T)", False)]
    assert (seed.typical, seed.inside) == ("–", False)
    assert (threshold.name, threshold.unit, threshold.inside) == ("T1c threshold", "", True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("WM/GM at 60 Gy/30, core / whole", True),
        ("read /home/jane/p1/t1.nii.gz", False),
        (r"read C:\scans\jane", False),
        ("jane_flair.nii.gz is odd", False),
    ],
)
def test_scrub_blots_out_files_only(text, kept):
    assert (scrub(text) == text) is kept
    assert "jane" not in scrub(text)


def test_numbers_are_readable():
    assert [number(x) for x in (91.872, 0.0312, 1234.5, 0.0, float("nan"))] == ["91.9", "0.0312", "1234", "0", "–"]
    assert number(-2.5) == "−2.50"
    assert [percent(x) for x in (0.5, 0.9768, 0.9996, 1.0)] == ["50.0 %", "97.7 %", "99.96 %", "100.0 %"]
