from __future__ import annotations

from typing import Any

import pytest

from magiqa import SettingsError
from magiqa.serve.limits import Limits


@pytest.mark.parametrize("name", ["body", "files", "pixels", "concurrency", "queue", "seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_above_zero(name: str, value: Any) -> None:
    with pytest.raises(
        SettingsError, match=f"^{name} - got {value} - give a finite number above 0$"
    ):
        Limits(**{name: value})


def test_one_request_fits_into_the_queue() -> None:
    with pytest.raises(SettingsError, match="queue - got 3 for up to 4 files a request - let one"):
        Limits(files=4, queue=3)
