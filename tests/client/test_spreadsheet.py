"""Spreadsheets: what a person types, row by row; nothing is taken while a row is bad."""

import csv
import io

import pytest

from ledger.client.drafts import DraftError, check, read_draft
from ledger.client.spreadsheet import COLUMNS, read_spreadsheet
from ledger.client.words import GOES_WITH, UNCLEAR, WORDS
from ledger.core.schemas import schema
from tests import factories
from tests.kit import ORIGIN

PLACE = (factories.HOLDER, "S1", "acid")
GOOD = {
    "record": "movement", "event_time": "2026-03-02 09:30", "direction": "out", "reason": "consumption",
    "code": "7697-37-2", "value": "25.5", "unit": "KGM", "store": "R1", "packaging": "bulk",
}  # fmt: skip
COUNT = {k: v for k, v in GOOD.items() if k not in ("direction", "reason")} | {"record": "stocktake"}


def sheet(*rows, headings=None, encoding="utf-8"):
    columns = headings or list(dict.fromkeys(c for row in rows for c in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(c, "") for c in columns] if isinstance(row, dict) else row)
    return out.getvalue().encode(encoding)


def read(data, **more):
    return read_spreadsheet(data, place=PLACE, log=ORIGIN, **more)


def defects(data, **more):
    with pytest.raises(DraftError) as refused:
        read(data, **more)
    return refused.value.defects


def test_row__movement__becomes_a_record(tmp_path):
    (draft,) = read(sheet(GOOD))
    assert draft.place == PLACE and draft.kind == "movement" and draft.source == "row 2"
    assert draft.event_time == "2026-03-02T09:30:00+08:00"
    assert draft.body == {
        "direction": "out",
        "reason": "consumption",
        "lines": [
            {
                "goods": "chemical",
                "code": "7697-37-2",
                "quantity": {"value": "25.5", "unit": "KGM"},
                "store": "R1",
                "packaging": "bulk",
            }
        ],
    }
    check(draft, log=ORIGIN)


def test_rows__same_group__are_lines_of_one_record():
    first = GOOD | {"group": "D1", "handlers": "H1; H2"}
    second = {"group": "D1"} | {c: GOOD[c] for c in ("record", "event_time", "code", "value", "unit", "store")}
    third = GOOD | {"group": "D2"}
    drafts = read(sheet(first, second, third))
    assert [len(d.body["lines"]) for d in drafts] == [2, 1]
    assert drafts[0].source == "rows 2 to 3"
    assert drafts[0].body["handlers"] == [{"ref": "H1"}, {"ref": "H2"}]


def test_rows__of_a_group_that_differ__are_named():
    data = sheet(GOOD | {"group": "D1"}, GOOD | {"group": "D1", "reason": "sale"})
    assert defects(data) == ["row 3, reason (原因): differs from row 2 of the same group"]


def test_rows__without_group__are_records_of_their_own():
    assert len(read(sheet(GOOD, GOOD, GOOD))) == 3


def test_two_complete_counts_of_one_book_at_one_moment__are_refused__unless_they_are_one_group():
    """Each says that nothing else is there, so that the second would empty the first: goods would seem to be missing."""
    second = COUNT | {"code": "7722-84-1"}
    (defect,) = defects(sheet(COUNT, second))
    assert defect.startswith("row 3, group (单号): a second complete count of this book at the time of row 2's")
    assert len(read(sheet(COUNT | {"group": "C1"}, second | {"group": "C1"}))) == 1
    for other in ({"complete": "no"}, {"event_time": "2026-03-03 09:30"}, {"book": "base"}):
        assert len(read(sheet(COUNT, second | other))) == 2


def test_stocktake__complete_by_default__and_cut_off_at_the_event_time():
    drafts = read(
        sheet(COUNT | {"group": "G", "handlers": "H1"}, COUNT | {"group": "G", "handlers": "H1", "code": "7664-93-9"})
    )
    (draft,) = drafts
    assert draft.body["complete"] is True and draft.body["cut_off"] == "2026-03-02T09:30:00+08:00"
    assert draft.body["counters"] == [{"ref": "H1"}] and len(draft.body["lines"]) == 2
    (partial,) = read(sheet(COUNT | {"complete": "否", "cut_off": "2026-03-01 18:00:05"}))
    assert partial.body["complete"] is False and partial.body["cut_off"] == "2026-03-01T18:00:05+08:00"


