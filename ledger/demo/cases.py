"""The planted cases in the order of their turns: the first minute shows one of each rule, and one near miss of each."""

from __future__ import annotations

from ledger.demo import plays
from ledger.demo.planted import Case, Fits, Play


def _fires(
    rule: str,
    name: str,
    fits: Fits,
    play: Play,
    zh: str,
    en: str,
    *,
    parties: int = 1,
    licences: tuple[str, ...] = ("normal", "normal"),
    severity: str = "",
    also: tuple[str, ...] = (),
) -> Case:
    return Case(
        f"{rule}-{name}", rule, True, fits, parties, {"zh": zh, "en": en}, play, licences, severity=severity, also=also
    )


def _silent(
    rule: str,
    name: str,
    fits: Fits,
    play: Play,
    zh: str,
    en: str,
    *,
    parties: int = 1,
    licences: tuple[str, ...] = ("normal", "normal"),
    opened: bool = True,
    also: tuple[str, ...] = (),
) -> Case:
    return Case(
        f"{rule}-{name}", rule, False, fits, parties, {"zh": zh, "en": en}, play, licences, opened=opened, also=also
    )


# One case a line: rule, name, whom it is played on, what happens, and why the rule must fire or may not.
# fmt: off
CASES: tuple[Case, ...] = (
    _fires("A01", "package", plays.sealed, plays.one_package_too_many, "出库比库存多一件", "one package more goes out than is there"),
    _fires("A02", "overfull", plays.bulk, plays.five_percent_over, "储罐充至核定容量的105%", "a tank is filled to 105 % of its capacity"),
    _fires("A04", "missing-package", plays.sealed, plays.package_missing, "盘点少一件", "the count finds one package less"),
    _fires("B02", "lost", plays.bulk, plays.never_arrived, "售出三天、应到已过两天，买方无入库", "sold three days ago, due two days ago, no word of the buyer", parties=2, also=("B04", "D05")),
    _fires("D03", "gap", plays.bulk, plays.record_left_out, "少报一条，只送来后一条", "one record left out, only the next one sent"),
    _fires("D04", "fork", plays.bulk, plays.two_at_one_seq, "同一序号两份不同记录", "two different records at one seq"),
    _fires("C01", "expired", plays.licensed, plays.licence_expired, "许可证已过期仍销售", "sold on an expired licence", licences=("expired",)),
    _silent("A01", "last-package", plays.sealed, plays.to_the_last_package, "恰好出清，库存为零", "drawn to exactly nothing"),
    _silent("A02", "nine-tenths", plays.bulk, plays.exactly_nine_tenths, "恰为核定容量的九成", "filled to exactly nine tenths"),
    _silent("A04", "all-there", plays.sealed, plays.every_package_there, "用去一件后盘点相符", "one used, the count agrees"),
    _silent("B02", "buyer-first", plays.bulk, plays.buyer_was_first, "买方先报入库，卖方后报销售", "the buyer's record came before the seller's", parties=2, also=("D05",)),
    _silent("D03", "own-seq", plays.several_books, plays.books_of_their_own, "同一企业两本台账各自编号", "two books, each with its own seq"),
    _silent("D04", "repeat", plays.bulk, plays.sent_twice, "同一记录原样重发", "the same bytes sent twice"),
    _silent("C01", "last-day", plays.licensed, plays.last_day_of_licence, "新证的最后一天", "on the last day of a renewed licence", licences=("expired",)),
    _fires("A01", "overdrawn", plays.bulk, plays.tank_overdrawn, "储罐出库比库存多25千克", "25 kg more leave a tank than it held"),
    _silent("A01", "tolerance", plays.bulk, plays.within_tolerance, "多出50克，在0.1千克容差内", "50 g too much, inside the tolerance of 0.1 kg"),
    _silent("A01", "explained", plays.bulk, plays.late_record_explains, "迟报的入库解释了短时负数", "a purchase recorded late explains the dip"),
    _fires("A02", "far-overfull", plays.bulk, plays.quarter_over, "充至核定容量的125%", "filled to 125 % of its capacity"),
    _fires("A02", "close-to-full", plays.bulk, plays.almost_full, "充至核定容量的95%，应提醒", "filled to 95 %, which is a reminder"),
    _silent("A02", "order-matters", plays.bulk, plays.full_only_on_the_way, "先用后进，从未超量", "used first, refilled after: never over"),
    _fires("A05", "three-percent", plays.licensed_bulk, plays.three_percent_missing, "剧毒或易制爆储罐盘亏3%", "3 % of a listed tank are missing"),
    _silent("A05", "floor", plays.bulk, plays.below_the_floor, "盘亏1.5千克，低于2千克起点", "1.5 kg short, below the floor of 2 kg"),
    _silent("A05", "sigma", plays.large_bulk, plays.within_measurement_error, "差千分之一，小于计量误差", "0.1 % short with a gauge of 0.2 %"),
    _silent("A05", "cut-off", plays.bulk, plays.used_after_the_cut_off, "截止时刻之后的出库不计入盘点", "used after the count's cut-off"),
    _fires("D03", "mended", plays.bulk, plays.order_mended, "先后颠倒，随即补齐：只提醒一次", "out of order, mended at once: a reminder, nothing critical", severity="medium"),
    _silent("D03", "old-again", plays.bulk, plays.old_record_again, "旧记录原样重发", "an earlier record sent again"),
    _silent("B02", "outside", plays.bulk, plays.sold_outside, "买方不在本平台", "the buyer is not on this platform", also=("D05",)),
    _silent("B02", "late", plays.bulk, plays.late_but_confirmed, "迟到20小时，已确认", "20 hours late, and confirmed", parties=2, also=("B04", "D05")),
    _silent("D04", "refused-first", plays.bulk, plays.refused_then_right, "被422退回后改报同一序号", "refused with 422, then the right record at the same seq", opened=False),
    _fires("C01", "buyer-without", plays.licensed, plays.buyer_without_licence, "买方无许可证", "the buyer holds no licence", parties=2, licences=("normal", "none"), also=("B13",)),
    _silent("C01", "not-listed", plays.bulk, plays.no_licence_needed, "销售无需许可的品种", "sold goods that need no licence"),
    _silent("C01", "used", plays.licensed, plays.used_without_licence, "证过期后仅自用", "only used after the licence expired", licences=("expired",)),
)
# fmt: on
