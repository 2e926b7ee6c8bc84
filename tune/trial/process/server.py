"""The process server of a node: it keeps a template, and gives each trial a process that was forked from it.

Who connects to its socket sends one line of JSON, and stays for as long as it needs what it asked for:

- ``{"do": "lease"}``: that the server goes on.
- ``{"do": "note", "session": SID}``: that the processes of a session are ended when the driver has ended.
- ``{"do": "prepare", "job": FILE, "packages": {NAME: ORIGIN}, "warm": BOOL}``: a template that has the job and these
  modules; ``warm``: also all that the current one has, and it trains once. Answer: ``{"ready": true, "left_out": {NAME:
  REASON}}``. Where it imports anything, or is the first one of its job, who wants a process waits for it.
- ``{"do": "start"}``: a process. Answer: ``{"pid": PID}`` with the descriptor of its connection, and ``{"status":
  STATUS}`` when it has ended. A process whose client is gone is ended.

The server imports nothing heavy and has one thread, so that it can always fork another template. It is the subreaper of
all that trials start: what outlives its trial becomes the server's child, and is ended.
"""

import atexit
import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import setproctitle

from tune.trial.process.channel import describe_end
from tune.trial.process.linux import (
    CLEANER_S,
    become_subreaper,
    children_of,
    is_alive,
    is_cleaner,
    kill_all,
    kill_sessions,
    reap_children,
)
from tune.trial.process.packets import encode_line, receive_line, receive_packet, send_line, send_packet

PATIENCE_S = 5.0
"""For a client's request: others wait meanwhile."""
IDLE_S = 10.0
"""A server without driver and clients ends after so long."""
MOST_RETRIES = 2
"""How often a template that ended is made again."""
UNIMPORTABLE, ENDED = "torch and Lightning cannot be imported", "the process that imports torch and Lightning was ended"
STRAY_S = 0.01
"""Between two looks at processes that outlived their trials."""


class Template:
    """What a server knows of one of its templates."""

    def __init__(self, channel: socket.socket, pid: int, spec: dict[str, Any] | None = None) -> None:
        """``spec``: what it was asked to prepare; None for the first."""
        self.channel = channel
        self.pid = pid
        self.spec = spec
        self.is_ready = False
        self.n_asked = 0
        """Forks that were asked for and have not come."""
        self.unborn: deque[Template] = deque()
        """Templates that it was asked to fork, their pids not known yet."""


