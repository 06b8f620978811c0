"""What the law is called that a rule rests on, on what ground its limits stand, and what its order form asks for: for people,
in both languages.

Rule files name a law by a short English reference (`Decree 591 art. 23(1)`) and a form by a code (`RECT-COUNT`). Neither says
anything to who has to act on an alert. What is written here explains; what is signed is the reference and the code.
"""

from __future__ import annotations

import re
from types import MappingProxyType

_LAWS: dict[str, tuple[str, str]] = {
    "Decree 591": ("《危险化学品安全管理条例》（国务院令第591号）", "Regulations on hazardous chemicals (Decree 591)"),
    "Decree 445": ("《易制毒化学品管理条例》（国务院令第445号）", "Regulations on drug precursors (Decree 445)"),
    "MPS Order 154": (
        "《易制爆危险化学品治安管理办法》（公安部令第154号）",
        "Measures on explosive precursors (MPS Order 154)",
    ),
    "Counter-Terrorism Law": ("《反恐怖主义法》", "Counter-Terrorism Law"),
    "Hazardous Chemicals Safety Law": ("《危险化学品安全法》", "Hazardous Chemicals Safety Law"),
    "1983 Provisional Rule on controlled knives": (
        "《对部分刀具实行管制的暂行规定》（公安部，1983年）",
        "Provisional rule on controlled knives (MPS, 1983)",
    ),
    "MPS standard for controlled knives 2007": (
        "《管制刀具认定标准》（公安部，2007年）",
        "Standard for controlled knives (MPS, 2007)",
    ),
    "MOT Order 2019 No. 29": (
        "《危险货物道路运输安全管理办法》（交通运输部令2019年第29号）",
        "Measures on dangerous goods by road (MOT Order 29 of 2019)",
    ),
    "GB 18218-2018": ("GB 18218-2018《危险化学品重大危险源辨识》", "GB 18218-2018, major hazard installations"),
    "GB 15603-2022": ("GB 15603-2022《危险化学品仓库储存通则》", "GB 15603-2022, storage of hazardous chemicals"),
    "GB 11643-1999": ("GB 11643-1999《公民身份号码》", "GB 11643-1999, citizens' ID numbers"),
    "GA 1511-2018": (
        "GA 1511-2018（易制爆危险化学品储存场所治安防范）",
        "GA 1511-2018 (stores of explosive precursors)",
    ),
    "GA 1511 and GA 1002": ("GA 1511、GA 1002（储存场所治安防范）", "GA 1511 and GA 1002 (security of stores)"),
    "EU 2019/1148": ("欧盟第2019/1148号条例（借鉴）", "Regulation (EU) 2019/1148 (as a model)"),
    "10 CFR 74.53": ("美国联邦法规 10 CFR 74.53（检验方法借鉴）", "10 CFR 74.53 (as the model of the test)"),
    "40 CFR 264.72": ("美国联邦法规 40 CFR 264.72（限值借鉴）", "40 CFR 264.72 (as the model of the limit)"),
    "engineering default": ("平台工程默认值（无专门法条）", "An engineering default; no article of a law"),
    "audit": ("平台内部监督要求（无专门法条）", "The platform's own audit; no article of a law"),
}
_UNREAD = re.compile(
    r"GA 1511|GA 1002|Hazardous Chemicals Safety Law|MPS Order 154 art\. (?:1[0-9]|2[0-46-9]|3[0-5])\b"
)
"""Texts that were not at hand when the rules were written (the design's domain.md): who cites them reads them first."""
_PLACE = re.compile(r"(?:art|cl)\. ([0-9]+)|\(([0-9]+)\)|\(([a-z])\)")
_DIGITS = "零一二三四五六七八九"

