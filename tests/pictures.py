"""Pictures of a running console for the documentation: `python -m tests.pictures http://127.0.0.1:8501 [NAME …]`.

Start `tidegate up`, let its warm-up finish and back-test something on the Models page first; for the Incidents, the
Silences & routing and the Drills page `python -m tests.console_live 8599` has two incidents at work, a routed morning and
a year of drills. Pages stand
still (`freeze=1`), so that nothing changes between two pictures. NAME: of PICTURES; all of them by default.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.test_console_browser import FLAGS, settle

DRAWN = ".js-plotly-plot .main-svg, [data-testid=stDataFrame], .tg-card, .tg-table"
FOLDER = Path(__file__).parent.parent / "docs" / "images"
PICTURES = {
    "overview": "?lang=en",
    "overview-zh": "?lang=zh",
    "queue": "queue?lang=en",
    "monitoring": "monitoring?lang=en",
    "models": "models?lang=en",
    "models-zh": "models?lang=zh",
    "rules": "models?lang=en&part=rules",
    "backtest": "models?lang=en&part=backtests",
    "incidents": "incidents?lang=en",
    "incidents-zh": "incidents?lang=zh&part=timeline",
    "contain": "incidents?lang=en&part=contain",
    "notify": "incidents?lang=en&part=notify",
    "why": "routing?lang=en&part=why",
    "why-zh": "routing?lang=zh&part=why",
    "silences": "routing?lang=en&part=silences",
    "routing": "routing?lang=en&part=tree",
    "lists": "lists?lang=en",
    "delivery": "routing?lang=en&part=delivery",
    "drills": "drills?lang=en",
    "drill-results": "drills?lang=en&part=results",
    "tabletop": "drills?lang=en&part=tabletop",
    "tabletop-zh": "drills?lang=zh&part=tabletop",
    "plans": "drills?lang=en&part=plans",
}
"""Name of the picture → page."""
OPENED = {"incidents-zh": 0, "contain": 0, "notify": 1}
"""Pictures of one incident: which one of the board."""
ANSWERED = {"why": "✉ told: mail, pager", "why-zh": "未通知：被静默"}
"""Pictures of an answer: the first subject whose row says so."""
IMAGINED = ("routing",)
SEATED = ("tabletop-zh",)
"""Pictures of an exercise that has begun."""


def main(address: str, names: list[str]) -> None:
    """Take them, 1440 × 900."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in names or PICTURES:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address.rstrip('/')}/{PICTURES[name]}&freeze=1")
            settle(page)
            page.wait_for_selector(DRAWN, timeout=30_000)
            if name in OPENED:
                page.locator("[class*=st-key-open] button").nth(OPENED[name]).click()
                page.wait_for_selector(".st-key-back", timeout=30_000)
                settle(page)
            if name in ANSWERED:
                row = page.locator(".tg-card", has_text=ANSWERED[name]).first
                row.locator("xpath=ancestor::*[@data-testid='stHorizontalBlock'][1]").locator(
                    "button"
                ).click()
                settle(page)
            if name in IMAGINED:
                page.get_by_role("combobox", name="Severity").click()
                page.get_by_role("option", name="S1 critical").click()
                settle(page)
            if name in SEATED:
                page.locator("[class*=st-key-table_begin] button").first.click()
                page.wait_for_selector(".st-key-table_answer", timeout=30_000)
                settle(page)
            # Charts draw their last labels and tables their cells a moment after that.
            page.wait_for_timeout(2_500)
            small(Image.open(BytesIO(page.screenshot())).convert("RGB")).save(
                FOLDER / f"{name}.png", optimize=True
            )
            page.close()
        browser.close()


def small(picture: Image.Image) -> Image.Image:
    """In 256 colours, which are enough for a screen of text and lines, at a third of the size.

    Half of them are the most common ones, for pale grounds; half lie far apart, for the few dots in a strong colour.
    """
    common = picture.quantize(128, Image.Quantize.MEDIANCUT).getpalette() or []
    apart = picture.quantize(128, Image.Quantize.FASTOCTREE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(common[: 3 * 128] + apart[: 3 * 127] + [255, 255, 255])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
