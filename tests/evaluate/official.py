"""Small folders in the official layouts, with what each set's labels are known for.

A writer fills a folder and returns what is to be read from it: (name, place of the picture, label).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import openpyxl
import scipy.io

Row = tuple[str, str, float]
Cells = Sequence[object]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def workbook(path: Path, sheets: Mapping[str, Sequence[Cells]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def csiq(root: Path) -> list[Row]:
    """The first sheet is another one; a title stands above the header; a name is a number."""
    header = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    rows: list[Cells] = [
        [1600, 1, "noise", 1, 0.06, 0.062],
        [1600, 6, "jpeg 2000", 5, 0.06, 0.9],
        ["trolley", 2, "blur", 3, 0.1, 0.4],
        ["trolley", 3, "contrast", 2, 0.1, 0.25],
        ["trolley", 4, "fnoise", 4, 0.1, 0.5],
        ["trolley", 5, "jpeg", 4, 0.1, 1.0],
    ]
    above: list[Cells] = [[None], [None, None, None, "DMOS of all images"], []]
    padded: list[Cells] = [[None, None, None, *row] for row in [header, *rows, [None] * 6]]
    summary: list[Cells] = [["image", "dmos"], ["all", 0.351]]
    workbook(root / "csiq.DMOS.xlsx", {"summary": summary, "all_by_image": above + padded})
    expected = [
        ("1600.AWGN.1.png", "dst_imgs/AWGN/1600.AWGN.1.png", 0.062),
        ("1600.jpeg2000.5.png", "dst_imgs/jpeg2000/1600.jpeg2000.5.png", 0.9),
        ("trolley.BLUR.3.png", "dst_imgs/BLUR/trolley.BLUR.3.png", 0.4),
        ("trolley.contrast.2.png", "dst_imgs/contrast/trolley.contrast.2.png", 0.25),
        ("trolley.fnoise.4.png", "dst_imgs/fnoise/trolley.fnoise.4.png", 0.5),
        ("trolley.JPEG.4.png", "dst_imgs/JPEG/trolley.JPEG.4.png", 1.0),
    ]
    touch(root, *(place for _, place, _ in expected), "src_imgs/1600.png", "src_imgs/trolley.png")
    touch(root, "dst_imgs/BLUR/trolley.BLUR.1.png")  # nobody rated it
    return expected


def tid2013(root: Path) -> list[Row]:
    """Upper and lower case, in the list and on the disk."""
    write(root / "mos_with_names.txt", "5.51429 I01_01_1.bmp", "0.24242 i25_24_5.bmp", "")
    touch(root, "distorted_images/i01_01_1.bmp", "distorted_images/I25_24_5.BMP")
    touch(root, "reference_images/I01.BMP")
    return [
        ("I01_01_1.bmp", "distorted_images/i01_01_1.bmp", 5.51429),
        ("i25_24_5.bmp", "distorted_images/I25_24_5.BMP", 0.24242),
    ]


def kadid(root: Path) -> list[Row]:
    """The archive has a folder of its own; names of references begin as those of pictures."""
    lines = ["dist_img,ref_img,dmos,var", "I01_01_01.png,I01.png,4.57,0.5"]
    write(root / "kadid10k" / "dmos.csv", *lines, "I01_01_05.png,I01.png,1.2,0.3")
    touch(root, *(f"kadid10k/images/{name}.png" for name in ("I01", "I01_01_01", "I01_01_05")))
    return [
        ("I01_01_01.png", "kadid10k/images/I01_01_01.png", 4.57),
        ("I01_01_05.png", "kadid10k/images/I01_01_05.png", 1.2),
    ]


def clive(root: Path) -> list[Row]:
    """Cells of MATLAB; training pictures are in a folder below the others."""
    names = [*(f"t{number}.bmp" for number in range(1, 8)), "3.bmp", "1024.JPG"]
    labels = np.linspace(3.42, 92.43, len(names))
    (root / "Data").mkdir(parents=True)
    cells = np.array([[np.array([name])] for name in names], dtype=object)
    scipy.io.savemat(root / "Data" / "AllImages_release.mat", {"AllImages_release": cells})
    scipy.io.savemat(root / "Data" / "AllMOS_release.mat", {"AllMOS_release": labels})
    places = [f"Images/{'trainingImages/' if name[0] == 't' else ''}{name}" for name in names]
    touch(root, *places)
    return list(zip(names, places, labels.tolist(), strict=True))


def clive_test(root: Path) -> list[Row]:
    return clive(root)[7:]


def koniq(root: Path) -> list[Row]:
    """Two files with a column MOS, and every picture in two sizes."""
    write(
        root / "koniq10k_scores_and_distributions.csv",
        "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore",
        "10004473376.jpg,0,0,25,73,7,105,3.828571429,0.527278894,80.26",
        "9999.jpg,10,5,0,0,0,15,1.333333333,0.5,11.4",
    )
    koniq_sets(root)
    for size in ("1024x768", "512x384"):
        touch(root, f"koniq10k_{size}/10004473376.jpg", f"koniq10k_{size}/9999.jpg")
    return [
        ("10004473376.jpg", "koniq10k_1024x768/10004473376.jpg", 3.828571429),
        ("9999.jpg", "koniq10k_1024x768/9999.jpg", 1.333333333),
    ]


def koniq_sets(root: Path) -> None:
    """The file beside the code of KonIQ-10k's authors: the same votes, a MOS of 0..100."""
    write(
        root / "koniq10k_distributions_sets.csv",
        "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set",
        "10004473376.jpg,0.0,0.0,0.25,0.73,0.07,105,80.26,0.527,training",
        "9999.jpg,10,5,0,0,0,15,11.4,0.5,test",
    )


