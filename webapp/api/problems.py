"""Every refusal of the HTTP interfaces: RFC 9457 problem+json, and the one table of codes.

`type` is urn:hazledger:<code>. `title` and `detail` come from the table in the language asked for; `note` is what the
stage that refused said about this very input (English, for the developer at the other end). Further members: `check`
(number of formats.md section 9), `pointer` (RFC 6901, into the payload or the envelope), `expected_seq`,
`expected_prev`, `refusal` (the signed refusal note, as text).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Response, json
from werkzeug.exceptions import HTTPException

from ledger.errors import LedgerError, OverloadedError, TransitionError
from webapp.i18n import language

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""A full queue drains within a second; a restarted process is back within two."""


class Code(NamedTuple):
    """A row of the table: HTTP status, then title and detail in English and Chinese."""

    status: int
    title: str
    title_zh: str
    detail: str
    detail_zh: str


# fmt: off
CODES: dict[str, Code] = {
    # --- check 1: the bytes (400, 413, 415)
    "malformed": Code(400, "Malformed submission", "提交格式错误", "The bytes are not a strict submission. Mend them; sending the same bytes again is of no use.", "提交内容不是规范的报文，请改正后重新提交；原样重发无效。"),
    "not-utf8": Code(400, "Not UTF-8", "不是 UTF-8 编码", "The text is not valid UTF-8.", "文本不是有效的 UTF-8 编码。"),
    "bom": Code(400, "Byte order mark", "含字节顺序标记", "The text begins with a byte order mark; leave it out.", "文本以字节顺序标记（BOM）开头，请去除。"),
    "not-json": Code(400, "Not JSON", "不是 JSON", "The text is not JSON.", "文本不是有效的 JSON。"),
    "not-an-object": Code(400, "Not an object", "不是 JSON 对象", "The outermost JSON value has to be an object.", "最外层必须是 JSON 对象。"),
    "duplicate-member": Code(400, "Duplicate member", "成员名重复", "A member name stands twice in one object.", "同一对象中成员名重复出现。"),
    "bad-number": Code(400, "Bad number", "数字不合规", "Numbers are integers within plus or minus 2^53-1, without exponent or fraction.", "数字只能是正负 2^53-1 以内的整数，不得有小数或指数。"),
    "bad-string": Code(400, "Bad string", "字符串不合规", "A string holds U+0000 or a lone surrogate.", "字符串含有 U+0000 或孤立的代理码元。"),
    "too-deep": Code(400, "Nested too deeply", "嵌套过深", "JSON may be nested 16 levels deep at most.", "JSON 嵌套不得超过 16 层。"),
    "bad-base64": Code(400, "Not strict base64", "Base64 不合规", "Base64 has to be strict: re-encoding the decoded bytes must give the same text.", "Base64 必须严格规范：解码后再编码应得到相同文本。"),
    "envelope": Code(400, "Not an envelope", "信封格式错误", "The envelope does not have exactly the members that DSSE and this platform ask for.", "信封的成员与 DSSE 及本平台要求不一致。"),
    "submission": Code(400, "Not a submission", "提交报文格式错误", "A submission has exactly an envelope (or a JWS) and, if any, disclosures.", "提交报文只能含信封（或 JWS）以及可选的披露项。"),
    "unknown-format": Code(400, "Unknown format", "未知格式", "The format or version named in the input is not known here; it is refused rather than guessed.", "报文标明的格式或版本未知，不予猜测，予以拒绝。"),
    "jws-not-supported": Code(400, "JWS not supported yet", "暂不支持 JWS", "This version does not read JWS; send a DSSE envelope.", "本版本暂不接受 JWS，请使用 DSSE 信封。"),
    "timestamps-not-supported": Code(400, "Timestamps not supported yet", "暂不支持时间戳", "This version does not read RFC 3161 timestamps.", "本版本暂不支持 RFC 3161 时间戳。"),
    "too-large": Code(413, "Too large", "内容过大", "The body or a part of it is larger than the format allows.", "请求体或其某一部分超过格式允许的大小。"),
    "too-many-lines": Code(413, "Too many lines", "行数过多", "A batch has 1,000 lines at most.", "每批最多 1000 行。"),
    "media-type": Code(415, "Unsupported media type", "不支持的媒体类型", "The Content-Type is none that this address reads.", "该接口不接受此 Content-Type。"),
    "content-encoding": Code(415, "Unsupported content encoding", "不支持的内容编码", "Bodies are read as they are; send no Content-Encoding.", "请求体不得使用 Content-Encoding 压缩。"),
    "body-cut": Code(400, "Body incomplete", "请求体不完整", "The connection ended before the body did. Nothing was kept; send it again.", "连接在请求体结束前中断，未保存任何内容，请重新提交。"),
    # --- check 3: the payload (422)
    "verification": Code(422, "Verification failed", "校验未通过", "A numbered check of the format failed.", "格式规范中的一项编号检查未通过。"),
    "schema": Code(422, "Payload not of its form", "记录内容不合格式", "A member of the payload is missing, unknown, or not of its form; the pointer names it.", "记录中某成员缺失、未知或格式不符，位置见 pointer。"),
    "wrong-log": Code(422, "Written for another log", "日志名称不符", "The record names another log; this one refuses it.", "记录写明的日志不是本日志，予以拒绝。"),
    "seen-not-supported": Code(422, "`seen` not supported yet", "暂不支持 seen", "This version does not check `seen`; leave it out.", "本版本暂不检查 seen 成员，请去除。"),
    "credit-code": Code(422, "Wrong credit code", "统一社会信用代码错误", "The Unified Social Credit Code does not satisfy GB 32100.", "统一社会信用代码不符合 GB 32100 的校验规则。"),
    "cas": Code(422, "Wrong CAS number", "CAS 号错误", "The CAS number's check digit is wrong.", "CAS 号校验位错误。"),
    "unknown-kind": Code(422, "Unknown kind of record", "未知的记录种类", "The record's kind is not one of this format.", "记录种类不在格式规定之内。"),
    "unknown-version": Code(422, "Unknown version", "未知版本", "The payload's version is not known here; it is refused rather than guessed.", "记录的版本未知，不予猜测，予以拒绝。"),
    "unknown-member": Code(422, "Unknown member", "未知成员", "The payload holds a member that its kind does not have. Own additions belong under `ext`.", "记录含有该种类没有的成员；自有扩展请放在 ext 中。"),
    "missing-member": Code(422, "Missing member", "缺少成员", "The payload lacks a member that its kind requires.", "记录缺少该种类必需的成员。"),
    "wrong-holder": Code(422, "Wrong holder", "持有单位不符", "A record has exactly one of enterprise and issuer: the one that its kind asks for.", "记录只能含 enterprise 或 issuer 之一，且须与种类相符。"),
    "office-book": Code(422, "Not a book for this kind", "台账与种类不符", "This kind lives in a book whose name begins with `office`.", "此种类的记录应写入名称以 office 开头的台账。"),
    "prev-seq": Code(422, "prev and seq disagree", "prev 与 seq 不一致", "`prev` is null at seq 1 and only there.", "只有序号 1 的 prev 为 null。"),
    "sd-order": Code(422, "Digests not in order", "摘要未按序排列", "`_sd` is sorted and without repeats.", "_sd 应按升序排列且不得重复。"),
    "ext-size": Code(422, "ext too large", "ext 过大", "`ext` holds 4 KiB at most.", "ext 最多 4 KiB。"),
    "duplicate-store": Code(422, "Store listed twice", "库房重复", "Each site stands once, and each store of a site once.", "每个场所只列一次，每个场所内的库房也只列一次。"),
    "quantity": Code(422, "Wrong quantity", "数量不合规", "A quantity is not of its form, has too many decimals for its unit, or is beyond the limit.", "数量格式不符、小数位超出单位允许，或超过上限。"),
    "event-time": Code(422, "Wrong event time", "事件时间不合规", "event_time is not of the form the format asks for, or names no real moment.", "event_time 不符合格式，或不是真实存在的时刻。"),
    "signers": Code(422, "Wrong signers", "签名人列表不合规", "`signers` lists 1 to 4 distinct key ids in ascending order.", "signers 应列出 1 至 4 个互不相同、按升序排列的密钥标识。"),
    "personal-data": Code(422, "Personal data in plain text", "明文含个人信息", "A text holds a resident ID or a mobile number outside `_sd`. Send it as a disclosure.", "文本在 _sd 之外含有身份证号或手机号，请改用披露项提交。"),
    # --- check 4: grants (403)
    "no-grant": Code(403, "No grant", "没有授权", "No grant in force lets this key sign for this holder, book and kind. Ask the authority to enrol it.", "该密钥没有为此单位、台账和种类签名的有效授权，请联系主管机关登记。"),
    "out-of-scope": Code(403, "Outside the grant's scope", "超出授权范围", "The key is enrolled for other sites or books of this holder.", "该密钥只登记在本单位的其他场所或台账。"),
    "wrong-role": Code(403, "Wrong role", "角色不符", "A key of this role may not sign this kind of record.", "该角色的密钥无权签署此种记录。"),
    "key-revoked": Code(403, "Key revoked", "密钥已吊销", "The key's grant was revoked before this record came.", "该密钥的授权在此记录到达前已被吊销。"),
    "not-yet-granted": Code(403, "Grant not in force yet", "授权尚未生效", "The key's grant begins at a later place of the log. Send the same bytes again in a moment.", "该密钥的授权尚未生效，请稍后原样重发。"),
    # --- check 5: signatures (401)
    "bad-signature": Code(401, "Wrong signature", "签名错误", "A signature does not verify over the exact bytes.", "签名与报文的原始字节不符。"),
    "unknown-key": Code(401, "Unknown key", "未知密钥", "This key is not enrolled here: it never was, or its grant is not final on the chain yet.", "该密钥尚未在此登记：未曾登记，或其授权在链上尚未最终确认。"),
    "signers-mismatch": Code(401, "Signatures do not match the signers", "签名与签名人不一致", "The signatures are not exactly those of the payload's `signers`, in that order.", "信封中的签名与记录 signers 所列不一致或顺序不同。"),
    # --- check 11: disclosures (422)
    "disclosure": Code(422, "Wrong disclosure", "披露项错误", "A disclosure is not well-formed, not in `_sd`, or repeated.", "披露项格式错误、不在 _sd 中或重复。"),
    "malformed-disclosure": Code(422, "Disclosure not well-formed", "披露项格式错误", "A disclosure is not the base64url of a JSON array of salt, name and value.", "披露项不是由盐、名称和值组成的 JSON 数组的 base64url 编码。"),
    "too-many-disclosures": Code(422, "Too many disclosures", "披露项过多", "A record has 64 disclosures at most.", "每条记录最多 64 个披露项。"),
    "disclosure-repeated": Code(422, "Disclosure repeated", "披露项重复", "A digest or a name stands twice among the disclosures.", "披露项中的摘要或名称重复出现。"),
    "not-in-sd": Code(422, "Disclosure not announced", "披露项不在 _sd 中", "A disclosure's digest is not in the payload's `_sd`.", "披露项的摘要不在记录的 _sd 中。"),
    "name-not-allowed": Code(422, "No disclosure of that name", "不允许的披露名称", "The kind of this record has no disclosure of that name.", "此种记录没有该名称的披露项。"),
    "name-taken": Code(422, "Name of the disclosure taken", "披露名称已被占用", "The payload holds a member where the disclosure would stand.", "记录中该位置已有成员，不能再作为披露项。"),
    "erased-digest": Code(422, "Erased disclosure", "披露项已被删除", "This disclosure was erased when its legal period ended and is never accepted again.", "该披露项已在法定期限届满时删除，不再接受。"),
    # --- the book's chain (409)
    "conflict": Code(409, "Conflict", "冲突", "The book does not continue with this record.", "台账不能以此记录接续。"),
    "seq-gap": Code(409, "Gap in the book", "台账序号不连续", "The record's seq is not the next one of its book; expected_seq and expected_prev say what would be.", "记录序号不是台账的下一号，应为 expected_seq 与 expected_prev 所示。"),
    "fork": Code(409, "Fork of the book", "台账分叉", "Another payload stands at this seq already. Both are kept as evidence.", "该序号上已有另一份内容，两份均作为证据保存。"),
    "prev-mismatch": Code(409, "Wrong predecessor", "前序摘要不符", "`prev` is not the record_id of the book's last record.", "prev 不是台账最后一条记录的 record_id。"),
    "after-refused-line": Code(409, "After a refused line", "前行已被拒绝", "An earlier line of the same book in this batch was refused; mend that one first.", "本批中同一台账的前一行已被拒绝，请先改正该行。"),
    "book-closed": Code(409, "Book closed", "台账已终结", "The book has a final close; it goes on only in a new book that continues it.", "台账已终结，只能在接续它的新台账中继续。"),
    "book-not-opened": Code(422, "Book not opened", "台账尚未启用", "The first movement, stocktake or close of a book has to be a complete stocktake.", "台账的首条出入库、盘点或结账记录必须是一次完整盘点。"),
    "store-not-bound": Code(422, "Store not bound to this book", "库房未归属本台账", "The `place` record binds each store to one book, and a line's store has to be bound to the record's book.", "place 记录规定每个库房只归属一个台账，明细所列库房须归属本记录的台账。"),
    "continues-unknown": Code(422, "Continued book unknown", "所接续的台账不存在", "The book that this stocktake continues is unknown or has no final close.", "该盘点所接续的台账不存在或尚未终结。"),
    "corrects-unknown": Code(422, "Corrected record unknown", "所更正的记录不存在", "The record that this correction names is not in the same book.", "更正所指的记录不在同一台账中。"),
    # --- reading, tokens, paths
    "not-found": Code(404, "Not found", "未找到", "Nothing has this name here, or your token may not know of it.", "此处没有该名称的内容，或您的令牌无权获知。"),
    "not-yet-logged": Code(404, "Not under a checkpoint yet", "尚无检查点覆盖", "The record is received, but no checkpoint covers it yet. Ask again in a few seconds.", "记录已接收，但尚无检查点覆盖，请几秒后再试。"),
    "method-not-allowed": Code(405, "Method not allowed", "不允许的方法", "This address does not answer this method; Allow lists those it does.", "该接口不支持此方法，可用方法见 Allow。"),
    "bad-parameter": Code(400, "Wrong parameter", "参数错误", "A parameter of the query is unknown or not of its form.", "查询参数未知或格式不符。"),
    "bad-request": Code(400, "Bad request", "请求错误", "The request is not one that this address reads.", "该接口无法解析此请求。"),
    "no-token": Code(401, "Token needed", "需要令牌", "Send a bearer token in the Authorization header.", "请在 Authorization 头中提供 Bearer 令牌。"),
    "bad-token": Code(401, "Token not valid", "令牌无效", "The token is unknown, expired or revoked.", "令牌未知、已过期或已吊销。"),
    "wrong-token-role": Code(403, "Token's role does not suffice", "令牌角色不符", "A token of this role does not read this address.", "该角色的令牌无权读取此接口。"),
    "too-many-requests": Code(429, "Too many requests", "请求过多", "Wait as long as Retry-After says.", "请按 Retry-After 所示时间等待。"),
    "too-many-streams": Code(503, "Too many live streams", "实时连接过多", "This server serves as many live streams as it can; try again later.", "实时连接数已达上限，请稍后再试。"),
    # --- the life of an alert
    "transition-refused": Code(409, "Step not possible", "该步骤不可行", "The alert cannot take this step from where it stands; `possible` lists those it can.", "预警在当前状态下不能执行该步骤，可行步骤见 possible。"),
    "transition-stale": Code(409, "Alert stands elsewhere", "预警状态已变化", "The alert is no longer where the step begins. Look at it again; `possible` lists what it can do now.", "预警已不在该步骤的起始状态，请重新查看；当前可行步骤见 possible。"),
    "outcome-needed": Code(409, "Outcome needed", "须注明结果", "Closing needs an outcome.", "关闭预警须注明处理结果。"),
    "until-wrong": Code(409, "Wrong end", "截止时间错误", "`until` lies in the past, or further ahead than allowed.", "截止时间 until 已过，或超出允许的最长期限。"),
    "etag-needed": Code(428, "If-Match needed", "缺少 If-Match", "Send the ETag of what you saw in If-Match, so that nobody's step is overwritten.", "请在 If-Match 头中附上所见版本的 ETag，以免覆盖他人的操作。"),
    "etag-stale": Code(412, "Changed meanwhile", "内容已变化", "The alert changed since you looked at it. Look again, then decide.", "该预警在您查看之后已有变化，请重新查看后再决定。"),
    "key-locked": Code(403, "Supervisor's key locked", "民警密钥已锁定", "The supervisor's key is locked; unlock it with the password.", "民警密钥处于锁定状态，请用密码解锁。"),
    "key-wrong-password": Code(403, "Wrong password", "密码错误", "The password does not open the supervisor's key.", "密码无法打开民警密钥。"),
    "no-supervisor-key": Code(403, "No supervisor's key", "尚无民警密钥", "This installation has no key of this supervisor; make one and have the authority enrol it.", "系统中没有该民警的密钥，请生成密钥并由主管机关登记。"),
    "one-time-code": Code(403, "Password not chosen yet", "尚未设置密码", "The one-time code signs nothing. Sign in to the portal with it and choose a password.", "一次性口令不能用于签名，请先用其登录门户并设置密码。"),
    "confirm-needed": Code(403, "Password needed again", "须再次输入密码", "This act asks for the password again.", "该操作须再次输入密码确认。"),
    # --- ours (500, 503)
    "internal": Code(500, "Internal error", "内部错误", "Something failed on our side; it is in the server's log. Send the same bytes again later.", "服务器内部出错，已记入日志，请稍后原样重发。"),
    "overloaded": Code(503, "Overloaded", "系统繁忙", "The log cannot take more now. Nothing was kept; send the same bytes again.", "日志暂时无法接收，未保存任何内容，请原样重发。"),
    "store": Code(503, "Store unavailable", "存储不可用", "The database does not answer. What was not acknowledged is not kept; send the same bytes again.", "数据库暂不可用，未确认的内容均未保存，请原样重发。"),
    "bundle-refused": Code(503, "Bundle not handed out", "证据包未发出", "The bundle does not pass this server's own verification and is therefore not handed out. Tell the operator.", "证据包未通过本服务器自身的验证，因此不予发出，请通知运维人员。"),
    "not-ready": Code(503, "Not ready", "未就绪", "Some part of the installation is not ready; `reasons` lists which, and why to a supervisor's or auditor's token.", "系统的部分组件尚未就绪，见 reasons；具体原因须持主管或审计令牌查询。"),
    "rollback": Code(503, "Log contradicts itself", "日志自相矛盾", "The log contradicts a head that was signed before; it signs nothing until an operator has recovered it.", "日志与先前签署的检查点相矛盾，在运维人员恢复之前停止签署。"),
    "config": Code(500, "Configuration wrong", "配置错误", "A setting is missing or wrong.", "配置缺失或有误。"),
    "rule": Code(500, "Rule failed", "规则出错", "A rule is wrong or failed; see the rule's health.", "规则有误或执行失败，详见规则健康状态。"),
    "chain": Code(503, "Chain unavailable", "区块链不可用", "The chain did not do what was asked; try again later.", "区块链未完成请求，请稍后再试。"),
    "chain-unreachable": Code(503, "Chain unreachable", "区块链无法连接", "No endpoint of the chain answered in time; try again later.", "区块链节点未及时应答，请稍后再试。"),
    "chain-reverted": Code(503, "Contract refused", "合约拒绝", "The contract refused the call.", "合约拒绝了该调用。"),
    "chain-timeout": Code(503, "Chain timed out", "区块链超时", "A transaction is not mined yet; try again later.", "交易尚未打包，请稍后再试。"),
    "chain-reorg": Code(503, "Chain reorganised", "区块链重组", "A block that was counted is no longer on the chain; try again later.", "先前计入的区块已不在链上，请稍后再试。"),
    "chain-mismatch": Code(503, "Another chain", "区块链不符", "Chain or contracts are not those of the trust file.", "区块链或合约与信任文件不符。"),
    "no-chain": Code(503, "No chain yet", "尚无区块链", "No chain is in force for this size of the log.", "日志在此规模下尚无可用的区块链。"),
    "compile": Code(500, "Contracts do not compile", "合约编译失败", "The contracts could not be compiled.", "合约无法编译。"),
    "trust-file": Code(422, "Trust file wrong", "信任文件错误", "The trust file is not of its form.", "信任文件不符合格式。"),
    "bundle": Code(422, "Bundle wrong", "证据包错误", "The bundle is not of its form.", "证据包不符合格式。"),
}
# fmt: on