def test_chinese_headings_and_words__with_byte_order_mark_or_gb18030__are_read():
    row = {
        "种类": "出入库", "发生时间": "2026-03-02 09:30", "方向": "入库", "原因": "purchase", "编码": "7697-37-2", "数量": "10",
        "单位": "KGM", "库房": "R1", "包装": "密封", "件数": "2", "对方信用代码": factories.OTHER_HOLDER, "对方名称": "示例化工",
    }  # fmt: skip
    for data, encoding in (
        (sheet(row, encoding="utf-8-sig"), "utf-8-sig"),
        (sheet(row, encoding="gb18030"), "gb18030"),
    ):
        (draft,) = read(data, encoding=encoding)
        assert draft.body["direction"] == "in" and draft.body["lines"][0]["pieces"] == 2
        assert draft.body["counterparty"] == {"type": "enterprise", "uscc": factories.OTHER_HOLDER, "name": "示例化工"}


def test_agent__becomes_disclosures_only():
    (draft,) = read(sheet(GOOD | {"reason": "sale", "agent_name": "王五", "agent_id_number": factories.RESIDENT_ID}))
    assert draft.disclosures == {"/body/agent/name": "王五", "/body/agent/id_number": factories.RESIDENT_ID}
    assert factories.RESIDENT_ID not in str(draft.body)


def test_several_bad_rows__are_all_named_with_row_and_column():
    data = sheet(
        GOOD,
        GOOD | {"code": "7697-37-3"},
        GOOD | {"value": "1,5"},
        GOOD | {"event_time": "yesterday"},
        GOOD | {"direction": ""},
        GOOD | {"record": "sale"},
        GOOD | {"packaging": "sealed"},
        GOOD | {"pieces": "two"},
        GOOD | {"counterparty": "91320100MA1P00000X"},
        GOOD | {"counterparty_name": factories.RESIDENT_ID, "counterparty_country": "DE"},
    )
    found = defects(data)
    assert [f.split(":")[0] for f in found] == [
        "row 3, code (编码)",
        "row 4, value (数量)",
        "row 5, event_time (发生时间)",
        "row 6, direction (方向)",
        "row 7, record (种类)",
        "row 8, pieces (件数)",
        "row 9, pieces (件数)",
        "row 10, counterparty (对方信用代码)",
        "row 11, counterparty_name (对方名称)",
    ]
    assert not any(factories.RESIDENT_ID in f for f in found)


def test_bad_line_inside_a_group__is_named_by_its_own_row():
    data = sheet(*[GOOD | {"group": "D1"} for _ in range(3)], GOOD | {"group": "D1", "value": "0.1234567"})
    (found,) = defects(data)
    assert found.startswith("row 5, value")


@pytest.mark.parametrize(
    ("row", "column"),
    [(GOOD | {"complete": "true"}, "complete"), (COUNT | {"purpose": "sale"}, "purpose"), (COUNT | {"reason": "sale"}, "reason"),
     (COUNT | {"counterparty_name": "x"}, "counterparty_name")],
)  # fmt: skip
def test_cell_that_would_be_lost__is_refused(row, column):
    assert any(f"row 2, {column}" in f for f in defects(sheet(row)))


def test_headings__unknown_missing_twice__are_all_named_with_the_known_ones():
    found = defects(sheet({k: v for k, v in GOOD.items() if k != "unit"} | {"colour": "red", "种类": "出入库"}))
    assert any("'colour' is not known" in f for f in found)
    assert any("'unit' (单位) is missing" in f for f in found)
    assert any("'record' stands twice" in f for f in found)
    assert all(column in found[-1] for column in COLUMNS)


def test_file__not_utf8__says_how_to_save_it():
    (found,) = defects(sheet(GOOD | {"batch": "批"}, encoding="gb18030"))
    assert "gb18030" in found


@pytest.mark.parametrize("data", [b"", b"record,event_time,code,value,unit\n", b"\n\n"])
def test_file__empty__is_refused(data):
    assert defects(data)


def test_file__broken_quotes__names_the_line():
    (found,) = defects(b'record,event_time,code,value,unit\nmovement,"2026\n')
    assert "not CSV" in found


def test_row__more_cells_than_headings__is_named():
    (found,) = defects(b"record,event_time,code,value,unit\nmovement,2026-03-02 09:30,7697-37-2,1,KGM,surplus\n")
    assert found.startswith("row 2")


