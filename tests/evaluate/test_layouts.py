from __future__ import annotations

import builtins
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluate import official
from magiqa import MissingExtra, SourceError
from magiqa.evaluate.datasets import DATASETS, DataSet, Rated, find_dataset
from magiqa.evaluate.layouts import Files


def small(name: str, count: int) -> DataSet:
    """A set as declared, but for its size."""
    return replace(find_dataset(name), count=count)


def test_every_set_has_a_layout_here() -> None:
    assert {each.name for each in DATASETS} == set(official.WRITERS)


@pytest.mark.parametrize("name", official.WRITERS)
def test_official_layouts_are_read(name: str, tmp_path: Path) -> None:
    expected = official.WRITERS[name](tmp_path)
    rated = small(name, len(expected)).load(tmp_path)
    assert rated == [Rated(own, tmp_path / place, mos) for own, place, mos in expected]


@pytest.mark.parametrize("name", official.WRITERS)
def test_a_folder_without_labels_names_what_is_not_there(name: str, tmp_path: Path) -> None:
    wanted = {
        "csiq": "csiq.DMOS.xlsx",
        "tid2013": "mos_with_names.txt",
        "kadid-10k": "dmos.csv",
        "clive": "AllImages_release.mat",
        "clive-test": "AllImages_release.mat",
        "koniq-10k": "koniq10k_scores_and_distributions.csv or koniq10k_distributions_sets.csv",
        "spaq": "MOS and Image attribute scores.xlsx",
        "pipal": "Train_Label/*.txt with lines such as A0001_10_00.bmp,1520.06",
        "pipal-train": "Train_Label/*.txt with lines such as A0001_10_00.bmp,1520.06",
        "agiqa-1k": "AIGC_MOS_Zscore.xlsx",
        "agiqa-3k": "data.csv",
    }
    dataset = find_dataset(name)
    text = f"{tmp_path} - no {wanted[name]} in it - get the set from {dataset.home}"
    if name.startswith("pipal"):
        text = text.replace(" in it", "")
    with pytest.raises(SourceError, match=re.escape(text)):
        dataset.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("csiq", "csiq.DMOS.xlsx"),
        ("kadid-10k", "kadid10k/dmos.csv"),
        ("clive", "Data/AllMOS_release.mat"),
        ("spaq", "Annotations/MOS and Image attribute scores.xlsx"),
        ("agiqa-3k", "data.csv"),
    ],
)
def test_labels_that_are_no_labels_are_told_with_their_file(
    name: str, file: str, tmp_path: Path
) -> None:
    official.WRITERS[name](tmp_path)
    (tmp_path / file).write_bytes(b"\xff\xfe not what it seems")
    dataset = find_dataset(name)
    text = rf"{re.escape(str(tmp_path / file))} - not readable .* - get it again from https://"
    with pytest.raises(SourceError, match=text):
        dataset.load(tmp_path)


def test_another_csv_of_the_same_name_is_refused(tmp_path: Path) -> None:
    official.write(tmp_path / "dmos.csv", "image,score", "I01_01_01.png,3")
    text = "dmos.csv - no columns dist_img, dmos among image, score - get it again from https://d"
    with pytest.raises(SourceError, match=text):
        find_dataset("kadid-10k").load(tmp_path)


@pytest.mark.parametrize("label", ["", "nan", "good"])
def test_a_label_that_is_no_number_is_told(label: str, tmp_path: Path) -> None:
    official.write(tmp_path / "dmos.csv", "dist_img,ref_img,dmos,var", f"I01_01_01.png,,{label},")
    text = f"dmos.csv - the label of I01_01_01.png is '{label}' - give a number"
    with pytest.raises(SourceError, match=text):
        find_dataset("kadid-10k").load(tmp_path)


def test_matlab_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    import scipy.io

    official.clive(tmp_path)
    scipy.io.savemat(tmp_path / "Data" / "AllMOS_release.mat", {"AllMOS_release": [[1.0, 2.0]]})
    with pytest.raises(SourceError, match=r"AllMOS_release.mat - not readable \(zip\(\) argument"):
        find_dataset("clive").load(tmp_path)


