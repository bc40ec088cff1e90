"""The page in a real browser: every view, in both schemes and sizes, held to axe; then used by an owner.

python -m tests.browser [--shots FOLDER] [--chromium PATH]

Needs Chromium and `pip install -e '.[browser]'`; apart from the tests that the README's command runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.editing import edit_targets
from tests.browser.looking import VIEWS, look_around
from tests.browser.visit import SCHEMES, SIZES

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shots", type=Path, help="keep a screenshot of each view here")
    options.add_argument("--chromium", default=CHROMIUM, help=f"the browser (default {CHROMIUM})")
    chosen = options.parse_args()
    if not shutil.which(chosen.chromium):
        sys.exit(f"no browser at {chosen.chromium}: install Debian's chromium, or name one with --chromium")
    if chosen.shots:
        chosen.shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=QUIET)
        wrong = look_around(browser, chosen.shots)
        print(f"login, run, preview and {len(VIEWS)} views, {len(SIZES)} sizes, {len(SCHEMES)} schemes: looked at")
        wrong += edit_targets(browser)
        print("staged on the page, confirmed in the terminal, traded on the exchange, seen on the page")
        browser.close()
    print("\n".join(wrong) or "nothing wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
