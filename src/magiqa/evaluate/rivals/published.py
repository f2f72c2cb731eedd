"""The paper's systems that magiqa quotes: how each can be run, or that it cannot."""

from __future__ import annotations

HOW = {
    "QAC": "no public code",
    "LPSI": "no public code but MATLAB's P-code, which cannot be read",
    "dipIQ": "no public code or weights",
    "SNP-NIQE": "run it by github.com/YT2015/SNP-NIQE, part of it P-code, no licence",
    "NPQI": "run it by github.com/YT2015/NPQI, part of it P-code, no licence",
    "ContentSep": "run it by github.com/nithincbabu7/iqa-ContentSep",
    "CL-MI": "run it by github.com/nithincbabu7/iqa-ContentSep",
    "MDFS": "run it by github.com/eezkni/MDFS",
    "Re-IQA": "run it by github.com/avinabsaha/ReIQA, with a regressor of your own",
    "ARNIQA": "run it with --method torchmetrics:arniqa or pyiqa:arniqa",
    "CLIP-IQA+": "run it with --method pyiqa:clipiqa+",
    "GRepQ": "run it by github.com/suhas-srinath/GRepQ",
}
"""Addresses are of the authors' own code, options those of `magiqa evaluate`."""