class Server:
    """Serves one socket, until its driver and its clients are gone."""

    def __init__(self, listener: socket.socket, driver: int | None) -> None:
        """``driver``: a descriptor that is closed when the driver ends; None: clients alone decide."""
        self._listener = listener
        self._driver = driver
        self._selector = selectors.DefaultSelector()
        self._awake, self._wake = socket.socketpair()
        self._clients: set[socket.socket] = set()
        self._running: dict[int, socket.socket] = {}  # clients by the process that they have
        self._starting: deque[socket.socket] = deque()
        self._preparing: dict[socket.socket, dict[str, Any]] = {}  # specs by who waits for them
        self._spares: list[tuple[int, int, Template]] = []  # pid, descriptor, and the template it was forked from
        self._templates: dict[int, Template] = {}  # by pid
        self._base: Template | None = None  # the first one
        self._current: Template | None = None  # the one that forks
        self._is_over = False
        self._strays: dict[int, float] = {}  # since when a process that outlived its trial is waited for
        self._failure: str | None = None  # why the first template cannot be made
        self._sessions: set[int] = set()  # of processes that are to end with the driver
        self._n_lost = 0  # templates that ended by themselves, one after the other

    def serve_requests(self) -> None:
        """Serve; return where nobody needs the server any more."""
        become_subreaper()
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._awake, selectors.EVENT_READ)
        if self._driver is not None:
            self._selector.register(self._driver, selectors.EVENT_READ)
        self._make_first_template()
        idle_since = time.monotonic()
        while not self._is_over and time.monotonic() - idle_since < IDLE_S:
            for key, _ in self._selector.select(STRAY_S if self._strays else 1.0):
                self._handle_event(key.fileobj)
            self._end_strays()
            if self._driver is not None or self._clients:  # asked last: all of this may have been stopped for minutes
                idle_since = time.monotonic()
        kill_sessions(self._sessions)
        # end trials, spares and templates, and what they started
        kill_all([*self._running, *(pid for pid, _, _ in self._spares), *self._templates])
        for held in (self._running, self._spares, self._templates):
            held.clear()
        until = time.monotonic() + PATIENCE_S
        while children_of(os.getpid()) and time.monotonic() < until:
            self._reap_processes()
            self._end_strays()
            time.sleep(0.01)

    def _handle_event(self, ready: Any) -> None:
        if ready == self._driver:
            self._is_over = True
        elif ready is self._awake:
            self._awake.recv(4096)
            self._reap_processes()
        elif ready is self._listener:
            with contextlib.suppress(OSError):
                self._receive_request(self._listener.accept()[0])
        elif (template := next((each for each in self._templates.values() if each.channel is ready), None)) is not None:
            self._receive_message(template)
        elif ready in self._clients:  # a client says nothing more: it is gone, and its process ends
            self._clients.discard(ready)
            self._selector.unregister(ready)
            with contextlib.suppress(ValueError):
                self._starting.remove(ready)
            kill_all(pid for pid, owner in self._running.items() if owner is ready)
            self._running = {pid: owner for pid, owner in self._running.items() if owner is not ready}
            ready.close()

    # clients

    def _receive_request(self, client: socket.socket) -> None:
        """Take a client's request."""
        try:
            request = receive_line(client, PATIENCE_S)
            do = request.pop("do")
        except (OSError, ValueError, KeyError):
            client.close()
            return
        self._clients.add(client)
        self._selector.register(client, selectors.EVENT_READ)
        if do == "start":
            self._starting.append(client)
            self._assign_processes()
        elif do == "note":
            self._sessions.add(request["session"])
        elif do == "prepare":
            request["holds"] = bool(request["packages"]) or not request["warm"]
            if request["warm"] and self._current is not None and self._current.spec is not None:
                request["packages"] = {**self._current.spec["packages"], **request["packages"]}
            self._preparing[client] = request
            self._make_next_template(request)

    def _assign_processes(self) -> None:
        """Give processes to those who wait for one, and ask for as many as are missing."""
        if self._failure is not None and self._current is None:
            for client in (*self._starting, *self._preparing):
                send_line(client, {"error": self._failure})
            self._starting.clear()
            self._preparing.clear()
        if any(spec["holds"] for spec in self._preparing.values()):
            return  # it has imported what each process would import now
        while self._starting and self._spares:
            pid, descriptor, _ = self._spares.pop(0)
            client = self._starting.popleft()
            self._running[pid] = client
            try:
                socket.send_fds(client, [encode_line({"pid": pid})], [descriptor])
            except OSError:
                kill_all([pid])
            os.close(descriptor)
        current = self._current
        if current is None or not current.is_ready:
            return
        wanted = len(self._starting) + (min(len(self._running), os.cpu_count() or 1) if current.spec is not None else 0)
        while len(self._spares) + current.n_asked < wanted:
            current.n_asked += 1
            send_packet(current.channel, {"do": "fork"})

    # templates

    def _make_first_template(self) -> None:
        """Fork the template that imports torch and Lightning."""
        theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self._close_descriptors()
            ours.close()
            from tune.trial.process.template import run_first_template

            run_first_template(theirs)
        theirs.close()
        self._add_template(Template(ours, pid))

    def _make_next_template(self, spec: dict[str, Any]) -> None:
        """Have a template fork one that prepares more: the first one, or the current one if that is to be kept."""
        parent = self._current if spec["warm"] else self._base
        if parent is None or not parent.is_ready:
            return  # it is made once the first one is ready
        theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.suppress(OSError):
            socket.send_fds(parent.channel, [json.dumps({"do": "make", **spec}).encode()], [theirs.fileno()])
        parent.unborn.append(Template(ours, 0, spec))

    def _add_template(self, template: Template) -> None:
        self._templates[template.pid] = template
        self._selector.register(template.channel, selectors.EVENT_READ)
        if template.spec is None:
            self._base = template
            self._current = self._current or template

    def _receive_message(self, template: Template) -> bool:
        """Take a message of a template; return False where there is none any more."""
        message, descriptors = receive_packet(template.channel)
        if message is None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(template.channel)  # its end comes with SIGCHLD, or by its parent's message
            return False
        if "forked" in message:
            template.n_asked -= 1
            if template is self._current:
                self._spares.append((message["forked"], descriptors[0], template))
                self._assign_processes()
            else:  # another template has come meanwhile: a process that is told nothing ends
                os.close(descriptors[0])
        elif "ended" in message:
            self._handle_process_end(message["ended"], message["status"])
        elif "made" in message:
            made = template.unborn.popleft()
            made.pid = message["made"]
            self._add_template(made)
        elif "ready" in message:
            self._switch_template(template, message)
        elif "spoilt" in message:
            sys.stderr.write(f"{message['spoilt']} is imported by each trial: on import {message['reason']}\n")
            self._remake_template(template, message["spoilt"])
        else:
            reason = message.get("failed") or f"the template cannot be forked: {message['unfit']}"
            sys.stderr.write(f"a template of trials ended: {reason}\n")
            if template is self._base:
                self._failure = f"{UNIMPORTABLE}: {reason}"
        return True

    def _switch_template(self, template: Template, message: dict[str, Any]) -> None:
        """Fork from a template that is ready from now on; answer those who waited for it."""
        template.is_ready = True
        self._n_lost = 0
        old = self._current
        if template.spec is not None or old is None or not old.is_ready:
            self._current = template
        if old is not None and old is not self._current:
            for _, descriptor, _ in self._spares:
                os.close(descriptor)
            self._spares.clear()
            if old.spec is not None:
                send_packet(old.channel, {"do": "end"})  # its trials become the server's children
        self._answer_preparers(template, {"ready": True, "left_out": message["left_out"]})
        for spec in list(self._preparing.values()) if template.spec is None else ():
            self._make_next_template(spec)
        self._assign_processes()

    def _answer_preparers(self, template: Template, answer: Mapping[str, Any]) -> None:
        for client in [client for client, spec in self._preparing.items() if spec is template.spec]:
            del self._preparing[client]
            send_line(client, answer)

    def _remake_template(self, template: Template, left_out: str) -> None:
        """Prepare a template again, without a package; those who wait for it wait on."""
        before = template.spec or {}
        kept = (name for name in before.get("packages", {}) if not f"{name}.".startswith(f"{left_out}."))
        spec = {**before, "packages": {name: before["packages"][name] for name in kept}}
        for client, waited in list(self._preparing.items()):
            if waited is template.spec:
                self._preparing[client] = spec
        self._make_next_template(spec)

    # ends

    def _reap_processes(self) -> None:
        """Take the ends of the server's own children: templates, and what it has adopted."""
        for pid, status in reap_children():
            self._handle_process_end(pid, status)

    def _handle_process_end(self, pid: int, status: int) -> None:
        """Tell the client of a process how it ended; make a template again that was still needed."""
        self._strays.pop(pid, None)
        if (client := self._running.pop(pid, None)) is not None:
            send_line(client, {"status": status})
        for spare in [each for each in self._spares if each[0] == pid]:
            self._spares.remove(spare)
            os.close(spare[1])
        template = self._templates.pop(pid, None)
        if template is not None:
            self._handle_template_end(template, status)

    def _handle_template_end(self, template: Template, status: int) -> None:
        """Go on without a template: with the first one where it was another, else with a new first one.

        ``status``: its exit status.
        """
        template.channel.setblocking(False)
        while self._receive_message(template):  # what it said last
            pass
        template.channel.close()
        for pid in [pid for pid in self._running if not is_alive(pid)]:  # it ended with its template, unsaid
            self._handle_process_end(pid, -signal.SIGKILL)
        self._answer_preparers(template, {"error": "the template ended while it was prepared"})
        self._n_lost += 1
        if template is self._base:
            self._base = None
            if self._failure is None and self._n_lost <= MOST_RETRIES:
                self._make_first_template()
            elif self._failure is None:
                self._failure = f"{ENDED if status == -signal.SIGKILL else UNIMPORTABLE}: {describe_end(status)}"
        if template is self._current:
            self._current = self._base
            if template.spec is not None and self._n_lost <= MOST_RETRIES:
                self._make_next_template({**template.spec, "warm": True})
        self._make_lost_templates(template)
        self._assign_processes()

    def _make_lost_templates(self, template: Template) -> None:
        """Have those made that a template was asked for as it ended: by the current one, or once there is one."""
        for lost in template.unborn:
            lost.channel.close()  # with it one ends that was forked, and not told of
            for spec in [each for each in self._preparing.values() if each is lost.spec]:
                self._make_next_template(spec)

    def _end_strays(self) -> None:
        """End the processes that outlived their trials: they became the server's children.

        None is ended while a template has died and is not known to have: it may have forked one for a trial, and have
        said so in a message that is still to be read. For that each is seen twice.
        """
        if not all(is_alive(pid) for pid in self._templates):
            return
        known = {*self._templates, *self._running, *(pid for pid, _, _ in self._spares)}
        now, before = time.monotonic(), self._strays
        self._strays = {pid: before.get(pid, now) for pid in children_of(os.getpid()) if pid not in known}
        for pid in self._strays.keys() & before.keys():
            if not is_cleaner(pid) or now - before[pid] > CLEANER_S:
                kill_all([pid])

    def _close_descriptors(self) -> None:
        """Close the server's descriptors, in a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        if self._driver is not None:
            os.close(self._driver)
        for _, descriptor, _ in self._spares:
            os.close(descriptor)
        for template in self._templates.values():
            for each in (template, *template.unborn):
                each.channel.close()
        for held in (self._listener, self._awake, self._wake, *self._clients):
            held.close()


def main() -> None:
    """Serve the socket whose descriptor is the first word; the second is that of a driver, or ``-``."""
    setproctitle.getproctitle()  # it looks for the place of the title before anything changes the environment
    gc.freeze()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is the driver's, as Ctrl-C is
    atexit.register(_exit_now)  # the first one: in each process that is forked from here it is called last
    descriptor, driver = sys.argv[1:3]
    listener = socket.socket(fileno=int(descriptor))
    folder = Path(listener.getsockname()).parent
    Server(listener, None if driver == "-" else int(driver)).serve_requests()
    if driver == "-":
        shutil.rmtree(folder, ignore_errors=True)
    else:
        from tune.trial.process.marker import remove_stale_folder  # 20 ms that trials need not wait for

        remove_stale_folder(folder)  # of a driver that was killed: one that lives holds its lock
    os._exit(0)


def _exit_now() -> None:
    trial = sys.modules.get("tune.trial.process.trial_process")
    if trial is None:  # the server itself, on an error
        os._exit(1)
    trial.exit_now()
