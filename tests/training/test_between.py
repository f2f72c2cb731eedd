from __future__ import annotations

import torch

from between import between
from tower import Nano


def test_three_tenths_of_the_way_by_hand() -> None:
    first, second = Nano(), Nano()
    for nano, value in ((first, 1.0), (second, 2.0)):
        for values in nano.state_dict().values():
            if values.is_floating_point():
                values.fill_(value)
    found = between(first, second, 0.3)
    for values in found.state_dict().values():
        if values.is_floating_point():
            assert torch.allclose(values, torch.tensor(1.3))