def test_blank_rows__count_as_the_spreadsheet_counts_them():
    data = sheet(GOOD).decode() + "\r\n,,,\r\n" + "movement,2026-03-02 09:30,out,nonsense,7697-37-2,1,KGM,R1,bulk\r\n"
    (found,) = defects(data.encode())
    assert found.startswith("row 5")
    assert "reason" in found


def test_site_and_book_columns__stand_above_the_option():
    (draft,) = read(sheet(GOOD | {"site": "S2", "book": "base"}))
    assert draft.place == (factories.HOLDER, "S2", "base")


def test_offset__not_one__is_refused():
    assert "no offset" in defects(sheet(GOOD), utc_offset="Beijing")[0]


def test_record_file__is_read_with_defaults_and_named_when_wrong():
    import json

    document = {"kind": "movement", "event_time": factories.TIME, "body": factories.body("movement")}
    defaults = {"enterprise": factories.HOLDER, "site": "S1", "book": "acid"}
    draft = read_draft(json.dumps(document).encode(), "a.json", defaults=defaults)
    check(draft, log=ORIGIN)
    assert draft.place == PLACE and draft.source == "a.json"
    for bad in (
        b"{", b"[]", b"\xff", json.dumps(document | {"seq": 3}).encode(), json.dumps({"kind": "movement"}).encode(),
        json.dumps(document | {"body": []}).encode(), json.dumps(document | {"disclosures": {"/body/agent/name": 3}}).encode(),
    ):  # fmt: skip
        with pytest.raises(DraftError) as refused:
            read_draft(bad, "bad.json", defaults=defaults)
        assert refused.value.defects[0].startswith("bad.json")
    with pytest.raises(DraftError, match="--site"):
        read_draft(json.dumps(document).encode(), "a.json", defaults={"enterprise": factories.HOLDER, "book": "acid"})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026/11/20 9:30", "2026-11-20T09:30:00+08:00"),
        ("2026/1/2 9:05:07", "2026-01-02T09:05:07+08:00"),
        ("2026-1-2 9:05", "2026-01-02T09:05:00+08:00"),
        ("2026/11/20 09:30", "2026-11-20T09:30:00+08:00"),
        ("2026年11月2日 9:30", "2026-11-02T09:30:00+08:00"),
        ("2026-11-20T09:30", "2026-11-20T09:30:00+08:00"),
    ],
)
def test_time__as_excel_saves_it__is_read_in_the_given_zone(typed, meant):
    (draft,) = read(sheet(GOOD | {"event_time": typed}))
    assert draft.event_time == meant
    (draft,) = read(sheet(GOOD | {"event_time": typed}), utc_offset="+09:00")
    assert draft.event_time == meant.replace("+08", "+09")


@pytest.mark.parametrize("typed", ["2026/2/30 9:30", "2026/13/1 9:30", "2026/11/20 24:30", "2026/11/20 9:60"])
def test_time__of_no_calendar__is_refused_by_row(typed):
    (found,) = defects(sheet(GOOD | {"event_time": typed}))
    assert found.startswith("row 2, event_time (发生时间): ") and "2026-11-20 08:00" in found and "upper case" not in found


def test_expires__as_excel_saves_a_date__is_a_date_of_the_record():
    for typed in ("2027/3/1", "2027-03-01", "2027年3月1日"):
        (draft,) = read(sheet(GOOD | {"expires": typed}))
        assert draft.body["lines"][0]["expires"] == "2027-03-01"
    assert "expires" in defects(sheet(GOOD | {"expires": "3/1/2027"}))[0]


