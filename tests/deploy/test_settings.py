"""Every setting and every key of the spec is documented, on pages that are fresh."""

import runpy

import pytest

from tests.deploy.rendered import ROOT
from tests.deploy.settings import settings_class

SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_says_what_it_does(service: str) -> None:
    for name, field in settings_class(service).model_fields.items():
        assert (field.description or "").endswith("."), f"{service}: {name}"


@pytest.mark.parametrize("page", ["settings", "spec"])
def test_the_page_is_fresh(page: str) -> None:
    made = runpy.run_path(str(ROOT / "docs" / f"{page}.py"))["page"]()
    assert (ROOT / "docs" / f"{page}.md").read_text() == made, f"run python docs/{page}.py"
