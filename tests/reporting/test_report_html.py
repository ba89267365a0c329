from __future__ import annotations

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mintad.metrics import METRICS, MetricTable, ProductMetrics
from mintad.reporting.contents import Example, ReportData, pick_examples
from mintad.reporting.html import build_report, write_report
from mintad.reporting.table import build_table

HOSTILE = "</td><script>alert('x')</script><img src=x onerror=alert(1)>&\""
SCORES = np.array([1, 2, 3, 4, 3.5, 5, 6, 7, 8, 9])
LABELS = np.array([0] * 4 + [1] * 6)


def row(value: float, good: int = 4, defective: int = 6, **undefined: str) -> ProductMetrics:
    values = dict.fromkeys(METRICS, value) | dict.fromkeys(undefined)
    return ProductMetrics(values, undefined, good, defective)


def table_of(**products: ProductMetrics) -> MetricTable:
    good = sum(product.n_good for product in products.values())
    defective = sum(product.n_defect for product in products.values())
    return MetricTable(products, row(0.88, good, defective))


def example(product: str, kind: str, label: int, size=(40, 60), **changes: object) -> Example:
    mask = np.zeros(size, bool)
    mask[10:20, 10:20] = True
    made = Example(
        product=product,
        name=f"folder/{product}-{kind}.png",
        kind=kind,
        label=label,
        defect_type="scratch" if label else "good",
        score=2.5,
        predicted_product=product,
        image=np.full((*size, 3), 100, np.uint8),
        mask=mask if label else None,
        anomaly_map=np.linspace(0, 5, 14 * 14, dtype=np.float32).reshape(14, 14),
    )
    return replace(made, **changes)


@pytest.fixture
def data() -> ReportData:
    names = ("bottle", "screw", HOSTILE)
    scores = dict.fromkeys(names, (SCORES, LABELS))
    return ReportData(
        title="Line 1",
        metrics=replace(table_of(**dict.fromkeys(names, row(0.91))), scores=scores),
        config={"size": [256, 256], "bundle": HOSTILE},
        details={"Model": "MINT-AD", HOSTILE: HOSTILE},
        examples=[
            example("bottle", "false alarm", 0),
            example("bottle", "miss", 1, predicted_product="screw"),
            example(HOSTILE, "miss", 1, name=HOSTILE, defect_type=HOSTILE),
            example("screw", "false alarm", 0, size=(500, 30), box=(0.0, 5.0, 14.0, 4.0)),
        ],
        licences={"bottle": "CC BY-NC-SA 4.0"},
    )


class Elements(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data.strip())


def test_names_never_become_markup(data):
    elements = Elements(build_report(data))
    assert sum(tag == "script" for tag, _ in elements.found) == 1
    assert not [attributes for _, attributes in elements.found if "onerror" in attributes]
    assert HOSTILE in elements.text
    assert any(attributes.get("data-value") == HOSTILE for _, attributes in elements.found)


def test_the_page_loads_nothing_from_outside(data):
    page = build_report(data)
    elements = Elements(page)
    for _, attributes in elements.found:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#"))
    assert "@import" not in page
    assert "url(" not in page
    policy = next(found for tag, found in elements.found if "http-equiv" in found)
    assert policy["content"].startswith("default-src 'none'")


def test_every_product_is_listed_plotted_and_linked(data):
    elements = Elements(build_report(data))
    identifiers = [found["id"] for _, found in elements.found if "id" in found]
    assert len(identifiers) == len(set(identifiers))
    links = [found["href"][1:] for tag, found in elements.found if tag == "a"]
    assert set(links) <= set(identifiers)
    for product in data.metrics.products:
        assert elements.text.count(product) >= 3  # table, plots, images


def test_a_product_without_scores_is_kept_without_plots(data):
    scores = {"screw": (SCORES, LABELS)}
    page = build_report(replace(data, metrics=replace(data.metrics, scores=scores)))
    assert Elements(page).text.count("bottle") == 3  # table, images, licences
    assert page.count("<svg") == 2


def test_plots_inside_the_page_are_valid_svg(data):
    plots = re.findall(r"<svg.*?</svg>", build_report(data), re.DOTALL)
    assert len(plots) == 2 * len(data.metrics.scores)
    for plot in plots:
        ElementTree.fromstring(plot)


