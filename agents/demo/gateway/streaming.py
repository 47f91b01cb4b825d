"""A real nginx with its RTMP module, and ffmpeg as its publisher and its viewers."""

from __future__ import annotations

import asyncio
import importlib
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from agents.demo.errors import DemoError
from agents.demo.guarded import guarded
from agents.demo.worker import free_port

if TYPE_CHECKING:
    from types import TracebackType

_HERE: Final = "127.0.0.1"
#: Where nginx lies: only root's PATH leads there.
_SBIN: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/usr/local/nginx/sbin"
_MODULES: Final = tuple(
    Path(folder) / "ngx_rtmp_module.so"
    for folder in ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
)
_WITHIN: Final = 20.0
_STOP_WITHIN: Final = 5.0

#: One application, `live`, that tells an address of all that happens.
CONFIGURATION: Final = """\
load_module {module};
daemon off;
master_process off;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        notify_update_timeout {update};
        application live {{
            live on;
            on_publish {hook};
            on_publish_done {hook};
            on_play {hook};
            on_play_done {hook};
            on_update {hook};
        }}
    }}
}}
"""


class Programs(NamedTuple):
    """Where the programs are."""

    nginx: str
    module: Path
    ffmpeg: str


def find() -> tuple[Programs | None, list[str]]:
    """Look for the programs.

    Returns:
        The programs if all of them are there; and what is missing, with how to get it.
    """
    missing = []
    nginx = shutil.which("nginx") or shutil.which("nginx", path=_SBIN)
    module = next((path for path in _MODULES if path.exists()), None)
    if nginx is None or module is None:
        missing.append("nginx with its RTMP module (Debian: apt install nginx libnginx-mod-rtmp)")
    ffmpeg = _ffmpeg()
    if ffmpeg is None:
        missing.append("ffmpeg (pip install imageio-ffmpeg, or apt install ffmpeg)")
    if nginx is None or module is None or ffmpeg is None:
        return None, missing
    return Programs(nginx, module, ffmpeg), missing


def _ffmpeg() -> str | None:
    """The ffmpeg of the PATH, or the one that the package imageio-ffmpeg brings."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        # No extra of ours: it is some 30 MB, for this show alone.
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


class Streaming:
    """nginx, and what publishes to it and plays from it; all of it ends with the block.

    Args:
        programs: Where they are.
        folder: For the configuration and the logs.
        hook: The address that is told.
        update: How often nginx tells of publishers and viewers that go on, as it writes times.
    """

    def __init__(self, programs: Programs, folder: Path, hook: str, update: str = "5s") -> None:
        self._programs = programs
        self._folder = folder
        self._port = free_port(_HERE, 1935)
        self._stack = AsyncExitStack()
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "nginx.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                module=programs.module, folder=folder, port=self._port, hook=hook, update=update
            ),
            encoding="utf-8",
        )

    async def __aenter__(self) -> Self:
        """Start nginx, and wait until it listens.

        Raises:
            DemoError: It does not.
        """
        nginx = (self._programs.nginx, "-e", "stderr", "-p", str(self._folder))
        try:
            process = await self._start("nginx", *nginx, "-c", str(self._configuration))
            async with asyncio.timeout(_WITHIN):
                while True:
                    if process.returncode is not None or await self._listens():
                        break
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self._stack.aclose()
            raise DemoError(
                f"nginx does not listen after {_WITHIN:.0f} s. {self._said()}"
            ) from None
        except BaseException:
            await self._stack.aclose()
            raise
        if process.returncode is not None:
            await self._stack.aclose()
            raise DemoError(f"nginx has ended with {process.returncode}. {self._said()}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all of it, the newest first."""
        await self._stack.aclose()

    def address(self, name: str) -> str:
        """Where a stream is, for publishers and players."""
        return f"rtmp://{_HERE}:{self._port}/live/{name}"

    async def publish(self, name: str) -> asyncio.subprocess.Process:
        """Publish a small test picture under a name."""
        source = "testsrc=size=128x96:rate=5"
        return await self._play(
            *("-re", "-f", "lavfi", "-i", source, "-c:v", "flv", "-g", "5", "-f", "flv"),
            self.address(name),
        )

    async def watch(self, name: str) -> asyncio.subprocess.Process:
        """Watch a stream."""
        return await self._play("-i", self.address(name), "-f", "null", "-")

    async def _play(self, *options: str) -> asyncio.subprocess.Process:
        common = (self._programs.ffmpeg, "-loglevel", "error", "-nostdin")
        return await self._start("ffmpeg", *common, *options)

    async def _start(self, name: str, *command: str) -> asyncio.subprocess.Process:
        self._count += 1
        log = self._folder / f"{name}-{self._count}.log"
        process = await self._stack.enter_async_context(guarded(command, self._folder, log))
        self._stack.push_async_callback(stop, process)
        return process

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(_HERE, self._port)
        except OSError:
            return False
        writer.close()
        return True

    def _said(self) -> str:
        return "It said:\n" + "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(self._folder.glob("nginx-*.log"))
        )


async def stop(process: asyncio.subprocess.Process) -> None:
    """Tell a program to stop, and kill it if it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
