"""What is typed, asked for or told that may break something: values, and strategies that make examples of them."""

import copy
from urllib.parse import quote_from_bytes, urlencode

import simplejson
from hypothesis import strategies as st

from tests.test_faults import NIGHT_AND_DAY
from tests.walk import Walk

HOSTILE = [
    "<script>evil()</script>",
    '"><evil evil="1" onload="evil()">',
    "' evil='1' onload='evil()",
    "</title></textarea></style></svg><evil>",
    "javascript:evil()",
    "data:text/html,<evil>",
    "//evil.example/",
    "https://evil.example\\@localhost/",
    "https://evil.example/\r\nSet-Cookie: evil=1",
    "https://[",
    "https://evil.example:999999/",
    "https://evil.example/" + "e" * 20_000,
    "{{ 7|add:7 }}{% csrf_token %}",
    "%00%ff%s%(evil)s{0}",
    "a\0b",
    "\ud800",
    "\u202eevil\u2066\ufeff",
    "\U0001f50c\u0301" * 9,
    "ﬃİıßẞ٣²½",
    "x" * 1_000,  # as long as any field may be
    "x" * 10_000,
    "\n\t ",
    "' OR 1=1 --",
    "=cmd|'/c evil'!A0",
]
PLAUSIBLE = [
    *["", "0", "-1", "1", "24.5", "0,245", "1e9", "NaN", "Infinity", "-0", "999999.99999999", "9" * 400, "٢٤"],
    *["07:00", "23:59:59.999", "24:00", "00:00:00", "7.30"],
    *["2026-11-24", "2026-10-25", "0001-01-01", "9999-12-31", "2026-02-30", "27-01-01", "0001-01-01T00:00:00+14:00"],
    *["9999-12-31T23:59:59-14:00", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00", "2026-W48-2T00+23:59:59.999999"],
    *["GB", "DE", "EUR", "JPY", "XXX", "Europe/London", "Mars/Olympus", "../../etc/passwd", "/", "true", "null"],
    *["IMPORT", "EXPORT", "SAVE", "EDIT", "DISCONNECT", "RECONNECT", "PROVIDER_MISSING", "ADDRESS_CHANGE", "error"],
    *["FIXED", "TIME_OF_DAY", "MARKET", "date", "open", "unknown", "session_complete", "session_redirect"],
]
texts = st.sampled_from(PLAUSIBLE) | st.sampled_from(HOSTILE) | st.text(max_size=20)

# Numbers as they are written in JSON, and lists inside each other: neither goes through a serializer here.
NUMBERS = [
    *["0", "-0", "-0.0", "1", "-1", "0.1", "1e-9", "1e400", "-1e400", "1e-400", "1e-999", "1e200000", "1e-200000"],
    *["1e999999999999999999", "1e-999999999999999999", "999999.999999999999999999999", "1e6", "9223372036854775808"],
    *["-2147483649", "1" * 50, "1" * 5000, "0." + "1" * 5000, "1e20", "NaN", "Infinity", "-Infinity", "253402300800"],
]
LITERALS = NUMBERS + ["[" * deep + "]" * deep for deep in (40, 300, 500, 900, 5000)]
LITERAL = "literal:"
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(LITERALS).map(LITERAL.__add__),
    texts,
    st.sampled_from([{}, [], [[]], [{}], [None], {"": ""}, {"id": 5}, {"a": {"b": [1, "c"]}}, [1, "a", {"b": None}]]),
)


def written(value):
    """JSON text; what begins with `LITERAL` stands in it as it is."""
    text = simplejson.dumps(value, use_decimal=True)
    for literal in LITERALS:
        text = text.replace(f'"{LITERAL}{literal}"', literal)
    return text.encode()