def test_koniq_is_computed_from_its_votes_where_the_other_file_is_alone(tmp_path: Path) -> None:
    expected = official.koniq(tmp_path)
    (tmp_path / "koniq10k_scores_and_distributions.csv").unlink()
    rated = small("koniq-10k", 2).load(tmp_path)
    # (3 * .25 + 4 * .73 + 5 * .07) / 1.05 and (10 + 2 * 5) / 15
    assert [each.mos for each in rated] == pytest.approx([4.02 / 1.05, 4 / 3], abs=1e-12)
    assert [each.mos for each in rated] == pytest.approx([mos for *_, mos in expected], abs=1e-8)


def test_koniq_with_the_mos_of_the_other_file_is_refused(tmp_path: Path) -> None:
    official.koniq(tmp_path)
    sets = tmp_path / "koniq10k_distributions_sets.csv"
    sets.rename(tmp_path / "koniq10k_scores_and_distributions.csv")
    text = (
        r"the label of 10004473376.jpg is 80.26, those of KonIQ-10k lie in 1..5 - .*https://.*MOS"
    )
    with pytest.raises(SourceError, match=text):
        small("koniq-10k", 2).load(tmp_path)


def test_koniq_without_votes_is_told(tmp_path: Path) -> None:
    header = "image_name,c1,c2,c3,c4,c5"
    official.write(tmp_path / "koniq10k_distributions_sets.csv", header, "1.jpg,0,0,0,0,0")
    with pytest.raises(SourceError, match=r"sets.csv - not readable \(.*division"):
        small("koniq-10k", 1).load(tmp_path)


def test_koniq_in_the_small_size_does_not_count(tmp_path: Path) -> None:
    official.koniq(tmp_path)
    for path in (tmp_path / "koniq10k_1024x768").iterdir():
        path.unlink()
    text = rf"2 of 2 pictures of KonIQ-10k are missing: {tmp_path}/1024x768/10004473376.jpg, "
    with pytest.raises(SourceError, match=text):
        small("koniq-10k", 2).load(tmp_path)


def test_pipal_without_its_validation_part_says_so(tmp_path: Path) -> None:
    official.pipal_train(tmp_path)
    with pytest.raises(SourceError, match=r"no text file outside of Train_Label with lines such"):
        find_dataset("pipal").load(tmp_path)


def test_pipal_train_is_the_same_beside_the_validation_part(tmp_path: Path) -> None:
    official.pipal(tmp_path)
    assert [each.mos for each in small("pipal-train", 3).load(tmp_path)] == [0.0, 0.75, 1.0]


def test_the_name_as_written_goes_before_another_case(tmp_path: Path) -> None:
    official.touch(tmp_path, "a/I01.bmp", "a/i01.bmp")
    files = Files(tmp_path, "https://example.org")
    assert files.picture("i01.bmp") == tmp_path / "a" / "i01.bmp"
    with pytest.raises(SourceError, match=r"i01.BMP - lies at .*I01.bmp and at .*i01.bmp - keep"):
        files.picture("i01.BMP")


def test_a_name_in_two_folders_is_refused(tmp_path: Path) -> None:
    expected = official.csiq(tmp_path)
    official.touch(tmp_path, "dst_imgs_all/1600.AWGN.1.png")
    with pytest.raises(SourceError, match=r"1600.AWGN.1.png - lies at .*AWGN.* and at .*_all/1600"):
        small("csiq", len(expected)).load(tmp_path)


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    official.spaq(tmp_path / "disk")
    (tmp_path / "spaq").mkdir()
    for name in ("Annotations", "TestImage"):
        (tmp_path / "spaq" / name).symlink_to(tmp_path / "disk" / name)
    assert len(small("spaq", 2).load(tmp_path / "spaq")) == 2


@pytest.mark.parametrize(("name", "library"), [("spaq", "openpyxl"), ("clive", "scipy")])
def test_a_missing_library_is_named(
    name: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official.WRITERS[name](tmp_path)
    real_import = builtins.__import__

    def without(module: str, *rest: Any) -> Any:
        if module.partition(".")[0] == library:
            raise ImportError(module)
        return real_import(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=rf"needs {library} - pip install 'magiqa\[evaluate\]'"):
        find_dataset(name).load(tmp_path)