_BY_STATUS = {400: "bad-request", 401: "no-token", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "media-type", 429: "too-many-requests", 503: "overloaded"}  # fmt: skip


class HttpError(LedgerError):
    """The interface itself refuses: token, path, parameter, size. `code` is a row of the table and gives the status."""

    def __init__(
        self, code: str, note: str = "", *, pointer: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(note, code=code, pointer=pointer)
        self.http_status = CODES[code].status
        self.headers = headers or {}
        self.wait_s: int | None = None
        """Whole seconds to wait, where that is the trouble."""


def problem_of(error: BaseException) -> dict[str, Any]:
    """The members of the problem document for `error`. What is no LedgerError says nothing about itself."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        error = HttpError(_BY_STATUS.get(status, "bad-request" if status < 500 else "internal"))
    if not isinstance(error, LedgerError):
        return _document(CODES["internal"], "internal", 500)
    row = CODES.get(error.code) or CODES.get(type(error).default_code) or CODES["internal"]
    status = error.http_status if isinstance(error, HttpError) else type(error).status
    document = _document(row, error.code, status)
    # What failed on our side keeps its words (paths, hosts) for the server's log.
    if error.detail and (status < 500 or isinstance(error, OverloadedError | HttpError)):
        document["note"] = error.detail
    if error.pointer is not None:
        document["pointer"] = error.pointer
    for name in ("check", "expected_seq", "expected_prev"):
        value = getattr(error, name, None)
        if value is not None:
            document[name] = value
    if status == 409 and getattr(error, "expected_seq", None) is not None:
        # null is the right `prev` of a book's first record, so it is said and not left out.
        document.setdefault("expected_prev", None)
    if isinstance(error, TransitionError):
        document["possible"] = list(error.possible)
    refusal = getattr(error, "refusal", None)
    if refusal is not None:
        document["refusal"] = refusal.decode() if isinstance(refusal, bytes) else str(refusal)
    return document


def problem_response(error: BaseException) -> Response:
    """The answer for `error`, with Retry-After where trying again makes sense."""
    document = problem_of(error)
    response = Response(json.dumps(document, ensure_ascii=False), status=document["status"], content_type=MEDIA_TYPE)
    response.headers["Content-Language"] = language()
    if isinstance(error, HttpError):
        response.headers.update(error.headers)
    elif isinstance(error, HTTPException) and error.code == 405:
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    if document["status"] in {429, 503}:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if document["status"] == 413:
        # The body was not read to its end, so the connection cannot carry another request.
        response.headers["Connection"] = "close"
    if error_code(document) in {"no-token", "bad-token"}:
        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="hazledger"')
    return response


def error_code(document: dict[str, Any]) -> str:
    """The tail of `type`."""
    return str(document["type"]).removeprefix("urn:hazledger:")


def _document(row: Code, code: str, status: int) -> dict[str, Any]:
    zh = language() == "zh"
    return {
        "type": f"urn:hazledger:{code}",
        "status": status,
        "title": row.title_zh if zh else row.title,
        "detail": row.detail_zh if zh else row.detail,
    }
