"""The gateway: takes platforms' webhooks in and writes viewer events.

    sender ──▶ server: verified, read ──▶ gateway-observations ──▶ table of open broadcasts
                     │ what cannot be read                              │ one transaction
                     ▼                                                  ▼
               gateway-rejected                                   viewer-events

The first half is stateless: a delivery is acknowledged once Kafka has its observations. The second
half is an agent of the exactly-once layer: several gateways share its partitions.
"""
