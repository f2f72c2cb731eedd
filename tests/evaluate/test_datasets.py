from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from evaluate import official
from magiqa import SettingsError, SourceError
from magiqa.evaluate.datasets import DATASETS, Rated, find_dataset, from_csv

KADID = replace(find_dataset("kadid-10k"), count=2)


def test_the_sets_are_those_of_the_paper() -> None:
    counts = {each.name: each.count for each in DATASETS}
    assert counts == {
        "csiq": 866,
        "tid2013": 3000,
        "kadid-10k": 10125,
        "clive": 1169,
        "clive-test": 1169 - 7,
        "koniq-10k": 10073,
        "spaq": 11125,
        "pipal": 23200 + 1000,
        "pipal-train": 23200,
        "agiqa-1k": 1080,
        "agiqa-3k": 2982,
    }
    assert [each.name for each in DATASETS if not each.higher_is_better] == ["csiq"]
    resized = {each.name: each.resize for each in DATASETS if each.resize}
    assert resized == {"spaq": (448, 448), "agiqa-1k": (224, 224)}


def test_the_documentation_has_the_same_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    shown = {row[0]: row[1:] for row in rows[1:]}
    assert list(shown) == [each.name for each in DATASETS]
    for each in DATASETS:
        count, label, better, numbers, size, home, terms = shown[each.name]
        assert (int(count), numbers) == (each.count, f"{each.low:g}..{each.high:g}")
        assert each.label in label
        assert better == ("higher" if each.higher_is_better else "**lower**")
        assert size == ("{}x{}".format(*each.resize) if each.resize else "-")
        if each.name == each.folder:
            assert (home, terms) == (f"<{each.home}>", each.licence)


def test_variants_share_a_folder() -> None:
    folders = [each.folder for each in DATASETS]
    assert {folder for folder in folders if folders.count(folder) > 1} == {"clive", "pipal"}
    assert set(folders) <= {each.name for each in DATASETS}


def test_a_set_is_found_by_its_name() -> None:
    assert find_dataset("KADID-10k").title == "KADID-10k"
    with pytest.raises(SettingsError, match=r"data set - no 'koniq10k' - did you mean koniq-10k"):
        find_dataset("koniq10k")


def test_no_folder_is_told_with_the_address(tmp_path: Path) -> None:
    text = f"{tmp_path}/no - no such folder - get KADID-10k from {KADID.home}"
    with pytest.raises(SourceError, match=re.escape(text)):
        KADID.load(tmp_path / "no")


@pytest.mark.parametrize("count", [1, 3, 10125])
def test_another_number_of_rows_is_told_with_both(count: int, tmp_path: Path) -> None:
    official.kadid(tmp_path)
    text = f"{tmp_path} - lists 2 pictures, KADID-10k has {count} - the set as published: https://"
    with pytest.raises(SourceError, match=re.escape(text)):
        replace(KADID, count=count).load(tmp_path)


def test_missing_pictures_are_named_and_counted(tmp_path: Path) -> None:
    names = [f"I01_01_0{number}.png" for number in range(1, 6)]
    official.write(tmp_path / "dmos.csv", "dist_img,dmos", *(f"{name},3" for name in names))
    official.touch(tmp_path, f"images/{names[1]}")
    listed = ", ".join(f"{tmp_path}/{names[number]}" for number in (0, 2, 3))
    text = f"4 of 5 pictures of KADID-10k are missing: {listed}, ... - the set as published: http"
    with pytest.raises(SourceError, match=re.escape(text)):
        replace(KADID, count=5).load(tmp_path)


def test_one_missing_picture_is_not_more(tmp_path: Path) -> None:
    official.kadid(tmp_path)
    (tmp_path / "kadid10k" / "images" / "I01_01_05.png").unlink()
    text = f"1 of 2 pictures of KADID-10k are missing: {tmp_path}/I01_01_05.png - the set"
    with pytest.raises(SourceError, match=re.escape(text)):
        KADID.load(tmp_path)


