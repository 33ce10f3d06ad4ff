"""Rates: reading, cutting, fetching and storing them. No form, no request, no screen."""

from .segments import Segment, clip, current, day_span, dump, instant, joined, load, number, parse, read  # noqa: F401
