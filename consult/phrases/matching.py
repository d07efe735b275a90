"""Which templates fit a study: of its modality, of a region that was examined, of its lane."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from consult.phrases.model import Keeper, Phrase, Region
from consult.requests.model import Lane

_KEEPERS = tuple(Keeper)

#: What regions are called in BodyPartExamined (PS3.16 Annex L) and in descriptions; the most particular first, for 胸椎 is
#: not the chest. What was understood is not read again.
_CALLED: tuple[tuple[Region, re.Pattern[str]], ...] = tuple(
    (region, re.compile(words, re.IGNORECASE))
    for region, words in (
        (Region.SPINE, r"[颈胸腰骶尾]椎|脊柱|椎间盘|腰骶|[CTLS]{1,2}[- ]?SPINE|SPINE|COCCYX|SACRUM|lumbar|cervical sp"),
        (Region.OBSTETRIC, r"产科|胎儿|早孕|中孕|晚孕|妊娠|FETUS|FETAL|UTERUS GRAVID|obstetric|pregnan"),
        (Region.BREAST, r"乳腺|乳房|钼靶|BREAST|mammo"),
        (Region.HEART, r"心脏|心超|超声心动|冠状动脉|冠脉|HEART|CARDIAC|CORONARY|echocardio"),
        (Region.URINARY, r"泌尿|肾|输尿管|膀胱|前列腺|KIDNEY|URETER|BLADDER|PROSTATE|KUB|urinary|renal"),
        (Region.NECK, r"颈部|甲状腺|颈动脉|喉|咽|NECK|THYROID|CAROTID|LARYNX|PHARYNX"),
        (Region.HEAD, r"头|颅|脑|鼻窦|眼眶|颞骨|垂体|HEAD|BRAIN|SKULL|SINUS|ORBIT|PITUITARY|stroke"),
        (Region.CHEST, r"胸|肺|肋|纵隔|CHEST|LUNG|THORAX|RIB\b|RIBS\b|MEDIASTINUM|STERNUM"),
        (Region.PELVIS, r"盆|子宫|附件|卵巢|PELVIS|UTERUS|OVARY|gyn"),
        (Region.ABDOMEN, r"腹|肝|胆|胰|脾|胃|肠|阑尾|ABDOMEN|LIVER|GALLBLADDER|PANCREAS|SPLEEN|STOMACH|COLON"),
        (
            Region.LIMB,
            (
                r"四肢|肩|肘|腕|手|指|髋|股骨|膝|胫|腓|踝|足|趾|跟骨|肱骨|尺|桡|锁骨|关节|SHOULDER|CLAVICLE|SCAPULA|HUMERUS|ELBOW|"
                r"FOREARM|WRIST|HAND|FINGER|THUMB|HIP|FEMUR|LEG|KNEE|PATELLA|TIBIA|FIBULA|ANKLE|FOOT|TOE|CALCANEUS|EXTREMITY"
            ),
        ),
    )
)


def regions_in(words: Iterable[str]) -> frozenset[Region]:
    """Return the regions that body parts and descriptions name; empty when none is understood."""
    found, left = set(), "\n".join(words)
    for region, called in _CALLED:
        left, times = called.subn(" ", left)
        if times:
            found.add(region)
    return frozenset(found)


def fits(phrase: Phrase, modalities: Collection[str], regions: Collection[Region], lane: Lane) -> bool:
    """Tell whether a template is of such a study: of one whose region nobody named only what is of any region."""
    said = phrase.wording
    of_modality = not said.modalities or not set(said.modalities).isdisjoint(modalities)
    of_region = not said.regions or not set(said.regions).isdisjoint(regions)
    return of_modality and of_region and (not said.lanes or lane in said.lanes)


def in_order(phrases: Iterable[Phrase]) -> list[Phrase]:
    """Return phrases as they are offered: one's own first, and of each keeper what is made for a lane, in their own order.

    What was copied stands in the place of what it was copied from.
    """
    offered = list(phrases)
    copied = {phrase.based_on for phrase in offered}
    kept = [phrase for phrase in offered if phrase.id not in copied]
    return sorted(kept, key=lambda phrase: (_KEEPERS.index(phrase.keeper), not phrase.wording.lanes))
