"""OpenAI's released backbones: what their weights are known by and where they are."""

from __future__ import annotations

from dataclasses import dataclass

from magiqa.errors import WeightsError, nearest

HUB_FILE = "open_clip_model.safetensors"
OPENAI = "https://openaipublic.azureedge.net/clip/models"


@dataclass(frozen=True, slots=True)
class Release:
    """One of OpenAI's released backbones."""

    backbone: str
    megabytes: int
    """Of the hub's file, in float32; OpenAI's own is mostly float16 and smaller."""
    hub_repository: str
    sha256: str
    """Of OpenAI's own file."""

    @property
    def openai_file(self) -> str:
        """The name of OpenAI's own file."""
        return self.backbone.replace("/", "-").replace("@", "-") + ".pt"

    @property
    def openai_address(self) -> str:
        """Where OpenAI's own file is."""
        return f"{OPENAI}/{self.sha256}/{self.openai_file}"


RELEASES = {
    release.backbone: release
    for release in (
        Release(
            "RN50",
            408,
            "timm/resnet50_clip.openai",
            "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        ),
        Release(
            "RN101",
            479,
            "timm/resnet101_clip.openai",
            "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
        ),
        Release(
            "RN50x4",
            714,
            "timm/resnet50x4_clip.openai",
            "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
        ),
        Release(
            "RN50x16",
            1165,
            "timm/resnet50x16_clip.openai",
            "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
        ),
        Release(
            "RN50x64",
            2495,
            "timm/resnet50x64_clip.openai",
            "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
        ),
        Release(
            "ViT-B/32",
            605,
            "timm/vit_base_patch32_clip_224.openai",
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        ),
        Release(
            "ViT-B/16",
            598,
            "timm/vit_base_patch16_clip_224.openai",
            "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        ),
        Release(
            "ViT-L/14",
            1710,
            "timm/vit_large_patch14_clip_224.openai",
            "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        ),
        Release(
            "ViT-L/14@336px",
            1712,
            "timm/vit_large_patch14_clip_336.openai",
            "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
        ),
    )
}


def release_of(backbone: str) -> Release:
    """The release of a name; WeightsError tells the nearest names."""
    if backbone not in RELEASES:
        known = [*RELEASES, "nano"]
        raise WeightsError(f"backbone - no {backbone!r} - {nearest(backbone, known)}")
    return RELEASES[backbone]
