"""Pictures of a running console for the documentation: `python -m tests.pictures http://127.0.0.1:8501 [FOLDER]`.

Start `tidegate up`, let its warm-up finish and back-test something on the Models page first. Pages stand still
(`freeze=1`), so that nothing changes between two pictures. FOLDER: docs/images by default.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.test_console_browser import FLAGS, settle

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
}
"""Name of the picture → page."""


def main(address: str, folder: Path) -> None:
    """Take all of them, 1440 × 900."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, query in PICTURES.items():
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address.rstrip('/')}/{query}&freeze=1")
            settle(page)
            page.wait_for_selector(".js-plotly-plot .main-svg, [data-testid=stDataFrame]", timeout=30_000)
            # Charts draw their last labels and tables their cells a moment after that.
            page.wait_for_timeout(2_500)
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
            # 256 colours are enough for a screen of text and lines, at a third of the size.
            picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
                folder / f"{name}.png", optimize=True
            )
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER)