_FORMS: dict[str, tuple[str, str, str, str]] = {
    "RECT-COUNT": (
        "复盘并说明差异", "Count again and explain",
        "责令当日会同两人复盘，核对出入库单据；查明是漏记、误记还是丢失。属丢失、被盗的，立即按案件处置。",
        "Have it counted again today by two persons and compared with the papers: is it a slip, or is something gone? What was lost or stolen is a case at once.",
    ),
    "RECT-BOOKS": (
        "补记或更正台账", "Complete or correct the book",
        "责令说明原因，补报缺少的记录，或以更正记录改正；不得另立新账。",
        "Ask for the cause; what is missing is recorded now, what is wrong is corrected by a signed correction, never by a new book.",
    ),
    "RECT-RECORD": (
        "按时逐笔记录", "Record as it happens",
        "责令改为事发即报；核对集中上传的记录与原始单据、监控是否一致。",
        "Records are to be made as things happen; compare what came at once with papers and cameras.",
    ),
    "RECT-WEIGHING": (
        "校准计量并核对损耗", "Check scales and losses",
        "责令提供计量器具检定证书和损耗依据；必要时现场复秤。",
        "Ask for the certificates of the scales and the grounds of the loss; weigh again on the spot if need be.",
    ),
    "RECT-FLOW": (
        "核对双方流向", "Reconcile both ends",
        "分别联系供需双方，核对发货单、收货单与实物；数量不符或无人确认的，当日查清去向。",
        "Ask seller and buyer each for their papers and the goods; where the amounts differ or nobody confirms, find out today where the goods are.",
    ),
    "RECT-TRANSIT": (
        "查明在途车辆", "Find the goods on the road",
        "立即联系承运人和驾驶员，确认车辆与货物位置；联系不上的按丢失处置。",
        "Call carrier and driver now and establish where vehicle and goods are; if nobody answers, treat it as a loss.",
    ),
    "RECT-LICENCE": (
        "核验许可并停止超范围交易", "Check the licence, stop what it does not cover",
        "核验许可证或备案证明原件；无效、超量或超范围的，责令停止交易并封存涉及数量。",
        "Check the original licence or filing; where it is void, used up or does not cover it, the trade stops and the amount is sealed.",
    ),
    "RECT-FILING": (
        "补办备案", "File what is missing",
        "责令在期限内向公安机关补报销售、购买备案，买卖双方均须备案。",
        "The sale or purchase is filed with the police within the time set; seller and buyer both file.",
    ),
    "RECT-TRADE": (
        "纠正违规交易", "Undo the unlawful trade",
        "责令追回货物或补正付款凭证；固定购买人信息和交易证据。",
        "The goods are fetched back, or the payment's papers completed; secure who bought and what proves it.",
    ),
    "RECT-IDENTITY": (
        "补核身份信息", "Establish the identity",
        "责令补登有效身份证件并核对本人；核验不了的，停止向其销售。",
        "A valid paper is recorded and compared with the person; who cannot be identified is sold nothing.",
    ),
    "RECT-PERSONS": (
        "补登人员与培训", "Enrol and train the handlers",
        "责令补报经手人登记和培训记录；未登记的人员不得经手。",
        "Enrolment and training of the handler are reported; who is not enrolled does not handle.",
    ),
    "RECT-CUSTODY": (
        "落实双人收发", "Two persons at every receipt and issue",
        "责令说明单人收发原因并即时改正；调取监控核对当次收发。",
        "Ask why one person was alone and have it put right now; compare with the cameras.",
    ),
    "RECT-STORAGE": (
        "分库存放或减量", "Store apart, or less",
        "责令立即移库分存或降低存量，附移库记录和照片；必要时到场检查。",
        "The goods are moved apart or reduced at once, with the movement recorded and photographs; visit if need be.",
    ),
    "RECT-MAJOR-HAZARD": (
        "重大危险源备案", "File the major hazard",
        "核对存量与单元划分；构成重大危险源的，督促备案并通报应急管理部门。",
        "Check amounts and units; where it is a major hazard, it is filed and the emergency management authority is told.",
    ),
    "RECT-DISPOSAL": (
        "依法处置库存", "Dispose of the stock",
        "责令提交处置方案，交有资质单位处置，由接收方确认。",
        "A plan of disposal is handed in; a qualified firm takes the goods and confirms it.",
    ),
    "RECT-OVERDUE": (
        "催办或升级整改", "Press for what was ordered",
        "联系负责人，问明原因；无正当理由的，上门核查并依法处罚或移送。",
        "Ask the person in charge why; without good reason visit, and fine or refer as the law says.",
    ),
    "RECT-KNIVES": (
        "纠正违规售刀", "Undo the unlawful sale of a knife",
        "责令补齐登记，追回违规售出的刀具；向未成年人或无证销售的依法处理。",
        "The record is completed and what was sold unlawfully is fetched back; sales to minors or without a permit are dealt with as the law says.",
    ),
    "RECT-RENTAL": (
        "补核承租人身份", "Identify who rents",
        "责令核对承租人、驾驶人证件；无法核实的，停止出租并追回车辆。",
        "Papers of renter and drivers are checked; where that fails, the vehicle is fetched back.",
    ),
    "CASE-LOSS": (
        "按丢失被盗案件处置", "Treat as a case of loss or theft",
        "立即出警，封控现场，清点库存，调取监控；同步上报并通报有关部门。",
        "Go there now: close the place, count the stock, take the recordings; report upwards and tell the other authorities.",
    ),
    "CHECK-PURPOSE": (
        "核实购买用途", "Ask what it is for",
        "联系购买人和销售单位，核实用途、用量和去向；说不清的，上门核查。",
        "Ask buyer and seller what it is for, how much is used and where it went; visit where the answer does not fit.",
    ),
    "CHECK-CCTV": (
        "调看监控", "Look at the cameras",
        "调取该时段监控和值班记录，核对人员、车辆和货物；作业时段有变的，责令重新报备。",
        "Take the recordings and the guard's book of that time; where working hours changed, they are stated anew.",
    ),
    "CHECK-IDENTITY": (
        "核实经办人身份", "Establish who acts for whom",
        "核对经办人的授权委托和劳动关系；有冒用的，通知各相关企业。",
        "Check the agent's authority from each enterprise; where a name was abused, tell all of them.",
    ),
    "CHECK-TOKENS": (
        "核查密钥保管", "Check who holds the keys",
        "现场核对两把密钥是否由两人分别保管和使用。",
        "Check on the spot that two persons hold and use the two keys.",
    ),
    "CHECK-THEFT": (
        "核查车辆下落", "Find the vehicle",
        "联系承租人和出租单位，查询车辆位置；联系不上的按侵占、盗窃受理。",
        "Call renter and firm and find the vehicle; if nobody answers, take it up as misappropriation or theft.",
    ),
    "REVIEW-PERSON": (
        "人工研判", "For an authorised officer to judge",
        "由授权民警查看关联记录后研判；不得仅凭本提示采取措施。",
        "An authorised officer reads the records and judges; this alone is no ground for a measure.",
    ),
    "REVIEW-CLOSING": (
        "复核结案", "Review how it was closed",
        "复核该预警的处置过程。已关闭的预警不能重新打开：请在关闭本条预警时补记所缺证据；同类情况再次发生时会产生新的预警。",
        "Review how the alert was handled. A closed alert stays closed: state the missing evidence when you close this one; if the same comes again, it is a new alert.",
    ),
    "RISK-GRADE": (
        "调整风险等级", "Raise the risk grade",
        "提高该单位风险等级，安排突击检查并约谈负责人。",
        "Raise the enterprise's grade, visit unannounced, and call in who is in charge.",
    ),
}  # fmt: skip

