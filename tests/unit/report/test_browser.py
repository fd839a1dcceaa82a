"""The page in a browser: no errors, tabs, choice by mouse and by keyboard, narrow and dark screens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from donna.report import report_html
from tests.unit.report import runs

Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Open:
    """Opens the page of a run; fails when the browser has anything to complain about."""

    def load(
        result: dict[str, Any],
        evaluations: str = "",
        *,
        width: int = 1280,
        scheme: str = "light",
        wait: str = "#front-chart .mark",
    ) -> Any:
        page = tmp_path / "report.html"
        page.write_text(report_html(result, evaluations))
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get_log("browser")
        browser.get(page.as_uri())
        wait_for(browser, f"return document.querySelectorAll('{wait}').length")
        assert browser.get_log("browser") == []
        return browser

    return load


def wait_for(browser: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 10, poll_frequency=0.02).until(lambda b: b.execute_script(script))


def text(browser: Any, selector: str) -> str:
    return browser.find_element("css selector", selector).text


def test_it_shows_the_whole_run_without_a_complaint(opened: Open) -> None:
    result = runs.run_result(planned_s={"library": 61.0})
    page = opened(result, runs.evaluations_csv(result))
    assert "library 92 s 61 s" in text(page, "#cost-times")
    marks = page.find_elements("css selector", "#front-chart .mark")
    assert len(marks) == len(result["front"]) + len(result["models"]) + 1
    assert len(page.find_elements("css selector", "#blocks-table td[data-choice]")) == 4 * 17
    assert len(page.find_elements("css selector", "#models-table tbody tr")) == 4
    assert len(page.find_elements("css selector", "#prediction-chart .mark")) == 34
    assert "digits-3 is 1." in text(page, "#found")
    assert "No table was used" in text(page, "#latency-note")
    assert not page.find_element("id", "rounds").is_displayed()
    heads = [head.text for head in page.find_elements("css selector", "#blocks-table thead th")]
    assert heads[1:] == [
        "stage1\nsettled, 0.97",
        "stage2\nnot settled, 0.62",
        "stage3",
        "stage4\nsettled, 1.00",
    ]


def test_what_was_measured_twice_is_drawn_twice_and_only_that_is_held_against_the_reference(
    opened: Open,
) -> None:
    result = runs.run_result()
    page = opened(result)
    assert len(page.find_elements("css selector", "#front-chart .change")) == len(result["models"]) + 1
    assert "and the reference by +10.0 %" in text(page, "#front-again")
    # The headline's network is selected, with both of its latencies.
    told = text(page, "#found").split()[2]
    assert text(page, "#picture h3") == told
    assert "1.50× as fast" in text(page, "#picture .against") and "in the search" in text(page, "#picture dl")
    finetuned = {model["architecture"] for model in result["models"]}
    other = next(p["architecture"] for p in result["front"] if p["architecture"] not in finetuned)
    page.execute_script(f"document.querySelector('#all-table tr[data-network=\"{other}\"]').click()")
    assert text(page, "#picture h3") == other
    assert "as fast" not in text(page, "#picture") and "Measured in the search only" in text(page, "#picture")
    page.find_element("id", "tab-macs").click()
    assert "× the multiply-adds" in text(page, "#picture .against")
    assert not page.find_elements("css selector", "#front-chart .change")


def test_a_network_under_the_pointer_shows_its_blocks(opened: Open) -> None:
    from selenium.webdriver import ActionChains

    page = opened(runs.run_result())
    mark = page.find_element("css selector", "#front-chart .mark.model")
    ActionChains(page).move_to_element(mark).perform()
    assert len(page.find_elements("css selector", "#tip .strip svg")) == 4
    assert "measured again" in text(page, "#tip")


def test_networks_of_little_worth_do_not_flatten_the_rest(opened: Open) -> None:
    """Between 30 and 99 % equal steps are equal ratios of errors; nothing falls out of the picture."""
    result = runs.run_result()
    result["front"][0]["predicted_accuracy"], result["front"][1]["predicted_accuracy"] = 0.3, 0.9
    result["models"][2]["accuracy"], result["models"][1]["accuracy"] = 0.99, 1.0
    page = opened(result)
    ticks = [t.text for t in page.find_elements("css selector", "#front-chart text[text-anchor=end]")]
    assert {"50 %", "90 %", "99 %"} <= set(ticks)
    heights = {
        name: page.execute_script("return arguments[0].getBoundingClientRect().y", mark)
        for name, mark in (
            ("low", page.find_element("css selector", "#front-chart .mark.front")),
            ("best", page.find_elements("css selector", "#front-chart .mark.model")[2]),
        )
    }
    assert heights["low"] - heights["best"] > 200
    top = page.find_element("css selector", "#front-chart svg").rect["y"]
    assert all(
        mark.rect["y"] >= top - 12 for mark in page.find_elements("css selector", "#front-chart .mark")
    )


def test_intervals_are_called_by_their_coverage(opened: Open) -> None:
    result = runs.run_result()
    assert "90 % interval" in text(opened(result), "#front-legend")  # what older results do not say
    result["predictor"]["interval_coverage"] = 0.95
    page = opened(result)
    assert "95 % interval" in text(page, "#front-legend") and "95 % interval" in text(page, "#picture")
    assert "90 %" not in text(page, "#prediction-note")


def test_rounds_of_improvement_are_told(opened: Open) -> None:
    before = {
        "finetuned": [{"architecture": "0-0-0-0"}] * 4, "kendall_tau_front": 0.67, "mean_abs_error_front": 0.013,
        "kendall_tau_loo": 0.8, "front_size": 12,
    }  # fmt: skip
    page = opened(runs.run_result(improvement=[before, before | {"kendall_tau_front": None}]))
    rows = [row.text for row in page.find_elements("css selector", "#rounds-table tbody tr")]
    assert rows == ["1 4 0.67 1.3 % 0.80 12", "2 4 – 1.3 % 0.80 12"]


def test_an_address_that_is_no_text_does_no_harm(opened: Open, browser: Any) -> None:
    page = opened(runs.run_result())
    browser.get(page.current_url.split("#")[0] + "#%E0%A4%A")
    browser.refresh()
    assert wait_for(browser, "return document.querySelector('#picture h3')?.textContent").startswith(
        "digits-"
    )
    assert browser.get_log("browser") == []


def test_in_the_frame_of_a_notebook_it_works_without_an_address(browser: Any, tmp_path: Path) -> None:
    """The frame has no origin: its history cannot be changed, and nothing lies beside it to link to."""
    from donna.notebook import FinishedRun

    result = runs.run_result()
    page = tmp_path / "notebook.html"
    page.write_text(FinishedRun(folder=tmp_path, result=result)._repr_html_())
    browser.get(page.as_uri())
    browser.switch_to.frame(browser.find_element("css selector", "iframe"))
    try:
        wait_for(browser, "return document.querySelectorAll('#front-chart .mark').length")
        network = result["front"][0]["architecture"]
        browser.execute_script("wrong = []; addEventListener('error', (event) => wrong.push(event.message))")
        browser.execute_script(f"document.querySelector('#all-table tr[data-network=\"{network}\"]').click()")
        assert text(browser, "#picture h3") == network
        assert browser.execute_script("return wrong") == []  # what a frame logs is not in the browser's log
        assert not browser.find_elements("css selector", "#models-table a")
    finally:
        browser.switch_to.default_content()


def test_a_click_selects_a_network_everywhere(opened: Open) -> None:
    result = runs.run_result()
    page = opened(result)
    network = result["front"][0]["architecture"]
    # The browser itself finds what lies at the middle of the mark.
    page.execute_script(
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        "document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))",
        f'#front-chart .mark[data-network="{network}"]',
    )
    assert text(page, "#picture h3") == network
    assert len(page.find_elements("css selector", "#picture li")) == 6
    outlined = page.find_elements("css selector", "#blocks-table td.on")
    assert [cell.get_attribute("data-choice") for cell in sorted_by_block(outlined)] == network.split("-")


def sorted_by_block(cells: list[Any]) -> list[Any]:
    return sorted(cells, key=lambda cell: int(cell.get_attribute("data-block")))


def test_tabs_change_the_axis_by_mouse_and_keyboard(opened: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    page = opened(runs.run_result(devices=("local", "phone")))
    assert [tab.text for tab in page.find_elements("css selector", "[role=tab]")] == [
        "local",
        "phone",
        "multiply-adds",
    ]
    page.find_element("id", "tab-phone").click()
    assert "latency on phone, ms" in text(page, "#front-chart")
    assert text(page, "#found").startswith("On phone:")
    page.find_element("id", "tab-phone").send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("id") == "tab-macs"
    assert "multiply-adds" in text(page, "#front-chart")
    assert page.find_element("id", "tab-macs").get_attribute("aria-selected") == "true"


def test_arrow_keys_walk_along_the_front(opened: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    result = runs.run_result()
    page = opened(result)
    first = page.find_element("css selector", '#front-chart .mark[tabindex="0"]')
    first.send_keys(Keys.HOME)
    assert text(page, "#picture h3") == result["front"][0]["architecture"]
    page.switch_to.active_element.send_keys(Keys.END)
    assert text(page, "#picture h3") == "The reference"
    stops = page.find_elements("css selector", '#front-chart .mark[tabindex="0"]')
    assert [stop.get_attribute("data-network") for stop in stops] == ["reference"]


def test_the_heat_map_sorts_by_a_block(opened: Open) -> None:
    page = opened(runs.run_result())
    page.find_elements("css selector", "#blocks-table thead button")[1].click()
    column = page.find_elements("css selector", '#blocks-table td[data-block="1"]')
    shown = [float(cell.text) for cell in column]
    assert shown == sorted(shown)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_no_screen_is_too_narrow_or_too_dark(opened: Open, width: int, scheme: str) -> None:
    page = opened(runs.run_result(), width=width, scheme=scheme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script("return document.documentElement.dataset.theme") == scheme
    ink, card = page.execute_script(
        "const s = getComputedStyle(document.querySelector('.card')); return [s.color, s.backgroundColor]"
    )
    assert contrast(ink, card) > 7


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two rgb() colours, by WCAG 2."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_latency_tables_and_baselines_are_shown_where_there_are_any(opened: Open) -> None:
    result = runs.run_result(
        baselines=[{"name": "3-3-3-3", "predicted_accuracy": 0.95, "latency_ms": {"local": 0.2}, "macs": 1e6}]
    )
    result["search"]["latency_table_errors"] = {
        "local": {
            "num_calibration": 20,
            "num_holdout": 10,
            "sum_relative_error": 0.21,
            "calibrated_relative_error": 0.04,
            "kendall_tau": 0.95,
        }
    }  # fmt: skip
    page = opened(result)
    assert "21.0 %" in text(page, "#latency-table")
    assert page.find_elements("css selector", "#front-chart .mark.baseline")


def test_a_search_that_still_runs_has_its_page_too(opened: Open) -> None:
    whole = runs.run_result()
    kept = ("name", "devices", "space", "front")
    result = {name: whole[name] for name in kept} | {
        "reference": None,
        "models": [],
        "library": {name: whole["library"][name] for name in ("stem", "blocks", "head")},
        "search": whole["search"],
        "headline": "The search is running.",
    }
    page = opened(result, runs.evaluations_csv(whole))
    assert len(page.find_elements("css selector", "#front-chart .mark")) == len(result["front"])
    assert text(page, "#found") == "The search is running."
    shown = [
        name
        for name in ("models", "prediction", "curve", "cost")
        if page.find_element("id", name).is_displayed()
    ]
    assert shown == []
    assert page.find_element("id", "search-chart").is_displayed()
    network = result["front"][-1]["architecture"]
    page.execute_script(f"document.querySelector('#all-table tr[data-network=\"{network}\"]').click()")
    assert page.current_url.endswith(f"#{network}")
    page.refresh()
    wait_for(page, "return document.querySelectorAll('#front-chart .mark').length")
    assert text(page, "#picture h3") == network


def test_a_search_without_a_front_yet_says_so(opened: Open) -> None:
    whole = runs.run_result()
    result = {
        "name": "searches/1", "devices": {"local": {}}, "space": whole["space"], "front": [], "reference": None,
        "models": [], "library": {"blocks": []}, "headline": "The search is queued.",
        "search": {"evaluations": 0, "measured": 0, "hypervolume": []},
    }  # fmt: skip
    page = opened(result, wait="#front-chart p")
    assert text(page, "#front-chart") == "No network is on the front yet."
