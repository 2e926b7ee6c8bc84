"""A real Chromium, without a window."""

import contextlib
import shutil
import time

import pytest

WAIT_S = 120

DEEP_TEXT = """
  const texts = [];
  const walk = (node) => {
    if (node.nodeType === 3) texts.push(node.textContent.trim());
    for (const child of node.childNodes) walk(child);
    if (node.shadowRoot) walk(node.shadowRoot);
  };
  walk(document.body);
  const words = new Set(texts);
  return arguments[0].every((word) => words.has(word));
"""
"""Whether each of some texts is seen, also inside of web components."""


def need_browser():
    """Skip the test where there is no Chromium with its driver."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on the PATH (Debian: apt-get install chromium chromium-driver)")


class Browser:
    """Opens pages, and looks at them."""

    def __init__(self, driver):
        self.driver = driver

    def look(self, *, width, height=1000, scale=1, theme="light", touch=False):
        """Be a screen of this size, in CSS pixels, and theme; ``scale`` is how fine it is."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": touch}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def open(self, address):
        """Go to a page, and forget what the console said of another."""
        self.told()
        self.driver.get(address)

    def run(self, script, *arguments):
        """Return what a JavaScript function body returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Return the first result that is true."""
        give_up = time.monotonic() + WAIT_S
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < give_up, f"never true: {script}\n{self.told()}"
            time.sleep(0.1)
        return found

    def told(self):
        """Return the messages of the console since the last call, the warnings and errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, path, element=None):
        """Write what is seen; of an element, by its CSS selector, that alone."""
        if element is None:
            self.driver.save_screenshot(str(path))
        else:
            self.driver.find_element("css selector", element).screenshot(str(path))


@contextlib.contextmanager
def chromium():
    """Start one, and end it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(WAIT_S)
    driver.set_script_timeout(WAIT_S)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
