"""Words for the codes of the format: kinds, severities, proof levels. The code itself always stands beside its word."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

KINDS = {
    "movement": _l("Movement"),
    "stocktake": _l("Stocktake"),
    "close": _l("Close of day"),
    "incident": _l("Incident"),
    "rental": _l("Rental"),
    "person": _l("Person"),
    "profile": _l("Profile"),
    "licence": _l("Licence"),
    "place": _l("Places and stores"),
    "filing": _l("Filing"),
    "reply": _l("Reply to an order"),
    "correction": _l("Correction"),
    "alert": _l("Alert"),
    "alert_transition": _l("Step of an alert"),
    "order": _l("Order"),
    "inspection": _l("Inspection"),
    "report": _l("Patrol report"),
    "endorse": _l("Endorsement"),
    "ruleset": _l("Rule set"),
    "grant": _l("Grant of a key"),
    "refusal": _l("Refusal"),
    "access": _l("Access log digest"),
    "scrub": _l("Evidence check"),
    "erasure": _l("Erasure"),
    "tick": _l("Clock tick"),
}
"""formats.md section 2, in its order; the filter offers them all."""

SEVERITIES = {
    "critical": _l("critical"),
    "high": _l("high"),
    "medium": _l("medium"),
    "low": _l("low"),
    "info": _l("info"),
}
SEVERITY_MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▽", "info": "○"}
"""Shapes beside the colours (WCAG 1.4.1)."""

ALERT_STATES = {
    "open": _l("open"),
    "acknowledged": _l("acknowledged"),
    "in_hand": _l("in hand"),
    "order_issued": _l("order issued"),
    "reply_received": _l("reply received"),
    "verified": _l("verified"),
    "closed": _l("closed"),
    "suppressed": _l("suppressed"),
    "snoozed": _l("snoozed"),
    "overdue": _l("overdue"),
    "escalated": _l("escalated"),
}
DEADLINES = {
    "open": _l("to look at:"),
    "in_hand": _l("to handle:"),
    "order_issued": _l("reply due:"),
    "snoozed": _l("returns:"),
    "suppressed": _l("returns:"),
}
"""What the deadline of an alert is for, by its state; `in_hand` stands for all others."""
ALERT_VIEWS = {
    "todo": _l("To be handled"),
    "new": _l("New"),
    "in_hand": _l("In hand"),
    "waiting": _l("Waiting for the enterprise"),
    "overdue": _l("Overdue or escalated"),
    "resting": _l("Put aside"),
    "closed": _l("Closed"),
    "all": _l("All"),
}
HANDLED = {
    "due": _l("had to be handled by now"),
    "in_time": _l("handled in time"),
    "missed": _l("not handled in time"),
}
"""The handling rate: its whole, the part that it counts, and the rest."""
RULE_STATES = {
    "live": _l("live"),
    "shadow": _l("in shadow"),
    "draft": _l("draft"),
    "retired": _l("retired"),
}
RULE_KINDS = {
    "threshold": _l("a limit on one record or state"),
    "window": _l("what adds up over time"),
    "absence": _l("what did not come in time"),
    "baseline": _l("beside what is usual"),
    "reconcile": _l("two accounts that must agree"),
    "list": _l("a list of combinations"),
}
ALERT_SORTS = {"urgent": _l("most urgent first"), "newest": _l("newest first")}
OUTCOMES = {
    "violation_confirmed": _l("violation confirmed"),
    "no_violation": _l("no violation"),
    "false_positive": _l("false positive"),
    "data_error": _l("data error"),
    "duplicate": _l("duplicate"),
    "referred": _l("referred to another authority"),
}
ORDER_STATES = {
    "open": _l("open"),
    "waiting": _l("reply to be judged"),
    "accepted": _l("accepted"),
    "withdrawn": _l("withdrawn"),
    "replaced": _l("replaced"),
}
REST_REASONS = {
    "awaiting-evidence": _l("awaiting evidence"),
    "known-cause": _l("known cause"),
    "test-or-repair": _l("test or repair"),
    "other": _l("other"),
    "silence": _l("silenced"),
}
MEASURES = {
    "mend-stock": _l("account for the stock"),
    "mend-records": _l("put the records right"),
    "stop-and-report": _l("stop and report at once"),
    "move-stock": _l("move the goods"),
    "renew-licence": _l("renew or show the licence"),
    "improve-security": _l("improve security"),
    "other": _l("other"),
}

DIRECTIONS = {"in": _l("in"), "out": _l("out")}
REASONS = {
    "purchase": _l("purchase"),
    "sale": _l("sale"),
    "issue": _l("issue"),
    "return": _l("return"),
    "production": _l("production"),
    "consumption": _l("consumption"),
    "transfer": _l("transfer"),
    "dilution": _l("dilution"),
    "disposal": _l("disposal"),
    "loss": _l("loss"),
    "found": _l("found"),
}
ROLES = {1: _l("enterprise"), 2: _l("supervisor"), 3: _l("platform"), 4: _l("authority")}

LEVELS = {
    "RECEIVED": _l("Received: signed and in the log; no signed checkpoint with proof from the chain covers it yet."),
    "LOGGED": _l("Logged: a signed checkpoint covers it, and its keys are enrolled on the chain; not anchored yet."),
    "ANCHORED-DEV": _l(
        "Anchored on a development chain: everything is proven as on a real one, but this chain runs here alone and "
        "convinces nobody else of the time."
    ),
    "ANCHORED": _l("Anchored: the contract holds a root that covers this record, in a final block of the chain."),
    "FAILED": _l("Failed: a check of this record's proof does not hold. Do not rely on it; tell the operator."),
    "UNKNOWN": _l("Unknown: the proof could not be made just now. The record itself is in the log."),
}
LEVEL_MARKS = {"RECEIVED": "○", "LOGGED": "◐", "ANCHORED-DEV": "◕", "ANCHORED": "●", "FAILED": "✕", "UNKNOWN": "?"}