CHINESE = {
    "种类": "出入库", "发生时间": "2026/3/2 9:30", "方向": "出库", "原因": "sale", "编码": "7697-37-2", "数量": "10", "单位": "KGM",
    "库房": "R1", "包装": "散装", "对方信用代码": factories.OTHER_HOLDER, "对方名称": "示例化工", "代理人姓名": "王五",
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_file__as_excel_saves_it_in_chinese__is_read_without_saying_how(encoding):
    (draft,) = read(sheet(CHINESE, encoding=encoding))
    assert draft.body["counterparty"]["name"] == "示例化工" and draft.disclosures == {"/body/agent/name": "王五"}


def test_file__bytes_of_another_code_page_under_english_headings__nobody_s_name_is_guessed():
    row = GOOD | {"reason": "sale", "agent_name": "Müller", "counterparty": factories.OTHER_HOLDER}
    (found,) = defects(sheet(row, encoding="latin-1"))
    assert "not UTF-8" in found and "gb18030" in found


def test_file__utf_16_or_other_separators__says_how_to_save_it():
    assert "UTF-16" in defects(sheet(GOOD, encoding="utf-16"))[0]
    assert "separated by ';'" in defects(sheet(GOOD).replace(b",", b";"))[0]
    assert "separated by '\\t'" in defects(sheet(GOOD).replace(b",", b"\t"))[0]


def test_columns_and_rows__empty_ones_that_were_once_touched__are_nothing():
    lines = sheet(GOOD).decode().split("\r\n")
    data = f"{lines[0]},,,\r\n{lines[1]},, ,\r\n,,,,,,,,,,,\r\n,\r\n".encode()
    (draft,) = read(data)
    assert draft.source == "row 2"
    middle = "record,,event_time,direction,reason,code,value,unit,store,packaging\nmovement,{},2026-03-02 09:30,out,consumption,7697-37-2,1,KGM,R1,bulk\n"
    assert len(read(middle.format("").encode())) == 1
    assert "row 2: a cell stands under no heading" in defects(middle.format("x").encode())[0]


@pytest.mark.parametrize("typed", ["20 Nov", "11/20/2026 9:30", "2026/11-20 9:30", "2026/11/20", "20.11.2026 09:30"])
def test_row__time_as_people_type_it__says_how_to_write_it(typed):
    (found,) = defects(f"record,event_time,code,value,unit,direction,reason,store,packaging\nmovement,{typed},7697-37-2,1,KGM,in,purchase,R1,bulk\n".encode())
    assert typed in found and "2026-11-20 08:00" in found and "RFC 3339" in found


@pytest.mark.parametrize("typed", ["68", "68%", "68 %", "68％"])
def test_concentration__with_or_without_its_sign__is_percent(typed):
    (draft,) = read(sheet(GOOD | {"concentration": typed}))
    assert draft.body["lines"][0]["concentration"] == "68"


@pytest.mark.parametrize("typed", ["about 68", "68 %vol", "6 8", "%", "68 %%", "-1", "１"])
def test_concentration__no_number__says_how_to_write_it(typed):
    found = defects(sheet(GOOD | {"concentration": typed}))
    assert found[0].startswith("row 2, concentration (浓度): ") and "such as 68" in found[0]


def test_concentration__above_100__is_named_by_the_schema():
    (found,) = defects(sheet(GOOD | {"concentration": "168 %"}))
    assert found.startswith("row 2, concentration (浓度): ") and "0 to 100" in found


def chinese(reason, direction="出库", **more):
    return CHINESE | {"方向": direction, "原因": reason} | more


@pytest.mark.parametrize(
    ("typed", "direction", "reason"),
    [
        ("采购", "入库", "purchase"), ("购买", "入库", "purchase"), ("销售", "出库", "sale"), ("领用", "出库", "issue"), ("退库", "入库", "return"),
        ("退回", "入库", "return"), ("生产", "入库", "production"), ("使用", "出库", "consumption"), ("消耗", "出库", "consumption"),
        ("调拨", "出库", "transfer"), ("稀释", "出库", "dilution"), ("处置", "出库", "disposal"), ("盘盈", "入库", "found"), ("发现", "入库", "found"),
    ],
)  # fmt: skip
def test_reason__in_chinese__is_one_word_of_the_record(typed, direction, reason):
    (draft,) = read(sheet(chinese(typed, direction)))
    assert draft.body["reason"] == reason


def test_row__all_words_in_chinese__is_read():
    (draft,) = read(sheet(chinese("损耗", 损耗原因="挥发", 单位="千克", 形态="溶液", 付款方式="现金", 类别="化学品", 包装="密封", 件数="2")))
    assert (draft.body["reason"], draft.body["loss_cause"], draft.body["payment_method"]) == ("loss", "evaporation", "cash")
    (line,) = draft.body["lines"]
    assert (line["quantity"]["unit"], line["form"], line["packaging"], line["goods"]) == ("KGM", "solution", "sealed", "chemical")


def test_words__are_those_of_the_schema_and_each_has_one_meaning():
    movement, common = (schema(name)["$defs"] for name in ("movement", "_common"))
    body, line = movement["body"]["properties"], common["line"]["properties"]
    for column, held in (
        ("direction", body["direction"]), ("reason", body["reason"]), ("loss_cause", body["loss_cause"]), ("goods", common["goods"]),
        ("payment_method", body["payment_method"]), ("packaging", line["packaging"]), ("unit", common["quantity"]["properties"]["unit"]),
    ):  # fmt: skip
        assert set(WORDS[column]) == set(held["enum"]), column
    for branch in movement["body"]["anyOf"]:
        assert set(GOES_WITH[branch["properties"]["direction"]["const"]]) == set(branch["properties"]["reason"]["enum"])
    for column, words in WORDS.items():
        said = [word for chinese_words in words.values() for word in chinese_words] + list(UNCLEAR.get(column, {}))
        assert len(said) == len(set(said)), column


@pytest.mark.parametrize(("column", "words"), UNCLEAR.items())
def test_word__that_may_mean_two_things__is_refused_with_a_sentence(column, words):
    for word, sentence in words.items():
        (found,) = defects(sheet(chinese("使用", **{COLUMNS[column]: word}) if column != "loss_cause" else chinese("损耗", 损耗原因=word)))
        assert found == f"row 2, {column} ({COLUMNS[column]}): {word} {sentence}"


@pytest.mark.parametrize(
    ("cells", "column", "listed"),
    [
        ({"原因": "赠送"}, "reason", "sale (销售), issue (领用)"), ({"包装": "半满"}, "packaging", "sealed (密封), bulk (散装)"),
        ({"形态": "凝胶"}, "form", "solution (溶液)"), ({"单位": "kg"}, "unit", "KGM (千克)"), ({"方向": "上"}, "direction", "in (入库), out (出库)"),
        ({"类别": "酸"}, "goods", "chemical (化学品)"), ({"原因": "损耗", "损耗原因": "x"}, "loss_cause", "evaporation (挥发)"),
        ({"种类": "销售"}, "record", "movement (出入库), stocktake (盘点)"), ({"付款方式": "x"}, "payment_method", "cash (现金)"),
    ],
)  # fmt: skip
def test_word__unknown__the_words_that_may_stand_there_are_named(cells, column, listed):
    (found,) = defects(sheet(CHINESE | cells))
    assert found.startswith(f"row 2, {column} ({COLUMNS[column]}): {cells[COLUMNS[column]]!r} is not known; write one of ")
    assert listed in found and '["' not in found


def test_reason__that_does_not_go_with_the_direction__names_those_that_do():
    (found,) = defects(sheet(chinese("销售", "入库")))
    assert "sale (销售) does not go with in (入库); with it go purchase (采购)" in found and "disposal" not in found


def test_all_faults_of_a_row_and_of_the_file__are_reported_at_once():
    worst = GOOD | {
        "event_time": "20 Nov", "reason": "gift", "code": "7697-37-3", "value": "1,5", "unit": "kg", "packaging": "open", "pieces": "two",
        "concentration": "168", "form": "凝胶", "expires": "2027-02-30", "handlers": "王五", "purpose": "Something", "expected_arrival": "soon",
        "counterparty": "91320100MA1P00000X",
    }  # fmt: skip
    found = defects(sheet(worst, GOOD, GOOD | {"value": "", "code": "x y"}))
    columns = [text.split(" (")[0] for text in found]
    assert sorted(columns[:-2]) == sorted(f"row 2, {c}" for c in worst if c not in ("record", "direction", "store"))
    assert sorted(columns[-2:]) == ["row 4, code", "row 4, value"]
    assert "write it as 2027-03-01" in next(text for text in found if "expires" in text)


def test_one_fault__brings_no_other_with_it():
    knife = GOOD | {"goods": "knife", "code": "K1", "unit": "H87", "value": "3", "store": "", "packaging": ""}
    for row, column in (
        (GOOD | {"reason": "gift", "loss_cause": "spill"}, "reason"), (knife | {"goods": "sword"}, "goods"), (knife | {"unit": "pc"}, "unit"),
        (GOOD | {"packaging": "open", "pieces": "2"}, "packaging"), (GOOD | {"packaging": "sealed"}, "pieces"), (GOOD | {"store": ""}, "store"),
        (GOOD | {"reason": "loss"}, "loss_cause"), (COUNT | {"cut_off": "noon"}, "cut_off"), (COUNT | {"event_time": ""}, "event_time"),
    ):  # fmt: skip
        (found,) = defects(sheet(row))
        assert found.startswith(f"row 2, {column} ("), found


def test_a_hopeless_file__is_answered_soon():
    assert len(defects(sheet(*[GOOD | {"value": "x", "code": "x y", "batch": "\x01"}] * 2000))) >= 2000
