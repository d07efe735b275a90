import struct
from collections import Counter
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dicom_node.archive import gb18030
from dicom_node.archive.charset import (
    ASSUMABLE,
    ILLEGIBLE_MARK,
    Legibility,
    Text,
    charsets_of,
    decode,
    display_name,
    person_name,
)
from dicom_node.archive.header import read_header

STATED, REPAIRED, ILLEGIBLE = Legibility.STATED, Legibility.REPAIRED, Legibility.ILLEGIBLE
ESC58 = b"\x1b$)A"
RARE = "𬭎^㛃䶮"


@pytest.mark.parametrize(
    ("raw", "charsets", "name", "legibility"),
    [
        ("王^小东".encode("gb18030"), ("GB18030",), "王^小东", STATED),
        (RARE.encode("gb18030"), ("GB18030",), RARE, STATED),
        ("朱^镕基".encode("gbk"), ("GBK",), "朱^镕基", STATED),
        (RARE.encode(), ("ISO_IR 192",), RARE, STATED),
        ("王^小东".encode("gb18030"), ("GB18030", "ISO IR 192"), "王^小东", STATED),
        ("王^小东".encode(), ("GB18030", "ISO IR 192"), "王^小东", STATED),
        ("王^小东".encode("gb2312"), ("ISO 2022 IR 58",), "王^小东", STATED),
        (ESC58 + "王".encode("gb2312") + b"^" + ESC58 + "小东".encode("gb2312"), ("", "ISO 2022 IR 58"), "王^小东", STATED),
        (ESC58 + "王".encode("gb2312") + b"^" + "小东".encode("gb2312"), ("", "ISO 2022 IR 58"), "王^小东", STATED),
        (ESC58 + "王^小东".encode("gb2312"), ("ISO_IR 100",), "王^小东", REPAIRED),
        ("王^小东".encode("gbk"), ("ISO_IR 100",), "王^小东", REPAIRED),
        ("王^芳".encode("gbk"), ("ISO_IR 100",), "王^芳", REPAIRED),
        ("王^玥".encode("gbk"), (), "王^玥", REPAIRED),
        ("王^小东".encode(), ("ISO_IR 100",), "王^小东", REPAIRED),
        ("王^小东".encode(), ("GB18030",), "王^小东", REPAIRED),
        ("王^小东".encode("gbk"), ("ISO_IR 192",), "王^小东", REPAIRED),
        ("王^小东".encode("gbk")[:-1], ("GB18030",), "王^小", REPAIRED),
        ("王^小东".encode("gbk"), ("KLINGON",), "王^小东", REPAIRED),
        ("Buc^Jérôme".encode("latin_1"), ("ISO_IR 100",), "Buc^Jérôme", STATED),
        ("Buc^Jérôme".encode("latin_1"), (), "Buc^Jérôme", REPAIRED),
        ("Conceição^João".encode("latin_1"), ("ISO_IR 100",), "Conceição^João", STATED),
        ("Люкceмбypг".encode("iso8859_5"), ("ISO_IR 144",), "Люкceмбypг", STATED),
        ("Διονυσιος".encode("iso8859_7"), ("ISO_IR 126",), "Διονυσιος", STATED),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ".encode("shift_jis"), ("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ", STATED),
        ("สมชาย".encode("iso8859_11"), ("ISO_IR 166",), "สมชาย", STATED),
        ("山田^太郎".encode("shift_jis"), ("ISO_IR 100",), ILLEGIBLE_MARK, ILLEGIBLE),
        ("山田^太郎".encode("shift_jis"), ("ISO_IR 13",), "山田^太郎", STATED),
        (b"\xff\xfe\x80\x81", ("ISO_IR 192",), ILLEGIBLE_MARK, ILLEGIBLE),
        (b"\x1b$Zxx", ("ISO 2022 IR 58",), "xx", REPAIRED),
        (b"WANG^FANG ", (), "WANG^FANG", STATED),
        (b"", (), "", STATED),
    ],
)  # fmt: skip
def test_a_name_is_read_as_it_was_meant(raw, charsets, name, legibility):
    read = person_name(raw, charsets)
    assert (read.alphabetic, read.legibility) == (name, legibility)


def test_the_standards_own_examples_are_read():
    chinese = b"Zhang^XiaoDong=" + ESC58 + b"\xd5\xc5^" + ESC58 + b"\xd0\xa1\xb6\xab="
    read = person_name(chinese, ("", "ISO 2022 IR 58"))  # PS3.5 K.2
    assert (read.alphabetic, read.ideographic, read.phonetic) == ("Zhang^XiaoDong", "张^小东", "")
    korean = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
    read = person_name(korean, ("", "ISO 2022 IR 149"))  # PS3.5 I.2
    assert (read.alphabetic, read.ideographic, read.phonetic) == ("Hong^Gildong", "洪^吉洞", "홍^길동")
    japanese = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    read = person_name(japanese, ("", "ISO 2022 IR 87"))  # PS3.5 H.3.1
    assert (read.ideographic, read.phonetic) == ("山田^太郎", "やまだ^たろう")
    utf8 = b"Wang^XiaoDong=" + "王^小東".encode() + b"="
    assert person_name(utf8, ("ISO_IR 192",)).ideographic == "王^小東"  # PS3.5 J.1


