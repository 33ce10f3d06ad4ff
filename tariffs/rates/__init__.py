"""Rates: what they are, where they are cut, which are asked for and kept. No form, no request, no screen."""

from .segments import Segment, clip, current, day_span, dump, instant, joined, load, number, parse

__all__ = ["Segment", "clip", "current", "day_span", "dump", "instant", "joined", "load", "number", "parse"]
