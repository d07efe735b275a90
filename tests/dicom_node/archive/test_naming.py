import pytest
from sqlalchemy import insert, select

from dicom_node.archive.charset import PersonName
from dicom_node.archive.index import names_begin, names_read
from dicom_node.archive.matching import folded
from dicom_node.archive.naming import LONGEST, MOST, asked_for, reading_of, words_of
from dicom_node.archive.tables import patient_table, word_table


def is_found(name: PersonName, text: str) -> bool:
    words = words_of(name)
    return any(all(any(word.startswith(asked) for word in words) for asked in together) for together in asked_for(text))


@pytest.mark.parametrize(
    ("name", "found_by", "not_by"),
    [
        ("王^小明", ["王", "王小", "王小明", "小明", "王 小明"], ["明", "李", ""]),
        ("王^小明", ["wang", "WANGXIAOMING", "wang xiaoming", "wang xiao ming", "wang^xiaoming"], ["li", "xiaoming li"]),
        ("王^小明", ["xiaoming", "xiaomingwang", "wxm", "WX"], ["wxl"]),
        ("王^小明", ["wáng xiǎo míng", "wang2 xiao3 ming2", "wang2xiao3ming2"], []),
        ("王小明", ["王", "wangxiaoming", "wxm", "小明", "xiaoming"], ["ming"]),
        ("WANG^XIAOMING", ["wang", "wxm", "xiaoming wang", "xiao"], ["王", "wmx"]),
        ("单^田芳", ["shan", "shantianfang", "stf", "dantianfang"], ["bantianfang"]),
        ("曾^敏", ["zeng", "zengmin", "zm", "ceng"], []),
        ("解^芳", ["xie", "xiefang", "xf", "jie"], []),
        ("仇^和", ["qiu", "chou"], []),
        ("区^伟", ["ou", "qu"], []),
        ("查^丹", ["zha", "cha"], []),
        ("盖^军", ["ge", "gai"], []),
        ("翟^红", ["zhai", "di"], []),
        ("张^乐", ["zhangle", "zhangyue"], []),
        ("欧阳修", ["ouyang", "ouyangxiu", "oyx", "xiu", "修"], ["阳修"]),
        ("吕^布", ["lv", "lvbu", "lü bu", "lǚ bù", "lyu", "lubu", "lb"], []),
        ("𬭎^㛃䶮", ["𬭎", "hongjieyan", "hjy", "㛃"], []),
        ("Müller^Jürgen", ["muller", "müller", "jürgen m"], ["mvller"]),
        ("홍^길동", ["홍", "홍길동"], []),
        ("やまだ^たろう", ["やまだ", "たろう"], []),
    ],
)
def test_a_name_is_found_by_what_people_type(name, found_by, not_by):
    groups = PersonName(name)
    assert [text for text in found_by if not is_found(groups, text)] == []
    assert [text for text in not_by if is_found(groups, text)] == []


def test_each_group_of_a_name_finds_it():
    name = PersonName("Yamada^Tarou", "山田^太郎", "やまだ^たろう")
    for text in ("yamada", "山田", "やまだ", "太郎"):
        assert is_found(name, text)


def test_an_unread_name_has_no_words_and_a_long_one_has_few():
    assert words_of(PersonName("〓")) == words_of(PersonName("")) == frozenset()
    words = words_of(PersonName("单" * 200))
    assert 0 < len(words) <= MOST
    assert max(map(len, words)) <= LONGEST


def test_what_is_typed_is_looked_up_by_the_beginnings_of_words_on_either_database(database):
    with database.transaction() as db:
        for number, name in enumerate(("王^小明", "WANG^XIAOMING", "李^伟", "Zoë^%_")):
            _insert(db, [(f"{number}", PersonName(name))])
    for text, found in (
        ("wxm", {"0", "1"}),
        ("王", {"0"}),
        ("李伟", {"2"}),
        ("zoe", {"3"}),
        ("%", {"3"}),
        ("a\0b", set()),
        ("'", set()),
    ):
        with database.reading() as db:
            assert set(db.scalars(select(patient_table.c.id).where(names_begin(text)))) == found, text


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("wang*", {"王^小明", "王^芳"}),
        ("Wang^Xiao*", {"王^小明"}),
        ("WANGXIAOMING", {"王^小明"}),
        ("Wang^Xiaoming", {"王^小明"}),
        ("wxm", {"王^小明"}),
        ("wangxiao", set()),
        ("li*", {"李^娜"}),
        ("%*", None),
        ("*ming", None),
        ("w?ng*", None),
        ("wang=王*", None),
        ("王*", None),
        ("*", None),
    ],
)
def test_a_name_in_characters_fits_a_key_in_letters_that_it_is_read_as(database, key, found):
    names = [PersonName("王^小明"), PersonName("WANG^F", "王^芳"), PersonName("", "李^娜"), PersonName("WANG^XIAOMING")]
    reading = reading_of(key)
    if reading is None:
        assert found is None
        return
    with database.transaction() as db:
        _insert(db, [(name.ideographic or name.alphabetic, name) for name in names])
    assert {name.ideographic or name.alphabetic for name in names if reading.fits(name)} == found
    with database.reading() as db:
        assert set(db.scalars(select(patient_table.c.id).where(names_read(reading)))) == found


def test_among_thousands_of_patients_a_name_is_found_without_reading_them_all(database):
    surnames, given = "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平"
    names = [PersonName(f"{a}^{b}{c}") for a in surnames for b in given for c in given][::3]
    with database.transaction() as db:
        _insert(db, [(f"{number:05}", name) for number, name in enumerate(names)])
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql("ANALYZE patient_word")
    query = select(patient_table.c.id).where(names_begin("zhouqiang")).limit(200)
    with database.reading() as db:
        found = db.scalars(query).all()
        plan = "\n".join(str(row) for row in db.execute(_explained(database, query)))
    assert found
    assert "SCAN patient_word" not in plan
    assert "Seq Scan on patient_word" not in plan


def _explained(database, query):
    from sqlalchemy import text  # noqa: PLC0415 - only here

    words = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    return text(f"{words} {query.compile(database.engine, compile_kwargs={'literal_binds': True})}".replace("%%", "%"))


def _insert(db, patients):
    blank = dict.fromkeys(("issuer", "name_ideographic", "name_phonetic", "sex", "birth_date"), "")
    rows = [
        {
            **blank, "id": key, "institution": "lianhua", "patient_id": key, "variant": 0, "name": name.alphabetic,
            "name_folded": folded(name.alphabetic), "name_ideographic": name.ideographic, "name_raw": b"",
            "name_legibility": "stated",
        }
        for key, name in patients
    ]  # fmt: skip
    db.execute(insert(patient_table), rows)
    db.execute(insert(word_table), [{"word": word, "patient_key": key} for key, name in patients for word in words_of(name)])
