"""What is said around the rules' own texts when one is explained or tried on history, in both languages.

Names of fields and parameters, severities, outcomes and `true` stay as rule files and records write them: they are what is
looked up there.
"""

from __future__ import annotations

from typing import Any

TOO_LITTLE = ": too little history"
"""Behind the name of a feature, among the reasons why there was no alert."""
_VERDICTS = {
    "no-rows": ("这条记录没有本规则要看的内容", "no alert: this record holds nothing that the rule looks at"),
    "out-of-scope": ("没有预警：不在规则的适用范围内", "no alert: the rule does not apply, its scope does not hold"),
    "no-band": ("没有预警：各档条件均不成立", "no alert: none of its conditions holds"),
    "too-little-history": ("没有预警：历史数据不足，暂不能评估", "no alert: there is too little history yet to judge"),
    "waits": (
        "条件成立，等待期未满，期满仍成立才预警",
        "a condition holds and still waits: the alert comes when the time is over",
    ),
    "goes-on": ("条件成立，同一事件的预警已存在", "it holds, and an alert about it is there already"),
    "shadow": ("条件成立，但规则为影子运行，只计数不预警", "it holds, but the rule is in shadow and only counted"),
    "kept-down": ("产生预警，但被其他规则或例外抑制", "an alert, kept down by another rule or an exception"),
    "alert": ("产生预警", "an alert"),
    "error": ("规则出错", "the rule raised an error"),
}
VERDICTS = tuple(_VERDICTS)
"""What a rule can make of a row, what counts for the whole entry last."""

_LABELS = {
    "version": ("{rule} 第 {version} 版{status}：{title}", "{rule} version {version}{status}: {title}"),
    "status": ("（{status}）", " ({status})"),
    "entry": ("第 {index} 条记录，{kind} {record_id}，{holder}", "entry {index}, {kind} {record_id} of {holder}"),
    "in force": ("当时生效的规则集 {ruleset}", "in force: rule set {ruleset}"),
    "note": ("[说明]  {text}", "[note]  {text}"),
    "error": ("[出错]  {text}", "[error]  {text}"),
    "next": ("下一步：hazledger alerts show {alert}", "next: hazledger alerts show {alert}"),
    "false": ("不成立：{part}", "false: {part}"),
    "little": ("{name}：历史数据不足", "{name}" + TOO_LITTLE),
    "row": ("行 {subject}{other}", "row {subject}{other}"),
    "other": ("，来自记录 {record_id}", ", of record {record_id}"),
    "parameter": (
        "参数 {name} = {value}（自 {since} 起，{source}）",
        "parameter {name} = {value} (from {since}, {source})",
    ),
    "feature": ("特征 {name} = {value}{ready}   {declared}", "feature {name} = {value}{ready}   {declared}"),
    "unready": ("（历史数据不足）", " (too little history)"),
    "behind": ("第 {index} 条记录 {record_id}", "entry {index} {record_id}"),
    "more": ("此前还有 {count} 条", "and {count} before"),
    "scope": ("适用范围", "scope"),
    "band": ("第 {band} 档（{severity}）", "band {band} ({severity})"),
    "not ready": ("尚不能评估：{name}", "not ready: {name}"),
    "due": ("自 {since} 起，{due} 到期", "since {since}, due {due}"),
    "timer": ("定时至 {due}", "a timer waits until {due}"),
    "with": ("   其中 {values}", "   with {values}"),
    "stretch": (
        "第 {start} 至 {end} 条记录（共 {entries} 条），{days} 天",
        "entries {start} to {end} ({entries}), {days}",
    ),
    "alerts": ("预警    {alerts} 条，涉及 {sites} 个场所{kept}", "alerts  {alerts} at {sites}{kept}"),
    "kept": ("，其中 {count} 条被抑制", ", {count} of them kept down"),
    "a day": ("每日    平均 {mean} 条，最多 {most} 条（{day}）", "a day   {mean} on average, {most} on {day}"),
    "no day": ("无", "none"),
    "beside": (
        "与现行版本相比：相同 {same}，新增 {new}，减少 {lost}",
        "beside the live version: {same} the same, {new} new, {lost} lost",
    ),
    "outcomes": ("按处置结果：{outcomes}", "by outcome: {outcomes}"),
    "cost": (
        "耗时    每条记录 {us} 微秒，处理器时间每秒 {rate} 条",
        "cost    {us} us an entry, {rate} entries/s of processor time",
    ),
    "example": (
        "{how:<4} 第 {index} 条记录 {record_id} {severity}{outcome}",
        "{how:<4} entry {index} record {record_id} {severity}{outcome}",
    ),
    "same": ("相同", "same"),
    "new": ("新增", "new"),
    "lost": ("减少", "lost"),
}


def label(lang: str, which: str, /, **values: Any) -> str:
    """A label with its values, in "zh" or "en"."""
    zh, en = _LABELS[which]
    return (zh if lang == "zh" else en).format(**values)


def in_words(verdict: str) -> dict[str, str]:
    """One of VERDICTS as a sentence, by language."""
    zh, en = _VERDICTS[verdict]
    return {"zh": zh, "en": en}