@st.composite
def spoilt(draw, value):
    """A JSON value, some of whose parts at any depth are missing, another, wrapped, doubled, swapped or hostile."""
    whole = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, 4))):
        holder, key = whole, 0
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 5)):
            holder = holder[key]
            key = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        change = draw(
            st.sampled_from(["drop", "replace", "replace", "wrap", "double", "text", "hostile", "rename", "swap"])
        )
        part = holder[key]
        if change == "drop" and holder is not whole:
            del holder[key]
        elif change == "wrap":
            holder[key] = draw(st.sampled_from([[part], {"data": part}, {str(key): part}]))
        elif change == "double" and isinstance(holder, list) and holder is not whole:
            holder.insert(key, copy.deepcopy(part))
        elif change == "text":
            holder[key] = str(part)
        elif change == "hostile":
            holder[key] = (part if isinstance(part, str) else "") + draw(st.sampled_from(HOSTILE))
        elif change == "rename" and isinstance(holder, dict):
            holder[draw(texts)] = holder.pop(key)
        elif change == "swap" and isinstance(holder, dict):
            other = draw(st.sampled_from(list(holder)))
            holder[key], holder[other] = holder[other], part
        else:
            holder[key] = copy.deepcopy(draw(junk))
    return whole[0]


ERROR = {
    "object": "error",
    "code": "cost_value_zero",
    "message": "The cost is zero.",
    "request_id": "req_1",
    "type": "invalid_request_error",
}
VALID = {
    "postal_address_capture": Walk.ADDRESS,
    "provider_select": {"provider": ""},
    "provider_name_capture": {"provider_name": "Example Energy"},
    "tariff_select": {"tariff": ""},
    "tariff_structure_select": {"options": "FIXED"},
    "rate_fixed_capture": {"cost": "28.15"},
    "rate_tod_capture": NIGHT_AND_DAY | {"periods": "2"},
    "market_surcharge_capture": {"fixed": "1.5", "percentage": "12", "region": "Wales"},
    "tariff_name_capture": {"tariff_name": "Simple"},
    "contract_term_capture": {
        "term": "date",
        "contract_end_date": "2099-11-24",
        "contract_start_date": "2026-11-24",
    },
}
ALSO = ["action", "q", "sure", "add", "newest", "csrfmiddlewaretoken", "", "__proto__", "cost[]", "start_48", "\0"]


def filled(form):
    """A form's fields, some of them well filled in, others not or more than once, and fields that it does not have."""
    values = {name: st.just(value) | texts | st.lists(texts, max_size=3) for name, value in form.items()}
    also = st.dictionaries(st.sampled_from(ALSO), texts | st.lists(texts, max_size=3), max_size=2)
    begun = st.sampled_from([form, {}])
    return st.builds(
        lambda *parts: parts[0] | parts[1] | parts[2], begun, st.fixed_dictionaries({}, optional=values), also
    )


def encoded(form):
    """As a browser would send it; a lone surrogate, which no browser can type, goes as the bytes that it would be."""
    fields = [(name, each) for name, value in form.items() for each in (value if isinstance(value, list) else [value])]
    return urlencode(
        [(key.encode(errors="surrogatepass"), each.encode(errors="surrogatepass")) for key, each in fields]
    )


QUERY = {
    "direction": "IMPORT",
    "hours": "3",
    "before": "07:00",
    "kwh": "7,5",
    "date": "2026-11-24",
    "start": "2026-11-20",
    "end": "2026-11-24",
    "q": "oct",
    "fp_cot": "cot_of_an_example",
    "next": "/locations/",
    "action": "SAVE",
    "newest": "1",
    "page": "2",
    # the admin's
    "p": "1",
    "o": "1.-2",
    "all": "",
    "e": "1",
    "_popup": "1",
    "_to_field": "id",
    "_changelist_filters": "q=oct",
    "id__exact": "1",
    "user__email__startswith": "a",
    "is_staff__exact": "1",
    "state__exact": "open",
    "started_at__gte": "2026-11-24",
    "app_label": "tariffs",
    "model_name": "location",
    "field_name": "customer",
}
raw = st.lists(
    st.tuples(st.sampled_from([*QUERY, "date[]", "q[a]", "%00", "&"]) | st.text(max_size=5), st.binary(max_size=12)),
    max_size=4,
).map(
    lambda pairs: "&".join(
        f"{quote_from_bytes(k.encode(errors='surrogatepass'))}={quote_from_bytes(v)}" for k, v in pairs
    )
)
