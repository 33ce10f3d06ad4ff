from django import template

from ..browsers import named

register = template.Library()
register.filter("browser", named)
