"""The script reads a typed number as the forms do."""

import pytest
from django.contrib.staticfiles import finders
from django.utils import translation

from tariffs import money
from tests.test_typed_numbers import ROWS, field_for

pytestmark = pytest.mark.browser
READ = """async ([script, rows]) => {
    const { read, likely } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    return rows.map(([text, units, usual]) => likely(read(text, units), usual));
}"""


def test_the_script_reads_the_table_as_the_forms_do(chromium):
    rows = []
    table = [row for row in ROWS if row[0] != "%"]  # the script says nothing of a percentage
    for currency, language, text, _means in table:
        with translation.override(language):
            rows.append((text, dict(field_for(currency).units), float(money.unit(currency).ordinary or 0)))
    with open(finders.find("js/prices.js")) as script:
        page = chromium.new_page()
        found = page.evaluate(READ, [script.read(), rows])
        page.close()
    for (currency, _language, text, means), numbers in zip(table, found, strict=True):
        assert sorted(numbers) == pytest.approx(sorted(map(float, means))), (currency, text)