def test_more_of_the_standards_own_examples_are_read():
    halfwidth = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
    read = person_name(halfwidth, ("ISO 2022 IR 13", "ISO 2022 IR 87"))  # PS3.5 H.3.2
    assert (read.alphabetic, read.ideographic, read.phonetic) == ("ﾔﾏﾀﾞ^ﾀﾛｳ", "山田^太郎", "やまだ^たろう")
    supplementary = b"\x1b$(D\x22\x6f\x1b(B"  # JIS X 0212, ISO 2022 IR 159
    assert decode(supplementary, ("", "ISO 2022 IR 87", "ISO 2022 IR 159")).legibility is STATED
    gb18030 = b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab="
    assert person_name(gb18030, ("GB18030",)).ideographic == "王^小东"  # PS3.5 J.3
    long_text = b"The first line includes \x1b$)A\xd6\xd0\xce\xc4.\r\nThe second line includes\x1b$)A\xd6\xd0\xce\xc4, too.\r\n"
    assert (
        decode(long_text, ("", "ISO 2022 IR 58")).value == "The first line includes 中文.\r\nThe second line includes中文, too."
    )


@pytest.mark.parametrize(
    ("text", "charset", "codec"),
    [
        ("Wałęsa^Žofia", "ISO_IR 101", "iso8859_2"),
        ("Ġorġ^Ħaż", "ISO_IR 109", "iso8859_3"),
        ("Jānis^Ķēniņš", "ISO_IR 110", "iso8859_4"),
        ("Люксембург", "ISO_IR 144", "iso8859_5"),
        ("قباني^لنزار", "ISO_IR 127", "iso8859_6"),
        ("Διονυσιος", "ISO_IR 126", "iso8859_7"),
        ("שרון^דבורה", "ISO_IR 138", "iso8859_8"),
        ("Çavuşoğlu", "ISO_IR 148", "iso8859_9"),
        ("Œuvre^Žak", "ISO_IR 203", "iso8859_15"),
        ("สมชาย^ใจดี", "ISO_IR 166", "iso8859_11"),
    ],
)
def test_every_single_byte_repertoire_is_read_with_and_without_code_extensions(text, charset, codec):
    raw = text.encode(codec)
    assert decode(raw, (charset,)) == Text(text)
    assert decode(raw, (charset.replace("ISO_IR", "ISO 2022 IR"),)) == Text(text)


def test_gb_18030_of_2022_is_read_and_written_in_every_edition():
    for pair, character in (
        (b"\xfe\x59", "龴"),
        (b"\xfe\x51", "𠂇"),
        (b"\xa6\xd9", "︐"),
        (b"\xa8\xbc", "ḿ"),
        (b"\xfe\xa0", "龻"),
    ):
        assert decode(b"\xcd\xf5" + pair, ("GB18030",)) == Text("王" + character)
        assert gb18030.encode("王" + character) == b"\xcd\xf5" + pair
    assert decode("龴".encode("gb18030"), ("GB18030",)).value == "龴"  # the four bytes of the edition of 2000


@pytest.mark.parametrize(("assumed", "codec"), ASSUMABLE.items())
def test_an_assumed_charset_is_read_whatever_the_label_says(assumed, codec):
    text = {"shift_jis": "山田", "euc_kr": "홍길동", "gb18030": "王小东", "utf_8": "王小东"}.get(codec)
    text = text or bytes((0xE1, 0xE2, 0xE4, 0xE5)).decode(codec)
    for label in ("ISO_IR 100", "ISO_IR 192", "GB18030", "", "KLINGON"):
        if codec != "utf_8" and label == "ISO_IR 192":
            continue
        assert decode(text.encode(codec), (label,), assumed).value == text


def test_an_assumed_charset_gives_way_to_labelled_utf8_and_to_escape_sequences():
    assert decode("王小东".encode(), ("ISO_IR 192",), "GB18030") == Text("王小东")
    assert decode(ESC58 + "王".encode("gb2312"), ("", "ISO 2022 IR 58"), "ISO_IR 13").value == "王"
    assert decode(b"\xff\xff", ("ISO_IR 100",), "ISO_IR 192").value == "ÿÿ"


