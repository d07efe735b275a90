"""A hundred planted errors, and the same reports without them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consult.reports.checks import Writing, remarks

#: Reports without an error, each with what was examined and of whom.
SOUND = [
    Writing(
        "左肺下叶见一结节，大小约12×9 mm，边缘光滑。右肺未见异常。双侧胸腔未见积液。",
        "左肺下叶结节，建议随访。",
        examined="胸部CT平扫",
        sex="M",
    ),
    Writing(
        "右侧基底节区见团片状高密度影，大小约3.2×2.1 cm，周围水肿。中线结构左移0.6 cm。",
        "右侧基底节区脑出血。",
        critical=True,
        examined="颅脑CT",
        sex="F",
    ),
    Writing(
        "左股骨颈骨质连续性中断，断端错位。右髋关节未见骨折。",
        "左股骨颈骨折。",
        examined="左髋关节正侧位",
        reason="左髋摔伤",
        sex="F",
    ),
    Writing("右肾下极见结石，直径约8 mm。左肾未见结石、积水。膀胱充盈良好。", "右肾结石。", examined="泌尿系CT", sex="M"),
    Writing(
        "子宫前位，大小正常，肌层回声均匀。左侧卵巢见囊性回声，大小约2.4×2.0 cm。盆腔未见积液。",
        "左侧卵巢囊肿，建议复查。",
        examined="妇科超声",
        sex="F",
    ),
    Writing("前列腺大小约4.5×3.6×3.9 cm，内回声不均。双肾未见积水。", "前列腺增生。", examined="泌尿系超声", sex="M"),
    Writing(
        "右侧胸腔见气体影，肺组织压缩约60%，纵隔左移。未见骨折。", "右侧张力性气胸。", critical=True, examined="胸片", sex="M"
    ),
    Writing(
        "升主动脉至腹主动脉见内膜片，真假腔形成。心包少量积液。",
        "主动脉夹层（A型）。",
        critical=True,
        examined="主动脉CTA",
        sex="M",
    ),
    Writing(
        "窦性心律，心率 72 次/分，PR间期 156 ms，QRS时限 92 ms，QT间期 388 ms。ST段未见偏移。",
        "正常心电图。",
        examined="十二导联心电图",
        sex="M",
    ),
    Writing("心率 118 bpm，QRS时限 146 ms，V1呈rsR'型。", "窦性心动过速；完全性右束支传导阻滞。", examined="心电图", sex="F"),
    Writing(
        "双肺纹理清晰，未见实变、结节。心影不大。双侧膈面光滑，肋膈角锐利。", "心肺膈未见异常。", examined="胸部正位", sex="F"
    ),
    Writing(
        "右膝关节内侧半月板后角见线状高信号，达关节面。关节腔少量积液。未见骨折。",
        "右膝内侧半月板撕裂。",
        examined="右膝MR",
        reason="右膝扭伤",
        sex="M",
    ),
    Writing(
        "左侧额叶见低密度影，范围约2.0×1.5 cm。未见出血。", "左侧额叶梗死。", examined="颅脑CT", reason="右侧肢体无力", sex="F"
    ),
    Writing("胆囊内见多发强回声伴声影，大者直径约1.1 cm。胆总管未见扩张。", "胆囊结石。", examined="腹部超声", sex="F"),
    Writing(
        "右侧肾上腺见结节，大小约18×15 mm。左侧肾上腺未见异常。", "右侧肾上腺结节，建议增强检查。", examined="上腹部CT", sex="M"
    ),
    Writing(
        "左腕关节桡骨远端骨折，断端轻度错位。尺骨未见骨折。", "左桡骨远端骨折。", examined="左腕正侧位", reason="跌倒", sex="F"
    ),
    Writing("膈下见游离气体。肠管扩张不明显。", "消化道穿孔。", critical=True, examined="立位腹平片", sex="M"),
    Writing(
        "No fracture. Left lung nodule, diameter 9 mm. No pleural effusion.",
        "Left lung nodule, follow up.",
        examined="chest CT",
        sex="M",
    ),
    Writing("肺动脉主干及右肺动脉内见充盈缺损。右侧胸腔少量积液。", "肺动脉栓塞。", critical=True, examined="CTPA", sex="F"),
    Writing(
        "右踝关节外踝见骨折线，断端无移位。左踝未摄片。", "右踝外踝骨折。", examined="右踝正侧位", reason="右踝扭伤", sex="M"
    ),
]

SWAP = str.maketrans("左右", "右左")


def planted():
    """Yield (what was done, the code it should raise, the report with the error)."""
    for sound in SOUND:
        if any(side in sound.impression for side in "左右") and any(side in sound.findings for side in "左右"):
            yield "side", {"side", "side-examined"}, replace(sound, impression=sound.impression.translate(SWAP))
        if sound.critical:
            yield "critical", {"critical-word"}, replace(sound, critical=False)
        wrong = "子宫肌层回声均匀。" if sound.sex == "M" else "前列腺不大。"
        yield "sex", {"sex"}, replace(sound, findings=sound.findings + wrong)
        yield "blank", {"blank"}, replace(sound, findings=sound.findings + "大小约____。")
        for unit, other in ((" mm", " m"), (" cm", " m"), (" ms", " s"), (" mm", ""), (" cm", "")):
            if unit in sound.findings:
                yield "unit", {"unit"}, replace(sound, findings=sound.findings.replace(unit, other, 1))
        denied = next(word for word in ("骨折", "积液", "出血", "脓肿") if word not in sound.findings + sound.impression)
        told, stated = f"{sound.findings}未见{denied}。", f"{sound.findings}可见{denied}。"
        yield "negation", {"negation"}, replace(sound, findings=told, impression=f"{sound.impression}{denied}。")
        yield "negation", {"negation"}, replace(sound, findings=stated, impression=f"{sound.impression}无{denied}。")


PLANTED = list(planted())


def test_of_a_hundred_planted_errors_at_least_ninety_five_are_doubted():
    assert len(PLANTED) >= 100
    caught = [bool(codes & {remark.code for remark in remarks(writing)}) for _, codes, writing in PLANTED]
    missed = [(kind, writing) for (kind, _, writing), found in zip(PLANTED, caught, strict=True) if not found]
    assert sum(caught) / len(caught) >= 0.95, missed


@pytest.mark.parametrize("sound", SOUND, ids=lambda one: one.impression[:12])
def test_a_sound_report_raises_no_doubt(sound):
    assert remarks(sound) == ()


def test_what_has_not_come_is_said():
    [remark] = remarks(replace(SOUND[0], missing=True))
    assert remark.code == "incomplete"


def test_text_that_repeats_itself_is_looked_at_in_no_time_and_doubted_once():
    assert len(remarks(Writing("未见骨折、" * 3000, "骨折" * 3000))) == 1
    assert remarks(Writing("左" * 20_000 + "1 x" * 5000, "大小" * 10_000)) == ()
