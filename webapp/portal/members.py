"""Chinese words for the members of a payload and for the values of their closed lists.

The words of formats.md stay as they are in JSON; in English they are their own label. A test compares both tables with
the JSON Schemas, so that a new member cannot appear untranslated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.core.balancekey import BalanceKey, key_parts
from ledger.core.quantity import format_mass, format_volume
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.i18n import language, pick
from webapp.portal.clock import age, moment
from webapp.portal.names import name_of

# fmt: off
MEMBERS_ZH = {
    "_sd": "披露摘要", "_sd_alg": "披露摘要算法", "acknowledgement": "主管机关回执", "action": "动作", "activities": "经营活动", "address": "地址",
    "alert": "预警", "alert_id": "预警编号", "alerts": "预警", "amount_cny_fen": "金额（分）", "at": "时间", "attributes": "属性", "authority": "主管机关",
    "band": "档", "basis": "依据", "batch": "批号", "blade_mm": "刃长（毫米）", "block": "区块", "body": "内容", "book": "台账", "bytes": "字节数",
    "calendar": "工作日历", "capacity": "容量", "catalogue": "目录", "catalogues": "目录", "categories": "类别", "category": "类别",
    "certificate_type": "证书类型", "certificate_valid_to": "证书有效期至", "challenge": "抽查口令", "check": "检查项", "checked": "已检查", "checklist": "检查表",
    "class": "类型", "code": "编码", "compartment": "隔间", "complete": "完整盘点", "concentration": "浓度（质量%）", "concentration_max": "最高浓度",
    "concentration_min": "最低浓度", "confirmed": "确认人", "consignment": "货运单号", "container": "容器", "continues": "接续台账", "contract": "合同",
    "corrects": "所更正记录", "counterparty": "对方", "counterparty_uscc": "对方信用代码", "counters": "盘点人", "country": "国家", "cut_off": "截止时间",
    "date": "日期", "day": "日期", "days": "日期", "decision": "决定", "department": "部门", "design_max": "设计最大量", "digest": "摘要", "digests": "摘要",
    "direction": "方向", "discovered_at": "发现时间", "doc_type": "证件类型", "doc_valid_to": "证件有效期至", "done_at": "完成时间", "drivers": "驾驶人",
    "due": "期限", "earlier": "更早还有", "due_at": "应还时间", "duplicate_of": "重复于", "edged": "开刃", "empty": "空容器", "en": "英文", "ended_at": "结束时间",
    "enrolled_at": "登记位置", "enroller": "登记机关账户", "enterprise": "企业", "entries": "条目数", "event_time": "事件时间", "evidence": "证据",
    "expected_arrival": "预计到达", "expires": "有效期至", "ext": "扩展", "facts": "事实摘要", "final": "终结", "finding": "发现问题", "findings": "发现问题",
    "fingerprint": "对象", "first_index": "首条位置", "form": "形态", "from": "自", "from_index": "自第几条起", "indexes": "各条位置", "g": "授权编号", "goods": "物品类别", "handlers": "经手人", "hash": "摘要",
    "holder": "持有单位", "hours": "时段", "id": "编号", "identity_checks": "身份核验", "industry": "行业", "inputs": "输入", "inspection": "检查",
    "inspectors": "检查人员", "issued_on": "发证日期", "issuer": "签发机关", "item": "项目", "items": "项目", "keyid": "密钥标识", "kind": "种类",
    "last_index": "末条位置", "last_seq": "末号", "lat_e7": "纬度（1e-7 度）", "late": "迟到", "licence": "许可证", "limits": "限量", "line": "行", "lines": "明细",
    "lock": "锁止装置", "log": "日志", "lon_e7": "经度（1e-7 度）", "loss_cause": "损耗原因", "match_permille": "比对得分（‰）", "measure": "措施",
    "measurement": "计量", "media_type": "媒体类型", "method": "方法", "missing": "缺失", "missing_total": "缺失总数", "name": "名称", "names": "名称",
    "nil": "无变动", "nonce": "随机数", "now": "当前时间", "number": "编号", "observed_at": "观察时间", "order": "指令", "outcome": "结果",
    "packaging": "包装", "parameters": "参数", "payment_method": "付款方式", "people_500m": "500 米内人数", "permits": "许可", "person": "人员",
    "pesticide_registration": "农药登记证号", "pieces": "件数", "plan": "计划", "pointer": "位置", "position": "位置", "present": "在场人员", "prev": "前一记录",
    "previous": "前一项", "process": "工序", "purpose": "用途", "quantity": "数量", "random_ppm": "随机误差", "reason": "原因", "record": "记录",
    "record_id": "记录编号", "records": "记录", "ref": "工号", "referred_to": "移送至", "regime": "监管制度", "regresses": "复发自", "renter": "承租人",
    "replaces": "取代", "reply": "答复", "report": "报告", "reported_at": "报告时间", "reported_to": "报告对象", "resolution": "分辨力",
    "restricted_sets": "受限组合", "result": "结果", "revises": "修订自", "revoked_at": "吊销位置", "role": "角色", "roles": "角色", "root": "树根",
    "rule": "规则", "rules": "规则", "ruleset": "规则集", "scope": "范围", "seats": "座位数", "seen": "已见检查点", "seq": "序号", "severity": "级别",
    "sha256": "SHA-256", "signers": "签名人", "site": "场所", "sites": "场所", "size": "大小", "software": "软件", "spki": "公钥", "started_at": "开始时间",
    "status": "状态", "store": "库房", "stores": "库房", "subject": "对象", "systematic_ppm": "系统误差", "template": "模板", "time": "时间",
    "tip_angle_deg": "刀尖角（度）", "tip_radius_um": "刀尖半径（微米）", "to": "至", "trace": "包装追溯码", "training_valid_to": "培训有效期至", "type": "类型",
    "uncounted": "未计数", "unit": "单位", "until": "至", "upload_windows": "上传时段", "uscc": "统一社会信用代码", "v": "版本", "valid_from": "有效期自",
    "valid_to": "有效期至", "value": "数值", "vehicle": "车辆", "version": "版本", "versions": "版本", "zh": "中文", "zone": "时区",
    # what the rules' inputs add, and what processes tell of themselves
    "balance": "账面结存", "lowest": "最低结存", "lowest_pieces": "最低件数", "sealed": "密封件", "tolerance": "容差", "error": "错误",
    "counted": "盘点数", "difference": "差额", "open": "未补", "refused_id": "被拒记录", "standing_id": "在册记录", "index": "位置", "received_ms": "接收时间", "event_ms": "事件时间",
    "act": "行为", "filing": "备案", "age_ms": "时长", "ahead_ms": "超前时长", "amount": "数量", "book_amount": "账面数", "book_pieces": "账面件数", "buyer": "买方", "counted_pieces": "盘点件数",
    "counterparty_type": "对方类型", "difference_pieces": "件数差额", "dimension": "计量维度", "due_ms": "期限", "fill_ppm": "占用率", "inside": "本辖区内", "key": "结存项",
    "known": "容量已备案", "need": "所需许可", "opening": "期初盘点", "own": "本单位", "party": "当事单位", "sale_ms": "销售时间", "shortage": "短少", "sigma": "标准差",
    "state": "状态", "stock": "库存", "stocktake": "盘点记录", "grace": "宽限", "warn_ppm": "预警线", "critical_ppm": "特急线", "floor_toxic": "剧毒品下限",
    "floor_other": "其他下限", "times_sigma": "标准差倍数", "check_due": "核实期限",
    "laboratory": "实验室", "precursors": "易制爆化学品存量", "laboratory_max": "实验室限量",
    "place_capacity": "申报容量", "place_ppm": "申报容量占用率", "declared": "仅自行申报", "declared_ms": "申报时间", "full_ppm": "满容线",
    # persons, knives, rental
    "clock": "当地时间", "minute": "时刻（分）", "is_workday": "工作日", "night_from": "夜间起（分）", "night_to": "夜间止（分）", "road": "上路运输", "road_from": "禁行起（分）", "road_to": "禁行止（分）",
    "enterprises": "企业数", "is_agent": "登记代理人", "least": "最低数", "pesticide": "农药", "expired": "证件过期", "invalid": "证件无效", "match_floor": "比对下限（‰）", "place": "人员位置",
    "who": "人员代号", "new_days": "新上岗天数", "trained": "培训有效", "keys": "密钥数", "persons": "人数", "toxic": "剧毒", "close_ppm": "间隔过短占比", "close_share_ppm": "占比界限",
    "least_pairs": "最少次数", "most_a_minute": "每分钟上限", "pairs": "双人确认次数", "per_minute": "每分钟次数", "age_from": "已满周岁", "minor": "未成年", "buyer_type": "购买人类型", "least_age": "年龄下限",
    "most_at_once": "同时上限", "most_in_30d": "30 日上限", "pieces_30d": "30 日把数", "least_shops": "店数下限", "shops_72h": "72 小时店数", "blunt_mm": "钝尖刃长界限（毫米）", "exempt_tip_um": "豁免刀尖半径（微米）", "permitted": "有购买证",
    "sharp_mm": "尖刃长界限（毫米）", "special": "特种刀具", "tip_deg": "刀尖角界限（度）", "mend": "补录期限", "other_payer": "他人付款", "undriven": "承租人不驾驶", "returned": "已归还", "warn": "提醒时限",
    "alarm": "报警时限", "most_in_7d": "7 日上限", "outs_7d": "7 日租车次数", "renter_type": "承租人类型", "simultaneous": "同时租用数", "scenes": "场景数", "scene": "场景", "principal": "归属单位", "shop": "门店",
    # material accountancy
    "comparable": "可核对", "put_in": "投入（折纯）", "came_out": "产出（折纯）", "settle": "等待时限",
    "allowed": "许可量", "used_ppm": "已用比例", "over": "超量", "over_confirmed": "超出已核验许可量", "licences": "有效许可数", "warn_at": "提醒线",
    "daily": "每日时限", "daily_twice": "每日时限两倍", "weekly": "每周时限", "weekly_twice": "每周时限两倍", "monthly": "每月时限", "monthly_twice": "每月时限两倍", "precursor": "易制爆", "holding": "有库存",
    "moved": "有出入库", "counted_ms": "上次盘点", "moved_since_ms": "出入库后起算",
    "before": "期初", "went": "出库量", "lost": "申报损耗", "muf": "平衡差", "missing_pieces": "短少件数", "stated": "误差已申报", "weighed": "计量", "z_milli": "偏离",
    "sitmuf_milli": "标准化独立平衡差", "n": "平衡次数", "spread_ppm": "离散比", "sigma_estimated": "自身估计标准差", "single": "单次限", "critical": "特急限",
    "loss_protracted_milli": "长期短少累计和", "loss_abrupt_milli": "突发短少累计和", "gain_protracted_milli": "长期多出累计和", "gain_abrupt_milli": "突发多出累计和", "h": "累计和限", "abrupt_h": "突发累计和限",
    "too_good": "过于完美", "moved_balances": "有变动的平衡次数", "moved_spread_ppm": "有变动时离散比", "cause": "损耗原因", "lost_month": "30 日申报损耗", "handled": "经手量", "rate_ppm": "损耗率",
    "volatile": "挥发性", "losses": "以往损耗次数", "compared": "可与以往比较", "norm_volatile": "挥发性液体定额", "norm_other": "其他定额", "unusual": "异常限", "floor": "起点",
    # transfers
    "arrived_ms": "到达时间", "both": "双方均已申报", "concentration_difference_ppm": "浓度差", "eta_known": "有预计到达时间", "gap_ms": "时间差", "got": "收到量",
    "got_pieces": "收到件数", "matched": "有对应记录", "missing_code": "一方未申报该物质", "seller": "卖方", "seller_inside": "卖方在辖区内", "sent": "发出量", "sent_pieces": "发出件数",
    "difference_ppm": "差额比例", "trade": "交易", "parts": "分批到货宽限", "window": "时间窗", "significant_ppm": "重大差异线", "tolerance_ppm": "容差",
    "concentration_ppm": "浓度容差", "critical_after": "升级时限",
    # filings, flows, closures, incidents
    "limit_days": "备案期限（日）", "filed": "已备案", "filed_ms": "备案时间", "both_ends": "双方均已记录", "remind_ms": "提醒时间", "deadline_ms": "截止时间",
    "stored": "库房及所限物品", "lapsed": "申报证明逾期未核验", "lapsed_capacity": "未核验的申报容量", "filing_days": "备案期限：剧毒、易制爆（日）", "class_1_days": "备案期限：第一类易制毒（日）", "class_23_days": "备案期限：第二、三类易制毒（日）",
    "event_day": "事件日期", "accept_both_ends": "以双方记录代备案", "user": "使用单位", "resale": "转售", "approval": "有转让批准", "came": "收到量", "left": "转出量", "share_ppm": "比例",
    "share": "比例线", "path": "流转路径", "length": "企业数", "span_ms": "时间跨度", "controlled": "管控物品", "reported": "已报告", "discovered_ms": "发现时间",
    "reported_ms": "报告时间", "delay_ms": "迟延", "withdrawn": "已撤回", "what": "事项", "since": "起始时间",
    # discipline
    "closed_day": "最近日结日", "expected_ms": "应报时间", "last_ms": "最近动态时间", "usual_ms": "通常间隔", "silent_from_ms": "视为沉寂时间", "in_stock": "有库存", "corrected": "被更正记录", "records_30d": "30 日记录数", "corrections_30d": "30 日更正数", "known_ms": "在册时长", "since_notice_ms": "距检查或指令", "noticed": "近期被检查", "lowering_run": "连续减短次数", "run": "连续次数线", "after_notice": "检查后时限", "fresh": "近期界限", "rate": "比率线", "enough": "最少记录数", "newcomer": "新用户期", "late_much": "严重迟报线", "ahead": "超前线",
    # storage
    "clash": "存在禁忌", "severe": "特别危险", "pair": "禁忌组合", "first": "物质一", "second": "物质二", "others": "其他物质数", "sum_ppm": "S 值", "risk_milli": "R 值", "hazard_level": "重大危险源等级", "people_known": "周边人数已申报", "without_mass": "无质量的项数", "assumed": "按默认密度换算的数量", "assumed_mass": "按默认密度折算的项数", "assumed_ppm": "按默认密度折算的 S 值", "assumed_mg": "按默认密度折算的质量", "age_months": "存放期限（月）", "expires_ms": "过期时间", "warn_ms": "预警时间", "reference": "参照", "since_ms": "起始时间", "limit": "限值",
    # windows
    "window_end_ms": "窗口截止时间", "uploaded": "上传条数", "first_time": "首次", "z_ready": "偏离可评估", "n_14d": "14 日次数", "n_30d": "30 日次数", "sellers_14d": "14 日卖方数", "sellers_30d": "30 日卖方数",
    "total_14d": "14 日合计", "total_30d": "30 日合计", "earliest_ms": "最早所载时间", "latest_ms": "最晚所载时间",
    # purchases
    "scope_known": "经营范围已申报", "in_scope": "在经营范围内", "statement": "合法用途说明", "statement_age_ms": "说明时长",
    "lift_ppm": "行业比例", "prior_known": "行业比例可评估", "class_n": "同类购买数", "class_z_milli": "与同类偏离", "growth_ppm": "增长比例", "mean": "月均", "peak": "最高月",
    "month": "本月合计", "total": "合计", "times": "次数", "z": "偏离", "set": "受限组合", "groups": "组数", "held": "已购组数", "usual": "行业常用", "new_substance": "首次购买的物质",
    "used": "投入量", "made": "产出量", "product": "产品", "runs": "批次数", "ratios": "产出比合计", "ratio_ppm": "产出比", "twofold": "两倍线", "threefold": "三倍线", "oldest": "说明时限", "few": "少次", "by_seller": "由卖方记录", "overdue": "逾期界限", "many": "多次", "threshold": "关注线", "most_sent": "条数上限", "most_span": "时间跨度上限", "lift": "行业比例线",
    "grade": "级别", "closed_rule": "所关闭规则", "evidenced": "有证据", "open_for_ms": "处置时长",
    "as_of_ms": "截至", "chain": "链", "endpoint": "节点地址", "chain_id": "链 ID", "submitter": "提交账户", "block_time_s": "区块时间", "lag_s": "滞后（秒）", "final_block": "最终区块",
    "head_size": "链上树大小", "balance_wei": "余额（wei）", "has_role": "有提交权限", "checkpoint_size": "检查点大小", "checkpoint_signed_ms": "检查点签署时间", "rollback": "回退",
    "signing_waits_for": "签署等待", "waiting_jobs": "等待任务数", "refusals_counted_only": "仅计数的拒收", "clock_jump": "时钟跳变",
}

VALUES_ZH: dict[str, dict[str, str]] = {
    "direction": {"in": "入库", "out": "出库"},
    "reason": {"consumption": "消耗", "dilution": "稀释", "disposal": "处置", "found": "盘盈", "issue": "领用", "loss": "损失", "production": "生产", "purchase": "购入", "return": "退回", "sale": "销售", "transfer": "调拨"},
    "loss_cause": {"breakage": "破损", "evaporation": "挥发", "sampling": "取样", "spill": "泄漏", "unexplained": "原因不明"},
    "goods": {"chemical": "化学品", "explosive": "爆炸物", "knife": "管制刀具", "vehicle": "车辆"},
    "packaging": {"bulk": "散装", "sealed": "密封"},
    "type": {"capacity_certificate": "容量证明", "enterprise": "企业", "filing": "备案", "fire": "火灾", "foreign": "境外", "injury": "伤害", "lawful_use_statement": "合法用途说明", "leak": "泄漏", "licence": "许可证", "loss": "丢失", "other": "其他", "penalty": "处罚", "permit": "许可", "person": "个人", "rectification": "整改", "spot_check": "抽查", "theft": "被盗"},
    "doc_type": {"driving_licence": "驾驶证", "foreign_residence": "外国人居留证", "hk_macao_permit": "港澳通行证", "other": "其他", "passport": "护照", "resident_id": "居民身份证", "taiwan_permit": "台胞证"},
    "severity": {"critical": "特急", "high": "高", "medium": "中", "low": "低", "info": "提示"},
    "from": {"acknowledged": "已确认", "closed": "已关闭", "escalated": "已升级", "in_hand": "处理中", "open": "待处理", "order_issued": "已下达指令", "overdue": "逾期", "reply_received": "已收到答复", "snoozed": "暂缓", "suppressed": "已抑制", "verified": "已核实"},
    "outcome": {"data_error": "数据错误", "duplicate": "重复", "false_positive": "误报", "no_violation": "无违法", "referred": "移送", "violation_confirmed": "确认违法"},
    "categories": {"hazardous": "危险化学品", "highly_toxic": "剧毒", "explosive_precursor": "易制爆", "drug_precursor": "易制毒", "eu_precursor_annex_I": "欧盟爆炸物前体（附件一）", "eu_precursor_annex_II": "欧盟爆炸物前体（附件二）"},
    "method": {"weighbridge": "地磅", "level_gauge": "液位计", "count": "计件", "scale": "台秤", "flow_meter": "流量计"},
    "form": {"solid": "固体", "solution": "溶液", "powder": "粉末", "pellets": "丸状", "turnings": "旋屑", "ribbon": "带状", "powder-coated": "有涂层粉末", "powder-uncoated": "无涂层粉末", "dust": "尘状", "ash": "灰状", "massive": "非粉末形态", "anhydrous": "无水", "unmodified": "未改型", "plasticized": "增塑"},
    "kind": {"development": "开发链", "qbft": "QBFT 链", "close": "结账", "filing": "备案", "incident": "事件", "licence": "许可证", "movement": "出入库", "person": "人员", "place": "场所库房", "profile": "单位概况", "rental": "租赁", "reply": "答复", "stocktake": "盘点"},
    "result": {"finding": "有问题", "not_applicable": "不适用", "not_checked": "未检查", "ok": "合格"},
    "activities": {"dispose": "处置", "export": "出口", "import": "进口", "produce": "生产", "purchase": "购买", "rent": "租赁", "sell": "销售", "store": "储存", "trade": "经营", "transport": "运输", "use": "使用"},
    "status": {"active": "正常", "applied": "申请中", "closed": "已关闭", "closing": "关闭中", "draft": "草稿", "expired": "已过期", "live": "生效", "retired": "停用", "revoked": "已吊销", "shadow": "影子运行", "suspended": "暂停", "valid": "有效"},
    "payment_method": {"bank_transfer": "银行转账", "barter": "易货", "cash": "现金", "credit": "赊账", "e_account": "电子账户", "none": "无", "other": "其他"},
    "decision": {"accepted": "接受", "extended": "延期", "rejected": "驳回", "withdrawn": "撤回"},
    "action": {"assign": "分派", "close": "关闭", "enrol": "入职", "extend": "续期", "feedback": "反馈", "intake": "受理", "leave": "离职", "out": "出租", "return": "归还", "sort": "分类", "update": "变更"},
    "class": {"cabinet": "柜", "counter": "柜台", "fleet": "车队", "lab_cabinet": "实验室柜", "lab_room": "实验室", "other": "其他", "process": "生产线", "room": "库房", "tank": "储罐", "yard": "堆场"},
    "dimension": {"mass": "质量", "volume": "体积", "count": "件数"},
    "act": {"purchase": "购买", "sale": "销售", "possession": "持有"},
    "need": {"highly_toxic": "剧毒化学品", "explosive_precursor": "易制爆危险化学品"},
    "state": {"missing": "无", "expired": "已过期", "revoked": "已吊销", "suspended": "暂停", "declared": "仅申报", "valid": "有效"},
    "unit": {"MGM": "毫克", "GRM": "克", "KGM": "千克", "TNE": "吨", "MLT": "毫升", "LTR": "升", "MTQ": "立方米", "H87": "件"},
}
VALUES_ZH["to"] = VALUES_ZH["from"]
VALUES_ZH["scope"] = VALUES_ZH["categories"] | {"eu_precursor_annex_i": "欧盟爆炸物前体（附件一）", "eu_precursor_annex_ii": "欧盟爆炸物前体（附件二）"}
VALUES_ZH["roles"] = {"producer": "生产单位", "user": "使用单位", "shop": "销售门店", "seller": "销售单位", "trader": "经营单位", "lessor": "租赁单位", "carrier": "运输单位", "storage": "仓储单位"}
VALUES_ZH["role"] = {"keeper": "保管员", "buyer": "采购员", "driver": "驾驶员", "guard": "值守人员", "manager": "负责人", "clerk": "营业员", "invoice": "发票", "photo": "照片", "evidence": "证据", "contract": "合同", "permit": "许可证件"}
# fmt: on

UNITS_EN = {"MGM": "mg", "GRM": "g", "KGM": "kg", "TNE": "t", "MLT": "mL", "LTR": "L", "MTQ": "m³", "H87": "pieces"}
"""UN/ECE Rec 20 codes as people write them."""

ACTS_ZH = {
    "alert-step": "处置预警", "order-issued": "下达指令", "order-decided": "审核指令答复", "key-unlocked": "解锁密钥",
    "sign-in": "登录", "sign-in-failed": "登录失败", "sign-out": "退出", "password-changed": "修改密码", "session-revoked": "结束会话", "account-reset": "重置账户",
    "search": "搜索", "query-records": "查询记录", "query-enterprises": "查询企业", "disclosures": "查看个人信息", "bundle": "下载证据包", "bundle-with-disclosures": "下载含个人信息的证据包",
}  # fmt: skip


AMOUNTS = frozenset(
    {"balance", "lowest", "tolerance", "amount", "stock", "capacity", "book_amount", "counted", "difference", "sigma"}
    | {"before", "came", "went", "lost", "muf", "sigma_estimated", "lost_month", "handled"}
    | {"allowed", "used", "over", "over_confirmed", "put_in", "came_out"}
)
NAMED = frozenset({"code", "holder", "enterprise", "party", "buyer", "seller", "uscc"})
"""Members whose value is a catalogue code or a credit code: the name is said before it."""
_OF_SIGMA = 0
_SHARES = {"_ppm": 1_000_000, "_permille": 1000, "_milli": _OF_SIGMA}
"""How members say what their numbers are parts of."""
_FORMS = {"percent": 1_000_000, "permille": 1000, "milli": _OF_SIGMA}
PLAIN_NUMBERS = frozenset({"seq", "v", "version", "day", "chain_id", "band"})


def member(name: str) -> str:
    """A member's label in this request's language."""
    if language() == "zh":
        return MEMBERS_ZH.get(name, name)
    # Moments and spans are shown as such: their unit is not milliseconds any more.
    for suffix in ("_ms", *_SHARES):
        name = name.removesuffix(suffix)
    return name.replace("_", " ").strip()


def value(item: Any, name: str = "") -> str:
    """A scalar for people: values of closed lists in this request's language."""
    if item is True:
        return _("yes")
    if item is False:
        return _("no")
    if item is None:
        return "—"
    if isinstance(item, int):
        return _number(item, name)
    text = str(item)
    if name in NAMED:
        named = pick(services().catalogue.names(text)) if name == "code" else name_of(text)
        return f"{named} ({text})" if named and named != text else text
    if name == "key" and text.count("|") >= len(BalanceKey._fields) - 1:
        return " · ".join(filter(None, (value(text.partition("|")[0], "code"), variety(text))))
    if language() == "zh":
        return VALUES_ZH.get(name, {}).get(text, text)
    return (
        UNITS_EN.get(text, text)
        if name == "unit"
        else text.replace("_", " ")
        if text in VALUES_ZH.get(name, {})
        else text
    )