_DEFAULT = "engineering default"
_GROUNDS: dict[str, str] = {
    "40 CFR 264.72: 10 % by weight": "美国联邦法规 40 CFR 264.72：按重量计 10 %",
    "GA 1511, GA 1002 and practice: daily check; from memory": "GA 1511、GA 1002 及实践做法：每日检查（原文待核对）",
    "Iglewicz and Hoaglin (ASQC 1993): modified z above 3.5, in thousandths": "Iglewicz 与 Hoaglin（ASQC 1993）：修正 z 值大于 3.5，以千分之一计",
    "Iglewicz and Hoaglin 1993, in thousandths": "Iglewicz 与 Hoaglin（1993），以千分之一计",
    "catalogue F03: three confirmed in 90 days": "规则目录 F03：90 天内三次查实",
    "catalogue F04: nobody looks into a finding in less": "规则目录 F04：更短的时间内无人能查清一条预警",
    "cn.road_ban, minute of the day": "法定参数 cn.road_ban，以当日第几分钟计",
    "one-sided 0.135 % a run": "单侧，每批 0.135 %",
    "set to 1 where the authority takes the signed records of both ends for the filing": "主管机关以双方签名记录代替备案的，设为 1",
    "suspicious-order methods (Rafalski): three times the trailing twelve-month mean, in ppm": "可疑订单方法（Rafalski）：此前十二个月均值的三倍，以百万分之一计",
    "suspicious-order methods (Rafalski): twice the trailing twelve-month mean, in ppm": "可疑订单方法（Rafalski）：此前十二个月均值的两倍，以百万分之一计",
    "thousandths of sigma; one-sided 0.0032 % a balance": "以千分之一 σ 计；单侧，每次平衡 0.0032 %",
    "thousandths of sigma; one-sided 0.0233 % a balance": "以千分之一 σ 计；单侧，每次平衡 0.0233 %",
    "thousandths of sigma; page_test_arl.csv k=0.25 h=10, run length 2,071 without a loss": "以千分之一 σ 计；page_test_arl.csv，k=0.25、h=10，无损失时平均运行长度 2,071",
    "thousandths of sigma; page_test_arl.csv k=1.0 h=3.5, run length 5,341 without a loss": "以千分之一 σ 计；page_test_arl.csv，k=1.0、h=3.5，无损失时平均运行长度 5,341",
    "thousandths of sigma; the limit of A05": "以千分之一 σ 计；与 A05 的限值相同",
    _DEFAULT: "平台工程默认值",
}  # fmt: skip
_OF_THE_DEFAULT: dict[str, str] = {
    " (catalogue B08)": "规则目录 B08",
    " (catalogue B10)": "规则目录 B10",
    " (catalogue B13): 0.2, in ppm": "规则目录 B13：0.2，以百万分之一计",
    " (catalogue B13): twelve months": "规则目录 B13：十二个月",
    " (catalogue D07)": "规则目录 D07",
    " for days without movement": "适用于没有出入库的日子",
    " for other goods": "适用于其他物品",
    ", after Decree 591 art. 41(2)": "参照国务院令第591号第四十一条（2）",
    ", mg or microlitres": "以毫克或微升计",
    ", mg or microlitres in 30 days": "30 天内，以毫克或微升计",
    ", mg or microlitres: 400 lb, the CFATS screening quantity of most precursors (expired 2023-07-28)": "以毫克或微升计；400 磅，美国 CFATS 对多数前体的筛查量（2023-07-28 失效）",
    ", mg or microlitres; the floor of A05": "以毫克或微升计；与 A05 的下限相同",
    ", minute of the day": "以当日第几分钟计",
    ", parts per million": "以百万分之一计",
    ", parts per million a month: 0.05 %": "每月，以百万分之一计：0.05 %",
    ", parts per million a month: 0.5 %, what is no solid by its unit, form, hazards, or its tank": "每月，以百万分之一计：0.5 %，适用于按单位、形态、危险性或储罐看不是固体的物品",
    ", parts per million of the stated standard deviation": "所报标准差的百万分之一",
    ", permille": "以千分之一计",
    ", ppm": "以百万分之一计",
    ", ppm of the receipt": "收货量的百万分之一",
    ", ppm of the records": "记录数的百万分之一",
    ": 0.5 %": "0.5 %",
    ": a declared certificate is to be checked within five days": "申报的许可证应在五天内核验",
    ": an order is overdue when its time is over": "整改期限届满即为逾期",
    ": both sides of a run are recorded within a day": "一批生产的投入和产出应在一天内记录",
    ": twice the time": "时间的两倍",
    "; a consignment may be unloaded in parts": "一批货物可以分次卸货",
    "; a slip of the last days is put right as it should be": "更正近几日的笔误属正常",
    "; clocks differ": "各方时钟有偏差",
    "; records of one minute may come in any order": "同一分钟内的记录先后不定",
    '; the law says "immediately" (Decree 591 art. 23 and 51)': "法规要求“立即”（国务院令第591号第二十三条、第五十一条）",
    "; two weighbridges differ by 0.1 to 0.3 %": "两台地磅可相差 0.1 % 至 0.3 %",
}  # fmt: skip
_LEGAL_PARAMETER = re.compile(
    r"(?:legal_params\.csv: |legal parameter )?(cn[0-9]*\.[a-z0-9_.]+|[a-z]+[0-9]+\.[A-Za-z0-9_.]+)"
)

