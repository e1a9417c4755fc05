"""Reads a queue with the CloudEvents SDK for Python; prints a line per event: its attributes, then its body in hex.

usage: read_cloud_events.py URL QUEUE COUNT
"""

import sys

import pika
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp
from cloudevents.core.formats.base import Format


class Bytes(Format):
    """The body as it is: what a consumer makes of it is no matter of the envelope."""

    def read_data(self, body, datacontenttype):
        return body


def main(url, queue, count):
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    for _ in range(int(count)):
        method, properties, body = next(channel.consume(queue, inactivity_timeout=20))
        message = AMQPMessage(properties={}, application_properties=properties.headers, application_data=body)
        event = from_amqp(message, Bytes())
        attributes = event.get_attributes()
        del attributes["time"]  # optional; the SDK fills it in
        print(",".join(f"{name}={attributes[name]}" for name in sorted(attributes)), event.get_data().hex())
        channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    main(*sys.argv[1:])