def variety(key: str) -> str:
    """What a balance key says beside its substance, in words: concentrations, form, packaging, batch, dimension."""
    said = {name: value(part, name) for name, part in key_parts(key)._asdict().items() if part and name != "code"}
    if "band" in said:
        said["band"] = f"{'浓度' if language() == 'zh' else 'concentration'} {said['band'].replace('<=', '≤')}"
    if "batch" in said:
        said["batch"] = f"{member('batch')} {said['batch']}"
    return " · ".join(said.values())


def readable(inputs: Mapping[str, Any], rule: str = "") -> dict[str, Any]:
    """What a rule saw: amounts in the unit of its `dimension`, spans of time in words, everything else as it is."""
    forms = services().rule_numbers.get(rule, {})
    show, nothing = {"mass": (format_mass, "0 kg"), "volume": (format_volume, "0 L")}.get(
        inputs.get("dimension", ""), (None, "")
    )

    def shown(name: str, item: Any) -> Any:
        if isinstance(item, bool) or not isinstance(item, int):
            return item
        if show is not None and (name in AMOUNTS or forms.get(name) == "amount"):
            return show(item) if item else nothing
        form = forms.get(name, "")
        if form == "kg":
            return format_mass(item)
        if form == "span" and not name.endswith("_ms"):
            return age(item)
        if form in _FORMS and not name.endswith(tuple(_SHARES)):
            return share(item, _FORMS[form])
        return item

    return {name: shown(name, item) for name, item in inputs.items() if show is None or name != "dimension"}


def _number(item: int, name: str) -> str:
    if name in PLAIN_NUMBERS:
        return str(item)
    if name.endswith("_ms"):
        return moment(item) if item >= 10**11 else age(item)
    if name.endswith("_s") and item >= 10**8:
        return moment(item * 1000)
    for suffix, per in _SHARES.items():
        if name.endswith(suffix):
            return share(item, per)
    return f"{item:,}"


def share(item: int, per: int) -> str:
    """Parts of a million or of a thousand as a percentage; thousandths of a standard deviation as a plain number."""
    return f"{item / 1000:,.2f}" if per == _OF_SIGMA else f"{100 * item / per:,.4g} %"


def act(code: str) -> str:
    """A kind of line of the access log."""
    return ACTS_ZH.get(code, code) if language() == "zh" else code.replace("-", " ")
