"""One's own addresses, ladders and quiet hours over the API, by session; contacts for partners, who read no address."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from alerts.models import Contact, ContactMethod, Importance, NotificationRule, Preferences
from alerts.services import people
from alerts.services.people.methods import OF_CONTACTS, OF_PEOPLE
from alerts.services.people.wishes import MAY_CLIMB
from interop.api.authentication import PEOPLE, HasScope
from interop.api.patrol.force_kit import ForceView, PlaceAskedSerializer, of_place
from interop.api.trust import WritingIsForPeople
from interop.models import Scope


class MethodSerializer(serializers.Serializer[ContactMethod]):
    id = serializers.IntegerField()
    channel = serializers.CharField()
    address = serializers.SerializerMethodField(help_text="Masked unless it is one's own or one manages alerts; empty for a key.")
    is_proved = serializers.SerializerMethodField()
    is_active = serializers.BooleanField()
    disabled_because = serializers.CharField()
    last_ok_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.CharField())
    def get_address(self, method: ContactMethod) -> str:
        viewer = self.context.get("viewer")
        if not isinstance(viewer, User):
            return ""
        return method.address if people.sees_address(viewer, method) else people.masked(method.channel, method.address)

    @extend_schema_field(serializers.BooleanField())
    def get_is_proved(self, method: ContactMethod) -> bool:
        return method.verified_at is not None


class RungSerializer(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(choices=[one.value for one in MAY_CLIMB])
    wait_s = serializers.IntegerField(min_value=0, max_value=3600, required=False, default=60)


class LadderSerializer(serializers.Serializer[Any]):
    importance = serializers.ChoiceField(choices=Importance.values)
    rungs = RungSerializer(many=True)


class QuietHoursSerializer(serializers.Serializer[Any]):
    quiet_from = serializers.TimeField(allow_null=True)
    quiet_to = serializers.TimeField(allow_null=True)


class HowIAmToldSerializer(serializers.Serializer[Any]):
    is_reachable = serializers.BooleanField(help_text="Whether any message reaches this person away from the screen.")
    methods = MethodSerializer(many=True)
    ladders = LadderSerializer(many=True)
    quiet_from = serializers.TimeField(allow_null=True)
    quiet_to = serializers.TimeField(allow_null=True)
    sound_muted_until = serializers.DateTimeField(allow_null=True)


class AddMethodSerializer(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(choices=[one.value for one in OF_PEOPLE])
    address = serializers.CharField(max_length=500)


class CodeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=12)


class MineView(GenericAPIView[Any]):
    """For the person who is signed in, about themselves. Keys have no addresses."""

    authentication_classes = PEOPLE
    permission_classes = [IsAuthenticated]
    serializer_class: Any = HowIAmToldSerializer
    pagination_class = None
    queryset = ContactMethod.objects.none()

    @property
    def me(self) -> User:
        if not isinstance(self.request.user, User):
            raise Http404
        return self.request.user

    def told(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def method(self, pk: int) -> ContactMethod:
        found = ContactMethod.objects.filter(user=self.me, pk=pk).first() if pk < 2**63 else None
        if found is None:
            raise Http404
        return found

    def shown(self, status: int = 200) -> Response:
        wishes = Preferences.objects.filter(user=self.me).first()
        rows = NotificationRule.objects.filter(user=self.me).order_by("position")
        ladders = [{"importance": of, "rungs": [row for row in rows if row.importance == of]} for of in Importance.values]
        told = {
            "is_reachable": people.is_reachable(self.me),
            "methods": ContactMethod.objects.filter(user=self.me).order_by("pk"),
            "ladders": ladders,
            **{name: getattr(wishes, name, None) for name in ("quiet_from", "quiet_to", "sound_muted_until")},
        }
        return Response(HowIAmToldSerializer(told, context={"viewer": self.me}).data, status=status)


class Mine(MineView):
    @extend_schema(
        operation_id="read_how_i_am_told", tags=["alerts"], summary="One's own addresses, ladders and quiet hours (people only)",
        responses=HowIAmToldSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return self.shown()


class MethodAdd(MineView):
    @extend_schema(
        operation_id="add_my_address", tags=["alerts"], summary="Keep an address of one's own; it pages nobody until it is proved",
        request=AddMethodSerializer, responses={201: HowIAmToldSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        people.add_method(by=self.me, user=self.me, **self.told(AddMethodSerializer))
        return self.shown(201)


class MethodDetail(MineView):
    @extend_schema(operation_id="remove_my_address", tags=["alerts"], summary="Remove an address of one's own", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        people.remove_method(method=self.method(pk), by=self.me)
        return Response(status=204)


class MethodCode(MineView):
    @extend_schema(
        operation_id="send_my_code", tags=["alerts"], summary="Send a code to an address of one's own", request=None,
        responses=HowIAmToldSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        people.send_code(method=self.method(pk), by=self.me)
        return self.shown()


class MethodProve(MineView):
    @extend_schema(
        operation_id="prove_my_address", tags=["alerts"], summary="Prove an address with the code that arrived", request=CodeSerializer,
        responses=HowIAmToldSerializer,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        people.prove(method=self.method(pk), by=self.me, code=self.told(CodeSerializer)["code"])
        return self.shown()


class Ladder(MineView):
    @extend_schema(
        operation_id="set_my_ladder", tags=["alerts"], summary="Set one's own order of channels, whole", request=LadderSerializer,
        responses=HowIAmToldSerializer,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        told = self.told(LadderSerializer)
        rungs = [(rung["channel"], rung["wait_s"]) for rung in told["rungs"]]
        people.set_ladder(user=self.me, by=self.me, importance=told["importance"], rungs=rungs)
        return self.shown()


class QuietHours(MineView):
    @extend_schema(
        operation_id="set_my_quiet_hours", tags=["alerts"], summary="Set one's own quiet hours, or none", request=QuietHoursSerializer,
        responses=HowIAmToldSerializer,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        people.set_quiet_hours(user=self.me, by=self.me, **self.told(QuietHoursSerializer))
        return self.shown()


# --- contacts ----------------------------------------------------------------------------------------------------------------------------


class AlertContactSerializer(serializers.Serializer[Contact]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    kind = serializers.CharField()
    name_en = serializers.CharField()
    name_ar = serializers.CharField()
    agency = serializers.CharField(source="agency.slug")
    governorate = serializers.CharField(source="governorate.code", allow_null=True, default=None)
    language = serializers.CharField()
    is_active = serializers.BooleanField()
    is_synthetic = serializers.BooleanField()
    methods = MethodSerializer(many=True)


class MakeContactSerializer(serializers.Serializer[Any]):
    code = serializers.SlugField(max_length=64)
    kind = serializers.ChoiceField(choices=Contact.Kind.values, required=False, default="desk")
    name_en = serializers.CharField(max_length=120)
    name_ar = serializers.CharField(max_length=120)
    agency = serializers.SlugField(max_length=32)
    governorate = serializers.CharField(max_length=32, required=False, allow_null=True, default=None, help_text="Its code.")
    language = serializers.ChoiceField(choices=User.Language.values, required=False, default="ar")


class ChangeContactSerializer(serializers.Serializer[Any]):
    name_en = serializers.CharField(max_length=120, required=False)
    name_ar = serializers.CharField(max_length=120, required=False)
    language = serializers.ChoiceField(choices=User.Language.values, required=False)
    is_active = serializers.BooleanField(required=False)


class ContactAddressSerializer(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(choices=[one.value for one in OF_CONTACTS])
    address = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    secret_name = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class ContactsView(ForceView):
    permission_classes = [HasScope, WritingIsForPeople]
    scope = Scope.ALERTS_READ
    serializer_class: Any = AlertContactSerializer

    def rows(self) -> Any:
        if not self.is_key and not self.viewer.can("see_alerts"):
            return Contact.objects.none()
        rows = Contact.objects.visible_to(self.viewer).select_related("agency", "governorate").defer("governorate__boundary")
        return rows.prefetch_related("methods__contact")

    def shown(self, contact: Contact, status: int = 200) -> Response:
        found = self.found(self.rows(), contact.pk)
        return Response(AlertContactSerializer(found, context={"viewer": self.viewer}).data, status=status)


class ContactList(ContactsView):
    @extend_schema(
        operation_id="list_alert_contacts", tags=["alerts"], summary="List contacts and operations rooms; a key reads no address",
        parameters=[PlaceAskedSerializer], responses=AlertContactSerializer(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(of_place(self.rows(), self.asked(PlaceAskedSerializer)))
        return self.get_paginated_response(AlertContactSerializer(page, many=True, context={"viewer": self.viewer}).data)

    @extend_schema(
        operation_id="make_alert_contact", tags=["alerts"], summary="Make a contact (people only)", request=MakeContactSerializer,
        responses={201: AlertContactSerializer},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        told = self.told(MakeContactSerializer)
        agency, governorate = self.owner(told.pop("agency"), told.pop("governorate"))
        return self.shown(people.make_contact(by=self.viewer, agency=agency, governorate=governorate, **told), 201)


class ContactDetail(ContactsView):
    @extend_schema(operation_id="read_alert_contact", tags=["alerts"], summary="Read one contact", responses=AlertContactSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return self.shown(self.found(self.rows(), pk))

    @extend_schema(
        operation_id="change_alert_contact", tags=["alerts"], summary="Change a contact or take it out of use (people only)",
        request=ChangeContactSerializer, responses=AlertContactSerializer,
    )  # fmt: skip
    def patch(self, request: Request, pk: int) -> Response:
        contact = self.found(self.rows(), pk)
        return self.shown(people.change_contact(contact=contact, by=self.viewer, **self.told(ChangeContactSerializer)))


class ContactAddresses(ContactsView):
    @extend_schema(
        operation_id="add_contact_address", tags=["alerts"], summary="Keep an address of a contact (people only)",
        request=ContactAddressSerializer, responses={201: AlertContactSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        contact = self.found(self.rows(), pk)
        people.add_method(by=self.viewer, contact=contact, **self.told(ContactAddressSerializer))
        return self.shown(contact, 201)


class ContactAddress(ContactsView):
    @extend_schema(
        operation_id="remove_contact_address", tags=["alerts"], summary="Remove an address of a contact (people only)",
        responses={204: None},
    )  # fmt: skip
    def delete(self, request: Request, pk: int, method: int) -> Response:
        contact = self.found(self.rows(), pk)
        people.remove_method(method=self.found(ContactMethod.objects.filter(contact=contact), method), by=self.viewer)
        return Response(status=204)