def test_a_name_listed_twice_is_refused(tmp_path: Path) -> None:
    official.write(tmp_path / "dmos.csv", "dist_img,dmos", "I01_01_01.png,3", "I01_01_01.png,2")
    official.touch(tmp_path, "images/I01_01_01.png")
    with pytest.raises(
        SourceError, match=r"I01_01_01.png is listed 2 times - the set as published"
    ):
        KADID.load(tmp_path)


def test_the_name_agiqa_1k_lists_twice_is_not_listed_thrice(tmp_path: Path) -> None:
    official.agiqa_1k(tmp_path)
    name = "dreamStudio_8_9_1_1.jpg"
    rows: list[official.Cells] = [["Image", "MOS"], *([name, label] for label in (1, 2, 3))]
    official.workbook(tmp_path / "AIGC_MOS_Zscore.xlsx", {"Sheet1": rows})
    with pytest.raises(SourceError, match=f"{name} is listed 3 times"):
        replace(find_dataset("agiqa-1k"), count=3).load(tmp_path)


@pytest.mark.parametrize("label", [0.9, 5.1])
def test_a_label_outside_of_the_range_is_refused(label: float, tmp_path: Path) -> None:
    official.write(tmp_path / "dmos.csv", "dist_img,dmos", f"a.png,{label}", "b.png,3")
    text = rf"the label of a.png is {label}, those of KADID-10k lie in 1..5 - .*, dmos$"
    with pytest.raises(SourceError, match=text):
        KADID.load(tmp_path)


def test_any_list_of_pictures_and_labels_is_a_set(tmp_path: Path) -> None:
    official.write(tmp_path / "own.csv", "path,mos,note", "a.png,-3,x", "below/b.png,7.5,y")
    official.touch(tmp_path, "a.png", "below/b.png")
    own = from_csv(tmp_path / "own.csv", resize=(448, 448))
    assert (own.name, own.count, own.low, own.high) == ("own", 2, -3.0, 7.5)
    assert own.resize == (448, 448)
    assert own.load(tmp_path) == [
        Rated("a.png", tmp_path / "a.png", -3.0),
        Rated("below/b.png", tmp_path / "below" / "b.png", 7.5),
    ]


def test_columns_of_a_list_can_be_named(tmp_path: Path) -> None:
    official.write(tmp_path / "own.tsv", "photo\tdmos", "a.png\t0.25")
    official.touch(tmp_path, "pictures/a.png")
    own = from_csv(tmp_path / "own.tsv", picture="photo", mos="dmos", higher_is_better=False)
    assert not own.higher_is_better
    assert own.load(tmp_path / "pictures")[0].mos == 0.25


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ["path,score", "a.png,1"],
            r"own.csv - no column mos among path, score - call the columns of",
        ),
        (["mos,score", "1,1"], r"own.csv - no column path among mos, score - call the columns of"),
        (["path,mos", "a.png,good"], r"own.csv - the label of a.png is 'good' - give a number"),
        (["path,mos", "a.png"], r"own.csv - the label of a.png is None - give a number"),
        (["path,mos", ",1"], r"own.csv - row 1 names no picture - give a path"),
        (["path,mos"], r"own.csv - lists no picture - give a row for each"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(lines: list[str], text: str, tmp_path: Path) -> None:
    official.write(tmp_path / "own.csv", *lines)
    with pytest.raises(SourceError, match=text):
        from_csv(tmp_path / "own.csv")


def test_pictures_missing_from_a_list_are_named(tmp_path: Path) -> None:
    official.write(tmp_path / "own.csv", "path,mos", "a.png,1", "b.png,2")
    official.touch(tmp_path, "b.png")
    with pytest.raises(
        SourceError, match=r"1 of 2 pictures of own are missing: .*/a\.png - .*csv$"
    ):
        from_csv(tmp_path / "own.csv").load(tmp_path)
