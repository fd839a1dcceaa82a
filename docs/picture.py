"""Writes docs/report.png, the picture of the README, from a run: `python docs/picture.py runs/digits`.

Needs Chromium and its driver (Debian: chromium, chromium-driver) and the extra donna[dev].
"""

from __future__ import annotations

import io
import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver

PICTURE = Path(__file__).with_name("report.png")
WIDTH = 1165


def picture(page: Path) -> bytes:
    """The head and the front of a report, as wide as a desk's screen shows it, as a PNG."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},1600"):
        options.add_argument(argument)
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or "")
    )
    try:
        browser.get(page.resolve().as_uri())
        time.sleep(1)  # pictures are drawn when their places have a width
        bottom = browser.execute_script(
            "return document.getElementById('front').getBoundingClientRect().bottom"
        )
        image = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    finally:
        browser.quit()
    image = image.crop((0, 0, image.width, min(image.height, int(bottom) + 16)))
    written = io.BytesIO()
    # 255 colours are enough for a page; an octree keeps the rare ones, which mark the networks.
    image.quantize(255, method=Image.Quantize.FASTOCTREE).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    PICTURE.write_bytes(picture(Path(sys.argv[1]) / "report.html"))
