"""People's own door: tokens for a name and a password, who one is, and new accounts by whoever manages people."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import tokens
from accounts.models import Agency, User
from accounts.roles import CAPABILITIES, Role
from accounts.services import create_person
from accounts.sign_in import keep_preferences
from core.errors import Invalid
from geography.models import Zone
from interop.api.authentication import PEOPLE

SECRET = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MAX_BYTES = 16 * 2**10


class IsPerson(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and request.user.is_active


# --- tokens --------------------------------------------------------------------------------------------------------------------------


class CredentialsSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=64)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=tokens.MOST_CHARACTERS)


class RevocationSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=tokens.MOST_CHARACTERS, help_text="An access or a refresh token.")
    everywhere = serializers.BooleanField(default=False, help_text="Ends every sign-in by token of this person.")


class TokensSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="Show it as `Authorization: Bearer …`.")
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds until the access token ends.")
    refresh = serializers.CharField(help_text="Good once: a refresh answers with a new one. Shown twice, it ends the sign-in.")
    refresh_expires_in = serializers.IntegerField()


def _shown(made: tokens.Tokens) -> Response:
    now = timezone.now()
    told = {
        "access": made.access,
        "token_type": "Bearer",
        "expires_in": int((made.access_expires_at - now).total_seconds()),
        "refresh": made.refresh,
        "refresh_expires_in": int((made.refresh_expires_at - now).total_seconds()),
    }
    return Response(told, headers=SECRET)


class Anonymous(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    limits_strangers = True
    max_body_bytes = MAX_BYTES

    def told(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)


class TokenIssue(Anonymous):
    @extend_schema(
        operation_id="sign_in", tags=["access"], summary="Tokens for a user name and a password", request=CredentialsSerializer,
        responses={200: TokensSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        return _shown(tokens.sign_in(request=request._request, **self.told(CredentialsSerializer)))


class TokenRenewal(Anonymous):
    @extend_schema(
        operation_id="refresh_tokens", tags=["access"], summary="New tokens for a refresh token, which is good once",
        request=RefreshSerializer, responses={200: TokensSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        return _shown(tokens.renew(refresh=self.told(RefreshSerializer)["refresh"]))


class TokenRevocation(Anonymous):
    @extend_schema(
        operation_id="revoke_tokens", tags=["access"], summary="End the sign-in a token belongs to",
        description="Answered alike for a token that is unknown or has ended: there is nothing left to end.",
        request=RevocationSerializer, responses={204: OpenApiResponse(description="It holds no more.")},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        tokens.revoke(**self.told(RevocationSerializer))
        return Response(status=204)


# --- people --------------------------------------------------------------------------------------------------------------------------


class MeSerializer(serializers.Serializer[User]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    full_name = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    agency = serializers.CharField(source="agency.slug", allow_null=True, default=None)
    sees_all_agencies = serializers.BooleanField()
    governorates = serializers.SerializerMethodField(help_text="Codes.")
    sees_all_governorates = serializers.BooleanField()
    may = serializers.SerializerMethodField(help_text="The verbs of the role.")
    language = serializers.ChoiceField(choices=User.Language.values)
    theme = serializers.ChoiceField(choices=User.Theme.values)
    last_login = serializers.DateTimeField(allow_null=True)

    def get_governorates(self, person: User) -> list[str]:
        return list(person.governorates.order_by("code").values_list("code", flat=True))

    def get_may(self, person: User) -> list[str]:
        return sorted(CAPABILITIES.get(person.role, ()))


class PreferencesSerializer(serializers.Serializer[Any]):
    language = serializers.ChoiceField(choices=User.Language.values, required=False)
    theme = serializers.ChoiceField(choices=User.Theme.values, required=False)


class Me(APIView):
    """The person who calls."""

    authentication_classes = PEOPLE
    permission_classes = [IsPerson]
    max_body_bytes = MAX_BYTES

    @extend_schema(operation_id="read_me", tags=["access"], summary="Who one is and what one may", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(request.user).data)  # type: ignore[arg-type]

    @extend_schema(
        operation_id="change_me", tags=["access"], summary="Choose one's language and theme", request=PreferencesSerializer,
        responses=MeSerializer,
    )  # fmt: skip
    def patch(self, request: Request) -> Response:
        given = PreferencesSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(MeSerializer(keep_preferences(user=request.user, **given.validated_data)).data)  # type: ignore[arg-type]


class NewPersonSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=64)
    role = serializers.ChoiceField(choices=Role.choices)
    full_name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    email = serializers.EmailField(required=False, allow_blank=True)
    agency = serializers.CharField(max_length=32, required=False, allow_null=True, default=None, help_text="Its short name.")
    sees_all_agencies = serializers.BooleanField(default=False)
    governorates = serializers.ListField(child=serializers.CharField(max_length=32), default=list, max_length=50, help_text="Codes.")
    sees_all_governorates = serializers.BooleanField(default=False)
    language = serializers.ChoiceField(choices=User.Language.values, default=User.Language.ARABIC)


class RegisteredSerializer(serializers.Serializer[Any]):
    person = MeSerializer()
    password = serializers.CharField(help_text="Made for them; shown once, kept nowhere.")


class MayManagePeople(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, AnonymousUser):
            return False
        self.message = _("Your role does not allow this.")
        return isinstance(request.user, User) and request.user.can("manage_people")


class Register(APIView):
    authentication_classes = PEOPLE
    permission_classes = [MayManagePeople]
    max_body_bytes = MAX_BYTES

    @extend_schema(
        operation_id="register_person", tags=["access"], summary="Add a person (super administrators)", request=NewPersonSerializer,
        responses={201: RegisteredSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = NewPersonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        told = dict(given.validated_data)
        slug, codes = told.pop("agency"), told.pop("governorates")
        problems: dict[str, str] = {}
        agency = Agency.objects.filter(slug=slug).first() if slug else None
        if slug and agency is None:
            problems["agency"] = _("There is no such agency.")
        zones = list(Zone.objects.level(Zone.Level.GOVERNORATE).filter(code__in=codes, is_active=True).defer("boundary"))
        if {zone.code for zone in zones} != set(codes):
            problems["governorates"] = _("There is no such governorate.")
        if problems:
            raise Invalid(_("This person cannot be added as they are."), fields=problems)
        made = create_person(by=request.user, agency=agency, governorates=zones, **told)  # type: ignore[arg-type]
        return Response({"person": MeSerializer(made.person).data, "password": made.password}, status=201, headers=SECRET)
