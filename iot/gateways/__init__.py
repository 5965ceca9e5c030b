"""Doors that devices come in by, other than HTTP: MQTT, TCP, LoRaWAN, CoAP, SMS. Each vendor's library is imported by one file here.

A gateway proves who speaks (``iot.services.speaking``), reads the payload with a decoder and puts envelopes on the stream with
``iot.stream.offer``. It answers its device when ``offer`` has returned, and not before.
"""
