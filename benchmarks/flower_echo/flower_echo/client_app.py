"""Answers any message with as many bytes as it says."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from baffle.drivers.flower.records import from_record, to_record

app = ClientApp()


@app.train()
def echo(message: Message, context: Context) -> Message:
    parts = from_record(message.content)
    size = int.from_bytes(parts[0][:8], "big")
    return Message(to_record([bytes(size)]), reply_to=message)
