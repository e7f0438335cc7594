"""A single-node broker that speaks the Kafka protocol, for trying things out.

The demo and the fast tests run the very same worker on it that a deployment runs on
Apache Kafka. One process, loopback only, nothing replicated: never for production.

    async with EmbeddedBroker() as broker:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)

From the wire inwards: `server` accepts connections, `wire` turns frames into messages and
back (kafka-python's own codec), `data_api`, `group_api` and `admin_api` answer them from a
`node`: its `topics`, the `log` of each partition, and its `groups`.
"""

from streams.broker.node import Limits
from streams.broker.server import BrokerAddressError, EmbeddedBroker
from streams.broker.state import BrokerDirectoryError

__all__ = ["BrokerAddressError", "BrokerDirectoryError", "EmbeddedBroker", "Limits"]
