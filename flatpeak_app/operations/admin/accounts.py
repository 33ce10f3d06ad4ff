from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from flatpeak_app.accounts.models import User
from flatpeak_app.web.staff import lacks_second_factor

from .. import customer_page
from ..lists import LongList
from ..words import counted
from .tariffs import FromFlatPeak


def may_touch(request: HttpRequest, user: User | None) -> bool:
    return request.user.is_superuser or not (user and (user.is_staff or user.is_superuser))


def has_permission(request: HttpRequest) -> bool:
    return admin.AdminSite.has_permission(admin.site, request) and not lacks_second_factor(request)


def to_second_factor(request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
    """Lead staff to show their second factor or to set one up; the admin's index refuses those without a permission."""
    if not lacks_second_factor(request):
        return redirect("admin:index")
    if is_mfa_enabled(request.user, [Authenticator.Type.TOTP]):
        return redirect(reverse("mfa_reauthenticate", query={"next": get_next_redirect_url(request) or "/"}))
    messages.info(request, _("Set up a second factor here first. Then open the administration again."))
    return redirect("mfa_activate_totp")


# Staff sign in and change their password on the customers' pages, which limit guesses, send mails and ask for the second
# factor.
admin.site.login = secure_admin_login(to_second_factor)  # type: ignore[method-assign]
admin.site.password_change = lambda request: redirect("account_change_password")  # type: ignore
admin.site.has_permission = has_permission  # type: ignore[method-assign]
admin.site.enable_nav_sidebar = False  # the lists need its width
admin.site.site_header = admin.site.site_title = settings.BRAND_NAME


# Only superusers give powers or change other staff. Otherwise a permission for accounts would lead to all others.
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class EmailUserAdmin(LongList, UserAdmin):
    ordering = ["email"]
    list_display = ["email", "customer_link", "is_staff", "is_active", "date_joined", "last_login"]
    search_fields = ["email"]
    actions = ["delete_selected", "sign_out"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Permissions", {"fields": ["is_active", *POWERS]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return () if request.user.is_superuser else POWERS

    @admin.display(description="customer")
    def customer_link(self, row: User) -> SafeString:
        return format_html('<a href="{}">everything</a>', reverse("admin:customer", args=[row.pk]))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(customer_page.customer)
        return [path("<int:number>/everything/", view, name="customer"), *super().get_urls()]

    @admin.action(description="Sign out of every browser", permissions=["change"])
    def sign_out(self, request: HttpRequest, users: models.QuerySet[User]) -> None:
        allowed = users if request.user.is_superuser else users.filter(is_staff=False, is_superuser=False)
        sessions = list(UserSession.objects.filter(user__in=allowed))
        get_adapter().end_sessions(sessions)
        self.message_user(request, f"{counted(len(sessions), 'sign-in')} ended.")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_touch(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Replace allauth's record of the address too, because sign-in reads that one."""
        obj.email = obj.email.lower()
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if "email" in form.changed_data:
                EmailAddress.objects.filter(user=obj).delete()
                EmailAddress.objects.create(user=obj, email=obj.email, primary=True, verified=False)


# The packages' own lists can be filtered by secrets, and change any account. Sign-ins get no list: only their owner may see
# where from.
admin.site.unregister([Authenticator, EmailAddress, Group, UserSession])


@admin.register(Group)
class Groups(LongList, GroupAdmin):
    ordering = ["name"]
    search_fields = []

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    has_add_permission = has_delete_permission = has_change_permission


@admin.register(EmailAddress)
class Addresses(FromFlatPeak):
    """Read-only, because an address is changed with its account."""

    list_display = ["email", "customer_link", "primary", "verified"]
    list_select_related = ["user"]
    owner = "user"
    list_filter = ["primary", "verified"]
    search_fields = ["email"]

    has_delete_permission = FromFlatPeak.has_change_permission


@admin.register(Authenticator)
class SecondFactorAdmin(FromFlatPeak):
    """Staff can delete the second factor of somebody who lost it; the secret is not shown."""

    list_display = ["__str__", "customer_link", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    owner = "user"
    list_filter = ["type", "created_at", "last_used_at"]
    exclude = ["data"]

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_touch(request, obj.user if obj else None)
