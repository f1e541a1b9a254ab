"""Stands for netcat: `nc.py HOST PORT` sends standard input and prints what comes back by then."""
import socket
import sys

host, port = sys.argv[-2:]
with socket.create_connection((host, int(port)), timeout=10) as leg:
    leg.sendall(sys.stdin.buffer.read())
    answer = b""
    while not answer.endswith(b"\x1c\r"):
        more = leg.recv(4096)
        if not more:
            sys.exit("the flow ended without an answer")
        answer += more
sys.stdout.buffer.write(answer)
