"""What a second pair of eyes would ask before a report is signed: sides, sex, negations, units, critical words, blanks.

Each check is a small reading of the words, Chinese first, and raises a remark with the words it stands on. A remark stops
nobody: the writer looks, and signs or mends. Nothing here judges what is in the images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ecg.analysis import Text


@dataclass(frozen=True)
class Writing:
    """What is looked at: the two parts of the report, what was asked and examined, and of whom.

    *examined* is the description of the study and of its series; *sex* DICOM's M, F, O or "". *missing* tells whether the
    archive knows of objects that have not come.
    """

    findings: str
    impression: str
    critical: bool = False
    examined: str = ""
    reason: str = ""
    sex: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Remark:
    """One question to the writer; *words* are those of the report that raise it."""

    code: str
    text: Text
    words: str = ""


_LEFT, _RIGHT = "left", "right"
_SIDES = {"左": _LEFT, "右": _RIGHT, "left": _LEFT, "right": _RIGHT, "lt": _LEFT, "rt": _RIGHT}
_BOTH = re.compile(r"双|两侧|左右|bilateral|both", re.IGNORECASE)
#: What comes in pairs; of anything else a side says where in the whole it lies.
_PAIRED = (
    "肺|肾|乳腺|乳|胸腔|膝|髋|肩|腕|肘|踝|股骨|胫骨|腓骨|肱骨|桡骨|尺骨|锁骨|肋|手|足|眼|耳|额叶|颞叶|顶叶|枕叶|基底节|小脑半球|大脑中动脉|颈内动脉|"
    "颈总动脉|输尿管|附件|卵巢|睾丸|腮腺|上颌窦|肾上腺|下肢|上肢"
)
_ENGLISH_PAIRED = (
    "lung|kidney|breast|knee|hip|shoulder|wrist|elbow|ankle|femur|tibia|humerus|radius|clavicle|rib|hand|foot|pleural"
)
_SIDED = re.compile(
    rf"(?P<side>左|右)(?:侧|上|下|中|前|后|叶|第\d+){{0,3}}(?P<organ>{_PAIRED})|"
    rf"(?P<eside>\b(?:left|right))\s+(?:\w+\s+)?(?P<eorgan>{_ENGLISH_PAIRED})",
    re.IGNORECASE,
)
_OF_MEN = re.compile(r"前列腺|精囊|睾丸|附睾|阴囊|阴茎|prostate|testi[cs]|scrot", re.IGNORECASE)
_OF_WOMEN = re.compile(
    r"子宫|卵巢|宫颈|宫腔|阴道|输卵管|妊娠|孕囊|胎儿|uter(?:us|ine)|ovar|cervix uteri|pregnan|fetus", re.IGNORECASE
)

_SENTENCE = re.compile(r"[。；;！!？?\n]+|\.\s")
_CLAUSE = re.compile(r"[，,：:]|但|而")
_NOT = re.compile(
    r"未见|未摄|未查|未发现|未显示|未及|没有|并无|无明显|无明确|无|除外|排除|否认|不支持|不考虑|"
    r"no (?:evidence of )?|without |not |negative for |rule out ",
    re.IGNORECASE,
)
#: What is found or not found, and must be the same in both parts.
_CONDITIONS = (
    "骨折|脱位|出血|血肿|气胸|积液|积血|梗死|梗塞|栓塞|夹层|动脉瘤|穿孔|梗阻|结石|结节|肿块|占位|转移|实变|肺不张|肺炎|狭窄|破裂|撕裂|脓肿|"
    "fracture|dislocation|haemorrhage|hemorrhage|pneumothorax|effusion|infarct|embol|dissection|aneurysm|obstruction|nodule|mass|abscess"
)
_CONDITION = re.compile(_CONDITIONS, re.IGNORECASE)
_HEDGE = re.compile(
    r"[?？]|可疑|可能|待排|不除外|不能(?:完全)?(?:除外|排除)|不排除|建议|考虑|随访|possible|cannot exclude|not excluded",
    re.IGNORECASE,
)

#: Findings that somebody must be told of at once (危急值), as they are called in impressions.
_CRITICAL = re.compile(
    r"脑出血|脑疝|蛛网膜下腔出血|硬膜[下外]血肿|急性(?:期)?(?:大面积)?脑梗死|张力性气胸|大量气胸|主动脉夹层|主动脉瘤破裂|肺(?:动脉)?栓塞|"
    r"消化道穿孔|膈下游离气体|肠系膜(?:上)?动脉栓塞|急性(?:ST段抬高型?)?心肌梗死|心肌梗死超急性期|室性心动过速|心室颤动|三度房室传导阻滞|"
    r"宫外孕破裂|异位妊娠破裂|肝破裂|脾破裂|肾破裂|"
    r"tension pneumothorax|aortic dissection|pulmonary embol|STEMI|ventricular tachycardia|"
    r"ventricular fibrillation|subarachnoid|cerebral haemorrhage|cerebral hemorrhage",
    re.IGNORECASE,
)
_SIZED = re.compile(
    r"(?:大小|直径|长径|短径|厚|宽|径线|范围|measur|diameter)[^，。；\n]{0,6}?(?P<size>\d[\d.\sx×*]*)\s*(?P<unit>[a-zA-Zμ%]+|毫米|厘米|米)?"
)
_CENTIMETRES = {"mm": 0.1, "毫米": 0.1, "cm": 1.0, "厘米": 1.0, "m": 100.0, "米": 100.0}
_LONGEST_CM = 50.0
#: What an ECG measures: the word, the units it can have, and the least and most in the first of them.
_MEASURES = (
    (r"QTc?|QT间期|QTc间期", ("ms", "毫秒"), 200, 800),
    (r"PR间期|P-?R|PR", ("ms", "毫秒"), 60, 600),
    (r"QRS时限|QRS波时限|QRS", ("ms", "毫秒"), 40, 300),
    (r"心率|心室率|heart rate|HR", ("次/分", "bpm", "次／分", "/min"), 15, 350),
)
_VALUE = r"(\d+(?:\.\d+)?)\s*([A-Za-z]+(?:/[A-Za-z]+)?|次[/／]分|毫秒|秒|/min)?"
_BLANKS = re.compile(r"_{2,}|＿{2,}|【\s*】|\[\s*\]|（\s*）|\(\s*\)|×{3,}|X{3,}|x{3,}|\?{2,}|？{2,}|\bTODO\b|待填")


def remarks(writing: Writing) -> tuple[Remark, ...]:
    """Return what should be looked at once more before *writing* is signed, the gravest first; each thing once."""
    return tuple(dict.fromkeys(remark for check in _CHECKS for remark in check(writing)))


def _critical_words(writing: Writing) -> Iterator[Remark]:
    if writing.critical:
        return
    for said in _affirmed(writing.impression, _CRITICAL):
        zh, en = f"“{said}”可能是危急值，但未标记危急值", f"“{said}” may be a critical value, and the report is not marked so"
        yield Remark("critical-word", Text(zh, en), said)


def _sides(writing: Writing) -> Iterator[Remark]:
    found, concluded = _sided(writing.findings), _sided(writing.impression)
    for organ, (side, words) in concluded.items():
        there = found.get(organ)
        if there is not None and side is not None and there[0] is not None and there[0] != side:
            zh = f"描述为“{there[1]}”，诊断为“{words}”：左右不一致"
            yield Remark("side", Text(zh, f"findings say “{there[1]}”, the impression “{words}”: the sides differ"), words)
    examined = _examined_side(writing)
    if examined is None:
        return
    side, organ, asked = examined
    for part in (found, concluded):
        stated = part.get(organ)
        if stated is not None and stated[0] is not None and stated[0] != side:
            zh, en = f"检查部位为“{asked}”，报告为“{stated[1]}”", f"“{asked}” was examined, the report says “{stated[1]}”"
            yield Remark("side-examined", Text(zh, en), stated[1])


def _sex(writing: Writing) -> Iterator[Remark]:
    pattern = {"M": _OF_WOMEN, "F": _OF_MEN}.get(writing.sex)
    found = pattern.search(f"{writing.findings}\n{writing.impression}") if pattern else None
    if found is not None:
        who = ("男", "male") if writing.sex == "M" else ("女", "female")
        zh, en = f"患者为{who[0]}性，报告提到“{found[0]}”", f"the patient is {who[1]}, the report mentions “{found[0]}”"
        yield Remark("sex", Text(zh, en), found[0])


def _negations(writing: Writing) -> Iterator[Remark]:
    denied = set(_denied(writing.findings, _CONDITION)) - set(_affirmed(writing.findings, _CONDITION))
    for said in sorted(denied & set(_affirmed(writing.impression, _CONDITION))):
        zh, en = f"描述中否定了“{said}”，诊断中却有", f"the findings deny “{said}”, the impression states it"
        yield Remark("negation", Text(zh, en), said)
    stated = set(_affirmed(writing.findings, _CONDITION)) - set(_denied(writing.findings, _CONDITION))
    for said in sorted(stated & (set(_denied(writing.impression, _CONDITION)) - set(_affirmed(writing.impression, _CONDITION)))):
        zh, en = f"描述中有“{said}”，诊断中却否定", f"the findings state “{said}”, the impression denies it"
        yield Remark("negation", Text(zh, en), said)


def _units(writing: Writing) -> Iterator[Remark]:
    for part in (writing.findings, writing.impression):
        for found in _SIZED.finditer(part):
            numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", found["size"])]
            scale = _CENTIMETRES.get((found["unit"] or "").lower())
            if scale is None:
                zh, en = f"“{found[0].strip()}”没有长度单位", f"“{found[0].strip()}” has no unit of length"
                yield Remark("unit", Text(zh, en), found[0].strip())
            elif max(numbers) * scale > _LONGEST_CM:
                zh, en = f"“{found[0].strip()}”超出人体可能的大小", f"“{found[0].strip()}” is larger than can be"
                yield Remark("unit", Text(zh, en), found[0].strip())
        yield from _measures(part)


def _measures(part: str) -> Iterator[Remark]:
    for name, units, least, most in _MEASURES:
        for found in re.finditer(rf"(?<![A-Za-z])(?:{name})(?![A-Za-z])[^\d，。；,;\n]{{0,4}}{_VALUE}", part):
            unit, value = found[2] or "", float(found[1])
            if unit and unit.lower() not in [each.lower() for each in units]:
                yield Remark(
                    "unit", Text(f"“{found[0]}”的单位应为 {units[0]}", f"the unit of “{found[0]}” should be {units[0]}"), found[0]
                )
            elif not least <= value <= most:
                yield Remark("unit", Text(f"“{found[0]}”超出可能范围", f"“{found[0]}” is out of range"), found[0])


def _blanks(writing: Writing) -> Iterator[Remark]:
    for part in (writing.findings, writing.impression):
        for found in _BLANKS.finditer(part):
            yield Remark(
                "blank", Text(f"模板中有未填写处：“{found[0]}”", f"a blank of the template is left: “{found[0]}”"), found[0]
            )


def _incomplete(writing: Writing) -> Iterator[Remark]:
    if writing.missing:
        yield Remark("incomplete", Text("影像可能没有收齐", "images of the study seem to be missing"))


_CHECKS: tuple[Callable[[Writing], Iterable[Remark]], ...] = (
    _critical_words, _sides, _sex, _negations, _units, _blanks, _incomplete,
)  # fmt: skip


def _sided(part: str) -> dict[str, tuple[str | None, str]]:
    """Return, of each paired organ that something is said of with a side, which one (None: both) and the words."""
    found: dict[str, tuple[str | None, str]] = {}
    for sentence in _SENTENCE.split(part):
        for match in _SIDED.finditer(sentence):
            if _NOT.search(_CLAUSE.split(sentence[match.end() :])[0]):
                continue
            side = _SIDES[(match["side"] or match["eside"]).lower()]
            organ = (match["organ"] or match["eorgan"]).lower().removesuffix("腺")
            before = found.get(organ)
            found[organ] = (side if before is None or before[0] == side else None, match[0])
        if _BOTH.search(sentence):
            found |= {organ: (None, words) for organ, (_, words) in found.items() if organ in sentence}
    return found


def _examined_side(writing: Writing) -> tuple[str, str, str] | None:
    named = _sided(f"{writing.examined}\n{writing.reason}")
    return next(((side, organ, words) for organ, (side, words) in named.items() if side is not None), None)


def _affirmed(part: str, pattern: re.Pattern[str]) -> Iterator[str]:
    yield from (said for said, is_denied, is_hedged in _mentions(part, pattern) if not is_denied and not is_hedged)


def _denied(part: str, pattern: re.Pattern[str]) -> Iterator[str]:
    yield from (said for said, is_denied, _ in _mentions(part, pattern) if is_denied)


def _mentions(part: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, bool, bool]]:
    """Yield each mention, whether its clause denies it, and whether it is only thought possible.

    A denial holds to the end of its clause: 未见骨折、脱位 denies both. One that is about one side is left out.
    """
    for sentence in _SENTENCE.split(part):
        for clause in _CLAUSE.split(sentence):
            denial = _NOT.search(clause)
            hedged = _HEDGE.search(clause) is not None
            of_a_side = _SIDED.search(clause) is not None  # 右髋未见骨折 says nothing of the left one
            for match in pattern.finditer(clause):
                denied = denial is not None and denial.start() < match.start() and not hedged
                if not (denied and of_a_side):
                    yield match[0].lower(), denied, hedged
