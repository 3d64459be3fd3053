"""RabbitMQ crashes and comes back, while a worker serves."""

from dataclasses import replace
from pathlib import Path

from client import until
from conftest import Fleet
from kinds import mogbox_only
from servers import RabbitMq, free_ports
from workers import Servers


# Mognet's worker stops all that runs when its connection breaks, and its messages are gone with the server.
@mogbox_only
async def test_a_crash_of_rabbitmq_costs_neither_what_runs_nor_what_waits(servers: Servers, kind: str, tmp_path: Path):
    port = free_ports(3)
    rabbitmq = RabbitMq(tmp_path, port)
    fleet = Fleet(replace(servers, amqp=rabbitmq.url), kind)
    try:
        client = (await fleet.open(("tasks", "slow"))).client
        await fleet.start()
        await client.run("twin.spawn", "demo.add", [1, 2], "slow")
        await until(lambda: waits(fleet), "the child is in a queue that nobody serves")
        running = await client.submit("twin.hold")
        await client.until_state(running, "RUNNING")

        rabbitmq.kill()
        await client.write(running, go="while it was away")
        assert await client.value(running) == "while it was away"
        assert await client.starts_and_stops(running) == (1, 1)

        rabbitmq = RabbitMq(tmp_path, port)
        again = await fleet.connect(queues=("tasks", "slow"))
        assert await again.run("demo.add", 1, 2) == 3.0
        assert await again.waiting("slow") == 1
        revoked = await again.submit("twin.tick")
        await again.until_metadata(revoked, "tick")
        await again.app.revoke(revoked.id)
        await again.until_not_running(revoked)
    finally:
        await fleet.close()
        rabbitmq.kill()


async def waits(fleet: Fleet) -> bool:
    return await fleet.client.waiting("slow") == 1
