"""What parse_payload and check_payload both refuse."""

import re

import pytest

from ledger.core import record
from ledger.core.record import check_payload, parse_payload
from ledger.errors import PayloadError
from tests.factories import body, encode, line, payload


def refusal(document):
    with pytest.raises(PayloadError) as caught:
        parse_payload(encode(document))
    with pytest.raises(PayloadError, match=re.escape(str(caught.value))):
        check_payload(encode(document))
    assert caught.value.code in record.PAYLOAD_CODES
    assert caught.value.check == 3
    return caught.value


def with_line(**members):
    return payload("movement", body=body("movement", lines=[line(**members)]))
