"""Django Channels with its origin check, on daphne. Prints where it listens."""

import socket
import sys

import django
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="of a test", INSTALLED_APPS=["daphne", "channels"])
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from daphne.server import Server  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "dismiss":
            await self.close(4321)
        else:
            await self.send(text_data=text_data, bytes_data=bytes_data)


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AllowedHostsOriginValidator(URLRouter([path("chat/echo", Echo.as_asgi())])),
    }
)
# daphne does not say which port it got, so it gets one that was free a moment ago.
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = Server(
    application,
    endpoints=[f"tcp:{port}:interface=127.0.0.1"],
    ready_callable=lambda: print(f"listening {port}", flush=True),
    signal_handlers=False,
)
sys.exit(server.run())
