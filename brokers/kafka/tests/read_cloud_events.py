"""Reads a topic with the CloudEvents SDK for Python; prints a line per event: its attributes, then its body in hex.

usage: read_cloud_events.py HOST:PORT TOPIC COUNT
"""

import sys

from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.base import Format
from kafka import KafkaConsumer


class Bytes(Format):
    """The body as it is: what a consumer makes of it is no matter of the envelope."""

    def read_data(self, body, datacontenttype):
        return body


def main(brokers, topic, count):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=brokers, auto_offset_reset="earliest", consumer_timeout_ms=20000
    )
    for _ in range(int(count)):
        record = next(consumer)
        message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
        event = from_kafka(message, Bytes())
        attributes = event.get_attributes()
        del attributes["time"]  # optional; the SDK fills it in
        print(",".join(f"{name}={attributes[name]}" for name in sorted(attributes)), event.get_data().hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