LANGUAGES = MappingProxyType({"zh": 0, "en": 1})


def law(reference: str, language: str) -> str:
    """A rule file's reference as people cite it, with the article; a reference of unknown form stands as it is."""
    at = LANGUAGES[language]
    name = next((known for known in sorted(_LAWS, key=len, reverse=True) if reference.startswith(known)), None)
    if name is None:
        return reference
    rest = reference[len(name) :]
    text = _LAWS[name][at]
    if "CFR" not in name:
        text += (
            _chinese_place(rest) if at == 0 else rest.partition(", ")[0].partition(";")[0].replace(" (from memory)", "")
        )
    if _UNREAD.search(reference):
        text += ("（条文原文待核对）", " (text still to be checked)")[at]
    return text


def ground(basis: str, language: str) -> str:
    """On what a limit of a rule file stands; a text of unknown form stands as the file has it, which is English."""
    if LANGUAGES[language] or not basis:
        return basis
    if (parameter := _LEGAL_PARAMETER.fullmatch(basis)) is not None:
        return f"法定参数 {parameter[1]}"
    about = _OF_THE_DEFAULT.get(basis.removeprefix(_DEFAULT)) if basis.startswith(_DEFAULT) else None
    if about is not None:
        return f"{_GROUNDS[_DEFAULT]}（{about}）"
    return _GROUNDS.get(basis, basis)


