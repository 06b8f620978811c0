"""What the commands about rules print around the rules' own texts, in both languages.

Names of fields and parameters, severities, outcomes and `true` stay as rule files and records write them: they are what is
looked up there.
"""

from __future__ import annotations

from typing import Any

_LABELS = {
    "version": ("{rule} 第 {version} 版{status}：{title}", "{rule} version {version}{status}: {title}"),
    "status": ("（{status}）", " ({status})"),
    "entry": ("第 {index} 条记录，{kind} {record_id}，{holder}", "entry {index}, {kind} {record_id} of {holder}"),
    "in force": ("当时生效的规则集 {ruleset}", "in force: rule set {ruleset}"),
    "note": ("[说明]  {text}", "[note]  {text}"),
    "error": ("[出错]  {text}", "[error]  {text}"),
    "next": ("下一步：hazledger alerts show {alert}", "next: hazledger alerts show {alert}"),
    "false": ("不成立：{part}", "false: {part}"),
    "little": ("{name}：历史数据不足", "{name}: too little history"),
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


def counted(lang: str, count: int, noun: str) -> str:
    """`1 day`, `2 days`; in Chinese the number alone, whose measure word stands in the label."""
    return f"{count:,}" if lang == "zh" else f"{count:,} {noun}{'' if count == 1 else 's'}"
