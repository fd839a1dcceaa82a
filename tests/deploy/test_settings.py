"""Every setting is documented, on a page that is fresh."""

import runpy

import pytest

from tests.deploy.rendered import ROOT
from tests.deploy.settings import settings_class

SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_says_what_it_does(service: str) -> None:
    for name, field in settings_class(service).model_fields.items():
        assert (field.description or "").endswith("."), f"{service}: {name}"


def test_the_page_of_the_settings_is_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "settings.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text() == made, "run python docs/settings.py"