def what_to_do(template: str, language: str) -> tuple[str, str]:
    """(what the form is called, what whoever handles the alert does first); ("", "") for an unknown form."""
    form = _FORMS.get(template)
    if form is None:
        return "", ""
    at = LANGUAGES[language]
    return form[at], form[at + 2]


def is_named(reference: str) -> bool:
    """Whether the law of a reference has a name here."""
    return any(reference.startswith(known) for known in _LAWS)


def forms() -> frozenset[str]:
    """The codes of all order forms."""
    return frozenset(_FORMS)


def _chinese_place(rest: str) -> str:
    """` art. 84(2)` as 第八十四条第二项 would claim to know whether (2) is a paragraph or an item: so 第八十四条（2）."""
    found = _PLACE.findall(rest)
    standard = " cl. " in rest
    return "".join(
        (f"第{n}章" if standard and "." not in rest.partition("cl. ")[2] else f"第{_number(int(n))}条")
        if n
        else f"（{inner or letter}）"
        for n, inner, letter in found
    )


def _number(n: int) -> str:
    """Up to 199, as articles are counted: 四, 十, 二十三, 一百零一, 一百一十二."""
    hundreds, (tens, ones) = n // 100, divmod(n % 100, 10)
    said = f"{_DIGITS[hundreds]}百" if hundreds else ""
    if tens:
        said += "十" if tens == 1 and not hundreds else f"{_DIGITS[tens]}十"
    elif hundreds and ones:
        said += "零"
    return said + (_DIGITS[ones] if ones else "")
