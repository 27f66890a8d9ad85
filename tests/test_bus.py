from tests.conftest import NewBus


async def test_a_message_is_delivered(new_bus: NewBus) -> None:
    async with new_bus("lane") as bus:
        subscription = bus.subscribe("parking/marina/+/fee")
        await subscription.granted()
        await bus.publish("parking/marina/exit-1/fee", b"1")
        delivery = await anext(subscription)
        assert (delivery.topic, delivery.payload, delivery.retained) == ("parking/marina/exit-1/fee", b"1", False)
        delivery.ack()
