#!/usr/bin/env python3
"""A service manager of straw: manager.py DIR COMMAND...

Runs COMMAND, keeps the descriptors that it sends (sd_notify(3), FDSTORE=1) and
passes them on to its next run, which SIGUSR1 begins when it is dead.  DIR/pid is
its process, DIR/kept has the names of what is kept.  Until SIGTERM."""
import fcntl
import os
import signal
import socket
import sys

FIRST_FD = 3
HIGH_FD = 1000


def run(command, notify, kept):
    """Starts COMMAND with all that is kept."""
    pid = os.fork()
    if pid:
        return pid
    fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD) for _, fd in kept]
    for i, fd in enumerate(fds):
        os.dup2(fd, FIRST_FD + i)
    os.closerange(FIRST_FD + len(fds), 2 * HIGH_FD)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    env = dict(os.environ, NOTIFY_SOCKET=notify, LISTEN_PID=str(os.getpid()),
               LISTEN_FDS=str(len(fds)))
    os.execvpe(command[0], command, env)


def write(path, lines):
    with open(path + ".new", "w") as f:
        f.writelines(f"{line}\n" for line in lines)
    os.rename(path + ".new", path)


def take(sock, kept):
    """One message of COMMAND's.  One socket is not kept twice."""
    data, fds, _, _ = socket.recv_fds(sock, 4096, 16)
    fields = dict(line.split("=", 1) for line in data.decode().splitlines())
    name = fields.get("FDNAME", "stored")
    if fields.get("FDSTOREREMOVE") == "1":
        for entry in [entry for entry in kept if entry[0] == name]:
            os.close(entry[1])
            kept.remove(entry)
    there = {os.fstat(fd).st_ino for _, fd in kept}
    for fd in fds:
        if fields.get("FDSTORE") == "1" and os.fstat(fd).st_ino not in there:
            kept.append((name, fd))
        else:
            os.close(fd)


def main():
    folder, command = sys.argv[1], sys.argv[2:]
    notify, kept, wishes = folder + "/notify", [], []
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(notify)
    sock.settimeout(0.2)
    for sig in signal.SIGUSR1, signal.SIGTERM:
        signal.signal(sig, lambda sig, _: wishes.append(sig))
    pid = run(command, notify, kept)
    write(folder + "/pid", [pid])
    while signal.SIGTERM not in wishes:
        try:
            take(sock, kept)
            write(folder + "/kept", [name for name, _ in kept])
        except TimeoutError:
            pass
        if signal.SIGUSR1 in wishes:
            wishes.remove(signal.SIGUSR1)
            os.waitpid(pid, 0)
            pid = run(command, notify, kept)
            write(folder + "/pid", [pid])
    os.kill(pid, signal.SIGKILL)


main()
