from allauth.account.decorators import secure_admin_login
from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.admin import UserSession
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from tariffs.lists import LongList

from .models import User


def lacks_second_factor(request: HttpRequest) -> bool:
    return settings.STAFF_MFA and not is_mfa_enabled(request.user, [Authenticator.Type.TOTP])


def has_permission(request: HttpRequest) -> bool:
    return admin.AdminSite.has_permission(admin.site, request) and not lacks_second_factor(request)


def login(request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
    """Staff come here signed in when they lack something: a second factor is led to, a permission is refused."""
    if lacks_second_factor(request):
        messages.info(
            request, gettext("The administration asks for a second factor. Set yours up here, then open it again.")
        )
        return redirect("mfa_activate_totp")
    return redirect("admin:index")


# The admin signs in where everybody does: one form, with its rate limits, its e-mail verification and second factor.
admin.site.login = secure_admin_login(login)  # type: ignore[method-assign]
admin.site.has_permission = has_permission  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = settings.BRAND_NAME


@admin.register(User)
class EmailUserAdmin(LongList, UserAdmin):
    ordering = ["email"]
    list_display = ["email", "is_staff", "is_active", "date_joined", "last_login"]
    search_fields = ["email"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Permissions", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]})]


# Whose sessions there are, and where from, is for their owner to see.
admin.site.unregister([Authenticator, UserSession])


@admin.register(Authenticator)
class SecondFactorAdmin(AuthenticatorAdmin):
    """For who has lost theirs: it can be taken away, and its secret is not shown."""

    exclude = ["data"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return False
