"""The words that come with the product: what stands in ``MessageTemplate`` until somebody writes better, and where no row is left.

Kept short where each part is paid (SMS: 70 letters a part in Arabic) and speakable where it is read aloud.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.models import Channel, MessageTemplate

Event = MessageTemplate.Event


@dataclass(frozen=True)
class Seed:
    subject: str
    body: str


# One line of what is peculiar to each kind of alert; the alert's title is said before it.
_DETAIL = {
    Event.EVENT: {"en": "{type} {reference}", "ar": "{type} {reference}"},
    Event.COUNT: {"en": "Counted: {measure}, from {threshold} on it is told.", "ar": "العدد: {measure}، والحد: {threshold}."},
    Event.HOT_SPOT: {"en": "{reason}", "ar": "{reason}"},
    Event.FORECAST: {"en": "A forecast, not a fact. {reason}", "ar": "توقع وليس واقعة. {reason}"},
    Event.READING: {"en": "Reading: {measure} (limit {threshold}).", "ar": "القراءة: {measure} (الحد {threshold})."},
    Event.FEED_SILENCE: {"en": "Nothing has come in for {measure} minutes.", "ar": "لم يصل شيء منذ {measure} دقيقة."},
    Event.CAMERA: {"en": "Camera: {text}", "ar": "الكاميرا: {text}"},
    Event.MANUAL: {"en": "{text}", "ar": "{text}"},
    Event.COVERAGE: {"en": "Nobody could be reached. Somebody must take it now.", "ar": "تعذر الوصول إلى أي شخص. يجب أن يتولاه أحد الآن."},
}
_SHORT = {
    "en": ("", "{level}: {title}\n{detail}\n{place} {time}\nReply 1 to acknowledge. Several waiting: 1 {code}"),
    "ar": ("", "{level}: {title}\n{detail}\n{place} {time}\nللإقرار أرسل 1. وإن تعددت التنبيهات: 1 {code}"),
}
_LINKED = {
    "en": ("", "{level}: {title}\n{detail}\n{place}, {time}\nReply 1 to acknowledge, or open: {acknowledge_link}\nCode: {code}"),
    "ar": ("", "{level}: {title}\n{detail}\n{place}، {time}\nللإقرار أرسل 1 أو افتح: {acknowledge_link}\nالرمز: {code}"),
}
_SPOKEN = {
    "en": ("", "This is Khareetaty with an alert. Level: {level}. {title}.\n{detail}\n{place}."),
    "ar": ("", "هنا منصة خريطتي. لديكم تنبيه. الدرجة: {level}. {title}.\n{detail}\n{place}."),
}
_PUSHED = {"en": ("{level}: {title}", "{detail}\n{place} · {time}"), "ar": ("{level}: {title}", "{detail}\n{place} · {time}")}
_LONG = {
    "en": (
        "{level}: {title}",
        "{title}\n\nLevel: {level}\nPlace: {place}\nHappened: {time}\n{detail}\nOccurrences: {count}\nIncident: {reference}\n"
        "Why you: {why}\n\nAcknowledge: {acknowledge_link}\nThe alert: {link}",
    ),
    "ar": (
        "{level}: {title}",
        "{title}\n\nالدرجة: {level}\nالمكان: {place}\nالوقت: {time}\n{detail}\nعدد مرات الحدوث: {count}\nالبلاغ: {reference}\n"
        "سبب التبليغ: {why}\n\nللإقرار: {acknowledge_link}\nالتنبيه: {link}",
    ),
}
_FRAMES = {
    "": _LONG,
    Channel.SMS: _SHORT,
    Channel.GATEWAY: _SHORT,
    Channel.WHATSAPP: _LINKED,
    Channel.VOICE: _SPOKEN,
    Channel.PUSH: _PUSHED,
}
_NOTICES = {
    Event.RESOLVED: {
        "en": ("Over: {title}", "Over: {title}\n{place}\n{outcome}\n{link}"),
        "ar": ("انتهى: {title}", "انتهى: {title}\n{place}\n{outcome}\n{link}"),
    },
    Event.TEST: {
        "en": ("A test of Khareetaty", "A test by {by}: this is how Khareetaty reaches you. Nothing is to be done."),
        "ar": ("اختبار من خريطتي", "اختبار أجراه {by}: هكذا تصلكم تنبيهات خريطتي. لا يلزم أي إجراء."),
    },
}
_SPOKEN_NOTICES = {
    Event.RESOLVED: {"en": ("", "This is Khareetaty. An alert is over. {title}."), "ar": ("", "هنا منصة خريطتي. انتهى التنبيه. {title}.")},
}


def _all() -> dict[tuple[str, str, str], Seed]:
    seeds: dict[tuple[str, str, str], Seed] = {}
    for event in [Event.ANY, *_DETAIL]:
        for channel, frame in _FRAMES.items():
            for language, (subject, body) in frame.items():
                detail = _DETAIL[event][language] if event in _DETAIL else ""
                seeds[event, channel, language] = Seed(subject, body.replace("{detail}\n", f"{detail}\n" if detail else ""))
    for event, notice in _NOTICES.items():
        for language, words in notice.items():
            seeds[event, "", language] = Seed(*words)
    for event, notice in _SPOKEN_NOTICES.items():
        for language, words in notice.items():
            seeds[event, Channel.VOICE, language] = Seed(*words)
    return seeds


SEEDS = _all()


def ensure_default_templates() -> int:
    """A row for each of them that has none. What somebody has changed is left alone. Returns how many were missing."""
    there = set(MessageTemplate.objects.values_list("event", "channel", "language"))
    missing = [
        MessageTemplate(event=event, channel=channel, language=language, subject=seed.subject, body=seed.body, is_seeded=True)
        for (event, channel, language), seed in SEEDS.items()
        if (event, channel, language) not in there
    ]
    return len(MessageTemplate.objects.bulk_create(missing, ignore_conflicts=True))
