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

    def value_to_string(self, obj: models.Model) -> str:
        """What `dumpdata` writes: text, because its encoder would make a string of each number with a fraction."""
        return simplejson.dumps(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        """What `loaddata` reads. No column holds a string by itself."""
        return json.loads(value, cls=DecimalDecoder) if isinstance(value, str) else value
