"""A worker that says what its clients ask the cluster for, and asks again every half second."""

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequest_v5

from agents import logs
from agents.app import create_app
from agents.topics import watch as topic_watch
from agents.worker import Worker
from streams.settings import load


def watched():
    """Let each client refresh its metadata often, and every request for it be told."""
    make, send, look = (
        AIOKafkaClient.__init__,
        AIOKafkaConnection.send,
        topic_watch.find_topic_problems,
    )

    def often(self, **options):
        make(self, **{**options, "metadata_max_age_ms": 500})

    def told(self, request, *given, **options):
        if isinstance(request, MetadataRequest):
            asked = request.build(MetadataRequest_v5)
            topics = "ALL" if asked.topics is None else sorted(asked.topics)
            topics = "TO MAKE" if asked.allow_auto_topic_creation else topics
            print("asked for", self._client_id, topics, flush=True)
        if isinstance(request, FetchRequest):
            fetched = request.build(FetchRequest_v11)
            print("fetched by", self._client_id, "in rack", fetched.rack_id, flush=True)
        return send(self, request, *given, **options)

    async def topics_checked(settings):
        print("looking at the topics", flush=True)
        return await look(settings)

    AIOKafkaClient.__init__, AIOKafkaConnection.send = often, told
    topic_watch.find_topic_problems = topics_checked


if __name__ == "__main__":
    watched()
    settings = load().settings
    logs.configure(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    Worker(create_app(settings), loop=loop, loglevel="INFO").execute_from_commandline()
