"""What the songs are made of: sound fonts, drum kits and voices, each with licence and split.

Train and held-out songs share no font, kit or voice, so that a score on held-out songs does not
reward a network for having learnt these very recordings. The split is by the recordings' origin:
fonts and kits that share samples, and voices of one speaker, stand on the same side.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from my_submission.errors import DemixError
from training.synthesis import fluid

Split = Literal["train", "held_out"]

SOUNDS = Path("/usr/share/sounds")
HYDROGEN = Path("/usr/share/hydrogen/data/drumkits")
FESTIVAL_VOICES = Path("/usr/share/festival/voices")


@dataclass(frozen=True)
class Font:
    """A General MIDI sound font; the weight is how often it is taken."""

    name: str
    path: Path
    package: str
    licence: str
    split: Split
    weight: float = 1.0


@dataclass(frozen=True)
class Kit:
    """A drum kit: a Hydrogen folder, or a sound font whose bank 0 holds the kit."""

    name: str
    engine: Literal["hydrogen", "font"]
    path: Path
    package: str
    licence: str
    split: Split


@dataclass(frozen=True)
class Voice:
    """A speaker. Voices of one speaker by two engines have the same `speaker`."""

    name: str
    speaker: str
    engine: Literal["flite", "festival"]
    phones: Literal["english", "plain"]
    package: str
    licence: str
    split: Split
    path: Path | None = None


FONTS = (
    Font("fluid", SOUNDS / "sf2/FluidR3_GM.sf2", "fluid-soundfont-gm", "MIT", "train", 1.5),
    Font("mono", SOUNDS / "sf3/FluidR3Mono_GM.sf3", "fluidr3mono-gm-soundfont", "MIT", "train"),
    Font(
        "musescore",
        SOUNDS / "sf3/MuseScore_General_Lite.sf3",
        "musescore-general-soundfont-small",
        "MIT",
        "train",
        2.0,
    ),
    Font("timgm", SOUNDS / "sf2/TimGM6mb.sf2", "timgm6mb-soundfont", "GPL-2", "train", 1.5),
    Font("opl3", SOUNDS / "sf2/OPL-3_FM_128M.sf2", "opl3-soundfont", "CC-BY-SA-4.0", "train", 0.5),
    Font("csound", SOUNDS / "sf2/sf_GMbank.sf2", "csound-soundfont", "public domain", "held_out"),
)


def _hydrogen(name: str, licence: str, split: Split = "train") -> Kit:
    return Kit(name, "hydrogen", HYDROGEN / name, "hydrogen-drumkits", licence, split)


def _avl(name: str, file: str, split: Split) -> Kit:
    path = SOUNDS / "sf2" / file
    return Kit(name, "font", path, "avldrums.lv2-soundfont", "CC-BY-SA-3.0", split)


KITS = (
    _hydrogen("ColomboAcousticDrumkit", "GPL-2+ with composition exception"),
    _hydrogen("ElectricEmpireKit", "GPL-2+"),
    _hydrogen("ForzeeStereo", "GPL-2"),
    _hydrogen("HardElectro1", "GPL-2+"),
    _hydrogen("Millo-Drums_v.1", "GPL-2"),
    _hydrogen("Millo_MultiLayered2", "GPL-2"),
    _hydrogen("Millo_MultiLayered3", "GPL-2"),
    _hydrogen("The Black Pearl 1.0", "GPL-2"),
    _hydrogen("VariBreaks", "GPL-2+"),
    _avl("Black_Pearl", "Black_Pearl_4_LV2.sf2", "train"),
    _hydrogen("Audiophob", "CC0-1.0", "held_out"),
    _hydrogen("BJA_Pacific", "CC-BY-SA-3.0-us", "held_out"),
    _hydrogen("rumpf_kit_z01_h2", "CC-BY-3.0", "held_out"),
    _avl("Red_Zeppelin", "Red_Zeppelin_4_LV2.sf2", "held_out"),
)

PERCUSSION = (
    _hydrogen("Gimme A Hand 1.0", "GPL-2"),
    _hydrogen("circAfrique v4", "CC-BY-SA-3.0"),
)
"""Hand drums, shakers and bells, played beside a kit."""


def _flite(name: str, speaker: str, split: Split = "train") -> Voice:
    return Voice(f"flite_{name}", speaker, "flite", "english", "flite", "BSD-like", split)


def _festival(
    folder: str, package: str, licence: str, split: Split = "train", speaker: str | None = None
) -> Voice:
    name = folder.split("/")[1]
    english = folder.startswith(("english", "us"))
    return Voice(
        f"festival_{name}",
        speaker or name,
        "festival",
        "english" if english else "plain",
        package,
        licence,
        split,
        FESTIVAL_VOICES / folder,
    )


VOICES = (
    _flite("awb", "awb"),
    _flite("slt", "slt"),
    _flite("kal16", "kal"),
    _flite("rms", "rms", "held_out"),
    _festival("english/kal_diphone", "festvox-kallpc16k", "BSD-like", speaker="kal"),
    _festival("english/ked_diphone", "festvox-kdlpc16k", "BSD-like"),
    _festival("us/cmu_us_slt_arctic_hts", "festvox-us-slt-hts", "BSD-3-clause", speaker="slt"),
    _festival("italian/lp_diphone", "festvox-italp16k", "GPL-2+"),
    _festival("italian/pc_diphone", "festvox-itapc16k", "GPL-2+"),
    _festival("finnish/suo_fi_lj_diphone", "festvox-suopuhe-lj", "LGPL-2+"),
    _festival("finnish/hy_fi_mv_diphone", "festvox-suopuhe-mv", "LGPL-2+"),
    _festival("czech/czech_dita", "festvox-czech-dita", "GPL-3+"),
    _festival("czech/czech_krb", "festvox-czech-krb", "GPL-3+"),
    _festival("czech/czech_ph", "festvox-czech-ph", "GPL-2+"),
    _festival("russian/msu_ru_nsh_clunits", "festvox-ru", "BSD-like"),
    _festival("czech/czech_machac", "festvox-czech-machac", "GPL-3+", "held_out"),
    _festival("catalan/upc_ca_ona_hts", "festvox-ca-ona-hts", "Festvox and LGPL-2.1+", "held_out"),
)


def fonts(split: Split) -> dict[Font, float]:
    """Give the fonts of a split with their weights."""
    return {font: font.weight for font in FONTS if font.split == split}


def kits(split: Split) -> list[Kit]:
    """Give the sampled drum kits of a split."""
    return [kit for kit in KITS if kit.split == split]


def percussion(split: Split) -> list[Kit]:
    """Give the hand percussion of a split; held-out songs have none that is sampled."""
    return [kit for kit in PERCUSSION if kit.split == split]


def voices(split: Split) -> list[Voice]:
    """Give the voices of a split."""
    return [voice for voice in VOICES if voice.split == split]


def require(split: Split) -> None:
    """Check that everything that songs of this split are made of is installed.

    Raises:
        DemixError: Names all Debian packages that are missing, and how to install them.
    """
    missing = sorted(set(_missing_packages(split)))
    if missing:
        names = " ".join(missing)
        raise DemixError(
            f"missing Debian packages for the synthesis of {split} songs: "
            f"apt-get install --no-install-recommends {names}"
        )


def _missing_packages(split: Split) -> Iterable[str]:
    if not fluid.installed():
        yield fluid.PACKAGE
    sources: list[Font | Kit] = [*fonts(split), *kits(split), *percussion(split)]
    for source in sources:
        if not source.path.exists():
            yield source.package
    for voice in voices(split):
        if voice.path is not None and not voice.path.exists():
            yield voice.package
        if shutil.which(voice.engine) is None:
            yield voice.engine