@pytest.mark.parametrize("text", ["胸部CT平扫", "CT头颅 平扫", "脑MR", "心电图（12导）", "肝、胆", "联通"])
@pytest.mark.parametrize("charsets", [("ISO_IR 100",), ()])
def test_a_description_in_unlabelled_gbk_is_repaired(text, charsets):
    assert decode(text.encode("gbk"), charsets).value == text


def test_a_name_is_shown_the_way_people_write_it():
    assert display_name("Wang^XiaoDong", "王^小东") == "王小东"
    assert display_name("王^小东") == "王小东"
    assert display_name("WANG^Fang") == "WANG Fang"
    assert display_name("", "", "やまだ^たろう") == "やまだ たろう"
    assert display_name("") == ""


def test_the_label_is_parted_with_its_empty_first_value():
    assert charsets_of(b"\\ISO 2022 IR 58") == ("", "ISO 2022 IR 58")


@given(
    st.binary(max_size=80),
    st.sampled_from([(), ("GB18030",), ("ISO_IR 100",), ("", "ISO 2022 IR 58"), ("ISO 2022 IR 87",), ("x",)]),
)
def test_no_bytes_raise_or_leave_control_characters(raw, charsets):
    text = decode(raw, charsets)
    assert not any(character < " " and character not in "\n\r\t\f" for character in text.value)
    assert "\ufffd" not in text.value or b"\xef\xbf\xbd" in raw or b"\x84\x31\xa4\x37" in raw


NAMES = [
    "王^小明", "李^娜", "张^伟", "刘^洋", "陈^静", "杨^敏", "赵^磊", "黄^丽", "周^杰", "吴^秀英",
    "徐^强", "孙^军", "胡^勇", "朱^镕基", "高^艳", "林^霞", "欧阳^修", "诸葛^亮", "司马^光", "上官^婉儿",
    "单^田芳", "曾^敏", "翟^红", "仇^和", "吕^布", "𬭎^㛃䶮", "王^玥", "李^喆", "陈^堃", "张^䶮",
]  # fmt: skip
#: How devices write a name, and what they say it is: as it should be, then against the label.
WRITINGS = [
    ("gb18030", "GB18030"), ("gbk", "GBK"), ("utf_8", "ISO_IR 192"), ("gb2312", "ISO 2022 IR 58"),
    ("escapes", "\\ISO 2022 IR 58"),
    ("gb18030", "ISO_IR 100"), ("gb18030", ""), ("gb18030", "ISO_IR 192"), ("utf_8", "ISO_IR 100"), ("utf_8", "GB18030"),
    ("utf_8", ""), ("escapes", "ISO_IR 100"), ("gb18030", "\\ISO 2022 IR 58"), ("utf_8", "ISO 2022 IR 58"),
]  # fmt: skip


def named(name, written, label):
    """Return a data set with *name*; None where the repertoire lacks one of its characters."""
    try:
        parts = [part.encode("gb2312" if written == "escapes" else written) for part in name.split("^")]
    except UnicodeEncodeError:
        return None
    raw = b"^".join(ESC58 + part if written == "escapes" else part for part in parts)
    values = ((8, 5, b"CS", label.encode()), (8, 0x16, b"UI", b"1.2"), (8, 0x18, b"UI", b"1.3"), (0x10, 0x10, b"PN", raw))
    elements = (*values, (0x20, 0xD, b"UI", b"1.4"), (0x20, 0xE, b"UI", b"1.5"))
    return b"".join(
        struct.pack("<HH2sH", group, element, vr, len(value) + len(value) % 2) + value + b" " * (len(value) % 2)
        for group, element, vr, value in elements
    )


def test_no_name_of_hundreds_is_shown_garbled_however_it_is_written_and_labelled():
    shown = Counter()
    for name, (written, label) in product(NAMES, WRITINGS):
        if (data := named(name, written, label)) is not None:
            read = read_header(memoryview(data), "1.2.840.10008.1.2.1").patient_name
            assert read.alphabetic in {name, ILLEGIBLE_MARK}, (name, written, label)
            shown[read.alphabetic == name] += 1
    assert shown[True] + shown[False] >= 300
    assert shown[False] < 10


def is_utf8(raw):
    try:
        return bool(raw.decode("utf_8"))
    except UnicodeDecodeError:
        return False


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=4))
@example("鐘丏")
def test_any_chinese_name_survives_each_chinese_label(name):
    # Rare characters whose bytes are common ones in UTF-8 are read as those: a wrong label is more common than such a name.
    raw = name.encode("gb18030")
    assume(not is_utf8(raw) or raw[-1:].isalpha())
    for codec, label in (("gb18030", "GB18030"), ("utf_8", "ISO_IR 192")):
        assert decode(name.encode(codec), (label,)).value == name
