"""JSON columns whose numbers stay exact."""

import json
from decimal import Decimal
from typing import Any

import simplejson
from django.db import models


class DecimalDecoder(json.JSONDecoder):
    """Reads numbers as Decimal, as simplejson's encoder writes them: digit for digit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_float=Decimal, **options)


class ExactJSONField(models.JSONField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"encoder": simplejson.JSONEncoder, "decoder": DecimalDecoder}))
