"""The paper's words: Chinese first, English beside it; and how much room they take."""

from ecg.analysis import Text

#: Why a lead cannot be measured, or only with care: the reasons of `ecg.processing.quality`.
REASONS = {
    "too-short": Text("记录太短", "too short"),
    "missing": Text("数据缺失", "samples missing"),
    "lead-off": Text("电极脱落", "lead off"),
    "flat": Text("信号低平", "flat"),
    "saturated": Text("信号饱和", "clipped"),
    "noise": Text("噪声", "noise"),
    "mains": Text("工频干扰", "mains"),
    "baseline-wander": Text("基线漂移", "baseline wander"),
}

SEXES = {"M": "男 M", "F": "女 F", "O": "其他 O"}

_WIDE, _LARGE = frozenset("mwMW@%—…"), frozenset("ABCDEGHKNOPQRSTUVXYZ&+=<>")


def width_mm(text: str, size_mm: float) -> float:
    """Return about how wide *text* is set in a sans-serif of *size_mm*; rather too much than too little."""
    return size_mm * sum(
        1.0 if character > "\u2e7f" else 0.95 if character in _WIDE else 0.68 if character in _LARGE else 0.56
        for character in text
    )


def fitted(text: str, size_mm: float, room_mm: float) -> str:
    """Return *text*, or as much of it as *room_mm* holds with an ellipsis behind."""
    plain = " ".join(text.split())
    if width_mm(plain, size_mm) <= room_mm:
        return plain
    while plain and width_mm(plain + "…", size_mm) > room_mm:
        plain = plain[:-1]
    return plain.rstrip() + "…"
