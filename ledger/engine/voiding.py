"""The alert about records that a revocation voids afterwards (`ledger.engine.revocations`)."""

from __future__ import annotations

from ledger.engine.effects import Moment, alert_id_of, json_value
from ledger.engine.revocations import REVOKED, Voided
from ledger.model import Alert


def alert_about(voided: Voided, moment: Moment) -> Alert:
    """The alert that a revocation raises at this entry."""
    count, listed = len(voided.indexes), voided.listed + (" …" if voided.earlier else "")
    zh = f"密钥 {voided.keyid[:12]}… 自第 {voided.revoked_at} 条起被追溯注销，{voided.holder} 由其签署的 {count} 条记录失效"
    en = (
        f"Key {voided.keyid[:12]}… of {voided.holder} was revoked from entry {voided.revoked_at} on; "
        f"{count} records that it had signed are void"
    )
    return Alert(
        alert_id=alert_id_of(REVOKED, (voided.g,), moment.index),
        rule=REVOKED,
        version=1,
        fingerprint=(voided.g,),
        first_index=moment.index,
        last_index=moment.index,
        band=0,
        severity="high",
        holder=voided.holder,
        site=voided.site,
        reason={"zh": f"{zh}：第 {listed[:200]} 条", "en": f"{en}: entries {listed[:200]}"},
        inputs={
            "keyid": voided.keyid,
            "from_index": voided.revoked_at,
            "count": count,
            "earlier": voided.earlier,
            "indexes": json_value(listed[:200]),
        },
        opened_ms=moment.now_ms,
        late=False,
        extra={"book": voided.book, "record": moment.record_id},
    )
