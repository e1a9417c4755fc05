"""Publishes what foreign producers may send: one event that can be handled, and many that cannot.

usage: publish_foreign_events.py URL TOPIC; prints how many cannot be handled
"""

import sys

import kafka
import pika

GOOD = {"specversion": "1.0", "type": "order.placed", "source": "/foreign"}
ORDER = b'{"order_id":"F-1","user_id":"u1","points":42}'

EVENTS = [
    ({**GOOD, "id": "foreign/order.placed/F-1"}, ORDER),
    (GOOD, b"no id"),
    ({**GOOD, "id": ""}, b"an empty id"),
    ({**GOOD, "id": "just-a-name"}, b"no message id"),
    ({**GOOD, "id": "foreign/order.placed/" + "x" * 1000}, b"too long an id"),
    ({**GOOD, "id": b"foreign/order.placed/\xff"}, b"no text"),
    ({**GOOD, "id": "foreign/order.placed/epoch", "waybillepoch": "soon"}, ORDER),
    ({**GOOD, "id": "foreign/order.placed/sent", "waybillsent": "yesterday"}, ORDER),
    ({**GOOD, "id": "foreign/order.placed/version", "specversion": "0.3"}, ORDER),
    ({**GOOD, "id": "foreign/order.placed/type", "type": "order.unheardof"}, ORDER),
    ({"specversion": "1.0", "id": "foreign/order.placed/untyped"}, ORDER),
    ({**GOOD, "id": "foreign/order.placed/body"}, b"no JSON"),
    ({}, b'{"specversion":"1.0","id":"structured","type":"order.placed"}'),
]


def to_kafka(url, topic):
    producer = kafka.KafkaProducer(bootstrap_servers=url.removeprefix("kafka://"))
    for attributes, body in EVENTS:
        headers = [
            ("ce_" + name, value if isinstance(value, bytes) else value.encode())
            for name, value in attributes.items()
        ]
        producer.send(topic, body, headers=headers).get(timeout=20)
    return len(EVENTS)


def to_rabbitmq(url, queue):
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.confirm_delivery()
    events = EVENTS + [({**GOOD, "id": {"a": "table"}}, b"of a wrong type")]
    for attributes, body in events:
        headers = {"cloudEvents_" + name: value for name, value in attributes.items()}
        channel.basic_publish("", queue, body, pika.BasicProperties(headers=headers), mandatory=True)
    return len(events)


if __name__ == "__main__":
    publish = to_kafka if sys.argv[1].startswith("kafka://") else to_rabbitmq
    print(publish(sys.argv[1], sys.argv[2]) - 1)
