"""The labelling page in a real browser: Chromium without a window, by its driver."""

import shutil
import time

import polars as pl
import pytest
from human_world import CHECK, NASTY, SURE, draw, judged
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from valuedrift.human import check

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"),
]


@pytest.fixture
def drawn(tmp_path):
    rows = [("Race", stance, f"{stance} {n}", "ok") for stance in SURE for n in range(2)]
    judged(tmp_path, "run", [*rows, ("Race", "support", NASTY, "ok")])
    return draw(tmp_path, ["run"], ["Race"])


@pytest.fixture
def browser(tmp_path, drawn):
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path / "saved")})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    time.sleep(2)  # with a new profile Chromium loses, once in seventy runs under load, what a page stores immediately
    driver.get((tmp_path / "label.html").as_uri())
    yield driver
    assert driver.get_log("browser") == []  # no error and no request to a network
    driver.quit()


def press(browser, *keys):
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def text(browser, place):
    return browser.find_element(By.ID, place).text


def saved(folder, name):
    """Return the saved file once the browser has written it; it first creates an empty one."""
    path = folder / "saved" / name
    for _ in range(300):
        if path.exists() and path.stat().st_size:
            return path
        time.sleep(0.1)
    raise AssertionError(f"the browser saved no {name}")


def test_labels_by_keyboard_survive_a_reload_and_reach_the_check(browser, tmp_path, drawn):
    press(browser, "Anna B.", Keys.ENTER)
    assert text(browser, "position") == "Response 1 of 7"
    assert text(browser, "question") == "What of Race?" and text(browser, "topic") == "topic of Race"
    press(browser, "1", "2", "3", "0")
    assert (text(browser, "position"), text(browser, "done")) == ("Response 5 of 7", "4 of 7")
    browser.refresh()
    assert (text(browser, "position"), text(browser, "who")) == ("Response 5 of 7", "Anna B.")
    press(browser, Keys.ARROW_LEFT, Keys.BACKSPACE)
    assert text(browser, "position") == "Response 3 of 7"
    assert browser.find_element(By.CSS_SELECTOR, "#answers [aria-pressed=true]").get_attribute("value") == "oppose"
    press(browser, "1")  # changes the label and moves to the first response without one
    assert text(browser, "position") == "Response 5 of 7"
    press(browser, "2", "s", "3")
    assert "You labelled 5 responses and left 2 undecided." in text(browser, "summary")
    browser.find_element(By.ID, "again").click()
    press(browser, "2")
    assert text(browser, "position") == "Response 6 of 7"
    press(browser, "s")
    browser.find_element(By.ID, "save").click()
    path = saved(tmp_path, "labels-Anna-B..csv")
    ids = drawn["id"].to_list()
    wanted = {0: "support", 1: "neutral", 2: "support", 3: "neutral", 4: "neutral", 6: "oppose"}
    assert path.read_text() == "id,label,labeller\n" + "".join(f'{ids[n]},{label},"Anna B."\n' for n, label in wanted.items())
    check.run(config=CHECK, sample=tmp_path / "sample.parquet", labels=[path], csv=tmp_path / "a.csv", page=tmp_path / "a.html")
    found = pl.read_csv(tmp_path / "a.csv").filter(rater="Anna B.", category="all", statistic="accuracy")
    likeliest = [max(SURE, key=lambda stance, row=row: row[stance]) for row in drawn.iter_rows(named=True)]
    assert found["value"][0] == pytest.approx(sum(likeliest[n] == label for n, label in wanted.items()) / 6)


def test_a_response_is_shown_as_plain_text(browser, drawn):
    press(browser, "Anna", Keys.ENTER)
    press(browser, *"1" * drawn["response"].to_list().index(NASTY))
    assert browser.find_element(By.ID, "response").get_property("textContent") == NASTY
    assert browser.title == "Labels · A study"
    assert "topic of Race" in text(browser, "answers") and "{topic}" not in text(browser, "answers")


def test_two_people_on_one_computer_keep_their_own_labels(browser):
    press(browser, "Anna", Keys.ENTER, "1", "1")
    browser.find_element(By.ID, "who").click()
    press(browser, "Ben 123", Keys.ENTER)  # digits in a name do not label
    assert (text(browser, "who"), text(browser, "done")) == ("Ben 123", "0 of 7")
    browser.find_element(By.ID, "who").click()
    press(browser, "Anna", Keys.ENTER)
    assert text(browser, "done") == "2 of 7"


def test_labels_by_mouse_on_a_phone_without_horizontal_scrolling(browser):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    press(browser, "Anna", Keys.ENTER)
    for button in ("[value=neutral]", "#skip", "#back", "#forward", "[value=support]"):
        browser.find_element(By.CSS_SELECTOR, button).click()
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert text(browser, "done") == "3 of 7"


def test_a_browser_that_cannot_store_labels_warns(browser):
    press(browser, "Anna", Keys.ENTER)
    assert not browser.find_element(By.ID, "unkept").is_displayed()
    browser.execute_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
    press(browser, "1")
    assert browser.find_element(By.ID, "unkept").is_displayed()