def spaq(root: Path) -> list[Row]:
    rows: list[Cells] = [
        ["Image name", "MOS", "Brightness", "Noisiness"],
        ["00001.jpg", 33.43, 41, 50],
        ["11125.jpg", 96, 70, 80],
    ]
    path = root / "Annotations" / "MOS and Image attribute scores.xlsx"
    workbook(path, {"Sheet1": rows})
    touch(root, "TestImage/00001.jpg", "TestImage/11125.jpg")
    return [("00001.jpg", "TestImage/00001.jpg", 33.43), ("11125.jpg", "TestImage/11125.jpg", 96)]


def pipal_train(root: Path) -> list[Row]:
    """Elo ratings of the whole part run from 1000 to 1800."""
    write(root / "Train_Label" / "A0001.txt", "A0001_00_00.bmp,1000.0", "A0001_06_26.bmp,1600.0")
    write(root / "Train_Label" / "A0002.txt", "A0002_03_10.bmp,1800.0")
    expected = [
        ("A0001_00_00.bmp", "Distortion_1/A0001_00_00.bmp", 0.0),
        ("A0001_06_26.bmp", "Distortion_4/A0001_06_26.bmp", 0.75),
        ("A0002_03_10.bmp", "Distortion_2/A0002_03_10.bmp", 1.0),
    ]
    touch(root, *(place for _, place, _ in expected), "Train_Ref/A0001.bmp")
    return expected


def pipal(root: Path) -> list[Row]:
    """Of the validation part from 900 to 1900: a scale of its own."""
    lines = ["A0200_10_00.bmp,900.0", "A0200_10_02.bmp,1900.0", "A0200_10_04.bmp,1400.0"]
    write(root / "val" / "pipal21_val.txt", *lines)
    write(root / "readme.txt", "Lines such as", "A0001_00_00.bmp,1520.06")
    names = [f"A0200_10_0{number}.bmp" for number in (0, 2, 4)]
    places = [f"val/Dis/{name}" for name in names]
    touch(root, *places)
    return pipal_train(root) + list(zip(names, places, [0.0, 1.0, 0.5], strict=True))


def agiqa_1k(root: Path) -> list[Row]:
    """One name is listed twice, with two labels."""
    rows: list[Cells] = [
        ["Image", "Prompt", "MOS"],
        ["deepai_0_0_0_0.jpg", "bird driving aircraft, city, anime style", 3.5],
        ["dreamStudio_8_9_1_1.jpg", "woman using CD", 0.4414],
        ["dreamStudio_8_9_1_1.jpg", "woman using CD", 2.0841],
    ]
    workbook(root / "AIGC_MOS_Zscore.xlsx", {"Sheet1": rows})
    touch(root, "file/deepai_0_0_0_0.jpg", "file/dreamStudio_8_9_1_1.jpg")
    return [
        ("deepai_0_0_0_0.jpg", "file/deepai_0_0_0_0.jpg", 3.5),
        ("dreamStudio_8_9_1_1.jpg", "file/dreamStudio_8_9_1_1.jpg", 0.4414),
        ("dreamStudio_8_9_1_1.jpg", "file/dreamStudio_8_9_1_1.jpg", 2.0841),
    ]


def agiqa_3k(root: Path) -> list[Row]:
    """Three labels; a prompt with a comma."""
    write(
        root / "data.csv",
        "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align",
        'AttnGAN_normal_000.jpg,"statue, of a man",,,,0.9656,0.22,0.4089,0.6156',
        "xl2.2_normal_299.jpg,a tray of sushi,,,,4.4887,0.6,4.2,0.6",
    )
    touch(root, "images/AttnGAN_normal_000.jpg", "images/xl2.2_normal_299.jpg")
    return [
        ("AttnGAN_normal_000.jpg", "images/AttnGAN_normal_000.jpg", 0.9656),
        ("xl2.2_normal_299.jpg", "images/xl2.2_normal_299.jpg", 4.4887),
    ]


WRITERS: dict[str, Callable[[Path], list[Row]]] = {
    "csiq": csiq,
    "tid2013": tid2013,
    "kadid-10k": kadid,
    "clive": clive,
    "clive-test": clive_test,
    "koniq-10k": koniq,
    "spaq": spaq,
    "pipal": pipal,
    "pipal-train": pipal_train,
    "agiqa-1k": agiqa_1k,
    "agiqa-3k": agiqa_3k,
}
"""By the names of the sets."""
