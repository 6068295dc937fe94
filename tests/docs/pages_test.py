"""Opens each page of the site in Chromium, without a window, as a phone and a desk would show it.

    python pages_test.py <the site's folder> <chromium> <chromedriver>

No page is empty, wider than its window, or writes an error to the console; no image is missing; every
link within the site leads somewhere.
"""

import sys
import unittest
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

WIDTHS = (400, 1400)
FEWEST_WORDS = 40
GENERATED = ("genindex.html", "search.html")  # without words of their own
FACTS = """
// The theme lets the text scroll sideways by itself where the window is narrow.
const around = Array.from(document.querySelectorAll("html, .content"));
const lists = (selector, name) => Array.from(document.querySelectorAll(selector), each => each[name]);
return {
  title: document.title,
  words: document.querySelector("article").innerText.split(/\\s+/).length,
  excess: Math.max(...around.map(each => each.scrollWidth - each.clientWidth)),
  links: lists("a[href]", "href"),
  ids: lists("[id]", "id"),
  images: Array.from(document.images, each => [each.src, each.naturalWidth, each.alt]),
};
"""


def browser(chromium, driver):
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # A container has neither the sandbox's rights nor much of /dev/shm. Only our own files are opened.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(driver))


def for_every_page(test):
    """Runs a test for each page and width, as subtests."""

    def run(self):
        self.assertGreater(len(self.pages), 10)
        for address, by_width in self.pages.items():
            for width, facts in by_width.items():
                with self.subTest(f"{Path(address).name} at {width}"):
                    test(self, address, facts)

    return run


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.driver = browser(*BROWSER)
        cls.addClassCleanup(cls.driver.quit)
        cls.pages = {}  # address: facts of each width
        for path in sorted(SITE.glob("*.html")):
            for width in WIDTHS:
                cls.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                    "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
                cls.driver.get(path.as_uri())
                facts = cls.driver.execute_script(FACTS)
                facts["console"] = cls.driver.get_log("browser")
                cls.pages.setdefault(path.as_uri(), {})[width] = facts

    @for_every_page
    def test_is_not_empty(self, address, facts):
        self.assertTrue(facts["title"])
        if not address.endswith(GENERATED):
            self.assertGreater(facts["words"], FEWEST_WORDS)

    @for_every_page
    def test_is_no_wider_than_its_window(self, _, facts):
        self.assertEqual(facts["excess"], 0)

    @for_every_page
    def test_writes_nothing_to_the_console(self, _, facts):
        self.assertEqual(facts["console"], [])

    @for_every_page
    def test_has_its_images(self, _, facts):
        for source, width, alt in facts["images"]:
            self.assertGreater(width, 0, source)
            self.assertTrue(alt, source)

    @for_every_page
    def test_links_lead_somewhere(self, _, facts):
        for link in facts["links"]:
            address, fragment = urldefrag(link)
            if link.startswith("https:"):  # without a network only its form can be told
                self.assertRegex(link, r"^https://[\w.-]+\.\w+(/\S*)?$")
            else:
                self.assertTrue(Path(unquote(urlparse(address).path)).is_file(), link)
                if fragment and address in self.pages:
                    self.assertIn(unquote(fragment), self.pages[address][WIDTHS[0]]["ids"], link)


if __name__ == "__main__":
    SITE = Path(sys.argv[1]).resolve()
    BROWSER = sys.argv[2:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