def test_undefined_metrics_are_dashes_with_their_reason(data):
    metrics = table_of(
        bottle=row(0.8, p_ap="No masks <here>.", p_auroc="No masks <here>."),
        screw=row(0.9, aupro="no anomaly maps", p_ap="no anomaly maps"),
    )
    table = build_table(metrics)
    both = "No masks <here>.; no anomaly maps"
    assert table.notes == ("No masks <here>.", "no anomaly maps", both)
    notes = {key: cell.note for key, cell in table.products[0].cells.items() if cell.note}
    assert notes == {"p_auroc": 1, "p_ap": 1}
    assert {key: cell.note for key, cell in table.macro.cells.items() if cell.note} == {"p_ap": 3}
    elements = Elements(build_report(replace(data, metrics=metrics)))
    dashes = [found["title"] for tag, found in elements.found if tag == "abbr"]
    # The macro mean of p_ap stands in the header too.
    assert Counter(dashes) == {"No masks <here>.": 2, "no anomaly maps": 2, both: 2}
    assert elements.text.count("–") == len(dashes)
    assert set(table.notes) <= set(elements.text)
    assert "None" not in elements.text


def test_the_header_names_the_weakest_product_and_counts_images(data):
    metrics = table_of(bottle=row(0.95), screw=row(0.71, good=1000))
    text = Elements(build_report(replace(data, metrics=metrics))).text
    assert "weakest: screw, 0.710" in text
    assert "1,016" in text
    assert "1,004 good, 12 defective" in text


def test_a_better_value_is_never_paler():
    values = np.linspace(0, 1, 30)
    rows = build_table(table_of(**{str(value): row(value) for value in values})).products
    for metric in METRICS:
        tints = [product.cells[metric].tint for product in rows]
        assert tints == sorted(tints)
        assert (tints[0], tints[-1]) == (0, 1)


def test_a_tint_is_the_square_of_the_way_from_chance_to_perfect():
    values = dict.fromkeys(METRICS, 0.123) | {"i_auroc": 0.75, "p_auroc": 0.75, "p_ap": 0.5}
    (cells,) = (
        product.cells
        for product in build_table(table_of(nut=ProductMetrics(values, {}, 1, 1))).products
    )
    assert {key: cell.tint for key, cell in cells.items()} == {
        **dict.fromkeys(METRICS, 0.015),
        **{"i_auroc": 0.25, "p_auroc": 0.25, "p_ap": 0.25},
    }
    assert cells["i_ap"].text == "0.123"


def test_pictures_keep_their_shape_and_show_image_defect_and_heatmap(data):
    elements = Elements(build_report(data))
    pictures = [found for tag, found in elements.found if tag == "img"]
    assert [found["title"] for found in pictures[:5]] == [
        *("Image", "Heatmap"),
        *("Image", "Defect", "Heatmap"),
    ]
    sizes = set()
    for found in pictures:
        content = base64.b64decode(found["src"].split(",", 1)[1])
        image = Image.open(io.BytesIO(content))
        assert image.size == (int(found["width"]), int(found["height"]))
        sizes.add(image.size)
    assert sizes == {(320, 213), (27, 448)}


def test_a_card_says_how_its_score_stands_and_what_it_was_taken_for(data):
    text = Elements(build_report(data)).text
    assert "below every defective image" in text  # a good image of score 2.5
    assert "2 of 4 good images score as high or higher" in text
    assert "taken for screw" in text


def test_one_defective_pixel_of_a_large_mask_stays_visible(data):
    mask = np.zeros((1200, 1600), bool)
    mask[601, 801] = True
    image = np.full((1200, 1600, 3), 100, np.uint8)
    shown = example("bottle", "miss", 1, image=image, mask=mask)
    page = build_report(replace(data, examples=[shown]))
    sources = [found["src"] for tag, found in Elements(page).found if tag == "img"]
    plain, defect, _ = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))), dtype=int)
        for source in sources
    )
    changed = np.argwhere(np.abs(plain - defect).max(axis=-1) > 60)
    assert changed.mean(axis=0) == pytest.approx([168, 224], abs=3)


def test_the_file_appears_whole_and_alone(data, tmp_path):
    path = write_report(data, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == build_report(data)
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_name_that_is_not_unicode_can_be_written(data, tmp_path):
    path = write_report(replace(data, title="broken \udcff name"), tmp_path / "report.html")
    assert "broken ? name" in path.read_text(encoding="utf-8")


def test_the_worst_of_each_product_are_picked_once_and_in_order():
    products = ["a", "b", "a", "a", "a", "b", "a", "a"]
    scores = np.array([1.0, 9.0, 5.0, 3.0, 2.0, 8.0, 7.0, 4.0])
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 0])
    picks = pick_examples(products, scores, labels, 2)
    assert picks == [
        *[("false alarm", 2), ("false alarm", 7), ("miss", 4), ("miss", 3)],
        *[("false alarm", 1), ("false alarm", 5)],
    ]
    with pytest.raises(ValueError, match="differ in length"):
        pick_examples(products[1:], scores, labels, 2)
